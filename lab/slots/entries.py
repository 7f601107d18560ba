"""Queue entries: who waits, since when, at which place, for how long still."""

import heapq
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Entry:
    """A run that waits for a device or holds one, as `lab status` shows it. Times in seconds.

    `position` is 1 for the next in turn, 0 for a holder; `eta_s` the expected wait, or what is left
    of a holder's time; None when nobody said how long such a run takes.
    """

    id: str
    pid: int
    user: int
    home: str
    campaign: str
    experiment: str
    leaf: str
    run_dir: str
    kind: str
    devices: tuple[str, ...]
    device: str | None  # the key of the device it holds
    queued_at: float  # epoch
    since: float | None  # epoch, when it got the device
    expected_s: float | None
    position: int = 0
    eta_s: float | None = None

    @property
    def owner(self) -> tuple[int, str, str]:
        """Who takes turns: a campaign of a notebook of a user."""
        return self.user, self.home, self.campaign


def entry_of(name: str, record: Mapping[str, Any]) -> Entry:
    """Return a ticket's record as an entry."""
    return Entry(
        id=name,
        pid=int(record.get("pid") or 0),
        user=int(record.get("user") or 0),
        home=str(record.get("home", "")),
        campaign=str(record.get("campaign", "")),
        experiment=str(record.get("experiment", "")),
        leaf=str(record.get("leaf", "")),
        run_dir=str(record.get("run_dir", "")),
        kind=str(record.get("kind", "")),
        devices=tuple(record.get("devices") or ()),
        device=record.get("device"),
        queued_at=float(record.get("queued_at") or 0.0),
        since=record.get("since"),
        expected_s=record.get("expected_s"),
    )


def expect(holders: list[Entry], waiting: list[Entry], now: float) -> list[Entry]:
    """Return all entries with positions and expected seconds, at the epoch time `now`.

    The waiting ones, in turn, each take the device that is free first; a device whose holder never
    said how long it takes is counted on by nobody.
    """
    timed = [replace(e, eta_s=_left(e, now)) for e in holders]
    idle = {key for e in waiting for key in e.devices} - {e.device for e in holders}
    free_at = [0.0] * len(idle) + [math.inf if e.eta_s is None else e.eta_s for e in timed]
    heapq.heapify(free_at)
    placed = []
    for position, entry in enumerate(waiting, start=1):
        at = free_at[0] if free_at else math.inf
        placed.append(replace(entry, position=position, eta_s=at if math.isfinite(at) else None))
        if free_at:
            heapq.heapreplace(
                free_at, at + (math.inf if not entry.expected_s else entry.expected_s)
            )
    return timed + placed


def _left(entry: Entry, now: float) -> float | None:
    """Return how long a holder will still take; at least 0."""
    if entry.expected_s is None or entry.since is None:
        return None
    return max(0.0, entry.since + entry.expected_s - now)
