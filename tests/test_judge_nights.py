"""The yield bench drives the real judge: nights of luck claim nothing, good nights truly gain."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def rows(*args):
    """Return the bench's rows: by night, what each rule truly gained and claimed."""
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "yield", *map(str, args)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    head, _, *lines = [line.split(" | ") for line in done.stdout.splitlines() if line[:1] == "|"]
    rules = [name.strip("| ") for name in head[1:]]
    return {
        line[0].strip("| "): dict(zip(rules, map(figures, line[1:]), strict=True)) for line in lines
    }


def figures(cell):
    true, rest = cell.split(" ± ", 1)
    claims, false = rest.rsplit("claims ", 1)[1].strip(" |").split(", false ")
    return {"true": float(true), "claims": float(claims), "false": float(false)}


def test_nights_of_changes_without_effect_claim_next_to_nothing():
    found = rows("--only", "nulls", "--nights", 40)
    for night in ("nulls", "nulls, t3", "nulls, load", "nulls, drift 3", "nulls, jump 6"):
        assert found[night]["gambler"]["false"] > 2
        assert found[night]["audited"]["false"] <= 0.125  # 0.03 in the long run; 40 nights


def test_good_nights_gain_what_the_gambler_gains_and_claim_what_is_true():
    found = rows("--only", "fit18 0.7", "--nights", 40)["fit18 0.7"]
    assert found["audited"]["true"] > 0.75 * found["gambler"]["true"]  # 0.89 in the long run
    assert found["audited"]["true"] > 1.3 * found["before"]["true"]
    assert abs(found["audited"]["claims"] / found["audited"]["true"] - 1) < 0.05
