"""Step logs as runs left them: read whole or thinned, their series, never an exception."""

import itertools
import json
from pathlib import Path
from typing import Any, TypeGuard

from ..system import left

WHOLE = 4 << 20  # bytes; of a longer log only some lines are read, evenly spaced
LINES = 4000  # of it
MOST = 200_000  # lines of a log that is read whole: shorter ones have no room for two numbers
LARGEST = 1e150  # of a number: the product of two is still one
SERIES = ("loss", "train_loss", "reward")  # what is looked at, the first that is there
CLOCK = ("step", "elapsed_s")

Step = dict[str, Any]


def read(path: Path) -> list[Step]:
    """Return the steps of a log, or evenly spaced ones of a long log; torn lines are skipped."""
    try:
        with left.opened(path) as file:
            size = file.seek(0, 2)
            file.seek(0)
            if size <= WHOLE:
                raw = list(itertools.islice(file, MOST))
            else:
                raw = [_line_at(file, place * size // LINES) for place in range(LINES)]
    except OSError:
        return []
    return [step for step in map(parsed, raw) if step is not None]


def _line_at(file: Any, place: int) -> bytes:
    file.seek(place)
    if place:
        file.readline(1 << 16)  # the rest of a line
    return bytes(file.readline(1 << 16))


def parsed(raw: bytes) -> Step | None:
    """Return a line of a step log; None where it is torn, or none of a step."""
    try:
        step = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(step, dict) or not finite(step.get("step")):
        return None
    return step


def finite(value: object) -> TypeGuard[float]:
    """Return whether a value is a number that one can reckon with.

    >>> [finite(value) for value in (1, 2.5, True, None, float("nan"), 10**400)]
    [True, True, False, False, False, False]
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and -LARGEST < value < LARGEST  # type: ignore[operator]


def points(steps: list[Step], series: str, by: str = "step") -> list[tuple[float, float]]:
    """Return a series by step or by elapsed seconds, without what is no number."""
    rows = ((step.get(by), step.get(series)) for step in steps)
    return [(float(x), float(y)) for x, y in rows if finite(x) and finite(y)]


def series(steps: list[Step]) -> list[str]:
    """Return the names of what a log tells as numbers, in the order they appear."""
    found = (name for step in steps for name, value in step.items() if finite(value))
    return [name for name in dict.fromkeys(found) if name not in CLOCK]


def lost_at(steps: list[Step], name: str) -> float | None:
    """Return the step from which on a series is no number any more; None where it is to the end."""
    told = [step for step in steps if name in step]
    good = [place for place, step in enumerate(told) if finite(step[name])]
    after = good[-1] + 1 if good else 0
    return float(told[after]["step"]) if after < len(told) else None
