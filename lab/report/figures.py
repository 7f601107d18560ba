"""Figures as inline SVG: the staircase, loss curves, the replicates of a change.

A figure is drawn on 1000 by 1000 units and stretched to the page; strokes keep their width, so a
dot (a line of no length with round ends) stays round, and words are HTML beside it, so they stay
readable on a telephone. Values to hover over travel as JSON beside the picture.
"""

from collections.abc import Sequence

from ..board import best_so_far
from ..notebook.read import Found
from ..plot import interesting, kind_of
from ..text import num, shorten
from .html import Safe, data, join, tag
from .scale import SIZE, Axis, ticks

NAMED = 40  # kept changes whose number is written beside their mark
APART = 45  # units between two such numbers
ORDER = ("discarded", "crashed", "off", "claimed", "undecided", "baseline", "kept")
WORDS = {"off": "off the scale", "undecided": "no verdict yet", "claimed": "claimed by hand"}
STRIP = (150, 22)  # pixels of a strip of replicates


def staircase(leaf: Found) -> Safe:
    """Every comparable experiment a mark, the best so far a staircase."""
    points = leaf["points"]
    rises = leaf["direction"] == "maximize"
    start = {"verdict": "keep", "value": leaf["level"], "claimed": 0, "kind": "run"}
    first = [start | {"direction": leaf["direction"]}] if leaf["level"] is not None else []
    low, high = interesting([*first, *points]) if points else (0.0, 1.0)
    shown = [p["value"] for p in [*first, *points] if _inside(p["value"], low, high)]
    if not shown:
        return tag("p", "No number to draw yet.", class_="none")
    noise = leaf["noise"] or 0.0
    axis = Axis.around(shown, low, high, 1.5 * noise)
    marks = [_mark(point, at, len(points), axis, rises) for at, point in enumerate(points)]
    steps = best_so_far([*first, *points])[len(first) :]
    picture = join(
        _grid(axis.ticks(), axis),
        _stairs(steps, axis, noise),
        [_dots(kind, [mark for mark in marks if mark["kind"] == kind]) for kind in ORDER],
    )
    return _figure(
        f"{leaf['metric'] or 'the metric'} of each experiment, "
        f"{'higher' if rises else 'lower'} is better; the line is the best so far",
        picture,
        [*_heights(axis), *_orders(points), *_names(marks, rises)],
        {"points": [_hover(mark) for mark in marks]},
        _legend({mark["kind"] for mark in marks}, noise),
    )


def _inside(value: float | None, low: float, high: float) -> bool:
    return value is not None and low <= value <= high


def _mark(point: Found, at: int, count: int, axis: Axis, rises: bool) -> Found:
    """Return where a mark stands and what it is; a value that is off the axis stands at its end."""
    value, kind = point["value"], kind_of(point)
    if value is not None and not axis.low <= value <= axis.high:
        kind = "off"
    worst = SIZE if rises else 0
    y = worst if value is None else round((1 - axis.place(value)) * SIZE, 1)
    return {"x": round((at + 0.5) / count * SIZE, 1), "y": y, "kind": kind, "point": point}


def _grid(values: Sequence[tuple[float, str]], axis: Axis) -> Safe:
    path = "".join(f"M0 {(1 - axis.place(v)) * SIZE:.1f}H{SIZE}" for v, _ in values)
    return tag("path", class_="grid", d=path)


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


def _dots(kind: str, marks: Sequence[Found]) -> Safe:
    """Draw all marks of a kind: one path, or, for kept changes, a link each."""
    if not marks:
        return join()
    if kind == "kept":
        return join([_link(mark) for mark in marks])
    return tag("path", class_=kind, d="".join(f"M{m['x']} {m['y']}h0" for m in marks))


def _link(mark: Found) -> Safe:
    number = mark["point"]["experiment"]
    dot = tag("path", class_="kept", d=f"M{mark['x']} {mark['y']}h0")
    return tag("a", dot, href=f"#e{number}", aria_label=f"e{number}")


def _names(marks: Sequence[Found], rises: bool) -> list[Safe]:
    """Write the numbers of kept changes where they do not touch, the newest first."""
    found, taken = [], [float("-inf")]
    for mark in [m for m in marks if m["kind"] == "kept"][: -NAMED - 1 : -1]:
        if all(abs(mark["x"] - other) >= APART for other in taken):
            taken.append(mark["x"])
            side = "above" if rises else "below"
            style = f"left:{mark['x'] / 10:.2f}%;top:{mark['y'] / 10:.2f}%"
            name = f"e{mark['point']['experiment']}"
            found.append(tag("span", name, class_=f"name {side}", style=style))
    return found


def _heights(axis: Axis) -> list[Safe]:
    return [
        tag("span", name, class_="y", style=f"top:{(1 - axis.place(value)) * 100:.2f}%")
        for value, name in axis.ticks()
    ]


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
    what = WORDS.get(mark["kind"], mark["kind"])
    if point["value"] is None and point["failure"]:
        what += f" ({point['failure']})"
    gain = f", {num(point['gain'], sign=True)}" if point["gain"] is not None else ""
    figures = f"e{point['experiment']} {num(point['value'])}{gain}, {what}"
    return [mark["x"], mark["y"], figures, shorten(point["claim"] or "", 110)]


def _legend(kinds: set[str], noise: float) -> Safe:
    """Return the marks that are in the picture, with their names."""
    found = [
        tag("span", tag("i", class_=f"key {kind}"), WORDS.get(kind, kind))
        for kind in reversed(ORDER)
        if kind in kinds
    ]
    if noise:
        found.append(tag("span", tag("i", class_="key band"), f"noise of a run ±{noise:.2g}"))
    return tag("p", found, class_="legend")


def _figure(
    caption: str, picture: Safe, words: Sequence[Safe], hover: Found, legend: Safe
) -> Safe:
    drawing = tag(
        "svg",
        tag("title", caption),
        picture,
        viewBox=f"0 0 {SIZE} {SIZE}",
        preserveAspectRatio="none",
        role="img",
    )
    tip = tag("div", class_="tip", hidden=True, role="status")
    area = tag("div", drawing, words, tag("i", class_="spot", hidden=True), tip, class_="area")
    values = tag("script", data(hover), type="application/json")
    return tag("figure", tag("figcaption", caption), area, legend, values, class_="plot")


# -- Loss curves ---------------------------------------------------------------


def loss_curves(found: Found) -> Safe:
    """The best experiment's curve and those of the newest runs."""
    lines = found["lines"]
    values = [y for line in lines for _, y in line["points"]]
    low, high = min(values), max(values)
    tails = sorted(y for line in lines for _, y in line["points"][len(line["points"]) // 20 :])
    if len(tails) > 100:  # a first step far off would flatten all that follows
        low, high = min(tails[0], low), tails[-1 - len(tails) // 100]
    axis = Axis.around([v for v in values if low <= v <= high], low, high)
    last = max(x for line in lines for x, _ in line["points"]) or 1
    first = min(x for line in lines for x, _ in line["points"])
    wide = (last - first) or 1
    drawn = [
        [(round((x - first) / wide * SIZE, 1), round((1 - axis.place(y)) * SIZE, 1), x, y)
         for x, y in line["points"]]
        for line in lines
    ]  # fmt: skip
    paths = [
        tag(
            "path",
            class_=f"curve c{at}",
            d="M" + "L".join(f"{x} {y}" for x, y, _, _ in points),
        )
        for at, points in enumerate(drawn)
    ]
    steps = ticks(first, last, 4)
    across = [
        tag("span", name, class_="x", style=f"left:{(value - first) / wide * 100:.2f}%")
        for value, name in steps
    ]
    names = [_run_name(line, found["best"]) for line in lines]
    hover = {
        "lines": [
            {"name": name, "points": [[x, y, num(s), num(v)] for x, y, s, v in points]}
            for name, points in zip(names, drawn, strict=True)
        ]
    }
    keys = [
        tag("span", tag("i", class_=f"key c{at}"), name) for at, name in enumerate(names)
    ]
    return _figure(
        f"{shorten(found['series'], 40)} by step: the best experiment and the newest runs",
        join(_grid(axis.ticks(), axis), paths[::-1]),
        [*_heights(axis), *across],
        hover,
        tag("p", keys, class_="legend"),
    )


def _run_name(line: Found, best: int | None) -> str:
    what = " (best)" if line["experiment"] == best else ""
    failed = f" ({line['failure'] or 'failed'})" if line["status"] == "failed" else ""
    return f"e{line['experiment']} seed {line['seed']}{what}{failed}"


# -- Replicates ----------------------------------------------------------------


def replicates(mine: Sequence[Found], rival: Sequence[Found]) -> Safe:
    """A strip with a dot for each run: the change's filled, its incumbent's hollow."""
    values = [run["value"] for run in [*mine, *rival]]
    if not mine or min(values) == max(values):
        return join()
    low, high = min(values), max(values)
    wide, high_px = STRIP

    def dot(run: Found, kind: str) -> Safe:
        x = 6 + (run["value"] - low) / (high - low) * (wide - 12)
        title = tag("title", f"{kind}, seed {run['seed']}: {num(run['value'])}")
        y = 7 if kind == "this change" else 15
        style = "mine" if kind == "this change" else "rival"
        return tag("circle", title, cx=f"{x:.1f}", cy=y, r=3.5, class_=style)

    dots = [dot(run, "incumbent") for run in rival] + [dot(run, "this change") for run in mine]
    words = f"{len(mine)} runs of this change, {len(rival)} of its incumbent"
    return tag(
        "svg",
        tag("title", words),
        dots,
        class_="strip",
        width=wide,
        height=high_px,
        viewBox=f"0 0 {wide} {high_px}",
        role="img",
    )
