"""Coordinates: where in its range a knob's value lies, and the value that lies there."""

import math
from collections.abc import Callable
from typing import Any

from ..leaf import Knob

DIGITS = 3  # significant digits of a proposed number: more would be noise, and hard to read


def is_ordered(knob: Knob) -> bool:
    """Return whether a knob's values lie along a line."""
    numbers = [isinstance(one, int | float) and not isinstance(one, bool) for one in knob.choices]
    return not knob.choices or (all(numbers) and list(knob.choices) == sorted(knob.choices))


def coordinate(knob: Knob, value: Any) -> float | None:
    """Return where a value stands: along the range, or the index of a choice without an order."""
    if not is_ordered(knob):
        return None if (found := _index(knob, value)) is None else float(found)
    return position(knob, value)


def position(knob: Knob, value: Any) -> float | None:
    """Return where in its range a number lies: 0 at the low end, 1 at the high one.

    On a logarithmic knob the middle is the geometric mean; choices that are numbers in order are
    as far apart as they are listed. None for what has no place there.
    """
    if knob.choices:
        found = _index(knob, value) if is_ordered(knob) else None
        return None if found is None else found / max(1, len(knob.choices) - 1)
    if knob.low is None or knob.high is None or isinstance(value, bool):
        return None
    if not isinstance(value, int | float) or (knob.log and value <= 0):
        return None
    scale: Callable[[float], float] = math.log if knob.log else float
    low, high = scale(knob.low), scale(knob.high)
    return (scale(value) - low) / (high - low)


def value_at(knob: Knob, at: float) -> Any:
    """Return the value that stands there, a number by three significant digits."""
    if knob.choices:
        index = at * (len(knob.choices) - 1) if is_ordered(knob) else at
        return knob.choices[min(len(knob.choices) - 1, max(0, round(index)))]
    assert knob.low is not None
    assert knob.high is not None
    if knob.log:
        value = knob.low * (knob.high / knob.low) ** at
    else:
        value = knob.low + at * (knob.high - knob.low)
    if knob.kind == "int":
        return int(min(max(round(value), knob.low), knob.high))
    return float(min(max(float(f"{value:.{DIGITS}g}"), knob.low), knob.high))


def _index(knob: Knob, value: Any) -> int | None:
    return next((n for n, one in enumerate(knob.choices) if same_value(one, value)), None)


def same_value(one: Any, other: Any) -> bool:
    """Return whether two values are one choice: `1` is `1.0`, and neither is `True`."""
    if isinstance(one, bool) or isinstance(other, bool) or isinstance(one, str):
        return type(one) is type(other) and bool(one == other)
    return isinstance(other, int | float) and bool(one == other)
