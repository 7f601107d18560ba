"""Data of loss curves: which runs, which number, few enough points to draw."""

from typing import Any

from ..notebook.read import Found
from ..run.step_log import CLOCK, SERIES, finite, read
from ..system.home import Home

POINTS = 160  # a curve is at most some 900 pixels wide
CURVES = 6  # the eye tells no more apart


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


def names(steps: list[dict[str, Any]]) -> list[str]:
    """Return the series of a log, the one to draw first."""
    there = [name for name in steps[-1] if name not in CLOCK and finite(steps[-1][name])]
    return [name for name in SERIES if name in there] or there[:1]


def _line(run: Found, series: str) -> Found:
    pairs = [(s["step"], s[series]) for s in run["steps"] if finite(s.get(series))]
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
