"""CPU seconds of a process and all below it, read while they live, and how long they waited.

The system adds a child's time to its parent's when the parent collects it. A parent that never does
(SIGCHLD ignored) hides all of it, so each process is looked at twice a second as well. One that
ends between two looks, uncollected, is not seen. Linux only; elsewhere the system's sum must do.
"""

import contextlib
import os
import time
from pathlib import Path

PROC = Path("/proc")
LOOK_S = 0.5  # between two looks: each reads a line of every process, some 5 ms for 300 of them
TICKS = os.sysconf("SC_CLK_TCK")  # in a second


class TreeTime:
    """What a process and its descendants have used so far."""

    def __init__(self, root: int) -> None:
        self.root, self.next = root, 0.0
        self.used: dict[tuple[int, bytes], float] = {}  # seconds, by process id and start
        self.queued: dict[int, tuple[int, int]] = {}  # ns on a core and waiting for one, by id

    def look(self, at_once: bool = False) -> bool:
        """Read what each of them has used, unless that was done a moment ago; return whether."""
        if (time.monotonic() < self.next and not at_once) or not PROC.is_dir():
            return False
        rows = dict(_rows())
        for pid in _below(self.root, rows):
            started, seconds = rows[pid][1:]
            self.used[pid, started] = seconds
            with contextlib.suppress(OSError, ValueError, IndexError):
                ran, waited, *_ = (PROC / str(pid) / "schedstat").read_text().split()
                self.queued[pid] = int(ran), int(waited)
        self.next = time.monotonic() + LOOK_S
        return True

    @property
    def seconds(self) -> float:
        """The CPU seconds of all that were seen, each by itself."""
        return sum(self.used.values())

    @property
    def delayed(self) -> float | None:
        """The share of their time that they waited for a core; None where nobody tells."""
        ran, waited = (sum(row[place] for row in self.queued.values()) for place in (0, 1))
        return waited / (ran + waited) if ran + waited else None


Row = tuple[int, bytes, float]  # parent, start, CPU seconds


def _rows() -> list[tuple[int, Row]]:
    """Return every process of /proc; whoever ends meanwhile is left out."""
    found = []
    for name in os.listdir(PROC):
        if name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                fields = (PROC / name / "stat").read_bytes().rpartition(b")")[2].split()
                seconds = (int(fields[11]) + int(fields[12])) / TICKS
                found.append((int(name), (int(fields[1]), fields[19], seconds)))
    return found


def _below(root: int, rows: dict[int, Row]) -> set[int]:
    """Return a process and its descendants, of those that are there."""
    found = {root} & rows.keys()
    while more := {pid for pid, row in rows.items() if row[0] in found} - found:
        found |= more
    return found


def pressure_us() -> int | None:
    """Return how long somebody on this machine has waited for a core, in all, in microseconds."""
    try:
        some = (PROC / "pressure" / "cpu").read_text().splitlines()[0]
        return int(some.rpartition("total=")[2])
    except (OSError, ValueError, IndexError):
        return None
