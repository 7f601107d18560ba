"""Marks: what to bear in mind of an experiment's numbers, wherever they are printed."""

import json
from typing import Any

from ..text import plural
from . import Notebook, ledger, lookup, measurements, pace, runs

# Bytes of texts, numbers and comments that an edit of a program may add: a long prompt is 5 kB, the
# smallest model worth hiding hundreds. And what no words are: numbers, and letters without a space.
LITERALS, PACKED = 10_000, 400
UNIT = 1.05  # times the other's: of one file or record it is the same to nine digits
Machine = dict[str, Any]  # what a run's record says of where and how it ran


def marks(book: Notebook, number: int) -> list[str]:
    """Return what an experiment's numbers suffered: aborted runs, load, another pace."""
    aborted = measurements.endings(book, number).aborted
    found = [plural(aborted, "aborted run")] if aborted else []
    found += ["warm start"] if runs.warm(book, [number]) else []
    against = lookup.experiment(book, number)["incumbent"]
    ours, theirs = runs.machines(book, number), runs.machines(book, against)
    if any(one.get("self_reported") for one in ours):
        found.append("self-reported: the script prints its own score, nothing else measured it")
    found += _of_edit(book, number) + _of_incumbent(book, against)
    found += pace.marks(book, number, ours, theirs)
    return [*found, *_otherwise(ours, theirs, against)]


def _otherwise(ours: list[Machine], theirs: list[Machine], against: int | None) -> list[str]:
    """Return in what an experiment's runs were not run as its incumbent's."""
    found = []
    if _any_free(ours) and theirs and not _any_free(theirs):
        found.append(f"not confined, which its incumbent e{against} was")
    names = _variables(ours) ^ _variables(theirs) if _told(ours) and _told(theirs) else set()
    if names:
        differing = ", ".join(sorted({name for name, _ in names}))
        found.append(f"run with another {differing} than its incumbent e{against}")
    if _apart(ours, theirs, "prepared"):
        found.append(f"on other prepared data than its incumbent e{against}")
    if _other_unit(ours, theirs):
        found.append(f"timed in another unit of the CPU clock than its incumbent e{against}")
    return found


def _apart(ours: list[Machine], theirs: list[Machine], name: str) -> bool:
    """Return whether what both sides recorded under a name has nothing in common."""
    mine, others = ({one[name] for one in side if name in one} for side in (ours, theirs))
    return bool(mine and others) and not mine & others


def _other_unit(ours: list[Machine], theirs: list[Machine]) -> bool:
    """Return whether the CPU clock's unit is another by more than rounding makes of it."""
    units = [one["reference_s"] for one in (*ours, *theirs) if one.get("reference_s")]
    return bool(ours and theirs and units) and max(units) > UNIT * min(units)


def _of_edit(book: Notebook, number: int) -> list[str]:
    """Return what is odd about an experiment's edit: it brings data along, as a text."""
    job = lookup.first_job(book, number)
    asked = json.loads(job["asked"] or "{}") if job else {}
    added, packed = asked.get("literals", 0), asked.get("packed", 0)
    if asked.get("imports"):
        names = ", ".join(asked["imports"])
        return [f"its edit imports {names}, which is frozen and may hold what is measured by"]
    if packed > PACKED:
        return [f"its edit adds {packed / 1000:.1f} kB of numbers, or of letters that are no words"]
    return [f"its edit adds {added / 1000:.0f} kB of literals"] if added > LITERALS else []


def _of_incumbent(book: Notebook, against: int | None) -> list[str]:
    """Return that the incumbent was not found better itself, and no audit said so since."""
    if against is None or ledger.is_audited(book, against):
        return []
    if not lookup.state(book, against)["overruled"]:
        return []
    return [f"its incumbent e{against} was kept against the suggestion"]


def _any_free(machines: list[Machine]) -> bool:
    return any(one.get("confined") == "none" for one in machines)


def _told(machines: list[Machine]) -> bool:
    """Return whether the variables were recorded; they were not from the beginning."""
    return any("variables" in one for one in machines)


def _variables(machines: list[Machine]) -> set[tuple[str, str]]:
    return {pair for one in machines for pair in one.get("variables", {}).items()}
