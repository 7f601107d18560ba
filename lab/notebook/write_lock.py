"""A fair (first come, first served) write lock for the notebook.

SQLite's own waiting is a lottery, and so is a plain lock: on a busy machine those who just left
take it again before those who wait were scheduled, and of 64 writers half waited over a minute.
Here each writer draws a number and waits for the one before it, whom nobody else waits for. The
door is only for order: what keeps writers apart is still SQLite's BEGIN IMMEDIATE, so a writer
that dies in the queue costs fairness and nothing else. A file system without locks is refused
before anybody comes here.
"""

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator

from ..errors import NotYet

WAIT_S = 60  # 64 writers, each held up for most of a second on an overloaded machine
COUNTER = 8  # bytes at the start of the file: the number that the next writer draws
FIRST = 16  # the byte that stands for number 0; locks may lie beyond the file's end


@contextlib.contextmanager
def acquire(path: str) -> Iterator[None]:
    """Wait for the door at `path` and hold it; NotYet after WAIT_S."""
    try:
        door = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
    except OSError:  # a folder that may only be read: the write itself will say so
        yield
        return
    with contextlib.suppress(OSError):  # no locks here, or no room for the counter
        _wait(door, _take_number(door), path)
    try:
        yield
    finally:
        os.close(door)  # which lets go of all that was locked


def _take_number(door: int) -> int:
    """Draw the next number and hold the byte that stands for it."""
    fcntl.lockf(door, fcntl.LOCK_EX, COUNTER, 0)
    try:
        number = int.from_bytes(os.pread(door, COUNTER, 0), "little")
        os.pwrite(door, (number + 1).to_bytes(COUNTER, "little"), 0)
        fcntl.lockf(door, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, FIRST + number)
        return number
    finally:
        fcntl.lockf(door, fcntl.LOCK_UN, COUNTER, 0)


def _wait(door: int, number: int, path: str) -> None:
    """Wait until the writer with the number before has left, or died."""
    before = FIRST + number - 1
    with contextlib.suppress(BlockingIOError, PermissionError):
        fcntl.lockf(door, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, before)
        return
    left = threading.Event()

    def wait() -> None:
        with contextlib.suppress(OSError):
            fcntl.lockf(door, fcntl.LOCK_EX, 1, before)
        left.set()

    threading.Thread(target=wait, daemon=True).start()
    if not left.wait(WAIT_S):  # the thread waits on: its descriptor stays open to the end
        book = path.removesuffix(".lock")
        raise NotYet(f"{book} was busy for {WAIT_S} s.", "Type the same command again in a moment.")
