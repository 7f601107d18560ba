"""Curves: two trainings side by side at equal places, and where they lie apart."""

import bisect
import itertools
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

ROWS = 10  # as many as one takes in at a glance
CELLS = 5  # of a row: what lies between neighbours says how far curves scatter
SURE = 3.0  # standard errors of a row: by chance one table in twenty has a row apart
WANDER = 2.0  # what lies between neighbouring rows, which no scatter within one tells
NORMAL = 0.6745 * math.sqrt(6)  # median bend of three normal numbers, in standard deviations

Point = tuple[float, float]
Pair = tuple[Sequence[Point], Sequence[Point]]  # of one seed: this one's curve, the other's


@dataclass(frozen=True)
class Row:
    """A stretch of both curves: their means over it."""

    start: float
    end: float
    mine: float
    theirs: float
    apart: bool = False  # by more than the curves scatter

    @property
    def difference(self) -> float:
        """How far this one's curve is above the other's."""
        return self.mine - self.theirs


class Curve:
    """Straight lines from point to point; of several values at one place the last counts."""

    def __init__(self, points: Iterable[Point]) -> None:
        known = sorted(dict(points).items())
        self.x = [x for x, _ in known]
        self.y = [y for _, y in known]
        areas = (
            (b - a) * (low + high) / 2
            for (a, low), (b, high) in itertools.pairwise(zip(self.x, self.y, strict=True))
        )
        self.area = [0.0, *itertools.accumulate(areas)]  # below it, up to each point

    def mean(self, start: float, end: float) -> float:
        """Return its mean height between two places within it."""
        if not start < end:  # places so large that a float knows nothing between them
            return self._at(start)[1]
        return (self._until(end) - self._until(start)) / (end - start)

    def _at(self, x: float) -> tuple[int, float]:
        """Return the point at or before a place, and the height there."""
        at = min(max(bisect.bisect_right(self.x, x) - 1, 0), len(self.x) - 2)
        (a, b), (low, high) = self.x[at : at + 2], self.y[at : at + 2]
        return at, low + (high - low) * (x - a) / (b - a)

    def _until(self, x: float) -> float:
        at, height = self._at(x)
        return self.area[at] + (x - self.x[at]) * (self.y[at] + height) / 2


def side_by_side(pairs: Sequence[Pair]) -> list[Row]:
    """Return the rows of a table, over what all curves have in common; [] where that is nothing.

    The means go over the pairs. A row says more than one value: losses of single batches scatter.

    >>> falling = [(step, 1 / (step + 1)) for step in range(101)]
    >>> rows = side_by_side([(falling, [(x, y + 0.1 * (x > 50)) for x, y in falling])])
    >>> [(round(row.end), round(row.difference, 2), row.apart) for row in rows][3:7]
    [(40, 0.0, False), (50, 0.0, False), (60, -0.09, True), (70, -0.1, True)]
    """
    curves = [(Curve(mine), Curve(theirs)) for mine, theirs in pairs]
    each = [curve for pair in curves for curve in pair]
    shortest = min((len(curve.x) for curve in each), default=0)
    if shortest < 2:
        return []
    first, last = max(curve.x[0] for curve in each), min(curve.x[-1] for curve in each)
    if not first < last:
        return []
    count = min(ROWS, shortest - 1)
    edges = [first + (last - first) * place / (count * CELLS) for place in range(count * CELLS)]
    cells = list(itertools.pairwise([*edges, last]))
    heights = [
        [(mine.mean(*cell), theirs.mean(*cell)) for mine, theirs in curves] for cell in cells
    ]
    rows = [_row(cells[at : at + CELLS], heights[at : at + CELLS]) for at in _starts(count)]
    return _judged(rows, heights)


def _starts(rows: int) -> range:
    return range(0, rows * CELLS, CELLS)


def _row(cells: Sequence[Point], heights: Sequence[Sequence[Point]]) -> Row:
    mine, theirs = (
        statistics.fmean(pair[side] for cell in heights for pair in cell) for side in (0, 1)
    )
    return Row(cells[0][0], cells[-1][1], mine, theirs)


def _judged(rows: list[Row], heights: Sequence[Sequence[Point]]) -> list[Row]:
    """Say of each row whether its curves lie further apart than they scatter and wander."""
    between = [statistics.fmean(a - b for a, b in cell) for cell in heights]
    scatter = _scatter(between) / math.sqrt(CELLS)
    wander = _scatter([row.difference for row in rows])
    least = max(SURE * scatter, SURE * _luck(heights), WANDER * wander)
    return [
        Row(row.start, row.end, row.mine, row.theirs, abs(row.difference) > least) for row in rows
    ]


def _scatter(values: Sequence[float]) -> float:
    """Return the scatter of a series: how far each lies from the middle of its neighbours.

    Which way it goes as a whole, and how steeply, adds nothing.
    """
    bends = [abs(a - 2 * b + c) for a, b, c in zip(values, values[1:], values[2:], strict=False)]
    return statistics.median(bends) / NORMAL if bends else 0.0


def _luck(heights: Sequence[Sequence[Point]]) -> float:
    """Return the standard error of a row by how the pairs differ; 0.0 with a single pair."""
    count = len(heights[0])
    if count < 2:
        return 0.0
    by_pair = [
        [statistics.fmean(cell[n][0] - cell[n][1] for cell in heights[at : at + CELLS])
         for n in range(count)]
        for at in _starts(len(heights) // CELLS)
    ]  # fmt: skip
    return math.sqrt(statistics.median(map(statistics.variance, by_pair)) / count)
