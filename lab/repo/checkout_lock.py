"""One at a time in a checkout: whoever moves its branch or its files holds its lock.

Every git that they start holds it too, so that one which outlives its killed caller is waited for.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from .. import repo
from ..errors import NotYet
from ..system import locks

PATIENCE_S = 20.0  # a start or a verdict takes a tenth of a second
PAUSE_S = 0.05
_mine: set[Path] = set()  # what this process holds: claiming it again is no wait


@contextlib.contextmanager
def locked(home: Path, campaign: str | None) -> Iterator[bool]:
    """Hold the lock of a campaign's worktree (None: the main checkout); NotYet when others do.

    Gives whether it had to be waited for: then branch and files may have moved meanwhile.
    """
    path = home / "locks" / locks.file_name(campaign or "main")
    if path in _mine:
        yield False
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = locks.open_lock(path)
    try:
        until, waited = time.monotonic() + PATIENCE_S, False
        while not locks.try_lock(fd):
            waited = True
            if time.monotonic() > until:
                raise NotYet(
                    "another lab command is at work in this worktree.", "Type it again in a moment."
                )
            time.sleep(PAUSE_S)
        _mine.add(path)
        with repo.carrying(fd):
            yield waited
    finally:
        _mine.discard(path)
        os.close(fd)
