"""An agent that is a shell script and knows only `lab` leaves worktree, refs and notebook whole."""

import subprocess
import sys
from pathlib import Path

from toy import Toy

SCRIPT = Path(__file__).parent / "agents" / "scripted.sh"


def test_a_shell_script_that_only_uses_lab_lives_a_whole_campaign(
    toy: Toy, campaign: Path, tmp_path: Path
) -> None:
    command = ["sh", str(SCRIPT), "toy", "script"]
    environ = toy.environ(LAB=f"{sys.executable} -P -m lab")
    done = subprocess.run(command, cwd=toy.root, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, kept, crashed, fixed, dropped = done.stdout.split()

    rows = {row["experiment"]: row for row in toy.lab("log", "--json").json}
    verdicts = [(name, rows[name]["verdict"]) for name in (first, kept, crashed, fixed, dropped)]
    assert [name for name, _ in verdicts] == ["e2", "e3", "e4", "e5", "e6"]
    assert [verdict for _, verdict in verdicts] == ["discard", "keep", "crash", "discard", "crash"]
    assert rows[crashed]["hypothesis"] == rows[fixed]["hypothesis"]
    assert [rows[name]["failure"] for name in (crashed, dropped)] == ["bug", "bug"]
    assert toy.lab("doctor", "--json").json["ok"]

    top = toy.root / ".lab" / "worktrees" / "toy" / "script"
    slopes = {"e2": "0.5", "e3": "2.0", "e4": "oops", "e5": "1.5", "e6": "broken"}
    for name, value in slopes.items():
        assert toy.git("rev-parse", f"refs/lab/{name}") == rows[name]["commit"]
        assert f"SLOPE = {value} " in toy.git("show", f"refs/lab/{name}:toy/train.py")
    assert toy.git("status", "--porcelain", cwd=top) == ""
    assert toy.git("symbolic-ref", "--short", "HEAD", cwd=top) == "lab/toy/script"
    subjects = toy.git("log", "--format=%s", "main..HEAD", cwd=top).splitlines()
    assert subjects == ["notes: e3", "e3: raise the slope"]
    assert (top / "toy" / "notes.md").read_text() == "Up is better.\n"
