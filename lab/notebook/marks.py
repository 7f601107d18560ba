"""Marks: what to bear in mind of an experiment's numbers, wherever they are printed."""

from typing import Any

from ..text import plural
from . import Notebook, lookup, measurements, pace, runs

Machine = dict[str, Any]  # what a run's record says of where and how it ran


def marks(book: Notebook, number: int) -> list[str]:
    """Return what an experiment's numbers suffered: aborted runs, load, another pace."""
    aborted = measurements.endings(book, number).aborted
    found = [plural(aborted, "aborted run")] if aborted else []
    found += ["warm start"] if runs.warm(book, [number]) else []
    against = lookup.experiment(book, number)["incumbent"]
    ours, theirs = runs.machines(book, number), runs.machines(book, against)
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
    return found


def _any_free(machines: list[Machine]) -> bool:
    return any(one.get("confined") == "none" for one in machines)


def _told(machines: list[Machine]) -> bool:
    """Return whether the variables were recorded; they were not from the beginning."""
    return any("variables" in one for one in machines)


def _variables(machines: list[Machine]) -> set[tuple[str, str]]:
    return {pair for one in machines for pair in one.get("variables", {}).items()}
