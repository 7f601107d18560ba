"""What `-o` names: a file is put in place whole; a pipe, a device or a terminal is written into."""

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ..errors import Environment, Usage
from .home import REPORTS, Home

DESCRIPTORS = ("/dev/", "/proc/")  # links there are somebody's open files: never renamed over


@contextlib.contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Give something to write into; a reader of a file sees the old one or the new one.

    Only a regular file, or nothing, is replaced, and links are followed to it.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise Usage(f"{path} is a folder.", f"Name a file: -o {path}/FILE")
    if is_stream(path):
        with path.open("ab") as file:
            yield file
        return
    if _is_record(target):  # never asked of a stream: a pipe would wait for its other end
        raise Usage(f"{path} is the notebook's, or git's.", "Name another file: -o night.html")
    if not target.parent.is_dir():
        raise Environment(
            f"{path} cannot be written: its folder is not there.",
            f"Make it: mkdir -p {target.parent}",
        )
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with part.open("wb") as file:
            yield file
        if target.exists():
            shutil.copymode(target, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _is_record(target: Path) -> bool:
    """Return whether a file is a notebook, wherever that is, or lies among our records or git's."""
    below_ours = ".lab" in target.parts and Home.around(target) is None  # a worktree is its user's
    below_ours = below_ours and target.parent.name != REPORTS
    if below_ours or ".git" in target.parts:
        return True
    try:
        with target.open("rb") as file:
            return target.is_file() and file.read(16) == b"SQLite format 3\0"
    except OSError:
        return False


def is_stream(path: Path) -> bool:
    """Return whether `path` is something to write into, not a file to replace."""
    if os.path.abspath(path).startswith(DESCRIPTORS):
        return True
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False
