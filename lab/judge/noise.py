"""Noise: what a change of seed alone does to the metric, pooled over replicates."""

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from .numbers import finite, spread
from .student import fisher_cdf, student_quantile

# How many times the other groups' noise a group's own may be. Five leaves ordinary luck alone:
FAR = 5.0
# ... except where the others are few repeats, which know little: there it is what luck exceeds once
# in a thousand times, by Student's t (31 times for two repeats, 12.9 for three).
RARE = 1 - 0.001 / 2
# What a group weighs by that of the next nearer one: a branch that grew calmer is known by its
# newest runs.
FADES = 0.8
# A group whose variance is so small that luck makes one in a thousand so (F) is no measure of luck:
# a list of chosen seeds, or a value that is looked up.
TOO_STEADY = 0.001
MOST_REPEATS = 4  # that a group counts for among others: as many as a baseline and its audit have


@dataclass(frozen=True)
class Noise:
    """The standard deviation of one run, and the degrees of freedom it was estimated with."""

    sd: float  # in units of the metric
    df: int  # repeats: runs beyond the first of each experiment, those that weigh less as fewer


@dataclass(frozen=True)
class Group:
    """The replicates of one experiment: the root of their sum of squares, and how many repeats."""

    experiment: int
    spread: float
    df: int
    weight: float = 1.0

    @property
    def sd(self) -> float:
        return self.spread / math.sqrt(self.df)


def beside(noise: Noise | None, own: Group | None) -> Noise | None:
    """Return the noise to judge by beside a program whose own repeats may spread more widely.

    What others repeat steadily says nothing of one whose variance luck makes so large only once in
    a thousand times (F): there its own repeats count.

    >>> beside(Noise(0.001, 20), Group(2, 0.024, 8)).sd == Group(2, 0.024, 8).sd
    True
    >>> beside(Noise(0.001, 20), Group(2, 0.004, 8))
    Noise(sd=0.001, df=20)
    """
    if noise is None or own is None or own.df < 2 or own.sd <= noise.sd or noise.sd == 0:
        return noise
    chance = 1 - fisher_cdf((own.sd / noise.sd) ** 2, own.df, noise.df)
    return Noise(own.sd, own.df) if chance < TOO_STEADY else noise


def pool(groups: Iterable[Sequence[float]]) -> Noise | None:
    """Return the noise pooled over `groups`, each the values of one experiment's seeds.

    Groups of one value say nothing; without a single repeat the answer is None:

    >>> pool([[1.0, 3.0], [10.0, 10.0], [7.0]])
    Noise(sd=1.0, df=2)
    >>> pool([[1.0], []]) is None
    True
    """
    known = [(spread(group), len(group) - 1) for group in groups if len(group) > 1]
    return pooled([Group(0, wide, df) for wide, df in known if wide is not None])[0]


def pooled(groups: Sequence[Group]) -> tuple[Noise | None, list[int]]:
    """Return the noise pooled over groups, and the places of those that stay out.

    One change that diverged, with two seeds far from each other, must not decide for all others:

    >>> pooled([Group(1, 0.01, 2), Group(2, 2.83, 1), Group(3, 0.01, 1)])[1]
    [1]
    """
    out = outsiders(groups)
    inside = [_capped(group) for place, group in enumerate(groups) if place not in out]
    repeats = sum(group.weight * group.df for group in inside)
    if not repeats:
        return None, out
    sd = finite(math.hypot(*(group.spread / math.sqrt(repeats / group.weight) for group in inside)))
    df = repeats**2 / sum(group.weight**2 * group.df for group in inside)
    return (Noise(sd, max(1, round(df))) if sd is not None else None), out


def _capped(group: Group) -> Group:
    """Return a group that weighs no more than one of a few repeats.

    Who repeats something steady many times does not thereby know the noise of everything else.
    """
    return replace(group, weight=group.weight * min(1.0, MOST_REPEATS / group.df))


def faded(groups: Sequence[Group]) -> list[Group]:
    """Return groups, the nearest to what is judged first, each with what it weighs.

    The degrees of freedom of a weighted sum of squares are Satterthwaite's (1946):

    >>> pooled(faded([Group(9, 1.0, 2), *[Group(1, 3.0, 2)] * 9]))[0]
    Noise(sd=1.8983592390057953, df=15)
    """
    return [replace(group, weight=FADES**place) for place, group in enumerate(groups)]


def outsiders(groups: Sequence[Group]) -> list[int]:
    """Return the places of groups whose spread is not like the others'.

    Each is held against the median of the others, weighted by their repeats, since a mean would be
    carried away by the very groups in question. Groups that spread nothing at all tell no scale.
    One that spreads far too little stays out as well: it would lower everybody's bar.

    >>> outsiders([Group(1, 0.02, 4), Group(2, 0.00001, 2)])  # places
    [1]
    """
    order = sorted((p for p, g in enumerate(groups) if g.spread > 0), key=lambda p: groups[p].sd)
    found = _too_wild(groups, order)
    found += _too_steady(groups, [place for place in order if place not in found])
    if found and len(order) == 2:  # which of the two is unlike the other? The one that came later
        known = max(order, key=lambda place: _trust(groups[place]))
        found = [place for place in order if place != known]
    return sorted(found)


def _trust(group: Group) -> tuple[bool, int, float]:
    """Return by what one of two groups is believed: enough repeats, then who was there first."""
    return group.df > 1, -group.experiment if group.df > 1 else group.df, group.sd


def _too_wild(groups: Sequence[Group], order: Sequence[int]) -> list[int]:
    """Return those of `order`, by their noise, that spread far more than the others."""
    upto = list(accumulate(groups[place].df for place in order))
    found = []
    first = min(order, key=lambda place: groups[place].experiment, default=None)
    for rank, place in enumerate(order):
        if place == first and groups[place].df > 1:
            continue  # where all began: what came later, steadier, does not vote it out
        others = upto[-1] - groups[place].df
        middle = bisect_left(upto, others / 2)  # of the others, as long as it lies below this one
        if others and middle < rank:
            times = groups[place].sd / _unbiased(groups[order[middle]])
            if times > FAR and times > student_quantile(RARE, others):
                found.append(place)
    return found


def _too_steady(groups: Sequence[Group], order: Sequence[int]) -> list[int]:
    """Return those of `order`, by their noise, that spread far less than the others."""
    upto = list(accumulate(groups[place].df for place in order))
    found = []
    for rank, place in enumerate(order):
        one, others = groups[place], upto[-1] - groups[place].df
        middle = bisect_left(upto, others / 2 + one.df)  # as long as it lies above this one
        if others and middle > rank:
            known = Noise(_unbiased(groups[order[middle]]), others)
            found += [place] if is_too_steady(one.sd, one.df, known) else []
    return found


def is_too_steady(sd: float, df: int, others: Noise) -> bool:
    """Return whether repeats spread far less than the others' noise.

    >>> is_too_steady(0.0001, 2, Noise(0.01, 8)), is_too_steady(0.002, 2, Noise(0.01, 8))
    (True, False)
    """
    return others.sd > 0 and fisher_cdf((sd / others.sd) ** 2, df, others.df) < TOO_STEADY


def _unbiased(group: Group) -> float:
    """Return what a group's noise is in the middle: of few repeats it is mostly too small.

    The median of a chi-squared variable (Wilson & Hilferty 1931).
    """
    return float(group.sd / (1 - 2 / (9 * group.df)) ** 1.5)
