"""Noise: what a change of seed alone does to the metric, pooled over replicates."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .policy import Policy


@dataclass(frozen=True)
class Noise:
    """The standard deviation of one run, and the degrees of freedom it was estimated with."""

    sd: float  # in units of the metric
    df: int  # repeats: runs beyond the first of each experiment


def mean(values: Sequence[float]) -> float:
    """Return the mean; the same number twice has exactly that number as its mean.

    >>> mean([0.1, 0.1, 0.1]) == 0.1
    True
    """
    if not values or not all(map(math.isfinite, values)):
        raise ValueError(f"a mean needs finite numbers, not {list(values)}")
    if min(values) == max(values):
        return values[0]
    return math.fsum(value / len(values) for value in values)  # divided first: no overflow


def pool(groups: Iterable[Sequence[float]]) -> Noise | None:
    """Return the noise pooled over `groups`, each the values of one experiment's seeds.

    Groups of one value say nothing; without a single repeat the answer is None:

    >>> pool([[1.0, 3.0], [10.0, 10.0], [7.0]])
    Noise(sd=1.0, df=2)
    >>> pool([[1.0], []]) is None
    True
    """
    repeated = [group for group in groups if len(group) > 1]
    if not repeated:
        return None
    df = sum(len(group) - 1 for group in repeated)
    centres = [mean(group) for group in repeated]
    off = [v - c for group, c in zip(repeated, centres, strict=True) for v in group]
    return Noise(math.hypot(*off) / math.sqrt(df), df)


@dataclass(frozen=True)
class Side:
    """An incumbent's runs. A baseline won its place against nobody, so all its runs are fresh."""

    selecting: tuple[float, ...]  # those that won it its place; they flatter it
    fresh: tuple[float, ...]  # those measured afterwards, which nobody selected

    def missing(self, policy: Policy) -> int:
        """Return how many fresh runs are due before anything can be kept against it.

        >>> Side((0.98, 0.98), fresh=(0.99,)).missing(Policy())
        2
        >>> Side((), fresh=(0.99,)).missing(Policy())
        0
        """
        return max(0, policy.fresh_runs - len(self.fresh)) if self.selecting else 0

    def record(self, policy: Policy) -> tuple[float, ...]:
        """Return the runs that count: the fresh ones once there are enough, until then all.

        >>> Side((0.98, 0.98), fresh=(0.99, 0.99, 0.99)).record(Policy())
        (0.99, 0.99, 0.99)
        >>> Side((0.98, 0.98), fresh=(0.99,)).record(Policy())
        (0.98, 0.98, 0.99)
        """
        return self.selecting + self.fresh if self.missing(policy) else self.fresh
