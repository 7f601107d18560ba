"""What the tests of three leaves share: a copy of a leaf, its scripts as processes, its files."""

import importlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from shared import prompts, run, summary

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "transformers", "trl", "peft", "datasets", "accelerate")


def copy(name: str, home: Path, *edits: tuple[str, str, str]) -> Path:
    """Copy a leaf and edit it: (file, pattern, new)."""
    leaf = home / name
    shutil.copytree(ROOT / name, leaf, ignore=shutil.ignore_patterns("runs", "__pycache__"))
    for file, pattern, new in edits:
        edit(leaf / file, pattern, new)
    return leaf


def edit(path: Path, pattern: str, new: str) -> None:
    text, count = re.subn(pattern, new, path.read_text(), flags=re.M)
    assert count, pattern
    path.write_text(text)


def environ(leaf: Path, **more: str) -> dict[str, str]:
    """Return what the harness would tell one of the leaf's scripts, in the smoke profile."""
    told = {
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LAB_RUN_DIR": str(leaf.parent / "run"),
        "LAB_CACHE_DIR": str(leaf.parent / "cache"),
        "LAB_HELD_OUT_DIR": str(leaf.parent / "held-out"),
        "LAB_PROFILE": "smoke",
        "LAB_SEED": "0",
    }
    ours = ("LAB_", "TORCHINDUCTOR_")  # torch sets its own in a process that imports it
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, **told, **more}


def here(leaf: Path, **more: str) -> run.Run:
    """Return the run that a script of the leaf would find itself in."""
    return run.here(leaf, environ(leaf, **more))


def script(leaf: Path, name: str, **more: str) -> "subprocess.CompletedProcess[str]":
    """Run one of the leaf's scripts to its end."""
    return subprocess.run(
        [sys.executable, name],
        cwd=leaf,
        env=environ(leaf, **more),
        text=True,
        capture_output=True,
    )


def played(leaf: Path, *names: str) -> Path:
    """Run the leaf's scripts in this order, as the harness does; `printed` has what they said."""
    for name in names:
        sealed = {"LAB_SEALED_DIR": str(leaf.parent / "sealed")} if name == "prepare.py" else {}
        (leaf.parent / "sealed").mkdir(exist_ok=True)
        done = script(leaf, name, **sealed)
        assert done.returncode == 0, done.stderr
        (leaf.parent / f"{name}.out").write_text(done.stdout)
    return leaf


def printed(leaf: Path, name: str) -> dict[str, float]:
    """Return the numbers that a script said when it was `played`."""
    return summary.parse((leaf.parent / f"{name}.out").read_text())


def by_sealed_set(leaf: Path, home: Path) -> dict[str, float]:
    """Measure a played leaf by the other data that it holds out, beside what it left."""
    again = spare(leaf, home)
    return numbers(script(again, "evaluate.py", LAB_HELD_OUT_DIR=str(again.parent / "sealed")))


def check_sealed_set(leaf: Path, home: Path) -> None:
    """Assert that the yardstick measures by the sealed set: as many prompts, all others."""
    found = by_sealed_set(leaf, home)
    assert found.keys() == printed(leaf, "evaluate.py").keys()
    held, sealed = (
        {one.prompt for one in prompts.read(leaf.parent / name / prompts.HELD_OUT)}
        for name in ("held-out", "sealed")
    )
    assert len(sealed) == len(held)
    assert not sealed & held


def spare(leaf: Path, home: Path) -> Path:
    """Copy a played leaf with all that its scripts left, to be spoilt."""
    shutil.copytree(leaf.parent, home)
    return home / leaf.name


def numbers(done: "subprocess.CompletedProcess[str]") -> dict[str, float]:
    assert done.returncode == 0, done.stderr
    return summary.parse(done.stdout)


def refusal(done: "subprocess.CompletedProcess[str]") -> str:
    assert done.returncode == 1, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done.stderr


@contextmanager
def importable(modules: dict[str, ModuleType], name: str) -> Iterator[None]:
    """Let a leaf's file that imports another late find the one that was imported before."""
    sys.modules[name] = modules[name]
    try:
        yield
    finally:
        del sys.modules[name]


def modules(leaf: Path, names: Iterable[str]) -> dict[str, ModuleType]:
    """Import a leaf's files under their own names, then free those names for other leaves."""
    names = [*names]
    kept = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    sys.path.insert(0, str(leaf))
    try:
        return {name: importlib.import_module(name) for name in names}
    finally:
        sys.path.remove(str(leaf))
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(kept)
