"""Standard streams as they are found: missing, in another encoding, or with nobody at the end."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import TextIO


def prepare() -> None:
    """Give this process all three streams, and let none fail for a letter that it cannot show.

    Descriptors come first: else the next file that is opened becomes the standard output of every
    child.
    """
    while (free := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(free, True)
    os.close(free)
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")


def hang_up(stream: TextIO) -> None:
    """Let go of a reader who is gone: what is written from here on goes nowhere."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


@contextlib.contextmanager
def read_or_not() -> Iterator[None]:
    """Go on though what is printed here cannot be: a long loop does not end with its reader."""
    try:
        yield
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        hang_up(sys.stdout)
        hang_up(sys.stderr)


def say(words: str, stream: TextIO) -> None:
    """Print a line for whoever still reads."""
    try:
        print(words, file=stream, flush=True)
    except OSError:
        hang_up(stream)
