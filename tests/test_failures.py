"""Why a run failed: real scripts, run by the local runner, and the class of their failure."""

import os
import sys
import textwrap
from pathlib import Path

import pytest

from lab.run.failures import SAYS, Failure, classify
from lab.runner import Command, Outcome
from lab.runner.local import Local

NEEDS_TORCH = "import torch\n"
SOURCE = "DEVICE_BATCH = 2**5\nLEARNING_RATE = 0.3\nDEPTH = 4\n"


@pytest.fixture
def fail(tmp_path):
    """Run a script as a leaf's train.py and classify what came of it."""

    def call(script, limit=60.0, stop=lambda: False, **facts) -> Failure | None:
        leaf = tmp_path / "leaf"
        leaf.mkdir(exist_ok=True)
        (leaf / "train.py").write_text(textwrap.dedent(script))
        environ = {**os.environ, "LAB_RUN_DIR": str(tmp_path)}
        argv = [sys.executable, "train.py"]
        job = Command(argv, leaf, environ, tmp_path / "log", limit, leaf / "steps.jsonl")
        outcome = Local().run(job, stop)
        log = (tmp_path / "log").read_text()
        return classify(outcome, log, folders=[leaf], source=SOURCE, **facts)

    return call


def said(last: str, **facts) -> str | None:
    """Return the class of a failed command whose traceback ends with `last`."""
    log = f'Traceback (most recent call last):\n  File "a.py", line 3, in f\n{last}\n'
    failure = classify(Outcome(**{"exit_code": 1, **facts}), log)
    return failure.kind if failure else None


def test_a_command_that_ends_well_has_not_failed(fail):
    assert fail("print('MemoryError')\nprint('diverged at step 3: no')") is None


def test_a_bug_is_placed_at_the_innermost_line_of_the_leafs_own_files(fail):
    failure = fail(
        """
        import json

        def load():
            return json.loads("{")

        load()
        """
    )
    assert failure == Failure(
        "bug",
        "train.py:5",
        "json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: "
        "line 1 column 2 (char 1)",
        SAYS["bug"],
        "Fix train.py:5 and run it again",
    )


def test_a_syntax_error_has_a_place_too(fail):
    failure = fail("x = 1\nif x\n    pass\n")
    assert (failure.kind, failure.place) == ("bug", "train.py:2")
    assert failure.last.startswith("SyntaxError: ")


@pytest.mark.parametrize(
    ("script", "last"),
    [
        ("import sys\nsys.exit(3)", "exit code 3"),
        ("raise SystemExit('no data: run prepare.py')", "no data: run prepare.py; exit code 1"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "ended by SIGSEGV"),
    ],
)
def test_a_failure_without_a_traceback_is_a_bug_with_its_last_words(fail, script, last):
    failure = fail(script)
    assert (failure.kind, failure.place, failure.last) == ("bug", "", last)


@pytest.mark.parametrize(
    ("log", "place", "last"),
    [
        ("a.cc:3:9: error: no x\nb.cc:1:1: error: y\nmake: *** Error 1", "a.cc:3", "error: no x"),
        ("k.cu(7): error: no x\n1 error detected\n", "k.cu:7", "error: no x"),
        ("src/a.ts(2,5): error TS2322: not x.\n", "src/a.ts:2", "error TS2322: not x."),
        ("error[E0308]: not x\n  --> src/a.rs:1:26\n   |\n", "src/a.rs:1", "error[E0308]: not x"),
        ("# command-line\n./a.go:5:2: undefined: x\n", "a.go:5", "undefined: x"),
        ("a.f90:2:9:\n\n    2 | x = y\n      |  1\nError: not x\n", "a.f90:2", "Error: not x"),
        ("ld: a.o: in `main':\na.c:(.text+0xe): undefined reference to `x'\ncollect2: error: ld "
         "returned 1 exit status\n", "", "undefined reference to `x'"),
        ("a.js:2\nlet b = ;\n        ^\n\nSyntaxError: not x\n    at f (node:vm:7:1)\n\nNode.js "
         "v20\n", "a.js:2", "SyntaxError: not x"),
        ("a.sh: line 3: x: command not found\n", "a.sh:3", "x: command not found"),
        ("a.rb:3:in `f': not x (NameError)\n", "a.rb:3", "not x (NameError)"),
        ("not x at a.pl line 4.\n", "a.pl:4", "not x"),
        ("no such table\nmake: *** [run] Error 1\n", "", "no such table; exit code 1"),
        ("a.c:1:2: error: no x\nTraceback (most recent call last):\n  File \"train.py\", line 3, "
         "in m\nsubprocess.CalledProcessError: Command 'make' failed\n", "a.c:1", "error: no x"),
    ],
)  # fmt: skip
def test_what_another_program_says_is_wrong_is_told_with_its_place(log, place, last):
    failure = classify(Outcome(exit_code=1), log)
    assert (failure.kind, failure.place, failure.last) == ("bug", place, last)


@pytest.mark.parametrize(
    "script",
    [
        "raise torch.OutOfMemoryError('CUDA out of memory. PastTrial to allocate 20.00 GiB')",
        "raise torch.cuda.OutOfMemoryError('CUDA out of memory')",
        "torch.empty(1 << 60)",
        "try: torch.empty(1 << 60)\nexcept RuntimeError as e: raise ValueError('wrapped') from e",
    ],
)
def test_torchs_own_exceptions_are_out_of_memory(fail, script):
    pytest.importorskip("torch")
    failure = fail(NEEDS_TORCH + script)
    assert failure.kind == "oom"
    assert failure.place.startswith("train.py:")
    assert failure.hint == "Try DEVICE_BATCH = 16 (now 32)"


def test_memory_error_is_out_of_memory_only_as_the_final_exception(fail):
    assert fail("raise MemoryError").kind == "oom"
    later = "try:\n    raise MemoryError\nexcept MemoryError:\n    batch //= 2\n"
    assert fail(later).kind == "bug"


def test_numpys_memory_error_is_out_of_memory(fail):
    pytest.importorskip("numpy")
    assert fail("import numpy\nnumpy.zeros(1 << 50)").kind == "oom"


def test_a_kill_by_the_kernel_is_out_of_memory_and_any_other_is_not():
    assert classify(Outcome(signal=9, oom_killed=True), "").kind == "oom"
    other = classify(Outcome(signal=9), "epoch 3\n")
    assert (other.kind, other.last) == ("infra", "epoch 3; ended by SIGKILL")
    assert classify(Outcome(exit_code=137), "").kind == "infra"


@pytest.mark.parametrize(
    "script",
    [
        "print('some output')\nraise SystemExit('diverged at step 12: loss is nan; lower LR')",
        """open('steps.jsonl', 'w').write('{"loss": NaN}\\n')\nwhile True: pass""",
        "raise RuntimeError('probability tensor contains either `inf`, `nan` or element < 0')",
    ],
)
def test_a_loss_that_is_no_number_is_divergence(fail, script):
    failure = fail(script)
    assert (failure.kind, failure.hint) == ("diverged", "Lower LEARNING_RATE (now 0.3)")


def test_words_that_look_like_divergence_are_not(fail):
    script = """
        print("info: infinity and nan are discussed here")
        print("note: diverged at step 3 last time", "inf", "nan")
        raise KeyError("nan")
    """
    assert fail(script).kind == "bug"


def test_a_divergence_that_was_survived_does_not_hide_a_later_bug(fail):
    assert fail("print('diverged at step 3: starting over', flush=True)\nfoo()").kind == "bug"


def test_a_timeout_beats_what_the_log_says(fail):
    failure = fail("import time\nprint('MemoryError', flush=True)\ntime.sleep(60)", limit=1.0)
    assert (failure.kind, failure.says) == ("timeout", SAYS["timeout"])


def test_a_stop_is_an_interruption(fail, tmp_path):
    stop = (tmp_path / "leaf/up").exists
    assert fail("open('up', 'w')\nwhile True: pass", stop=stop).kind == "interrupted"


@pytest.mark.parametrize(
    "script",
    [
        "raise OSError(28, 'No space left on device')",
        "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:9/')",
        "raise RuntimeError('No CUDA GPUs are available')",
    ],
)
def test_a_full_disk_a_dead_network_and_a_missing_gpu_are_infrastructure(fail, script):
    failure = fail(script)
    assert (failure.kind, failure.place) == ("infra", "")


def test_the_runners_own_error_is_infrastructure():
    failure = classify(Outcome(error="cannot start python: No such file"), "")
    assert (failure.kind, failure.last) == ("infra", "cannot start python: No such file")


@pytest.mark.parametrize(
    ("last", "kind"),
    [
        ("torch.AcceleratorError: CUDA error: out of memory", "oom"),
        ("RuntimeError: CUDA out of memory. PastTrial to allocate 2 GiB", "oom"),
        ("RuntimeError: DataLoader worker (pid 7) is killed by signal: Killed. ", "oom"),
        ("torch._inductor.exc.InductorError: OutOfMemoryError: CUDA out of memory.", "oom"),
        ("RuntimeError: the CUDA out of memory handler is missing", "bug"),
        ("ValueError: MemoryError: in a message", "bug"),
        ("FileNotFoundError: [Errno 2] No such file: 'x'", "bug"),
        ("RuntimeError: CUDA error: an illegal memory access was encountered", "bug"),
        ("torch.AcceleratorError: CUDA error: uncorrectable ECC error encountered", "infra"),
        ("ConnectionErrors: are not this", "bug"),
    ],
)
def test_messages_are_matched_from_their_beginning(last, kind):
    assert said(last) == kind


def test_workers_prefixes_and_colours_do_not_hide_the_traceback():
    log = (
        "[rank0]: Traceback (most recent call last):\n"
        '[rank0]:   File "\x1b[35m/x/leaf/train.py\x1b[0m", line 7, in main\n'
        "[rank0]: torch.OutOfMemoryError: CUDA out of memory\n"
        "[rank0]:[W1 ProcessGroup] warning\n"
    )
    failure = classify(Outcome(exit_code=1), log, folders=[Path("/x/leaf")])
    assert (failure.kind, failure.place) == ("oom", "train.py:7")


def test_a_good_ending_without_a_metric_or_with_foreign_changes_is_no_result(fail):
    assert fail("print('---')", metrics_ok=False).kind == "no_metric"
    both = fail("print('---')", metrics_ok=False, tampered=["evaluate.py", "random.py"])
    assert (both.kind, both.last) == ("tampered", "changed: evaluate.py, random.py")


def test_a_crash_is_told_before_what_it_also_changed(fail):
    assert fail("foo()", tampered=["evaluate.py"]).kind == "bug"


def test_a_huge_message_is_kept_short(fail):
    assert len(fail("raise ValueError('x' * 100_000)").last) == 300
