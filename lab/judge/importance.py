"""Importance of a knob: how much of the gains' variance its value explains, as a parabola."""

from collections.abc import Sequence

LEAST = 5  # a parabola goes through three points whatever they are
UNKNOWNS = 3


def importance(values: Sequence[float], gains: Sequence[float]) -> float | None:
    """Return the share of the variance of `gains` that a parabola of `values` explains, 0 to 1.

    Less what as many random numbers would be explained by. None of fewer than five, or where one
    of the two never changes.

    >>> importance([0, 1, 2, 3, 4, 5], [-9, -4, -1, 0, -1, -4])
    1.0
    >>> importance([1, 1, 1, 1, 1], [1, 2, 3, 4, 5]) is None
    True
    """
    count = len(values)
    if count < LEAST or len(set(values)) < UNKNOWNS or len(set(gains)) < 2:
        return None
    middle = sum(values) / count
    wide = max(abs(value - middle) for value in values)
    rows = [[1.0, at, at * at] for at in ((value - middle) / wide for value in values)]
    fitted = _solve(
        [[sum(row[i] * row[j] for row in rows) for j in range(UNKNOWNS)] for i in range(UNKNOWNS)],
        [
            sum(row[i] * gain for row, gain in zip(rows, gains, strict=True))
            for i in range(UNKNOWNS)
        ],
    )
    mean = sum(gains) / count
    total = sum((gain - mean) ** 2 for gain in gains)
    left = sum(
        (gain - sum(a * b for a, b in zip(row, fitted, strict=True))) ** 2
        for row, gain in zip(rows, gains, strict=True)
    )
    explained = 1 - (left / (count - UNKNOWNS)) / (total / (count - 1))
    return round(min(1.0, max(0.0, explained)), 6)


def _solve(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Return the solution of three equations; 0 for what they do not tell."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for at in range(UNKNOWNS):
        best = max(range(at, UNKNOWNS), key=lambda place: abs(rows[place][at]))
        rows[at], rows[best] = rows[best], rows[at]
        if abs(rows[at][at]) < 1e-12:
            return [right[0] / matrix[0][0], 0.0, 0.0]
        for below in range(UNKNOWNS):
            if below != at:
                factor = rows[below][at] / rows[at][at]
                rows[below] = [a - factor * b for a, b in zip(rows[below], rows[at], strict=True)]
    return [rows[at][UNKNOWNS] / rows[at][at] for at in range(UNKNOWNS)]
