"""What moved: the notebook, the step logs of runs, or only the clock; looked at once for all."""

import asyncio
import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from ..errors import LabError
from ..notebook import read
from ..system.home import Home
from .reading import opened

BOOK, STEPS, TICK = "book", "steps", "tick"  # a record; a step of a run; time that passes
LOOK_S = 0.2  # between two looks while anybody reads
TICK_S = 5.0  # between two ticks: what says for how long something runs is that old at most
SILENT_S = 15.0  # after which a reader is told nothing, so that a dead connection shows
Versions = dict[str, int]


class Changes:
    """How often each kind of thing moved since the server began, and who waits for the next."""

    def __init__(self, home: Home) -> None:
        self.home, self.began = home, time.time_ns()
        self.versions: Versions = {BOOK: 0, STEPS: 0, TICK: 0}
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._data_version, self._sizes, self._ticked = -1, dict[str, int](), time.monotonic()
        self._logs: list[Path] = []
        self._moved = asyncio.Event()
        self.readers = 0
        self.is_over: Callable[[], bool] = lambda: False  # whether the server ends

    def look(self) -> Versions:
        """Look whether anything moved; from any thread."""
        with self._lock:
            if self._has_moved():
                self.versions[BOOK] += 1
                self._logs = self._open_logs()
            sizes = {str(path): _size(path) for path in self._logs}
            if sizes != self._sizes:
                self.versions[STEPS] += 1
                self._sizes = sizes
            if time.monotonic() - self._ticked >= TICK_S:
                self.versions[TICK] += 1
                self._ticked = time.monotonic()
            return dict(self.versions)

    def _has_moved(self) -> bool:
        """Return whether another connection wrote into the notebook since the last look."""
        if self._db is None:
            if not self.home.notebook.exists():
                return False
            self._db = sqlite3.connect(self.home.notebook, check_same_thread=False)
        with contextlib.suppress(sqlite3.Error):  # busy: the next look tells
            found = self._db.execute("pragma data_version").fetchone()[0]
            self._db.rollback()
            moved, self._data_version = found != self._data_version, found
            return bool(moved)
        return False

    def _open_logs(self) -> list[Path]:
        """Return the folders of runs at work: their logs grow without a record."""
        with opened(self.home) as book:
            rows = [row for row in read.in_flight(book) if row["run"] is not None]
        folders = [self.home.run(row["experiment"], row["run"]) for row in rows]
        return [folder / name for folder in folders for name in ("steps.jsonl", "evaluate.log")]

    # -- Readers ------------------------------------------------------------------

    async def watch(self) -> None:
        """Look again and again while anybody reads, and wake the readers when something moved."""
        told = dict(self.versions)
        while not self.is_over():
            found = told
            if self.readers:
                with contextlib.suppress(LabError, sqlite3.Error, OSError):  # the next look tells
                    found = await asyncio.to_thread(self.look)
            if found != told:
                told = found
                self._wake()
            await asyncio.sleep(LOOK_S)
        self._wake()

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    async def events(self) -> AsyncIterator[str]:
        """Yield what one reader is told: the versions now, and again after each change.

        Only the newest is told, however slowly somebody reads.
        """
        self.readers += 1
        try:
            yield "retry: 1000\n\n"
            last = None
            while not self.is_over():
                moved = self._moved
                if last != self.versions:
                    last = dict(self.versions)
                    yield f"data: {_as_json(self.began, last)}\n\n"
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(moved.wait(), SILENT_S)
                    continue
                yield ":\n\n"
        finally:
            self.readers -= 1


def _as_json(began: int, versions: Versions) -> str:
    told = ", ".join(f'"{kind}": "{began}.{count}"' for kind, count in versions.items())
    return f"{{{told}}}"


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return -1
