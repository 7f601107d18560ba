"""Winner's curse: what a chain of kept changes claims, less what luck added to it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .numbers import finite, total
from .student import student_quantile


@dataclass(frozen=True)
class Kept:
    """One kept change, all in units of the metric; gains are positive when better."""

    gain: float  # as judged at its keep, against the incumbent's mean
    se: float  # that gain's standard error; 0 where the metric is constant
    looks: int  # ideas tried since the previous keep, this one included; at least 1
    fresh: float | None = None  # its gain by the runs measured after the keep, once they are due


def claimed_gain(chain: Sequence[Kept]) -> float | None:
    """Return the sum of the gains as they were judged; None beyond every number."""
    return total(kept.gain for kept in chain)


def expected_gain(chain: Sequence[Kept]) -> float | None:
    """Return the true gain to expect of the whole chain, first keep first.

    Fresh runs were selected by nobody, so their gain stands as it is. Gains that only have the runs
    which won the keep are shrunk for the looks taken; many looks and a small gain leave little:

    >>> expected_gain([Kept(gain=4.0, se=1.0, looks=5, fresh=3.4)])
    3.4
    >>> round(expected_gain([Kept(gain=4.0, se=1.0, looks=5)]), 2)
    3.74
    >>> round(expected_gain([Kept(gain=2.0, se=1.0, looks=20)]), 2)
    0.4

    Several such keeps in a row count as one, less the luck of their last number alone: that of the
    earlier ones was taken off again by the gain that was measured against them.

    >>> round(expected_gain([Kept(4.0, 1.0, looks=5), Kept(4.0, 1.0, looks=5)]), 2)
    6.91
    """
    parts, stretch = list[float | None](), list[Kept]()
    for kept in chain:
        if kept.fresh is None:
            stretch.append(kept)
        else:
            parts += [_stretch(stretch), kept.fresh]
            stretch.clear()
    parts.append(_stretch(stretch))
    known = [part for part in parts if part is not None]
    return total(known) if len(known) == len(parts) else None


def _stretch(keeps: Sequence[Kept]) -> float | None:
    """Return the expected gain of keeps in a row that nobody measured afresh."""
    if len(keeps) < 2:
        return total(shrunk(kept.gain, kept.se, kept.looks) for kept in keeps)
    looks = sum(kept.looks for kept in keeps)
    error = keeps[-1].se / math.sqrt(2)  # the last number's own half of its gain's error
    claimed = claimed_gain(keeps)
    return None if claimed is None else finite(max(0.0, claimed - error * luckiest(looks)))


def luckiest(looks: int) -> float:
    """Return the mean of the largest of `looks` standard normal draws (Blom 1958).

    >>> round(luckiest(125), 2)
    2.58
    """
    return student_quantile((looks - 0.375) / (looks + 0.25), math.inf)


def shrunk(gain: float, se: float, looks: int) -> float:
    """Return what the best of `looks` tries, which came out at `gain`, is truly worth.

    Two things are taken off. If the change has an effect, its size is drawn from a normal curve as
    wide as the gain itself suggests, which leaves 1 - 1/z² of it (positive-part James-Stein; Efron
    & Morris 1973). That it has one is held beforehand to be true of one change in `looks` + 1, and
    weighed against luck at its greatest likelihood ratio, exp(z²/2) (Edwards, Lindman & Savage
    1963).
    """
    if se == 0 or gain == 0:
        return gain
    z = min(abs(gain) / se, 1e100)  # its square stays finite
    if z <= 1:
        return 0.0
    luck = looks * math.exp(-(min(z, 38.0) ** 2) / 2)  # above 38 the exponential is zero anyway
    return gain * (1 - 1 / z**2) / (1 + luck)
