"""Level: what a new idea must beat, and how far a candidate is above it."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import NormalDist

from .noise import Noise
from .numbers import mean
from .policy import Policy

SIGN = {"minimize": -1.0, "maximize": 1.0}
Runs = Mapping[int, float]  # values by seed, in the order they were measured


@dataclass(frozen=True)
class Record:
    """The runs that an experiment is known by."""

    selecting: Runs  # those that won it its place; they flatter it
    fresh: Runs  # those that nobody selected: a baseline's, or its newest audit's
    wave: int = 1  # changes that were run at once, of which this was the best

    @property
    def runs(self) -> Runs:
        """The runs that count: the fresh ones where there are any."""
        return self.fresh or self.selecting

    def luck(self, policy: Policy, noise: float) -> float:
        """Return what luck added to the mean of the runs that count, in units of the metric."""
        if self.fresh or not self.selecting:
            return 0.0
        alone = policy.luck / math.sqrt(len(self.selecting))
        return max(alone, best_of(self.wave) / len(self.selecting)) * noise

    def level(self, policy: Policy, noise: float, direction: str) -> float | None:
        """Return what the next idea must beat; None without a run.

        >>> Record({0: 0.98}, {}).level(Policy(), 0.01, "minimize")
        0.984
        >>> Record({0: 0.98}, {7: 0.99, 8: 1.0}).level(Policy(), 0.01, "minimize")
        0.995
        """
        if not self.runs:
            return None
        return mean(list(self.runs.values())) - SIGN[direction] * self.luck(policy, noise)


def best_of(many: int) -> float:
    """Return how lucky the best of so many is, in deviations of one (Blom 1958).

    >>> [round(best_of(many), 2) for many in (1, 2, 8)]
    [0.0, 0.59, 1.43]
    """
    return NormalDist().inv_cdf((many - 0.375) / (many + 0.25)) if many > 1 else 0.0


def out_of_reach(bar: float | None, values: Iterable[float], direction: str) -> bool:
    """Return whether no number can reach a bar: a share above 1, an error below 0.

    What the values are is told by themselves: none was ever outside of its range.

    >>> out_of_reach(1.33, [0.95, 0.97], "maximize"), out_of_reach(-0.1, [0.2, 0.3], "minimize")
    (True, True)
    >>> out_of_reach(33.1, [31.0, 32.5], "maximize"), out_of_reach(None, [0.2], "minimize")
    (False, False)
    """
    known = list(values)
    if bar is None or not known or not all(value >= 0 for value in known):
        return False
    if direction == "minimize":
        return bar < 0
    return bar > 1 and max(known) <= 1


@dataclass(frozen=True)
class Distance:
    """A candidate beside a level, in units of the metric; positive is better."""

    gain: float
    se: float  # its standard error
    noise: float  # the deviation of one run that bars are measured in
    paired: bool = False  # compared at equal seeds


def distance(
    values: Runs, record: Record, noise: Noise, direction: str, policy: Policy, rho: float = 0.0
) -> Distance:
    """Return how far a candidate's runs are above the record's level.

    Two programs share much of a seed's luck where `rho`, the correlation of their runs over equal
    seeds, is high. A difference at equal seeds has the variance 2 (1 - rho), one between means
    1 + 1/m: the first is used where it is smaller, for all seeds the candidate has run. The very
    same numbers at the same seeds are no difference, whatever luck they share.

    >>> twins = Record({}, {0: 1.0, 1: 3.0})
    >>> distance({0: 0.5}, twins, Noise(1.0, 4), "minimize", Policy(), rho=0.9).gain
    0.5
    >>> distance({0: 0.5}, twins, Noise(1.0, 4), "minimize", Policy()).gain
    1.5
    """
    ours, theirs = list(values.values()), list(record.runs.values())
    if all(record.runs.get(seed) == value for seed, value in values.items()):
        return Distance(0.0, noise.sd * math.sqrt(2 / len(ours)), noise.sd, paired=True)
    shared = all(seed in record.runs for seed in values)
    paired = shared and rho > (1 - 1 / len(theirs)) / 2
    sd = noise.sd * math.sqrt(1 - rho) if paired else noise.sd
    against = [record.runs[seed] for seed in values] if paired else theirs
    gain = SIGN[direction] * (mean(ours) - mean(against)) + record.luck(policy, sd)
    others = len(ours) if paired else len(theirs)
    return Distance(gain, sd * math.sqrt(1 / len(ours) + 1 / others), sd, paired)
