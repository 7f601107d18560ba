"""Report section: loss curves, and a change's runs beside its incumbent's."""

from collections.abc import Sequence

from ..notebook.read import Found
from ..text import num, plural, shorten
from .frame import figure, grid, heights
from .html import Safe, join, tag
from .scale import SIZE, Axis, ticks

STRIP = (150, 22)  # pixels of a strip of replicates
EARLY = 20  # the first twentieth of a curve does not set the axis: it would flatten the rest
OUTLIERS = 100  # nor does one value in a hundred

Point = tuple[float, float]


def loss_curves(found: Found) -> Safe:
    """The best experiment's curve and those of the newest runs."""
    names = [_run_name(line, found["best"]) for line in found["lines"]]
    return overlay(
        f"{shorten(found['series'], 40)} by step: the best experiment and the newest runs",
        list(zip(names, (line["points"] for line in found["lines"]), strict=True)),
    )


def overlay(caption: str, named: Sequence[tuple[str, Sequence[Point]]], by: str = "step") -> Safe:
    """Curves over each other, each with its name; `by` is what their places are called."""
    curves = [points for _, points in named]
    axis = _axis(curves)
    steps = [x for points in curves for x, _ in points]
    first, last = min(steps), max(steps)
    wide = (last - first) or 1

    def spot(step: float, value: float) -> Point:
        y = 1 - min(2.0, max(-1.0, axis.share(value)))
        return round((step - first) / wide * SIZE, 1), round(y * SIZE, 1)

    drawn = [[(*spot(x, y), num(x), num(y)) for x, y in points] for points in curves]
    paths = [
        tag("path", class_=f"curve c{at}", d="M" + "L".join(f"{x} {y}" for x, y, _, _ in points))
        for at, points in enumerate(drawn)
    ]
    across = [
        tag("span", name, class_="x", style=f"left:{(value - first) / wide * 100:.2f}%")
        for value, name in ticks(first, last, 4)
    ]
    names = [name for name, _ in named]
    keys = [tag("span", tag("i", class_=f"key c{at}"), name) for at, name in enumerate(names)]
    told = [{"name": name, "points": points} for name, points in zip(names, drawn, strict=True)]
    return figure(
        caption,
        join(grid(axis.ticks(), axis), paths[::-1]),
        [*heights(axis), *across],
        {"by": by, "lines": told},
        tag("p", keys, class_="legend"),
    )


def _axis(curves: Sequence[Sequence[Point]]) -> Axis:
    """Return the axis for what the curves come to; a first value far off leaves the picture."""
    values = sorted(y for points in curves for _, y in points)
    late = sorted(y for points in curves for _, y in points[len(points) // EARLY :])
    low, high = values[0], values[-1]
    if len(late) > OUTLIERS:
        low, high = late[0], late[-1 - len(late) // OUTLIERS]
    return Axis.around([value for value in values if low <= value <= high], low, high)


def _run_name(line: Found, best: int | None) -> str:
    what = " (best)" if line["experiment"] == best else ""
    failed = f" ({line['failure'] or 'failed'})" if line["status"] == "failed" else ""
    return f"e{line['experiment']} seed {line['seed']}{what}{failed}"


def replicates(mine: Sequence[Found], incumbent: Sequence[Found]) -> Safe:
    """A strip with a dot for each run: the change's filled, its incumbent's hollow."""
    values = [run["value"] for run in [*mine, *incumbent]]
    if not mine or min(values) == max(values):
        return join()
    low, high = min(values), max(values)
    wide, tall = STRIP

    def dots(runs: Sequence[Found], whose: str, style: str, y: int) -> list[Safe]:
        found = []
        for run in runs:
            x = 6 + (run["value"] - low) / (high - low) * (wide - 12)
            title = tag("title", f"{whose}, seed {run['seed']}: {num(run['value'])}")
            found.append(tag("circle", title, cx=f"{x:.1f}", cy=y, r=3.5, class_=style))
        return found

    return tag(
        "svg",
        tag(
            "title", f"{plural(len(mine), 'run')} of this change, {len(incumbent)} of its incumbent"
        ),
        tag("path", d=f"M0 {tall / 2}H{wide}"),
        dots(incumbent, "incumbent", "incumbent", 16),
        dots(mine, "this change", "mine", 6),
        class_="strip",
        width=wide,
        height=tall,
        viewBox=f"0 0 {wide} {tall}",
        role="img",
    )
