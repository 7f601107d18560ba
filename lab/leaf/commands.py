"""Commands and requirements of a leaf: which interpreter, which words, is it installed."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import lru_cache
from itertools import zip_longest
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
_VERSION = re.compile(
    r"v?(?:(\d+)!)?(\d+(?:\.\d+)*)"
    r"(?:[-_.]?(a|alpha|b|beta|rc|c|pre|preview)[-_.]?(\d*))?"
    r"((?:[-_.]?(?:post|rev|r)[-_.]?|-)(\d*))?(?:[-_.]?(dev)[-_.]?(\d*))?"
    r"(?:\+[a-z0-9._-]+)?",
    re.IGNORECASE,
)
Version = tuple[int, tuple[int, ...], tuple[int, int], int, float]


def default_profile(leaf: Leaf, accelerator: bool) -> str:
    """Return the profile for a machine: `gpu` (the top level), or `cpu` where there is one."""
    return "cpu" if not accelerator and "cpu" in leaf.profiles else "gpu"


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
    lacking = _lacking(settings.requires, python)
    if lacking:
        said = ", ".join(f"{need} ({has or 'not installed'})" for need, has in lacking)
        needs = " ".join(shlex.quote(need) for need, _ in lacking)
        raise errors.Environment(
            f"{python} lacks {said}", f"Install: {shlex.quote(python)} -m pip install {needs}"
        )


@lru_cache(maxsize=32)
def _lacking(requires: tuple[str, ...], python: str) -> tuple[tuple[str, str], ...]:
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
    for bound in filter(None, map(str.strip, bounds.split(","))):
        match = re.fullmatch(r"(===|==|!=|>=|<=|~=|>|<)\s*(.+)", bound)
        if match and not _meets_one(version, *match.groups()):
            return False
    return True


def _meets_one(version: str, op: str, bound: str) -> bool:
    """Return whether `version OP bound` holds."""
    if op == "===":
        return version == bound
    if bound.endswith(".*"):
        return _starts(version, bound[:-2]) == (op == "==")
    has, wants = _parse(version), _parse(bound)
    if op == "~=":
        return has >= wants and _starts(version, bound.rpartition(".")[0])
    order = (has > wants) - (has < wants)
    return {"==": order == 0, "!=": order != 0, ">=": order >= 0, "<=": order <= 0}.get(
        op, order > 0 if op == ">" else order < 0
    )


def _starts(version: str, prefix: str) -> bool:
    """Return whether the release of `version` begins with that of `prefix`."""
    has, wants = _parse(version)[1], _parse(prefix, strip=False)[1]
    padded = [a for a, _ in zip_longest(has, wants, fillvalue=0)]
    return tuple(padded[: len(wants)]) == wants


def _parse(version: str, strip: bool = True) -> Version:
    """Return a key that sorts as PEP 440 orders versions: dev < a < b < rc < release < post."""
    match = _VERSION.fullmatch(version.strip())
    if not match:
        return (0, (0,), (0, 0), -1, 0)
    epoch, release, pre, pre_n, post, post_n, dev, dev_n = match.groups()
    numbers = [int(part) for part in release.split(".")]
    while strip and len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    rank = {"a": 0, "b": 1}.get(pre[0].lower(), 2) if pre else (-1 if dev and not post else 3)
    last = int(post_n or 0) if post else -1
    ahead = float(dev_n or 0) if dev else float("inf")
    return (int(epoch or 0), tuple(numbers), (rank, int(pre_n or 0)), last, ahead)
