"""Where this very `lab` lies, and how a process of its own finds it again."""

import os
import shlex
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]  # the folder that holds `lab` and `shared`


def to_install(extra: str) -> str:
    """Return what to type for the packages of an extra, installed or in a clone of its source."""
    if not (SOURCE / "pyproject.toml").is_file():
        return shlex.join([sys.executable, "-m", "pip", "install", f"labtree[{extra}]"])
    return shlex.join([sys.executable, "-m", "pip", "install", "-e", f"{SOURCE}[{extra}]"])


def own_paths() -> list[str]:
    """Return the person's own PYTHONPATH, without what `lab` put there to be found itself."""
    said = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    return [path for path in map(os.path.abspath, said) if Path(path).resolve() != SOURCE]


def environ() -> dict[str, str]:
    """Return the environment of a process of ours, which finds this very `lab` before any other."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(SOURCE), *own_paths()])}


def argv(*words: str) -> list[str]:
    """Return the command line `lab WORDS`, for a process with that environment."""
    return [sys.executable, "-P", "-m", "lab", *words]
