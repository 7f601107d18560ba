"""Pairs: how much of a seed's luck two programs share."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from .level import Runs
from .noise import Noise
from .numbers import spread

DOUBT = 2  # degrees of freedom that speak for independence before anything was measured


@dataclass(frozen=True)
class Pairs:
    """The correlation of two programs' runs over equal seeds."""

    rho: float  # shrunk towards none
    runs: int  # pairs of runs it is known from
    seen: float = 0.0  # as it was measured


def correlation(sides: Iterable[tuple[Runs, Runs]], noise: Noise | None) -> Pairs | None:
    """Return what the runs that are there anyway tell of it: two sides at equal seeds each.

    >>> sides = [({0: 1.0, 1: 3.0, 2: 2.0}, {0: 1.5, 1: 3.5, 2: 2.5})] * 6
    >>> correlation([*sides, ({0: 1.0, 1: 2.0}, {0: 1.0, 1: 2.5})], Noise(1.0, 24))
    Pairs(rho=0.8625, runs=20, seen=0.9951923076923077)

    The very same numbers are the same program twice, and tell nothing of two:

    >>> correlation([({0: 1.0, 1: 3.0}, {0: 1.0, 1: 3.0})], Noise(1.0, 24)) is None
    True
    """
    squares, df, runs = 0.0, 0, 0
    for one, other in sides:
        apart = [one[seed] - other[seed] for seed in one if seed in other]
        wide = spread(apart)
        if len(apart) > 1 and wide is not None and any(apart):
            squares, df, runs = squares + wide**2, df + len(apart) - 1, runs + len(apart)
    if not df or noise is None or noise.sd == 0 or not math.isfinite(squares):
        return None
    rho = 1 - squares / df / (2 * noise.sd**2)
    return Pairs(max(0.0, rho) * df / (df + DOUBT), runs, max(0.0, rho))
