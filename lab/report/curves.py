"""Data of loss curves: which runs, which number, few enough points to draw."""

import itertools
import json
import math
from pathlib import Path
from typing import Any

from ..notebook.read import Found
from ..system import left
from ..system.home import Home

POINTS = 160  # a curve is at most some 900 pixels wide
WHOLE = 4 << 20  # bytes; of a longer log only some lines are read, evenly spaced
LINES = 4000  # of it
CURVES = 6  # the eye tells no more apart
SERIES = ("loss", "train_loss", "reward")  # what is drawn, the first that is there
CLOCK = ("step", "elapsed_s")


def curves(home: Home, runs: list[Found], first: int | None) -> Found | None:
    """Return the curves of the experiment `first` and of the newest `runs` that left a step log."""
    chosen = [run for run in runs if run["experiment"] == first][:1]
    chosen += [run for run in runs if run["experiment"] != first]
    found: list[Found] = []
    for run in chosen:
        path = home.run(run["experiment"], run["id"]) / "steps.jsonl"
        steps = read(path)
        if steps:
            found.append({**run, "steps": steps})
        if len(found) == CURVES:
            break
    series = next((s for one in found for s in names(one["steps"])), None)
    lines = [_line(one, series) for one in found] if series else []
    lines = [line for line in lines if len(line["points"]) > 1]
    return {"series": series, "lines": lines, "best": first} if lines else None


def read(path: Path) -> list[dict[str, Any]]:
    """Return the steps of a log, or evenly spaced ones of a long log; torn lines are skipped."""
    try:
        with left.opened(path) as file:
            size = file.seek(0, 2)
            file.seek(0)
            if size <= WHOLE:
                raw = list(itertools.islice(file, 200_000))
            else:
                raw = [_line_at(file, place * size // LINES) for place in range(LINES)]
    except OSError:
        return []
    return [step for step in map(_step, raw) if step is not None]


def _line_at(file: Any, place: int) -> bytes:
    file.seek(place)
    if place:
        file.readline(1 << 16)  # the rest of a line
    return bytes(file.readline(1 << 16))


def _step(raw: bytes) -> dict[str, Any] | None:
    try:
        step = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(step, dict) or not _finite(step.get("step")):
        return None
    return step


def _finite(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and abs(value) < 1e300  # type: ignore[arg-type]


def names(steps: list[dict[str, Any]]) -> list[str]:
    """Return the series of a log, the one to draw first."""
    there = [name for name in steps[-1] if name not in CLOCK and _finite(steps[-1][name])]
    return [name for name in SERIES if name in there] or there[:1]


def _line(run: Found, series: str) -> Found:
    pairs = [(s["step"], s[series]) for s in run["steps"] if _finite(s.get(series))]
    known = {name: run[name] for name in ("experiment", "seed", "status", "failure", "value")}
    return known | {"points": thinned(pairs)}


def thinned(points: list[tuple[float, float]], most: int = POINTS) -> list[tuple[float, float]]:
    """Return at most `most` points: of each stretch its lowest and its highest, in order.

    >>> thinned([(x, float(x == 5)) for x in range(10)], 4)
    [(0, 0.0), (1, 0.0), (5, 1.0), (9, 0.0)]
    """
    if len(points) <= most:
        return points
    inner, count = points[1:-1], max(1, (most - 2) // 2)
    found = [points[0]]
    for place in range(count):
        part = inner[place * len(inner) // count : (place + 1) * len(inner) // count]
        if part:
            ends = {min(part, key=lambda p: p[1]), max(part, key=lambda p: p[1])}
            found += sorted(ends)
    return [*found, points[-1]]
