"""The tests' own rules: what may be skipped, and which of them are quick."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import skips

HERE = Path(__file__).parent
MODULE = """
import os, subprocess

def calls():
    subprocess.run(["true"])

def test_says_it_starts_one():
    calls()

def test_hides_it():
    os.system("true")

def test_computes():
    assert 1 + 1 == 2
"""


def played(
    folder: Path, plugin: str, *words: str, **env: str
) -> "subprocess.CompletedProcess[str]":
    """Run pytest in a folder with one of our plugins."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-p", plugin, "-p", "no:cacheprovider", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(HERE), "PYTEST_ADDOPTS": "", **env},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("why", "ci", "code"),
    [
        ("the moon is full", "true", 1),
        ("the moon is full", "", 0),
        ("found through /proc", "true", 0),
    ],
)
def test_a_skip_without_a_listed_reason_is_named_and_fails_ci(tmp_path, why, ci, code):
    (tmp_path / "test_it.py").write_text(f"import pytest\ndef test(): pytest.skip({why!r})\n")
    done = played(tmp_path, "skips", CI=ci)
    assert done.returncode == code, done.stdout
    assert (f"tests/skips.py: {why}" in done.stdout) == (why == "the moon is full")


def test_quick_leaves_out_what_starts_a_process_and_catches_what_hides_it(tmp_path):
    (tmp_path / "test_it.py").write_text(MODULE)
    done = played(tmp_path, "inprocess", "--quick")
    assert "1 failed, 1 passed, 1 deselected" in done.stdout
    assert "a quick test starts a process" in done.stdout
    whole = played(tmp_path, "inprocess")
    assert "1 failed, 2 passed" in whole.stdout


def test_each_skip_that_a_test_decides_on_while_it_runs_is_on_the_list():
    """One that only a busy machine, or another user, takes would fail CI on its first day there."""
    literal = re.compile(r"pytest\.skip\(\s*\"([^\"]+)\"")
    reasons = {why for path in HERE.glob("*.py") for why in literal.findall(path.read_text())}
    assert len(reasons) > 3
    assert not [why for why in reasons if not any(re.search(may, why) for may in skips.MAY_SKIP)]
