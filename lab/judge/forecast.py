"""Forecast: where a training will end, by its curve so far beside its incumbent's whole one."""

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from .curve import Curve, Point

EARLIEST = 0.15  # of the incumbent's course: before, curves cross and tell nothing
STRETCH = 1 / 3  # of what was run so far, the newest: earlier differences are forgotten
CELLS = 6  # of that stretch: how the difference moves between them says how sure this is
END = 0.05  # of the incumbent's course: its last value alone is luck


@dataclass(frozen=True)
class Forecast:
    """The mean height expected over the last twentieth, and how far off it may well be."""

    value: float
    error: float


def forecast(mine: Sequence[Point], theirs: Sequence[Point]) -> Forecast | None:
    """Return where `mine` will end: where `theirs` did, and as far off as they are now.

    None while too little was run, or where the two have no course in common.

    >>> falling = [(x / 100, 1 - x / 200) for x in range(101)]
    >>> found = forecast([(x, y - 0.1) for x, y in falling[:50]], falling)
    >>> found is not None and (round(found.value, 4), round(found.error, 4))
    (0.4125, 0.0)
    """
    if len({x for x, _ in mine}) < CELLS or len({x for x, _ in theirs}) < CELLS:
        return None
    ours, others = Curve(mine), Curve(theirs)
    first, last = max(ours.x[0], others.x[0]), min(ours.x[-1], others.x[-1])
    whole = others.x[-1] - others.x[0]
    if last - others.x[0] < EARLIEST * whole or not first < last:
        return None
    start = last - STRETCH * (last - first)
    edges = [start + (last - start) * place / CELLS for place in range(CELLS + 1)]
    apart = [ours.mean(a, b) - others.mean(a, b) for a, b in itertools.pairwise(edges)]
    end = others.mean(others.x[-1] - END * whole, others.x[-1])
    return Forecast(end + statistics.fmean(apart), 2 * statistics.stdev(apart))
