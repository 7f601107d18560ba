"""Marks: what to bear in mind of an experiment's numbers, wherever they are printed."""

from . import Notebook, lookup, measurements, runs

LOADED = 0.15  # of a run's time spent waiting for a core: more than its own threads make


def marks(book: Notebook, number: int) -> list[str]:
    """Return what an experiment's numbers suffered: aborted runs, load, its incumbent's load."""
    aborted = measurements.endings(book, number).aborted
    found = [f"{aborted} aborted run{'s' * (aborted != 1)}"] if aborted else []
    found += ["warm start"] if runs.warm(book, [number]) else []
    against = lookup.experiment(book, number)["incumbent"]
    for name, whose in ((number, ""), (against, f"its incumbent e{against} was ")):
        most = max(runs.loads(book, name), default=0.0)
        if most > LOADED:
            found.append(f"{whose}measured under load ({most:.0%} of its time waiting for a core)")
    return found
