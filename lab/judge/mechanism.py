"""Mechanism: did a metric move as the idea said, beyond what runs of one program differ by?"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from .noise import Group, Noise, faded, pooled
from .numbers import mean, spread
from .student import student_cdf, student_quantile

Outcome = Literal["confirmed", "refuted", "open", "trivial"]  # trivial: it held before as well
SIDES = {">": 1, ">=": 1, "<": -1, "<=": -1}  # == and != are compared as they stand
FAR = 2.0  # times as far as wanted, in the logarithm
EDGES = 8  # looks at where an error is that of its own value; each is nearer by far
SURE = 0.95  # one in twenty is wrong, as for a dead end


@dataclass(frozen=True)
class Wanted:
    """What a metric was to do: `op` and `bound`, the bound in units of the incumbent's mean or not.

    `relative`: 1.3 is 1.3 times the incumbent's; else it is the metric's own value.
    """

    op: str
    bound: float
    relative: bool


@dataclass(frozen=True)
class Seen:
    """What was measured of it; None where that cannot be told."""

    outcome: Outcome
    value: float | None = None  # the mean, or how many times the incumbent's mean
    error: float | None = None  # its standard error


def moved(wanted: Wanted, ours: Sequence[float], theirs: Sequence[float], luck: "Luck") -> Seen:
    """Return whether a metric did what was wanted: confirmed and refuted where that is sure.

    `ours` and `theirs` are its values in the runs of the change and of the incumbent.

    >>> luck = spread_of([[100.0, 110.0, 105.0]])
    >>> moved(Wanted(">", 1.3, True), [121.0], [105.0, 106.0, 104.0], luck).outcome
    'open'
    >>> moved(Wanted(">", 1.3, True), [210.0], [105.0, 106.0, 104.0], luck).outcome
    'confirmed'
    """
    base = mean(theirs) if theirs else 0.0
    if not ours or (wanted.relative and base == 0):
        return Seen("open")
    value = mean(ours) / base if wanted.relative else mean(ours)
    if not math.isfinite(value):
        return Seen("open")
    if wanted.op not in SIDES:
        return Seen("confirmed" if (value == wanted.bound) == (wanted.op == "==") else "refuted")
    if luck.noise is None:  # a metric that nobody reported twice: as it stands, its error unknown
        if wanted.relative:
            return Seen(_by_far(wanted, value), value)
        return Seen(_sure(wanted, value, 0.0, 1), value)
    error = luck.of(mean(ours)) / math.sqrt(len(ours))
    if wanted.relative:
        error = math.hypot(error, value * luck.of(base) / math.sqrt(len(theirs))) / abs(base)
    return Seen(_sure(wanted, value, error, luck.noise.df), value, error)


def settled_by(
    wanted: Wanted, theirs: Sequence[float], luck: "Luck", runs: int
) -> tuple[float, float] | None:
    """Return from where on so many runs confirm what is wanted, and from where they refute it.

    In the condition's own unit. None where nothing is known of the metric's luck, it has none, or
    no side of the bound is wanted.

    >>> luck = spread_of([[100.0, 110.0, 105.0]])
    >>> sure, not_so = settled_by(Wanted(">", 1.3, True), [105.0, 106.0, 104.0], luck, 1)
    >>> round(sure, 2), round(not_so, 2)
    (1.55, 1.12)
    """
    base = mean(theirs) if theirs else 0.0
    if wanted.op not in SIDES or luck.noise is None or luck.noise.sd == 0:
        return None
    if wanted.relative and base == 0:
        return None
    unit = base if wanted.relative else 1.0
    sure = student_quantile(SURE, luck.noise.df)

    def edge(way: int) -> float:
        at = wanted.bound
        for _ in range(EDGES):  # the error there is that of the value there
            error = luck.of(at * unit) / math.sqrt(runs) / abs(unit)
            if wanted.relative:
                error = math.hypot(error, at * luck.of(base) / math.sqrt(len(theirs)) / abs(base))
            at = wanted.bound + way * sure * error
        return at

    return edge(SIDES[wanted.op]), edge(-SIDES[wanted.op])


def _by_far(wanted: Wanted, times: float) -> Outcome:
    """Return what a ratio of unknown error says: twice as far as wanted, or the other way as far.

    >>> wanted = Wanted(">", 1.3, True)
    >>> [_by_far(wanted, times) for times in (2.83, 1.5, 0.9, 0.6)]
    ['confirmed', 'open', 'open', 'refuted']
    """
    if times <= 0 or wanted.bound <= 0 or wanted.bound == 1:
        return "open"
    share = math.log(times) / math.log(wanted.bound)  # of the way from no change to what was wanted
    if (wanted.bound > 1) != (SIDES[wanted.op] > 0):  # at most so much more, at least so much left
        return "open"
    return "confirmed" if share >= FAR else "refuted" if share <= -1 else "open"


def _sure(wanted: Wanted, value: float, error: float, df: int) -> Outcome:
    above = SIDES[wanted.op] * (value - wanted.bound)
    if above == 0:  # exactly there: it holds where equal is enough
        chance = float("=" in wanted.op) if error == 0 else 0.5
    else:
        chance = student_cdf(above / error if error else math.copysign(math.inf, above), df)
    return "confirmed" if chance >= SURE else "refuted" if chance <= 1 - SURE else "open"


@dataclass(frozen=True)
class Luck:
    """How much a metric differs between runs of one program."""

    noise: Noise | None  # None where no program was run twice
    share: bool  # whether it is a share of the metric's own size

    def of(self, value: float) -> float:
        """Return the standard deviation of one run at this size of the metric."""
        assert self.noise is not None
        return self.noise.sd * (abs(value) if self.share else 1.0)


def spread_of(groups: Iterable[Sequence[float]]) -> Luck:
    """Return a metric's luck from the runs of several programs, the newest program first.

    Where it is always above 0 a program with twice as much of it is taken to differ twice as much.
    """
    known = [group for group in groups if len(group) > 1]
    share = bool(known) and all(value > 0 for group in known for value in group)
    scaled = [[value / mean(g) for value in g] if share else list(g) for g in known]
    wide = [Group(place, spread(g) or 0.0, len(g) - 1) for place, g in enumerate(scaled)]
    return Luck(pooled(faded(wide))[0], share)


def overall(outcomes: Sequence[Outcome]) -> Outcome:
    """Return what several conditions say together: all must hold; a trivial one says nothing.

    >>> overall(["confirmed", "trivial"]), overall(["confirmed", "open"]), overall(["trivial"])
    ('confirmed', 'open', 'trivial')
    """
    order: tuple[Outcome, ...] = ("refuted", "open", "confirmed", "trivial")
    return next(one for one in order if one in outcomes)
