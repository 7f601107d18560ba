"""Forecast: where a training will end, by its curve so far beside its incumbent's whole one."""

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from .curve import Curve, Point

EARLIEST = 0.4  # of the incumbent's course: before, its own end is as good a guess
STRETCH = 1 / 3  # of what was run so far, the newest: earlier differences are forgotten
CELLS = 6  # of that stretch: how the difference moves between them says how sure this is
# How many times its scatter the difference may move until the end: measured on 192 trainings of
# pretrain, of which four in five ended within (benchmarks/bench_serve.py forecast).
AT_END, WANDER = 2.0, 8.0
END = 0.05  # of the incumbent's course: its last value alone is luck


@dataclass(frozen=True)
class Forecast:
    """The mean height expected over the last twentieth, and within what four in five end."""

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
    to_come = 1 - (last - others.x[0]) / whole
    error = (AT_END + WANDER * max(0.0, to_come)) * statistics.stdev(apart)
    return Forecast(end + statistics.fmean(apart), error)
