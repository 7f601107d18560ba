"""Commands and requirements of a leaf: which interpreter, which words, is it installed."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from .. import errors
from .checks import REQUIREMENT
from .model import Leaf, Settings

ASK = """
import importlib.metadata as m, sys
for name in sys.argv[1:]:
    try: print(m.version(name))
    except m.PackageNotFoundError: print()
"""
ASK_TIMEOUT_S = 60  # an interpreter on a cold network disk takes seconds to start


def default_profile(leaf: Leaf, accelerator: bool) -> str:
    """Return the profile for a machine: the top level, or `cpu` where there is one beside it."""
    return "cpu" if not accelerator and "cpu" in leaf.profiles else leaf.profiles[0]


def interpreter(settings: Settings, root: Path, environ: Mapping[str, str]) -> str:
    """Return the Python for a leaf: LAB_PYTHON, else the leaf's own, else the one running now."""
    if said := environ.get("LAB_PYTHON"):
        if found := shutil.which(said, path=environ.get("PATH")):
            return os.path.abspath(found)
        raise errors.Environment(f"LAB_PYTHON: no interpreter at {said}", "unset LAB_PYTHON")
    if settings.interpreter is None:
        return sys.executable
    path = root / settings.interpreter  # never resolved: in a virtual environment it is a link
    if not os.access(path, os.X_OK):
        raise errors.Environment(
            f"interpreter: no {settings.interpreter} in {root}",
            f"Make it: python3 -m venv {shlex.quote(str(path.parent.parent))}",
        )
    return str(path)


def argv(command: list[str], python: str, folder: Path | None = None) -> list[str]:
    """Return `command` with `python` filled in.

    Environment when the program is not on this machine; Refused when the script is not in
    `folder`, the leaf's.
    """
    program, *rest = command
    if program in ("python", "python3"):
        program = python
        called = script(rest)
        if folder and called and not (folder / called).is_file():
            raise errors.Refused(f"no {called} in {folder}", f"Write it, or change: {command}")
    elif "/" in program:
        program = str((folder or Path()) / program)
    if not shutil.which(program):
        raise errors.Environment(f"no program {program!r} here", "Install it, or edit leaf.toml")
    return [program, *rest]


def script(words: list[str]) -> str | None:
    """Return the script among an interpreter's words; None after an option that takes a word.

    >>> script(["-u", "train.py", "--fast"]), script(["-m", "train"]), script([])
    ('train.py', None, None)
    """
    for word in words:
        if not word.startswith("-"):
            return word
        if word.startswith("--") or set(word) & set("cmWX"):
            return None
    return None


def check_requires(settings: Settings, python: str) -> None:
    """Raise Environment, with the install line, when `python` lacks a requirement."""
    if not settings.requires:
        return
    missing = lacking(settings.requires, python)
    if missing:
        said = ", ".join(f"{need} ({has or 'not installed'})" for need, has in missing)
        needs = " ".join(shlex.quote(need) for need, _ in missing)
        raise errors.Environment(
            f"{python} lacks {said}", f"Install: {shlex.quote(python)} -m pip install {needs}"
        )


@lru_cache(maxsize=32)
def lacking(requires: tuple[str, ...], python: str) -> tuple[tuple[str, str], ...]:
    """Return each requirement that is not met, with the version there is ("" for none)."""
    parts = [REQUIREMENT.fullmatch(need.strip()) for need in requires]
    names = [part.group(1) if part else "" for part in parts]
    bounds = [part.group(3) if part else "" for part in parts]
    answers = zip(requires, _versions(names, python), bounds, strict=True)
    return tuple((need, has) for need, has, bound in answers if not has or not meets(has, bound))


def _versions(names: list[str], python: str) -> list[str]:
    """Return the installed version of each distribution, "" where there is none."""
    try:
        asked = subprocess.run(
            [python, "-c", ASK, *names],
            capture_output=True,
            text=True,
            timeout=ASK_TIMEOUT_S,
            check=True,
            stdin=subprocess.DEVNULL,
            cwd="/",  # `-c` would import from the current folder
        )
    except (OSError, subprocess.SubprocessError) as fault:
        raise errors.Environment(
            f"{python} does not answer: {fault}", f"Try: {shlex.quote(python)} -V"
        ) from None
    return asked.stdout.split("\n")[: len(names)]


def meets(version: str, bounds: str) -> bool:
    """Return whether `version` is within comma-separated bounds (PEP 440; local part ignored).

    >>> meets("2.13.0+cpu", ">=2.9,<3"), meets("2.9.1", "~=2.9.2"), meets("2.9.1", "==2.9.*")
    (True, False, True)
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion

    try:
        return SpecifierSet(bounds).contains(version, prereleases=True)
    except (InvalidSpecifier, InvalidVersion):  # from before PEP 440
        return False
