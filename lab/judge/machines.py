"""Machines: how far the same program's numbers lie apart on different computers."""

import math
from collections.abc import Iterable, Mapping, Sequence

from .noise import Noise
from .numbers import mean

ByHost = Mapping[str, Sequence[float]]  # one experiment's values, by the computer they are of


def between(experiments: Iterable[ByHost]) -> float | None:
    """Return the standard deviation of machines, in units of the metric; None where none meet.

    The variance component of a one-way analysis of variance with unequal groups (Searle, Casella
    & McCulloch 1992, 3.6), pooled over the experiments that several computers have measured.

    >>> between([{"ada": [1.0, 1.2], "bob": [3.0, 3.2]}])
    1.4106735979665885
    >>> between([{"ada": [1.0, 1.2]}]) is None
    True
    """
    across = within = effective = 0.0
    free_across = free_within = 0
    for values in (values for values in experiments if len(values) > 1):
        runs = [value for some in values.values() for value in some]
        middle = mean(runs)
        across += sum(len(some) * (mean(some) - middle) ** 2 for some in values.values())
        within += sum((one - mean(some)) ** 2 for some in values.values() for one in some)
        effective += len(runs) - sum(len(some) ** 2 for some in values.values()) / len(runs)
        free_across += len(values) - 1
        free_within += len(runs) - len(values)
    if not free_across:
        return None
    noise = within / free_within if free_within else 0.0
    return math.sqrt(max(0.0, (across / free_across - noise) / (effective / free_across)))


def apart(noise: Noise | None, moved: float | None) -> Noise | None:
    """Return the noise of runs whose incumbent was measured on other machines.

    >>> apart(Noise(3.0, 2), 4.0)
    Noise(sd=5.0, df=2)
    """
    if noise is None or moved is None:
        return noise
    return Noise(math.hypot(noise.sd, moved), noise.df)
