"""Locks of the operating system on files that several users may share; a dead holder's are free."""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TRIES = 50  # half a second
LONGEST = 200  # bytes of a name; most file systems take 255 with the ending
RECORD_BYTES = 2048  # records are padded to this, so that one write replaces one whole


def file_name(text: str) -> str:
    """Return a name for the lock of what is called `text`; a long one is cut and told apart.

    >>> file_name("pretrain/ada"), len(file_name("a/" * 200))
    ('pretrain+ada.lock', 205)
    """
    name = text.replace("/", "+")
    if len(os.fsencode(name)) > LONGEST:
        digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
        name = f"{os.fsdecode(os.fsencode(name)[: LONGEST - 17])}-{digest}"
    return f"{name}.lock"


def open_lock(path: Path) -> int:
    """Return a descriptor to lock `path` by, made when absent; children do not inherit it.

    Created apart from opening: in a sticky folder Linux refuses O_CREAT on another user's file.
    """
    for _ in range(TRIES):
        for flags in (os.O_RDWR, os.O_RDONLY):
            with contextlib.suppress(PermissionError, FileNotFoundError):
                return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC)
        with contextlib.suppress(FileExistsError):
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            os.fchmod(fd, 0o644)  # others must be able to lock it whatever our umask
            return fd
        time.sleep(0.01)  # made by another user this instant, not yet readable
    why = "cannot read this lock; remove it, or set LAB_SLOTS_DIR"
    raise PermissionError(errno.EACCES, why, str(path))


def try_lock(fd: int) -> bool:
    """Take the lock if it is free."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def unlock(fd: int) -> None:
    """Let go of the lock and keep the descriptor."""
    fcntl.flock(fd, fcntl.LOCK_UN)


def is_still(fd: int, path: Path) -> bool:
    """Return whether `path` is still the file behind `fd`, and not a later one of that name."""
    try:
        there = path.stat()
    except OSError:
        return False
    return os.path.samestat(os.fstat(fd), there)


def is_held(path: Path) -> bool:
    """Return whether a living process holds the lock of `path`; a file that is gone has none."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return path.exists()  # another user's that we may not read: take it for held
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def write_record(fd: int, record: Mapping[str, Any]) -> None:
    """Replace the record in the file behind `fd` by one write."""
    size = max(RECORD_BYTES, os.fstat(fd).st_size)  # nothing of a longer one must stay behind
    os.pwrite(fd, json.dumps(record).encode().ljust(size), 0)


def read_record(path: Path) -> dict[str, Any] | None:
    """Return the record in `path`; None when there is no whole one."""
    try:
        record = json.loads(path.read_bytes()[: 4 * RECORD_BYTES])
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None
