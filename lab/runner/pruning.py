"""Pruning while a training runs: its series at each rung of the budget, against a bar."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, TypeGuard

WINDOW = (
    0.1  # of the budget before a rung, over which a value is the mean: losses of batches scatter
)
NEAR = 1e-9  # 0.1 + 0.2 is 0.3
Point = tuple[float, float]  # share of the budget, value
Hopeless = dict[str, Any]  # as `runs.hopeless` has it


@dataclass(frozen=True)
class Bar:
    """How far above its incumbent a series may be at a share of the budget."""

    rung: float
    theirs: float  # the incumbent's value there, at the same seed
    noise: float  # the standard deviation of a difference of two such values, as luck makes it
    df: int  # repeats it is known from
    bar: float  # in noises: beyond, a run is hopeless


@dataclass(frozen=True)
class Pruning:
    """One run's rungs, as data that can travel."""

    series: str
    by: str  # step or elapsed_s
    whole: float  # the budget, in its unit
    sign: float  # 1.0 where lower is better, -1.0 where higher is
    against: str  # e21, the incumbent
    against_run: int
    spared: bool  # whether the run goes on to its end however hopeless: that is measured
    bars: tuple[Bar, ...]

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Pruning":
        """Return what went through JSON."""
        return cls(**{**row, "bars": tuple(Bar(**bar) for bar in row["bars"])})


class Rungs:
    """Follows a step log and says at which rung a run was hopeless first."""

    def __init__(self, pruning: Pruning) -> None:
        self.pruning, self.points = pruning, list[Point]()
        self.left = sorted(pruning.bars, key=lambda bar: bar.rung)
        self.hopeless: Hopeless | None = None

    def add(self, row: Mapping[str, Any]) -> None:
        """Take one line of the log; a rung is judged by the first that has reached it."""
        at, value = row.get(self.pruning.by), row.get(self.pruning.series)
        if not (_is_number(at) and _is_number(value)):
            return
        self.points.append((at / self.pruning.whole, float(value)))
        while self.left and self.points[-1][0] >= self.left[0].rung - NEAR:
            bar = self.left.pop(0)
            mine = value_at(self.points, bar.rung)
            if mine is not None and self.hopeless is None:
                self.hopeless = self._beyond(bar, mine)

    def _beyond(self, bar: Bar, mine: float) -> Hopeless | None:
        margin = self.pruning.sign * (mine - bar.theirs) / bar.noise
        if not margin > bar.bar:
            return None
        return {
            "rung": bar.rung,
            "series": self.pruning.series,
            "value": mine,
            "incumbent": self.pruning.against,
            "incumbent_value": bar.theirs,
            "incumbent_run": self.pruning.against_run,
            "noise": bar.noise,
            "df": bar.df,
            "margin": margin,
            "bar": bar.bar,
            "spared": self.pruning.spared,
        }


def value_at(points: Sequence[Point], rung: float) -> float | None:
    """Return a series at a share of the budget: its mean over the tenth before, else its newest.

    None where it has not come so far, or said nothing since half of it.

    >>> value_at([(0.1, 9.0), (0.42, 5.0), (0.5, 4.0), (0.6, 1.0)], 0.5)
    4.5
    >>> value_at([(0.1, 9.0), (0.3, 5.0), (0.6, 1.0)], 0.5), value_at([(0.1, 9.0)], 0.5)
    (5.0, None)
    """
    before = [point for point in points if point[0] <= rung + NEAR]
    if not before or max(points)[0] < rung - NEAR or before[-1][0] < rung / 2:
        return None
    near = [value for at, value in before if at > rung - WINDOW + NEAR]
    return fmean(near) if near else before[-1][1]


def words(found: Hopeless) -> str:
    """Return in a line at which rung a run was hopeless, and how far."""
    return (
        f"{found['series']} {found['value']:.5g} at {found['rung']:.0%} of the budget, "
        f"{found['incumbent']}'s {found['incumbent_value']:.5g} there at the same seed: worse by "
        f"{found['margin']:.1f} noises, {found['bar']:.1f} are luck"
    )


def _is_number(value: object) -> TypeGuard[float]:
    """Return whether a value is a number whose square is one too."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and -1e150 < value < 1e150  # type: ignore[operator]
