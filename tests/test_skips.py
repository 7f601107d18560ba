"""A test that is skipped without a reason on the list fails CI, and is named everywhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.parametrize(
    ("why", "ci", "code"),
    [
        ("the moon is full", "true", 1),
        ("the moon is full", "", 0),
        ("found through /proc", "true", 0),
    ],
)
def test_a_skip_without_a_listed_reason_fails_ci(tmp_path, why, ci, code):
    (tmp_path / "test_it.py").write_text(f"import pytest\ndef test(): pytest.skip({why!r})\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "skips", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**os.environ, "CI": ci, "PYTHONPATH": str(HERE), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stdout
    assert (f"tests/skips.py: {why}" in done.stdout) == (why == "the moon is full")
