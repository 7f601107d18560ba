"""Shared memory that a run without one of its own left: found by what came while it ran."""

import contextlib
import os
import stat
from pathlib import Path

FOLDER = Path("/dev/shm")
PROC = Path("/proc")


def names() -> frozenset[str]:
    """Return what lies in shared memory now; nothing where there is none."""
    with contextlib.suppress(OSError):
        return frozenset(os.listdir(FOLDER))
    return frozenset()


def remove_left(before: frozenset[str]) -> int:
    """Remove the user's own files that came since and that no process holds; return their bytes."""
    found = {}
    for name in names() - before:
        with contextlib.suppress(OSError):
            seen = os.lstat(FOLDER / name)
            if stat.S_ISREG(seen.st_mode) and seen.st_uid == os.getuid():
                found[name] = seen.st_size
    if not found:
        return 0
    held = _held()
    left = {name: size for name, size in found.items() if str(FOLDER / name) not in held}
    for name in left:
        with contextlib.suppress(OSError):
            os.unlink(FOLDER / name)
    return sum(left.values())


def _held() -> set[str]:
    """Return the files in shared memory that some process has open or mapped."""
    found: set[str] = set()
    for pid in filter(str.isdigit, os.listdir(PROC)):
        with contextlib.suppress(OSError):
            for fd in os.scandir(PROC / pid / "fd"):
                with contextlib.suppress(OSError):
                    found.add(os.readlink(fd.path))
        with contextlib.suppress(OSError):
            lines = (PROC / pid / "maps").read_text(errors="replace").splitlines()
            found |= {line.split(None, 5)[-1] for line in lines if str(FOLDER) in line}
    return found
