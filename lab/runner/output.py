"""Output of a run, bounded: a capped log, a tail, early stop of a diverged or hopeless step log."""

import io
import json
import math
import os
import re
from pathlib import Path
from typing import Any, TypeGuard

from .pruning import Hopeless, Pruning, Rungs

FINITE = re.compile(rb'"([^"\\]*loss[^"\\]*)"\s*:\s*-?\d')
OWN_LOSS = {"loss", "train_loss", "training_loss", "train/loss"}  # of training, each step
NO_LOSS = re.compile(r"scal(e|er|ing)|best|(^|[\W_])min([\W_]|$)")  # loss_scale, best_val_loss
MOST_STEPS = 10**15  # beyond it a float no longer counts one by one
DROPPED = "\n[... {:>15,} bytes of output dropped here ...]\n"


class CappedLog:
    """A file that keeps the first half of `cap` bytes and, behind a line saying so, the newest.

    Written without buffering, so that it can be followed; appends to what is there already.
    """

    def __init__(self, path: Path, cap: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self.size = self.base = os.lseek(self.fd, 0, os.SEEK_END)
        self.cap, self.dropped = cap, 0

    def write(self, data: bytes) -> None:
        """Append `data`; raises OSError when the disk refuses."""
        while data:
            written = os.write(self.fd, data)
            data = data[written:]
            self.size += written
        if self.size - self.base > self.cap:
            self._drop_the_middle()

    def _drop_the_middle(self) -> None:
        """Keep the first half and the newest quarter, cut at the start of a line."""
        head = self.base + self.cap // 2
        newest = os.pread(self.fd, self.cap // 4, self.size - self.cap // 4)
        newest = newest[newest.find(b"\n") + 1 :]
        marker = len(DROPPED.format(0)) if self.dropped else 0
        self.dropped += self.size - len(newest) - head - marker
        os.ftruncate(self.fd, head)
        self.size = os.lseek(self.fd, head, os.SEEK_SET)
        self.write(DROPPED.format(self.dropped).encode() + newest)

    def text(self) -> str:
        """Return what was written here, whatever lies under the file's name by now."""
        return os.pread(self.fd, self.size - self.base, self.base).decode("utf-8", "replace")

    def close(self) -> None:
        """Close the file."""
        os.close(self.fd)


class Tail:
    """The last `limit` bytes of a stream."""

    def __init__(self, limit: int) -> None:
        self.limit, self.kept = limit, bytearray()

    def add(self, data: bytes) -> None:
        """Take `data` in, and let go of what is too old."""
        self.kept += data
        if len(self.kept) > 2 * self.limit:  # twice, so that bytes move rarely
            del self.kept[: -self.limit]

    def text(self) -> str:
        """Return the tail as text; what is no UTF-8 is replaced."""
        return bytes(self.kept[-self.limit :]).decode("utf-8", "replace")


class StepWatch:
    """Reads a step log as it grows; notices a loss that is not finite, or beyond a rung's bar.

    Only losses count: a gradient norm may be infinite where a loss scaler then skips the step, and
    the scaler's own scale is no loss. One that is not the training's own may be no number until it
    was one: there is none before the first validation, and the best so far begins at infinity.
    """

    PIECE = 1 << 20  # read at once; a log that grows faster is caught up with later
    END = 1 << 16  # in which the last step stands, whatever is written after it

    def __init__(self, path: Path | None, prune: dict[str, Any] | None = None) -> None:
        self.path, self.offset, self.rest, self.diverged = path, 0, b"", False
        self.rungs = Rungs(Pruning.from_row(prune)) if prune else None
        self.newest = b""  # whole line
        self.finite: set[str] = set()  # names of losses that were numbers once

    def look(self) -> bool:
        """Read what is new; return whether any loss so far was not finite."""
        if self.path is None or self.diverged:
            return self.diverged
        try:
            if self.path.stat().st_size <= self.offset:
                self.offset = min(self.offset, self.path.stat().st_size)
                return False
            with self.path.open("rb") as file:
                file.seek(self.offset)
                new = file.read(self.PIECE)
        except OSError:  # not there yet
            return False
        self.offset += len(new)
        *lines, rest = (self.rest + new).split(b"\n")
        self.rest = rest[-self.PIECE :]
        self.newest = lines[-1] if lines else self.newest
        self.diverged = any(_diverged(line, self.finite) for line in lines)
        if self.rungs is not None:
            for line in lines:
                self.rungs.add(_row(line))
        return self.diverged

    @property
    def hopeless(self) -> Hopeless | None:
        """At which rung the run was hopeless first."""
        return self.rungs.hopeless if self.rungs else None

    def is_to_end(self) -> bool:
        """Return whether the run is hopeless and none that goes on all the same."""
        return self.hopeless is not None and not self.hopeless["spared"]

    def reached(self) -> dict[str, float]:
        """Return the newest step and its seconds, as far as its line tells; {} without any."""
        return _told(self.newest)

    def furthest(self) -> dict[str, float]:
        """Return the last step and the most seconds that the end of the log tells, each by name."""
        try:
            with self.path.open("rb") if self.path else io.BytesIO() as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - self.END))
                rows = [_told(line) for line in file]
        except OSError:
            return {}
        names = {name for row in rows for name in row}
        return {name: max(row[name] for row in rows if name in row) for name in names}

    def look_at_all(self) -> bool:
        """Read to the end of the log."""
        before = -1
        while self.offset != before and not self.diverged:
            before = self.offset
            self.look()
        return self.diverged


def _row(line: bytes) -> dict[str, Any]:
    """Return a line of the log; {} where it is none."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return row if isinstance(row, dict) else {}


def _diverged(line: bytes, finite: set[str]) -> bool:
    """Return whether one line of the log reports a loss that is not finite, or no longer.

    >>> _diverged(b'{"step": 3, "loss": null, "nonfinite": ["loss"]}', set())
    True
    >>> _diverged(b'{"val_loss": NaN, "loss_scale": Infinity}', set())
    False
    >>> _diverged(b'{"val_loss": NaN}', {"val_loss"})
    True
    """
    finite.update(name.decode("utf-8", "replace") for name in FINITE.findall(line))
    if b"NaN" not in line and b"Infinity" not in line and b"nonfinite" not in line:
        return False  # nearly every line: saves parsing it
    row = _row(line)
    bad = [name for name in _nonfinite(row) if "loss" in name and not NO_LOSS.search(name)]
    return any(name in OWN_LOSS or name in finite for name in bad)


def _told(line: bytes) -> dict[str, float]:
    """Return the step and the seconds of one line; {} where it is none of a step.

    >>> _told(b'{"step": 3, "elapsed_s": 1.5, "loss": 2}')
    {'step': 3.0, 'clock_s': 1.5}
    """
    found = _row(line)
    named = {"step": found.get("step"), "clock_s": found.get("elapsed_s")}
    known = {name: float(value) for name, value in named.items() if _is_number(value)}
    return known if "step" in known else {}


def _is_number(value: object) -> TypeGuard[float]:
    """Return whether a value counts something; a script may write whatever it likes."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and -MOST_STEPS < value < MOST_STEPS  # type: ignore[operator]


def _nonfinite(row: dict[str, Any]) -> list[str]:
    """Return the names of values that are not finite, also those written as null."""
    named = row.get("nonfinite")
    bad = [str(name) for name in named] if isinstance(named, list) else []
    return bad + [k for k, v in row.items() if isinstance(v, float) and not math.isfinite(v)]
