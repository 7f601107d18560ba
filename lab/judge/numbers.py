"""Arithmetic that no finite number overflows, and which numbers are the same."""

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

COUNTED = 10_000  # things: a score that is no fraction with such a denominator counts nothing
NEAR = 0.005  # of a number: what rounding to three digits changes at most
DIGITS = 1e-10  # `shared.summary` prints ten


def finite(value: float | None) -> float | None:
    """Return a number, or None where it is none.

    >>> finite(1.5), finite(float("inf")), finite(float("nan"))
    (1.5, None, None)
    """
    return value if value is not None and math.isfinite(value) else None


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


def spread(values: Sequence[float]) -> float | None:
    """Return the root of the sum of squared distances from the mean; None beyond every number.

    >>> spread([1.0, 3.0]), spread([1e300, 1e300]), spread([])
    (1.4142135623730951, 0.0, 0.0)
    >>> spread([-1.7e308, 1.7e308]) is None
    True
    """
    if len(values) < 2:
        return 0.0
    centre = mean(values)
    return finite(math.hypot(*(value - centre for value in values)))  # scales by itself


def total(values: Iterable[float]) -> float | None:
    """Return a sum; None beyond every number.

    >>> total([1.0, 2.0]), total([1.7e308, 1.7e308])
    (3.0, None)
    """
    try:
        return finite(math.fsum(values))
    except (OverflowError, ValueError):
        return None


def step_of(values: Iterable[float]) -> float | None:
    """Return the least by which shares of some number of things differ; None for other numbers.

    >>> step_of([0.97, 0.985]), step_of([0.1234567])
    (0.005, None)
    """
    things = 1
    for value in values:
        if not is_count(value):
            return None
        things = math.lcm(things, Fraction(value).limit_denominator(COUNTED).denominator)
    return 1 / things if things <= COUNTED else None


def is_count(value: float) -> bool:
    """Return whether a number could be a share of a few things, equal at two seeds by chance.

    >>> is_count(0.97), is_count(2 / 3), is_count(1.0), is_count(2.3141592654)
    (True, True, True, False)
    """
    nearest = Fraction(value).limit_denominator(COUNTED)
    return abs(float(nearest) - value) <= DIGITS * max(1.0, abs(value))


def agrees(claim: float, found: float) -> bool:
    """Return whether a number is the other one, perhaps printed with fewer digits.

    >>> agrees(0.9932, 0.993214), agrees(0.9932, 0.9941), agrees(1.0, 0.6)
    (True, False, False)
    """
    digits = len(f"{claim!r}".partition(".")[2]) if "e" not in f"{claim!r}" else 0
    near = abs(claim - found) <= NEAR * abs(found)
    return claim == found or (near and digits > 0 and abs(claim - found) <= 0.5001 / 10**digits)
