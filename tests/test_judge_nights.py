"""The benchmarks that drive the judge: nights of luck keep little, and a real log is replayed."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOG = """\
commit\tval_bpb\tmemory_gb\tstatus\tdescription
baseline\t1.0000\t1\tkeep\tbaseline
aaaaaaa\t0.9900\t1\tkeep\ta clear "gain
bbbbbbb\t0.9950\t1\tdiscard\tworse
ccccccc\t0.0000\t0\tcrash\tout of memory
ddddddd\t0.9899\t1\tkeep\twithin the noise
"""


def benchmark(name, *args):
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / name, *map(str, args)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def night(name, *args):
    """Return the figures of one simulated row: false keeps, runs an idea, kept shares, gains."""
    lines = benchmark("simulate_nights.py", "--only", name, *args).splitlines()
    cells = next(line for line in lines if line.startswith(f"| {name}")).split("|")[2:]
    return [cell.split("±")[0].strip() for cell in cells]


def test_nights_of_changes_without_effect_keep_next_to_nothing():
    false, runs, *_ = night("nulls", "--nights", 60)
    assert float(false) <= 0.6  # 0.36 in the long run; 60 nights tell it within 0.2
    assert float(runs) <= 1.6


def test_a_true_effect_of_five_noise_is_found_and_its_gain_told_truly():
    _, _, kept, true, claimed, expected, _, _ = night("one 5 among them", "--nights", 60)
    assert kept in {"5: 100.0%", "5: 98.3%"}
    assert abs(float(expected) / float(true) - 1) < 0.15
    assert abs(float(claimed) - float(true)) > abs(float(expected) - float(true))


def test_the_policy_of_the_simulation_can_be_set():
    strict, loose = (
        float(night("nulls", "--nights", 20, "--set", f"keep={keep}")[0]) for keep in (0.999, 0.8)
    )
    assert loose > strict + 1


def test_the_replay_tells_which_keeps_stand_and_what_to_expect(tmp_path):
    log = tmp_path / "results.tsv"
    log.write_text(LOG)
    lines = benchmark("replay_autoresearch.py", log, "--noise", "0.0007").splitlines()
    assert "stands with 2 runs" in lines[1]
    assert 'a clear "gain' in lines[1]
    assert "falls                3  within the noise" in lines[2]
    assert lines[4] == "1 of 2 keeps stand at a noise of 0.0007."
    assert lines[5] == "claimed by all keeps   0.010100"
