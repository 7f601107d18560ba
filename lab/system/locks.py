"""File locks that several users may share; a dead holder's are free."""

import contextlib
import errno
import fcntl
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import Environment, LabError

SLOTS = Path(tempfile.gettempdir()) / "lab-slots"  # of devices, unless LAB_SLOTS_DIR says else
TRIES = 50  # half a second
# A network or FUSE file system without locks, by what it answers; a lock that is held is EAGAIN.
NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL, errno.EIO}
RECORD_BYTES = 2048  # records are padded to this, so that one write replaces one whole


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
    """Take the lock if it is free; Environment where the file system has none."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise without_locks(_name(fd), error) from None
    return True


def without_locks(path: Path | str, error: OSError) -> Environment:
    """Return the refusal of a file whose file system cannot lock it, which no waiting mends."""
    shared = Path(path).parent in (Path(os.environ.get("LAB_SLOTS_DIR") or "."), SLOTS)
    variable = "LAB_SLOTS_DIR" if shared else "LAB_HOME"
    return Environment(
        f"{path} cannot be locked: its file system has no locks ({error.strerror}).",
        f"Keep it on a local disk: export {variable}=/a/folder/on/a/local/disk",
    )


def record_lock_fault(folder: Path) -> OSError | None:
    """Return why no part of a file in `folder` can be locked, as SQLite does; None when it can.

    Tried on a file of its own: closing a file lets go of all locks that this process has on it.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error if error.errno in NO_LOCKS else None
    return None


def _name(fd: int) -> str:
    """Return the path behind a descriptor, where the system tells."""
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/self/fd/{fd}")
    return "a file of the notebook"


@contextlib.contextmanager
def alone(path: Path, busy: LabError) -> Iterator[int]:
    """Hold a lock as long as inside; raise `busy` while another process does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = open_lock(path)
    try:
        if not try_lock(fd):
            raise busy
        yield fd
    finally:
        os.close(fd)


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
    except OSError as error:
        raise without_locks(path, error) from None
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
