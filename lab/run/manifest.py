"""Manifest of a folder, and what a run changed in it. Standard library only: it travels."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

CODE = (".py", ".pyc", ".pth", ".so")
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


def foreign(before: Manifest, after: Manifest, allowed: set[str]) -> list[str]:
    """Return what a training changed, removed, or wrote where Python looks for code.

    Other new files harm nobody: the yardstick runs elsewhere, the next run in a new place.
    """
    paths = differing(before, after, allowed)
    new = [path for path in paths if path not in before and path.endswith(CODE)]
    found = _importable(before, after, new) if new else set()
    return [path for path in paths if path in before or path in found]


def _importable(before: Manifest, after: Manifest, new: Sequence[str]) -> set[str]:
    """Return which of the `new` code could be imported, or read, in place of what was there.

    A folder that a run made is for its tools' copies of code: without an `__init__` no module or
    package of another folder gives way to it, unless that one is such a folder of the same name.
    """
    there = {folder for path in before for folder in Path(path).parents} | {Path()}
    named = {folder.name for path in before if path.endswith(CODE) for folder in Path(path).parents}
    packages = {Path(path).parent for path in after if Path(path).name.startswith("__init__.")}
    found = set()
    for path in new:
        made = [folder for folder in Path(path).parents if folder not in there]
        if not made or made[-1] in packages or made[-1].name in named:
            found.add(path)
    return found


def hashes(root: Path) -> dict[str, str]:
    """Return the hash of every file below `root`."""
    return {path: _hash(os.path.join(root, path)) for path in look(root)}


def damaged(
    before: Manifest, root: Path, known: Mapping[str, str], *, strict: bool = False
) -> list[str]:
    """Return the files of `before` that were changed or removed since; new ones are no damage.

    One that was only touched, or written again as it was, has its `known` hash.
    """
    after = look(root, strict=strict)
    paths = [path for path, stamp in before.items() if after.get(path) != stamp]
    return sorted(path for path in paths if path not in after or not _as_known(root, path, known))


def _as_known(root: Path, path: str, known: Mapping[str, str]) -> bool:
    return path in known and _hash(os.path.join(root, path)) == known[path]


def _hash(path: str) -> str:
    """Return the hash of a file's contents, of a link that of where it leads."""
    if os.path.islink(path):
        return hashlib.sha256(os.fsencode(os.readlink(path))).hexdigest()
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
