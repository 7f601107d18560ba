"""Queue status: who holds which device, who waits, and for how long."""

import os
import time
from pathlib import Path
from typing import TypedDict

from .. import slots
from ..documents.leaves import Place
from ..leaf import Settings
from ..runner import Stopped
from ..system.home import Home
from ..text import to_go
from .order import JobContext

Whose = tuple[str, int, Path]  # leaf, seed, the run's folder
MOST_TOLD = 3  # of those who have the devices, in one line


class Snapshot(TypedDict):
    """Who has the devices, and who waits for one, in turn."""

    slots: list[Place]
    queue: list[Place]


def queue(home: Home) -> slots.Queue:
    """Return the machine's devices and queue for the notebook in `home`."""
    return slots.Queue(home.slots, None, slots.settled(home.slots, os.environ, may_set=False))


def devices(home: Home, settings: Settings) -> int:
    """Return how many devices a leaf's profile may use at once; 1 where it holds none."""
    kind = slots.choose(settings.needs, os.environ, settings.gpu_optional)
    if kind == "none":
        return 1
    return len(slots.accelerators(os.environ)) if kind == "gpu" else cpu_slots(home)


def cpu_slots(home: Home) -> int:
    """Return how many runs that need a CPU the notebook lets run at once."""
    return int(slots.settled(home.slots, os.environ, may_set=False)["LAB_CPU_SLOTS"] or 1)


def lease(order: JobContext, kind: str, whose: Whose, expected_s: float) -> slots.Lease:
    """Wait in the queue for a device; raises Stopped when somebody asks for the end first."""
    experiment, (leaf, seed, run_dir) = order.experiment, whose
    ticket = queue(order.home).ticket(
        campaign=experiment["campaign"] or "main",
        label=f"e{experiment['id']}/{seed}",
        kind=kind,
        leaf=leaf,
        run_dir=str(run_dir),
        expected_s=expected_s,
    )
    found = ticket.wait(order.stop)
    if found is None:
        raise Stopped
    return found


def snapshot(home: Home) -> Snapshot:
    """Return holders and those waiting."""
    if not home.path.is_dir():
        return {"slots": [], "queue": []}
    devices = queue(home)
    return {
        "slots": [_entry(one) for one in devices.holders()],
        "queue": [_entry(one) for one in devices.waiting()],
    }


def place_of(home: Home, run_dir: Path) -> slots.Entry | None:
    """Return the queue's entry of one run, or None when it neither waits nor holds a device."""
    devices = queue(home)
    entries = [*devices.waiting(), *devices.holders()]
    return next((one for one in entries if one.run_dir == str(run_dir)), None)


def as_text(home: Home, experiment: int) -> str | None:
    """Return in words that an experiment waits while others have the device; None when it does not.

    A run that is next for a free device is not told: it will have it in a moment.
    """
    devices, label = queue(home), f"e{experiment}/"
    mine = [one for one in devices.waiting() if _is_of(one, home, label)]
    if not mine:
        return None
    one = mine[0]
    holders = [other for other in devices.holders() if other.device in one.devices]
    if len(holders) < len(one.devices):
        return None
    busy = ", ".join(f"{other.experiment} of {other.campaign}" for other in holders[:MOST_TOLD])
    place = f"place {one.position}{to_go(one.eta_s)}"
    return f"waits for the {one.kind}, {place}; it is {busy} that has it"


def _is_of(one: slots.Entry, home: Home, label: str) -> bool:
    return one.home == str(home) and one.experiment.startswith(label)


def _entry(one: slots.Entry) -> Place:
    now = time.time()
    return {
        "label": one.experiment,
        "campaign": one.campaign,
        "leaf": one.leaf,
        "kind": one.kind,
        "device": one.device,
        "position": one.position,
        "waiting_s": round(now - one.queued_at, 1) if not one.device else None,
        "held_s": round(now - one.since, 1) if one.since else None,
        "eta_s": None if one.eta_s is None else round(one.eta_s, 1),
        "pid": one.pid,
        "home": one.home,
    }
