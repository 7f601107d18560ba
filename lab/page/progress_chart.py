"""Report section: progress chart; every experiment a mark, the best a staircase."""

from collections.abc import Sequence
from typing import Any

from ..notebook.history import Point
from ..notebook.read import Found
from ..text import num, shorten
from ..views.board import best_so_far
from ..views.plot import interesting, is_drawn, kind_of
from .components import ON_PAGE
from .frame import figure, grid, heights
from .html import Safe, join, tag
from .scale import SIZE, Axis

NAMED = 40  # kept changes whose number is written beside their mark
APART = 45  # units between two such numbers
PHONE = 130  # units between two on a narrow page
ORDER = ("unmeasured", "discarded", "crashed", "off", "claimed", "undecided", "baseline", "kept")
WORDS = {
    **{"off": "off the scale", "undecided": "no verdict yet", "claimed": "claimed by hand"},
    "unmeasured": "without a number",
}
EDGE = 14  # units from an end that a mark keeps, so as to be seen whole


def staircase(leaf: Found, at: str = ON_PAGE) -> Safe:
    """Every comparable experiment a mark, the best so far a staircase; kept ones lead to `at`."""
    points = leaf["points"]
    rises = leaf["direction"] == "maximize"
    start = {"verdict": "keep", "value": leaf["level"], "claimed": 0, "kind": "run"}
    first: list[Any] = (
        [start | {"direction": leaf["direction"]}] if leaf["level"] is not None else []
    )
    low, high = interesting([*first, *points]) if points else (0.0, 1.0)
    shown = [p["value"] for p in [*first, *points] if _inside(p["value"], low, high)]
    if not shown:
        return tag("p", "No number to draw.", class_="none")
    noise = leaf["noise"] if is_drawn(leaf["noise"]) else 0.0
    axis = Axis.around(shown, low, high, 1.5 * noise)
    marks = [_mark(point, place, len(points), axis, rises) for place, point in enumerate(points)]
    steps = best_so_far([*first, *points])[len(first) :]
    picture = join(
        grid(axis.ticks(), axis),
        _stairs(steps, axis, noise),
        [_dots(kind, [mark for mark in marks if mark["kind"] == kind], at) for kind in ORDER],
    )
    return figure(
        f"{leaf['metric'] or 'the metric'} of each experiment, "
        f"{'higher' if rises else 'lower'} is better; the line is the best so far",
        picture,
        [*heights(axis), *_orders(points), *_names(marks, rises)],
        {"points": [_hover(mark) for mark in marks]},
        _legend({mark["kind"] for mark in marks}, noise),
    )


def _inside(value: float | None, low: float, high: float) -> bool:
    return value is not None and low <= value <= high


def _mark(point: Point, at: int, count: int, axis: Axis, rises: bool) -> Found:
    """Return where a mark stands and what it is; a value that is off the axis stands at its end."""
    value, kind = point["value"], kind_of(point)
    if value is not None and not axis.low <= value <= axis.high:
        kind = "off"
    y = round((1 - axis.place(value)) * SIZE, 1) if value is not None else (SIZE if rises else 0)
    y = min(SIZE - EDGE, max(EDGE, y))
    return {"x": round((at + 0.5) / count * SIZE, 1), "y": y, "kind": kind, "point": point}


def _stairs(steps: Sequence[float | None], axis: Axis, noise: float) -> Safe:
    """Draw the best so far, and around it what a change of seed alone does."""
    corners: list[tuple[float, float]] = []
    for at, value in enumerate(steps):
        if value is not None and (not corners or corners[-1][1] != value):
            corners.append((at / len(steps) * SIZE, value))
    if not corners:
        return join()
    line = _climb(corners, axis, 0.0)
    if noise:
        above = _climb(corners, axis, noise)
        below = _climb(corners, axis, -noise, back=True)
        band = tag("path", class_="band", d=f"M{above}L{below}Z")
        return join(band, tag("path", class_="stairs", d=f"M{line}"))
    return tag("path", class_="stairs", d=f"M{line}")


def _climb(
    corners: Sequence[tuple[float, float]], axis: Axis, shift: float, back: bool = False
) -> str:
    ends = [x for x, _ in corners[1:]] + [float(SIZE)]
    found = []
    for (x, value), end in zip(corners, ends, strict=True):
        y = (1 - axis.place(value + shift)) * SIZE
        found += [f"{x:.1f} {y:.1f}", f"{end:.1f} {y:.1f}"]
    return "L".join(reversed(found) if back else found)


def _dots(kind: str, marks: Sequence[Found], at: str) -> Safe:
    """Draw all marks of a kind: one path, or, for kept changes, a link each."""
    if not marks:
        return join()
    if kind == "kept":
        return join([_link(mark, at) for mark in marks])
    return tag("path", class_=kind, d="".join(f"M{m['x']} {m['y']}h0" for m in marks))


def _link(mark: Found, at: str) -> Safe:
    number = mark["point"]["experiment"]
    dot = tag("path", class_="kept", d=f"M{mark['x']} {mark['y']}h0")
    return tag("a", dot, href=at.format(number), aria_label=f"e{number}")


def _names(marks: Sequence[Found], rises: bool) -> list[Safe]:
    """Write the numbers of kept changes where they do not touch, the newest first."""
    found: list[Safe] = []
    taken, apart = [float("-inf")], [float("-inf")]
    for mark in [m for m in marks if m["kind"] == "kept"][: -NAMED - 1 : -1]:
        if all(abs(mark["x"] - other) >= APART for other in taken):
            taken.append(mark["x"])
            side = "above" if rises else "below"
            style = f"left:{mark['x'] / 10:.2f}%;top:{mark['y'] / 10:.2f}%"
            name = f"e{mark['point']['experiment']}"
            wide = any(abs(mark["x"] - other) < PHONE for other in apart)
            if not wide:
                apart.append(mark["x"])
            kind = f"name {side} wide" if wide else f"name {side}"
            found.append(tag("span", name, class_=kind, style=style))
    return found


def _orders(points: Sequence[Found]) -> list[Safe]:
    """Write which experiments stand at the left, in the middle and at the right."""
    count = len(points)
    places = sorted({0, count // 2, count - 1}) if count > 2 else range(count)
    return [
        tag(
            "span",
            f"e{points[at]['experiment']}",
            class_="x",
            style=f"left:{(at + 0.5) / count * 100:.2f}%",
        )
        for at in places
    ]


def _hover(mark: Found) -> list[object]:
    point = mark["point"]
    what: str = WORDS.get(mark["kind"]) or mark["kind"]
    if point["value"] is None and point["failure"]:
        what += f" ({point['failure']})"
    gain = f", {num(point['gain'], sign=True)}" if point["gain"] is not None else ""
    figures = f"e{point['experiment']} {num(point['value'])}{gain}, {what}"
    return [mark["x"], mark["y"], figures, shorten(point["claim"] or "", 110)]


def _legend(kinds: set[str], noise: float) -> Safe:
    """Return the marks that are in the picture, with their names."""
    found = [
        tag("span", tag("i", class_=f"key {kind}"), WORDS.get(kind) or kind)
        for kind in reversed(ORDER)
        if kind in kinds
    ]
    if noise:
        found.append(tag("span", tag("i", class_="key band"), f"noise of a run ±{noise:.2g}"))
    return tag("p", found, class_="legend")
