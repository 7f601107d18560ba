"""Fresh exports of an experiment's commit: never the live worktree.

They are written into memory where there is plenty, since making a thousand files twice takes a
disk half a second; else below `.lab/exports`. `LAB_EXPORTS_DIR` names a folder to take instead.
Where runs share that memory with everybody, exports do not lie in it.
"""

import hashlib
import os
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path

from .. import repo
from ..confine import methods
from ..system import left
from ..system.home import Home

MEMORY = Path("/dev/shm")  # Linux's own memory file system; a sandboxed one is small
SPARE = 1 << 30  # bytes of it that stay free for others
TEMPORARY = Path("/tmp")  # a short name, since those of sockets end at 108 bytes
LARGEST = 64 << 20  # bytes of an export that may lie in memory
WHERE = "where"  # the file that names the exports, so that whoever comes later can remove them


def exports(
    source: Path, commit: str, home: Home, job: int | str, beside: Sequence[Path] = ()
) -> tuple[Path, Path]:
    """Return two fresh exports of a commit, to train in and to evaluate in.

    Submodules come from `source` or from the checkouts `beside` it.
    """
    folder = home.exports(job)
    remove(folder)  # of an earlier run of this job
    folder.mkdir(parents=True)
    parts = repo.parts([source, *(top for top in beside if top != source)], commit)
    size = repo.size(parts)
    root = _elsewhere(folder, 2 * size if size is not None else None) or folder
    first, second = (root / uuid.uuid4().hex for _ in range(2))
    repo.write_out(parts, first, second)
    return first, second


def _elsewhere(folder: Path, size: int | None) -> Path | None:
    """Return a folder of our own in memory, or where the user said; None when there is no room.

    Nor is there where nobody knows the size.
    """
    said = os.environ.get("LAB_EXPORTS_DIR")
    base = Path(said) if said else _ours(MEMORY)
    if not said and (size is None or not _roomy(size)):
        return None
    if base.is_relative_to(MEMORY) and methods.best().kind == "landlock":
        return None
    root = base / _name(folder)
    (folder / WHERE).write_text(str(root))
    return root if _made(root) else None


def _ours(folder: Path) -> Path:
    """Return the user's own folder where everybody has one."""
    return folder / f"labtree-{os.getuid()}"


def _made(root: Path) -> bool:
    """Make a folder in one that is the user's own; return whether that was possible."""
    base = root.parent
    try:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        if base.is_symlink() or base.stat().st_uid != os.getuid():
            return False
        root.mkdir(mode=0o700)
    except OSError:
        return False
    return True


def fresh(home: Home, job: int | str) -> Path:
    """Return a folder for temporary files of a job's commands, which goes with its exports."""
    folder = home.exports(job)
    root = _ours(TEMPORARY) / _name(folder)
    return root if _made(root) else folder


def _name(folder: Path) -> str:
    """Return what a job's exports are called outside of its folder."""
    return hashlib.sha256(os.fsencode(folder)).hexdigest()[:24]


def _roomy(size: int) -> bool:
    try:
        return size <= 2 * LARGEST and shutil.disk_usage(MEMORY).free > SPARE + 2 * size
    except OSError:
        return False


def remove(folder: Path) -> None:
    """Remove the exports that a job's folder stands for; what is not there is no trouble.

    Whatever its file names, only a folder of the name that these exports have is theirs.
    """
    root = Path(left.text(folder / WHERE))
    for path in (root, _ours(TEMPORARY) / _name(folder)):
        if path.name == _name(folder):
            shutil.rmtree(path, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
