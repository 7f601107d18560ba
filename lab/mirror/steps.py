"""A step log as it grows, in pieces whose size does not depend on how fast that is."""

from collections.abc import Iterator
from pathlib import Path

from ..run import step_log
from ..system import left
from ..text import plain
from . import Scalars

PIECE = 1 << 20  # bytes read at once; of each at most LINES are told
LINES = 1000
NAMES = 200  # of numbers that a run may have
LONGEST_NAME = 100
LARGEST = 10**15  # of a step


class Growth:
    """The lines of one step log that have not been told yet."""

    def __init__(self, path: Path) -> None:
        self.path, self.offset, self.rest = path, 0, b""
        self.names: dict[str, None] = {}  # in the order they came

    def rows(self) -> Iterator[tuple[int, Scalars]]:
        """Yield steps with their numbers; of many lines evenly spaced ones."""
        while lines := self._lines():
            for line in lines[:: len(lines) // LINES + 1]:
                yield from self._row(line)

    def _lines(self) -> list[bytes]:
        """Return the next whole lines, [] where there are none yet."""
        try:
            with left.opened(self.path) as file:
                self.offset = min(self.offset, file.seek(0, 2))
                file.seek(self.offset)
                new = file.read(PIECE)
        except OSError:  # not there yet, or no file
            return []
        self.offset += len(new)
        *lines, rest = (self.rest + new).split(b"\n")
        self.rest = rest[-PIECE:]
        return lines if lines or not new else self._lines()

    def _row(self, line: bytes) -> Iterator[tuple[int, Scalars]]:
        """Yield the numbers of a line; nothing where it is none of a step."""
        row = step_log.parsed(line)
        if row is None or not 0 <= row["step"] <= LARGEST:
            return
        numbers = {k: float(v) for k, v in row.items() if k != "step" and step_log.finite(v)}
        short = {plain(k): v for k, v in numbers.items() if len(k) <= LONGEST_NAME}
        for name in short:
            if len(self.names) < NAMES:
                self.names[name] = None
        if known := {k: v for k, v in short.items() if k in self.names}:
            yield int(row["step"]), known
