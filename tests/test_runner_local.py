"""The local runner: real children that finish, crash, hang, flood, hide and lose their numbers."""

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from lab.runner import Command, Outcome, memory
from lab.runner.local import Local
from lab.runner.output import CappedLog
from lab.system import processes

FOREVER = "import time\nwhile True: time.sleep(0.05)\n"
# A grandchild in a session of its own whose parent is gone, as a daemon would be.
DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open("pid", "w").write(str(os.getpid()))
        time.sleep(600)
    os._exit(0)
os.wait()
while not os.path.exists("pid") or not open("pid").read(): time.sleep(0.01)
"""


@pytest.fixture
def run(tmp_path):
    """Run a script as a job: run("print(1)", limit=20) -> Outcome."""

    def call(script, limit=30.0, stop=lambda: False, steps=None, cap=1 << 20, env=None, log="log"):
        environ = {**os.environ, "LAB_RUN_DIR": str(tmp_path), **(env or {})}
        argv = [sys.executable, "-u", "-c", textwrap.dedent(script)]
        job = Command(argv, tmp_path, environ, tmp_path / log, limit, steps, cap)
        return Local().run(job, stop)

    return call


def gone(pid: int) -> bool:
    return processes.start_id(pid) is None


def test_a_finished_command_gives_its_code_output_and_seconds(run, tmp_path):
    outcome = run("import sys\nprint('out')\nprint('err', file=sys.stderr)\nsys.exit(3)")
    assert (outcome.exit_code, outcome.signal, outcome.error) == (3, None, None)
    assert (outcome.tail, outcome.stderr_tail) == ("out\n", "err\n")
    assert sorted((tmp_path / "log").read_text().splitlines()) == ["err", "out"]
    assert 0 < outcome.seconds < 30


def test_standard_input_is_empty_so_nothing_can_wait_for_an_answer(run):
    assert run("print(repr(input()))").exit_code == 1


def test_a_command_past_its_limit_is_timed_out_though_it_ignores_sigterm(run):
    ignore = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    outcome = run(ignore + FOREVER, limit=0.5)
    assert (outcome.timed_out, outcome.stopped, outcome.left) == (True, False, ())
    assert (outcome.exit_code, outcome.signal, outcome.oom_killed) == (None, 9, False)


def test_a_stop_request_ends_the_command(run, tmp_path):
    outcome = run("open('up', 'w')\n" + FOREVER, stop=lambda: (tmp_path / "up").exists())
    assert (outcome.stopped, outcome.timed_out, outcome.signal) == (True, False, 15)


@pytest.mark.parametrize("end", ["", FOREVER], ids=["parent-ends", "parent-hangs"])
@pytest.mark.parametrize("hidden", [False, True], ids=["marked", "unmarked"])
def test_a_daemon_in_its_own_session_is_ended_with_the_run(run, tmp_path, end, hidden):
    script = DAEMON + end
    if hidden:  # without LAB_RUN_DIR in its environment only the adoption of orphans finds it
        clean = "import os, sys\nif 'LAB_RUN_DIR' in os.environ: os.execve(sys.executable, "
        script = clean + f"[sys.executable, '-c', {script!r}], {{}})\n"
    outcome = run(script, limit=5.0 if not end else 2.0)
    assert outcome.timed_out is bool(end)
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_grandchild_that_holds_the_pipe_does_not_hang_the_runner(run):
    outcome = run("import subprocess\nsubprocess.Popen(['sleep', '600'])\nprint('done')", limit=60)
    assert (outcome.exit_code, outcome.tail, outcome.timed_out) == (0, "done\n", False)


def test_processes_that_were_there_before_are_spared(run):
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as bystander:
        run("print(1)")
        assert bystander.poll() is None
        bystander.kill()


@pytest.mark.parametrize(
    "flood",
    ["for i in range(60_000): print('line', i, 'x' * 30)", "print('x' * 20_000_000)"],
    ids=["many-lines", "one-long-line"],
)
def test_a_flood_is_cut_in_the_middle_and_its_end_is_kept(run, tmp_path, flood):
    outcome = run(f"print('first')\n{flood}\nprint('---\\nloss: 1\\n---')", cap=200_000)
    log = (tmp_path / "log").read_bytes()
    assert len(log) < 200_000 + 100
    assert log.startswith(b"first\n")
    assert b" bytes of output dropped here ...]" in log
    assert log.endswith(b"---\nloss: 1\n---\n")
    assert outcome.tail.endswith("---\nloss: 1\n---\n")
    assert len(outcome.tail) <= 1 << 20


def test_the_cut_says_exactly_how_much_is_missing(tmp_path):
    log = CappedLog(tmp_path / "log", 1000)
    lines = [f"line {i:05}\n".encode() for i in range(5000)]
    for line in lines:
        log.write(line)
    log.close()
    text = (tmp_path / "log").read_text()
    head, marker, tail = text.partition("\n[... ")
    count, _, tail = tail.partition(" bytes of output dropped here ...]\n")
    assert b"".join(lines).startswith(head.encode())
    assert b"".join(lines).endswith(tail.encode())
    assert marker
    assert int(count.replace(",", "")) == sum(map(len, lines)) - len(head) - len(tail)


def test_a_second_command_appends_to_the_log(run, tmp_path):
    run("print('one')")
    run("print('two')")
    assert (tmp_path / "log").read_text() == "one\ntwo\n"


@pytest.mark.parametrize(
    "row",
    [
        '{"step": 1, "loss": null, "nonfinite": ["loss"]}',
        '{"step": 1, "loss": NaN}',
        '{"step": 1, "train_loss": -Infinity}',
    ],
)
def test_a_loss_that_is_no_number_ends_the_run_as_diverged(run, tmp_path, row):
    steps = tmp_path / "steps.jsonl"
    outcome = run(f"open('steps.jsonl', 'w').write({row!r} + '\\n')\n" + FOREVER, steps=steps)
    assert (outcome.diverged, outcome.timed_out, outcome.exit_code) == (True, False, None)


def test_a_script_that_notices_its_nan_may_say_so_itself(run, tmp_path):
    script = """
        open('steps.jsonl', 'w').write('{"loss": NaN}\\n')
        raise SystemExit('diverged at step 1: loss is nan')
    """
    outcome = run(script, steps=tmp_path / "steps.jsonl")
    assert (outcome.diverged, outcome.exit_code) == (True, 1)
    assert outcome.stderr_tail == "diverged at step 1: loss is nan\n"


def test_an_infinite_gradient_or_a_torn_line_is_no_divergence(run, tmp_path):
    rows = '{"loss": 1.0, "grad_norm": Infinity}\\n{"note": "NaN loss"}\\n{"loss": NaN'
    outcome = run(f"open('steps.jsonl', 'w').write('{rows}')", steps=tmp_path / "steps.jsonl")
    assert (outcome.diverged, outcome.exit_code) == (False, 0)


def test_a_sigkill_from_elsewhere_is_a_signal_and_no_oom_without_evidence(run):
    outcome = run("import os\nos.kill(os.getpid(), 9)")
    assert (outcome.signal, outcome.exit_code, outcome.timed_out) == (9, None, False)
    if memory.kills() is not None:
        assert outcome.oom_killed is False


def test_cpu_seconds_include_workers_and_daemons(run):
    busy = "import time\nwhile time.process_time() < 0.3: pass\n"
    both = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {busy!r}])\n" + busy
    outcome = run(both)
    assert outcome.cpu_s >= 0.6


@pytest.mark.parametrize(
    ("argv", "says"),
    [(["/no/such/program"], "cannot start /no/such/program: No such file or directory")],
)
def test_what_cannot_be_started_is_the_runners_own_error(tmp_path, argv, says):
    outcome = Local().run(Command(argv, tmp_path, {}, tmp_path / "log", 5.0), lambda: False)
    assert outcome == Outcome(error=says)


def test_a_full_disk_is_the_runners_own_error_and_ends_the_command(run):
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    outcome = run("print('x')\n" + FOREVER, log="/dev/full")
    assert outcome.error == "cannot write /dev/full: No space left on device"


def test_a_log_is_read_through_what_wrote_it(run, tmp_path):
    script = "import os\nos.unlink('log')\nos.symlink('/etc/passwd', 'log')\nprint('mine')"
    assert run(script).log == "mine\n"


def test_the_command_dies_with_the_process_that_runs_it(tmp_path):
    script = f"""
        import os
        from pathlib import Path
        from lab.runner import Command
        from lab.runner.local import Local
        here = Path({str(tmp_path)!r})
        argv = ["/bin/sh", "-c", "echo $$ > pid; exec sleep 600"]
        Local().run(Command(argv, here, {{}}, here / "log", 600.0), lambda: False)
    """
    supervisor = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)])
    pid = wait_for_pid(tmp_path / "pid")
    supervisor.kill()
    supervisor.wait()
    until = time.monotonic() + 20
    while sys.platform == "linux" and not gone(pid):
        assert time.monotonic() < until
        time.sleep(0.01)


def wait_for_pid(path: Path) -> int:
    until = time.monotonic() + 20
    while not (path.exists() and path.read_text().strip()):
        assert time.monotonic() < until
        time.sleep(0.01)
    return int(path.read_text())
