"""What leaves share: the summary block, the run's environment, step log and clock."""

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import clock, reference, run, steps, summary

ROOT = Path(__file__).parents[1]
TOML = """
budget_s = 300
[profiles.cpu]
budget_s = 60
clock = "cpu"
needs = "cpu"
[profiles.empty]
budget_s = 0
[profiles.odd]
clock = "sundial"
"""


@pytest.fixture
def leaf(tmp_path: Path) -> Path:
    (tmp_path / "leaf.toml").write_text(TOML)
    return tmp_path


def child(code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a fresh interpreter that can import `shared`."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environ}
    return subprocess.run([sys.executable, "-c", code], env=env, text=True, capture_output=True)


NAMES = st.from_regex(r"[a-z_][\w./-]*", fullmatch=True)


@given(st.dictionaries(NAMES, st.floats(-1e300, 1e300), min_size=1))
def test_what_is_rendered_is_read_back_to_ten_digits(metrics: dict[str, float]) -> None:
    got = summary.parse("noise\n" + summary.render(metrics) + "\nmore noise")
    assert got.keys() == metrics.keys()
    assert all(math.isclose(got[name], metrics[name], rel_tol=1e-9) for name in metrics)


@given(st.text())
def test_no_text_makes_parse_fail(text: str) -> None:
    assert all(math.isfinite(value) for value in summary.parse("---\n" + text + "\n---").values())


@pytest.mark.parametrize(
    ("log", "metrics"),
    [
        ("warm-up\n---\nloss: 1.5\nsteps: 3\n---\nbye\n", {"loss": 1.5, "steps": 3}),
        ("---\nloss: 1.5\n", {}),
        ("---\nloss: 1.5", {}),
        ("---\r\nloss: 1.5\r\n---\r\n", {"loss": 1.5}),
        ("---\nloss: 1\n---\n---\nloss: 2\n---\n", {"loss": 2}),
        ("---\nloss: 1\n---\nagain\n---\nloss: 2\n", {"loss": 1}),
        ("---\nloss: 1\n---\nloss: 2\n---\n", {"loss": 2}),
        ("Title\n---\nsome prose\n---\nloss: 2\n---\n", {"loss": 2}),
        ("---\nloss: nan\nbest: inf\nworst: 1e999\nsteps: 3\n---\n", {"steps": 3}),
        ("---\ndevice: some cpu\nsteps: 3\n---\n", {"steps": 3}),
        ("---\nverlust_über: 2\n---\n", {"verlust_über": 2}),
        ("---\n---\n", {}),
        ("", {}),
    ],
    ids=[
        "noisy",
        "torn",
        "torn-mid-line",
        "crlf",
        "two",
        "whole-then-torn",
        "torn-then-whole",
        "markdown-rule",
        "not-finite",
        "not-a-number",
        "unicode",
        "empty-block",
        "nothing",
    ],
)
def test_only_the_last_whole_block_counts(log: str, metrics: dict[str, float]) -> None:
    assert summary.parse(log) == metrics


def test_a_name_that_could_not_be_read_back_is_refused() -> None:
    with pytest.raises(ValueError, match="metric name 'val bpb'"):
        summary.render({"val bpb": 1.0})


def test_the_environment_beats_leaf_toml(leaf: Path) -> None:
    environ = {
        "LAB_RUN_DIR": str(leaf / "r"),
        "LAB_CACHE_DIR": str(leaf / "c"),
        "LAB_BUDGET_S": "7",
        "LAB_SEED": "3",
        "LAB_PROFILE": "cpu",
    }
    here = run.here(leaf / "train.py", environ)
    assert (here.budget_s, here.seed, here.profile, here.clock) == (7.0, 3, "cpu", "cpu")
    assert (here.dir, here.cache, here.by_hand) == (leaf / "r", leaf / "c", False)
    assert here.dir.is_dir()
    assert here.cache.is_dir()


def test_by_hand_it_says_where_it_writes(leaf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = run.here(leaf, {"LAB_PROFILE": "cpu"})
    assert (here.budget_s, here.seed, here.dir) == (60.0, 0, leaf / "runs/by-hand")
    assert capsys.readouterr().err.startswith("by hand: profile cpu, seed 0, writing to ")


def test_a_profile_without_a_table_is_the_top_level(leaf: Path) -> None:
    here = run.here(leaf, {"LAB_PROFILE": "gpu"})
    assert (here.budget_s, here.clock, here.needs) == (300.0, "wall", "gpu")


def test_told_by_lab_a_script_reads_no_leaf_toml(tmp_path: Path) -> None:
    told = {"LAB_PROFILE": "cpu", "LAB_BUDGET_S": "7", "LAB_CLOCK": "steps", "LAB_NEEDS": "none"}
    told |= {"LAB_RUN_DIR": str(tmp_path / "r"), "LAB_CACHE_DIR": str(tmp_path / "c")}
    code = (
        "from shared import run; here = run.here('.')\n"
        "print(here.needs, here.steps, here.settings, here.by_hand)"
    )
    done = child(f"import os; os.chdir({str(tmp_path)!r}); {code}", LAB_DATA='{"steps": 3}', **told)
    assert done.stdout == "none 3 {'steps': 3} False\n", done.stderr
    half = child(f"import os; os.chdir({str(tmp_path)!r}); {code}", **told)
    assert "leaf.toml is missing beside the script" in half.stderr


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"LAB_PROFILE": "emtpy"}, "no profile 'emtpy'; its profiles: gpu, cpu, empty, odd"),
        ({"LAB_PROFILE": "empty"}, "no time to train"),
        ({"LAB_PROFILE": "cpu", "LAB_BUDGET_S": "nan"}, "no time to train"),
        ({"LAB_PROFILE": "cpu", "LAB_BUDGET_S": "soon"}, "budget_s is 'soon'"),
        ({"LAB_PROFILE": "odd"}, "choose one of wall, cpu, steps"),
        ({"LAB_PROFILE": "cpu", "LAB_SEED": "x"}, "LAB_SEED is 'x'"),
        ({"LAB_PROFILE": "cpu", "LAB_CLOCK": "steps"}, "a steps clock needs 1 or more"),
    ],
    ids=["unknown", "zero", "nan", "word", "clock", "seed", "no-steps"],
)
def test_what_cannot_be_used_stops_with_a_sentence(
    leaf: Path, environ: dict[str, str], sentence: str
) -> None:
    with pytest.raises(SystemExit, match=sentence):
        run.here(leaf, environ)


@pytest.mark.parametrize(
    ("profile", "cuda", "chosen"),
    [("cpu", False, "cpu"), ("cpu", True, "gpu"), ("smoke", False, "gpu")],
)
def test_by_hand_it_is_the_profile_for_the_machine_where_the_leaf_has_it(
    monkeypatch: pytest.MonkeyPatch, profile: str, cuda: bool, chosen: str
) -> None:
    monkeypatch.setattr("shared.device.has_cuda", lambda: cuda)
    told = run.from_toml({"budget_s": 3, "profiles": {profile: {}}})
    assert told["LAB_PROFILE"] == chosen


def test_a_killed_run_keeps_its_whole_lines(tmp_path: Path) -> None:
    code = (
        "import os, signal; from shared.steps import StepLog; log = StepLog('.')\n"
        "for n in range(50): log.log(n, n / 10, loss=float('nan') if n == 49 else 1.0)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = child(f"import os; os.chdir({str(tmp_path)!r}); {code}")
    assert done.returncode == -signal.SIGKILL
    rows = [json.loads(line) for line in (tmp_path / steps.STEPS).read_text().splitlines()]
    assert rows[3] == {"step": 3, "elapsed_s": 0.3, "loss": 1.0}
    assert rows[-1] == {"step": 49, "elapsed_s": 4.9, "loss": None, "nonfinite": ["loss"]}


def test_samples_are_one_object_a_line(tmp_path: Path) -> None:
    with steps.StepLog(tmp_path) as log:
        log.sample("2+2=", "4\n", 1.0, True)
        log.sample("2+3=", "6", 0.0, False)
    rows = steps.read(tmp_path / steps.SAMPLES)
    assert rows[0] == {"prompt": "2+2=", "completion": "4\n", "reward": 1.0, "correct": True}
    assert len(rows) == 2


def test_a_line_cut_off_by_a_kill_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "steps.jsonl").write_text('{"step": 1}\n{"step": 2, "lo')
    assert steps.read(tmp_path / "steps.jsonl") == [{"step": 1}]


def test_divergence_stops_a_script_with_the_sentence_triage_knows() -> None:
    done = child("from shared.steps import check_finite; check_finite(12, float('inf'))")
    assert (done.returncode, done.stderr) == (
        1,
        "diverged at step 12: loss is inf; lower LEARNING_RATE\n",
    )


def test_start_up_is_not_charged() -> None:
    budget = clock.Clock("cpu", budget_s=0.05)
    sum(range(3_000_000))
    assert budget.progress() == 0.0
    budget.start()
    assert not budget.done()
    while not budget.done():
        sum(range(1000))
    assert budget.elapsed() >= 0.05


STEPS_BY_CPU = """
import hashlib, json, os, sys, threading, time
from shared import clock
cost, later, beside = json.loads(sys.argv[1])
data, other, stop = b"x" * 200_000, 0.0, False
def work():
    global other
    while not stop: hashlib.sha256(data).digest()
    other = time.thread_time()
budget = clock.Clock("cpu", budget_s=0.5)
thread = threading.Thread(target=work)
budget.start()
if beside: thread.start()
seen = []
while not budget.done():
    seen.append(budget.progress())
    for _ in range(cost if seen[-1] < 0.5 else later): hashlib.sha256(data).digest()
    budget.tick()
stop = True
if beside: thread.join()
print(json.dumps([budget.steps_done, budget.cpu_s, seen == sorted(seen), other]))
"""


def steps_by_cpu(cost: int, later: int, *, beside: bool = False, **told: str) -> list[float]:
    """Return its steps and CPU seconds, whether it only rose, and the second thread's seconds."""
    code = STEPS_BY_CPU.replace("sys.argv[1]", repr(json.dumps([cost, later, beside])))
    done = child(code, **told)
    assert not done.stderr
    return list(json.loads(done.stdout))


def test_steps_that_cost_four_times_as_much_are_a_quarter() -> None:
    unit = str(reference.Loop().usual_s())
    cheap, *_ = steps_by_cpu(20, 20, LAB_REFERENCE_S=unit)
    dear, _, rose, _ = steps_by_cpu(80, 80, LAB_REFERENCE_S=unit)
    later, *_ = steps_by_cpu(20, 160, LAB_REFERENCE_S=unit)
    assert rose
    assert 0.15 < dear / cheap < 0.4  # a quarter
    assert 0.4 < later / cheap < 0.75  # an eighth of one half and the other


def test_a_cpu_second_of_a_machine_slowed_down_counts_for_less() -> None:
    unit = reference.Loop().usual_s()
    slowed, slow_s, *_ = steps_by_cpu(20, 20, LAB_REFERENCE_S=str(unit / 3))  # it took a third once
    steps, cpu_s, *_ = steps_by_cpu(20, 20, LAB_REFERENCE_S=str(unit))
    assert slow_s / cpu_s > 1.8
    assert slowed / steps > 1.8


def test_threads_of_its_own_buy_a_script_no_steps() -> None:
    unit = str(reference.Loop().usual_s())
    alone, *_ = steps_by_cpu(20, 20, LAB_REFERENCE_S=unit)
    beside, cpu_s, _, other_s = steps_by_cpu(20, 20, beside=True, LAB_REFERENCE_S=unit)
    assert other_s > 0.2 * cpu_s
    assert beside < 0.9 * alone


def test_a_steps_clock_counts_steps_and_nothing_else() -> None:
    budget = clock.Clock("steps", budget_s=1e-9, steps=2)
    budget.start()
    seen = [budget.progress()]
    for _ in range(2):
        budget.tick()
        seen.append(budget.progress())
    assert seen == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("arguments", [("wall", 0), ("steps", 1), ("lunar", 1)])
def test_a_clock_that_could_never_end_is_refused(arguments: tuple[str, float]) -> None:
    with pytest.raises(ValueError, match=r"clock|budget"):
        clock.Clock(*arguments)


def test_importing_shared_loads_no_torch() -> None:
    done = child(
        "import shared.clock, shared.device, shared.run, shared.steps, shared.summary, shared.text"
        "; import sys; print('torch' in sys.modules, 'numpy' in sys.modules)"
    )
    assert done.stdout == "False False\n"


def test_a_process_that_started_early_waits_at_its_gate(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="a device is picked by torch")
    code = "from shared import device; print('there', flush=True); print(device.pick('cpu').type)"
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT), "LAB_GATE": str(tmp_path / "open")},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "there\n"
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(timeout=8)  # importing torch takes less, on a machine that has other work too
    (tmp_path / "open").touch()
    assert child.communicate(timeout=120)[0] == "cpu\n"
