"""Packages that a run's interpreter finds, told by their folders' names: nothing is imported.

Standard library only: it travels into rented sandboxes.
"""

import contextlib
import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ASK = "import sys; print(sys.version.split()[0], *sys.path, sep=chr(10))"
PATIENCE_S = 10.0  # an interpreter that takes longer to begin tells nothing
CUDA = re.compile(r"^cuda\b[^=]*= *['\"]([\d.]+)['\"]", re.M)  # in torch/version.py
MOST = 5000  # packages of one environment


def ask(python: str, env: Mapping[str, str]) -> "subprocess.Popen[str] | None":
    """Ask an interpreter where it looks for code; `answer` reads what it said. None: there is none.

    It is asked as a run begins and heard just before training, so that it takes no time by itself.
    """
    none = subprocess.DEVNULL
    with contextlib.suppress(OSError):
        return subprocess.Popen(
            [python, "-c", ASK], env=env, stdin=none, stdout=subprocess.PIPE, stderr=none, text=True
        )
    return None


def answer(asked: "subprocess.Popen[str] | None") -> dict[str, Any] | None:
    """Return Python's version, CUDA's that torch was built for, and every package's.

    None where the interpreter did not answer.
    """
    if asked is None:
        return None
    try:
        said = asked.communicate(timeout=PATIENCE_S)[0].splitlines()
    except (subprocess.TimeoutExpired, ValueError):
        asked.kill()
        asked.communicate()
        return None
    if asked.returncode != 0 or not said:
        return None
    paths = [Path(line) for line in said[1:] if line]
    return {"python": said[0], "cuda": _cuda(paths), "packages": installed(paths)}


def installed(paths: Iterable[Path]) -> dict[str, str]:
    """Return the version of each package in these folders by its name; the first one counts."""
    found: dict[str, str] = {}
    for path in paths:
        with contextlib.suppress(OSError):
            for name in sorted(os.listdir(path)):
                stem, ending = os.path.splitext(name)
                if ending in (".dist-info", ".egg-info") and "-" in stem and len(found) < MOST:
                    package, version = stem.split("-")[:2]
                    found.setdefault(re.sub(r"[-_.]+", "-", package).lower(), version)
    return dict(sorted(found.items()))


def _cuda(paths: Iterable[Path]) -> str | None:
    """Return the version of CUDA that the torch in these folders was built for."""
    for path in paths:
        with contextlib.suppress(OSError, ValueError):
            told = CUDA.search((path / "torch" / "version.py").read_text())
            return told[1] if told else None
    return None
