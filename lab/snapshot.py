"""Fresh exports of an experiment's commit, and proof that a run changed nothing else in them."""

import os
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path

from . import repo

Stamp = tuple[int, int, int]  # size, time of change in ns, inode
Manifest = Mapping[str, Stamp]


class Snapshot:
    """One export: a folder of its own, looked over when made."""

    def __init__(self, root: Path) -> None:
        self.root, self.before = root, look(root)

    def foreign(self, allowed: Iterable[str]) -> list[str]:
        """Return the files that changed, appeared or went, other than those `allowed`."""
        return differing(self.before, look(self.root), set(allowed))


def exports(source: Path, commit: str, base: Path) -> tuple[Snapshot, Snapshot]:
    """Return two fresh exports of a commit, to train in and to evaluate in."""
    roots = [base / uuid.uuid4().hex for _ in range(2)]
    repo.export(source, commit, *roots)
    return Snapshot(roots[0]), Snapshot(roots[1])


def look(root: Path) -> dict[str, Stamp]:
    """Return every file below `root` with what would change if it were written to."""
    found: dict[str, Stamp] = {}
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in files:
            path = os.path.join(folder, name)
            seen = os.lstat(path)
            found[os.path.relpath(path, root)] = (seen.st_size, seen.st_mtime_ns, seen.st_ino)
    return found


def differing(before: Manifest, after: Manifest, allowed: set[str]) -> list[str]:
    """Return the paths at which two looks disagree."""
    paths = {path for path in {*before, *after} if before.get(path) != after.get(path)}
    return sorted(path for path in paths - allowed if not path.endswith(".pyc"))


def damaged(before: Manifest, root: Path) -> list[str]:
    """Return the files of `before` that were changed or removed since; new ones are no damage."""
    after = look(root)
    return sorted(path for path, stamp in before.items() if after.get(path) != stamp)
