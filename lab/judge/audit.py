"""Audit: tip and last confirmed commit run again, in turn; only that difference is claimed."""

import math
from dataclasses import dataclass
from typing import Literal

from .level import SIGN, Runs
from .noise import Noise
from .numbers import mean, spread
from .policy import Policy
from .student import student_quantile

Side = Literal["tip", "base"]
Conclusion = Literal["confirmed", "open", "back"]
SURE = 0.975  # of one side: a night of changes without effect claims one gain in forty


@dataclass(frozen=True)
class Audited:
    """What an audit came to, in units of the metric; a gain is positive when better."""

    conclusion: Conclusion  # confirmed: the gain is claimed; back: the branch goes back
    gain: float
    se: float
    bar: float  # what the gain had to exceed


def turns(runs: int) -> list[Side]:
    """Return whose turn it is, A B B A A B, so that a machine's drift falls on both alike.

    >>> turns(3)
    ['tip', 'base', 'base', 'tip', 'tip', 'base']
    """
    pair: tuple[Side, Side] = ("tip", "base")
    return [side for turn in range(runs) for side in (pair if turn % 2 == 0 else pair[::-1])]


def conclude(tip: Runs, base: Runs, others: Noise | None, direction: str) -> Audited:
    """Return what equally many runs of both sides, at least two of each, say.

    `others` is the noise pooled over runs elsewhere that nobody selected. The audit's own spread
    counts beside it, whatever it is: an unsteady tip must not be measured by steadier ones.

    >>> conclude({7: 0.97, 8: 0.98}, {7: 1.0, 8: 1.01}, Noise(0.005, 4), "minimize").conclusion
    'confirmed'
    """
    sides = [list(runs.values()) for runs in (tip, base)]
    gain = SIGN[direction] * (mean(sides[0]) - mean(sides[1]))
    own = [(spread(values), len(values) - 1) for values in sides]
    known = [(others.sd * math.sqrt(others.df), others.df)] if others else []
    df = sum(one for _, one in [*own, *known])
    sd = math.hypot(*(math.inf if wide is None else wide for wide, _ in [*own, *known]))
    se = sd / math.sqrt(df) * math.sqrt(sum(1 / len(values) for values in sides))
    bar = student_quantile(SURE, df) * se
    if gain > bar:
        return Audited("confirmed", gain, se, bar)
    return Audited("back" if gain < 0 else "open", gain, se, bar)


def due(above: float, noise: Noise | None, policy: Policy, runs: int) -> bool:
    """Return whether the level is so far above what was last confirmed that an audit is due.

    `runs` is how many there were since the last audit. A noise that three seeds put too low would
    else call for one audit after the other, each with a chance to confirm luck.
    """
    if policy.rule == "strict" or noise is None or noise.sd == 0 or runs < policy.audit_least:
        return False
    return above >= policy.audit_at * noise.sd
