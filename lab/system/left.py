"""What runs left in their folders: read and removed without ever following a link.

A script may put a link in the place of a file, of its run's folder, or of a folder above: whoever
reads, writes or removes there by name would do it somewhere else.
"""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

NO_LINK = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe nobody writes to is not waited for


def opened(path: Path) -> BinaryIO:
    """Open a file to read; OSError where it is a link, in a linked folder, or no file at all."""
    folder = os.open(path.parent, os.O_DIRECTORY | NO_LINK)
    try:
        fd = os.open(path.name, os.O_RDONLY | NO_LINK, dir_fd=folder)
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(f"{path} is no file")
    return open(fd, "rb")


def text(path: Path) -> str:
    """Return a file's text, "" where there is no such file."""
    try:
        with opened(path) as file:
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def is_file(path: Path) -> bool:
    """Return whether there is a file of that name, which is neither a link nor behind one."""
    try:
        opened(path).close()
    except OSError:
        return False
    return True


def is_inside(path: Path, top: Path) -> bool:
    """Return whether `path` lies below `top` in truth, and not only by its name."""
    return path.resolve() == top.resolve() / path.relative_to(top)


def files(folder: Path, top: Path) -> Iterator[tuple[str, int]]:
    """Yield each file and link below `folder` as its name and the descriptor of what it is in.

    Deepest first. Nothing where the folder does not lie inside `top`.
    """
    if not folder.is_relative_to(top) or not is_inside(folder, top):
        return
    for _, folders, names, fd in os.fwalk(folder, topdown=False):
        links = [name for name in folders if stat.S_ISLNK(_mode(name, fd))]
        yield from ((name, fd) for name in (*names, *links))


def remove(folder: Path, top: Path, wanted: Callable[[str], bool]) -> None:
    """Remove the wanted files below `folder`, and folders that are empty then, all inside `top`."""
    for name, fd in files(folder, top):
        if wanted(name):
            os.unlink(name, dir_fd=fd)
    if folder.is_relative_to(top) and is_inside(folder, top):
        _remove_empty(folder)


def _remove_empty(folder: Path) -> None:
    for _, folders, _, fd in os.fwalk(folder, topdown=False):
        for name in folders:
            try:
                os.rmdir(name, dir_fd=fd)
            except OSError:  # not empty, or a link
                continue


def _mode(name: str, fd: int) -> int:
    return os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode
