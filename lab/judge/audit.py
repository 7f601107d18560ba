"""Audit: tip and last confirmed commit run again, in turn; only that difference is claimed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .level import SIGN, Runs
from .noise import Noise, is_too_steady
from .numbers import is_count, mean, spread
from .policy import Policy
from .student import student_quantile

Side = Literal["tip", "base"]
Conclusion = Literal["confirmed", "open", "back"]
SIDES: tuple[Side, Side] = ("tip", "base")
# How likely luck may confirm a change, of one side. The first audit on a base has most of it, since
# an honest night has one; whoever tries sixty times, and ends what looks unlucky in each, stays
# below 0.03 in all (`benchmarks/bench_tricks.py`).
FIRST = 0.015
LATER = 0.005


@dataclass(frozen=True)
class Audited:
    """What an audit came to, in units of the metric; a gain is positive when better."""

    conclusion: Conclusion  # confirmed: the gain is claimed; back: the branch goes back
    gain: float
    se: float
    bar: float  # what the gain had to exceed
    too_steady: tuple[Side, ...] = ()  # sides whose runs spread far too little, known from one


def turns(runs: int) -> list[Side]:
    """Return whose turn it is, A B B A A B, so that a machine's drift falls on both alike.

    >>> turns(3)
    ['tip', 'base', 'base', 'tip', 'tip', 'base']
    """
    pair: tuple[Side, Side] = ("tip", "base")
    return [side for turn in range(runs) for side in (pair if turn % 2 == 0 else pair[::-1])]


def conclude(
    tip: Runs,
    base: Runs,
    others: Noise | None,
    direction: str,
    tries: int = 1,
    rho: float = 0.0,
) -> Audited:
    """Return what equally many runs of both sides, at least two of each, say.

    `others` is the noise pooled over runs elsewhere that nobody selected. The audit's own spread
    counts beside it, whatever it is: an unsteady tip must not be measured by steadier ones. A side
    that spreads far too little is known from one run. `tries` counts the chances there were to
    confirm something on this base, this one included. Where earlier runs say that equal seeds share
    so much luck (`rho`) that it helps, the gain is held against the audit's own differences at
    equal seeds: who made those runs chooses the test, and neither claims more often than the other.

    >>> tip, base = {7: 0.98, 8: 0.88, 9: 0.81}, {7: 1.0, 8: 0.9, 9: 0.832}
    >>> [conclude(tip, base, None, "minimize", rho=rho).conclusion for rho in (0.0, 0.9)]
    ['open', 'confirmed']
    >>> conclude({7: 0.97, 8: 0.98}, {7: 1.0, 8: 1.01}, Noise(0.005, 4), "minimize").conclusion
    'confirmed'
    """
    sides = [list(runs.values()) for runs in (tip, base)]
    gain = SIGN[direction] * (mean(sides[0]) - mean(sides[1]))
    own = [(spread(values), len(values) - 1) for values in sides]
    steady = [_too_steady(sides[place], own[1 - place], others) for place in (0, 1)]
    counts = [
        1 if is_steady else len(values) for is_steady, values in zip(steady, sides, strict=True)
    ]
    known: list[tuple[float | None, int]] = []
    known += [(others.sd * math.sqrt(others.df), others.df)] if others else []
    known += [one for one, is_steady in zip(own, steady, strict=True) if not is_steady]
    df = sum(one for _, one in known)
    sd = math.hypot(*(math.inf if wide is None else wide for wide, _ in known))
    se = sd / math.sqrt(df) * math.sqrt(sum(1 / count for count in counts))
    sure = 1 - luck(tries)
    if not any(steady) and _helps(rho, len(tip), student_quantile(sure, df), sure):
        df, se = len(tip) - 1, _of_differences(tip, base)
    bar = student_quantile(sure, df) * se
    flags = tuple(side for side, is_steady in zip(SIDES, steady, strict=True) if is_steady)
    conclusion: Conclusion = "confirmed" if gain > bar else "back" if gain < 0 else "open"
    return Audited(conclusion, gain, se, bar, flags)


def _helps(rho: float, runs: int, unpaired: float, sure: float) -> bool:
    """Return whether differences at equal seeds need a smaller gain, few as they are."""
    return rho > 0 and student_quantile(sure, runs - 1) * math.sqrt(1 - rho) < unpaired


def _of_differences(tip: Runs, base: Runs) -> float:
    """Return the standard error of the mean difference at equal seeds."""
    apart = [tip[seed] - base[seed] for seed in tip if seed in base]
    wide = spread(apart) if len(apart) == len(tip) else None
    return math.inf if wide is None else wide / math.sqrt(len(apart) * (len(apart) - 1))


def luck(tries: int) -> float:
    """Return how likely luck alone may confirm a change at this try: 0.02 over all of a base.

    >>> luck(1), luck(2), round(sum(luck(n) for n in range(1, 1000)), 4)
    (0.015, 0.0025, 0.02)
    """
    return FIRST if tries == 1 else LATER / (tries * (tries - 1))


def _too_steady(
    values: Sequence[float], other_side: tuple[float | None, int], others: Noise | None
) -> bool:
    """Return whether one side spreads far less than what else is known; a share may tie by luck."""
    wide = spread(values)
    if wide is None or all(map(is_count, values)):
        return False
    if others is None:
        known = None if other_side[0] is None else Noise(other_side[0], other_side[1])
        if known is None:
            return False
        others = Noise(known.sd / math.sqrt(known.df), known.df)
    return is_too_steady(wide / math.sqrt(len(values) - 1), len(values) - 1, others)


def due(above: float, noise: Noise | None, policy: Policy, runs: int) -> bool:
    """Return whether the level is so far above what was last confirmed that an audit is due.

    `runs` is how many there were since the last audit. A noise that three seeds put too low would
    else call for one audit after the other, each with a chance to confirm luck.
    """
    if policy.rule == "strict" or noise is None or noise.sd == 0 or runs < policy.audit_least:
        return False
    return above >= policy.audit_at * noise.sd
