"""Manifest of a folder, and what a run changed in it. Standard library only: it travels."""

import os
from collections.abc import Mapping
from pathlib import Path

Stamp = tuple[int, int, int]  # size, time of change in ns, inode
Manifest = Mapping[str, Stamp]


def look(root: Path, *, strict: bool = False) -> dict[str, Stamp]:
    """Return every file below `root` with what would change if it were written to.

    Compiled Python is left out, and a link counts as a file. With `strict` it is not left out, and
    the time is one that nobody can set back.
    """
    found: dict[str, Stamp] = {}
    for folder, folders, files in os.walk(root):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        folders[:] = [name for name in folders if strict or name != "__pycache__"]
        for name in (*files, *links):
            if not strict and name.endswith(".pyc"):
                continue
            path = os.path.join(folder, name)
            seen = os.lstat(path)
            at = seen.st_ctime_ns if strict else seen.st_mtime_ns
            found[os.path.relpath(path, root)] = (seen.st_size, at, seen.st_ino)
    return found


def differing(before: Manifest, after: Manifest, allowed: set[str]) -> list[str]:
    """Return the paths at which two looks disagree."""
    paths = {path for path in {*before, *after} if before.get(path) != after.get(path)}
    return sorted(paths - allowed)


def damaged(before: Manifest, root: Path) -> list[str]:
    """Return the files of `before` that were changed or removed since; new ones are no damage."""
    after = look(root)
    return sorted(path for path, stamp in before.items() if after.get(path) != stamp)
