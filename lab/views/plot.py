"""`lab plot`: every experiment a point, the best so far a staircase."""

import contextlib
import os
import shlex
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from ..documents.leaves import Picture
from ..errors import Environment, Usage
from ..notebook import Notebook, history, measurements, read
from ..notebook.history import Point
from ..notebook.replicates import SAYS_NOTHING
from ..system import output_file, source
from ..text import shorten
from .board import as_reported, best_so_far

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation
    from matplotlib.transforms import BboxBase

ENDINGS = (".png", ".svg")
SIZE = (10.0, 5.6)  # inches; with DPI 1500 pixels wide, sharp on a laptop and in a README
DPI = 150
LABELS = 24  # more names than this cannot be told apart; the largest gains get theirs first
LABEL_CHARACTERS = 34
DISTANCES = range(12, 100, 11)  # points between a mark and its name, nearest first
MARK = 8.0  # pixels kept free around a kept change
WIDE = 1000.0  # the largest value over the smallest from which a logarithmic axis reads better
BEYOND = 2.5  # spans of the interesting values that a bad one may lie below before it is cut off
RESERVE = 0.15  # of the height, above and below the points, for names
OFF = "off the scale"
DRAWN = 1e150  # beyond, an axis' own arithmetic overflows: such a value stands at its edge

# Okabe and Ito's colours, which colour-blind readers can tell apart; each kind also has its mark.
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
GREY = "#777777"
Style = dict[str, Any]
KINDS: dict[str, Style] = {
    "discarded": {"marker": "o", "color": ORANGE, "s": 18, "linewidths": 0, "zorder": 2},
    "undecided": {"marker": "D", "color": GREEN, "s": 24, "linewidths": 0, "zorder": 3},
    "claimed": {"marker": "o", "color": "none", "edgecolors": "black", "s": 24, "zorder": 3},
    "crashed": {"marker": "x", "color": RED, "s": 22, "linewidths": 1.2, "zorder": 2},
    "unmeasured": {"marker": "|", "color": GREY, "s": 22, "linewidths": 1.2, "zorder": 2},
    "kept": {"marker": "o", "color": BLUE, "s": 46, "linewidths": 0, "zorder": 5},
    "baseline": {"marker": "s", "color": "black", "s": 40, "linewidths": 0, "zorder": 4},
}


def plot(book: Notebook, leaf: str, path: Path) -> Picture:
    """Draw one leaf's newest scope into `path`; return what is in the picture."""
    ending = path.suffix.lower() or (".png" if output_file.is_stream(path) else "")
    if ending not in ENDINGS:
        raise Usage(
            f"{path.name}: the ending says which picture to make.", "Type: -o plot.png or plot.svg"
        )
    scope = history.newest_scope(book, leaf)
    found = history.points(book, leaf, scope["id"]) if scope else []
    points = as_reported(found)
    noise = measurements.noise(book, scope["id"]) if scope else None
    where = [scope["profile"], scope["platform"]] if scope else []
    reported = ["as reported elsewhere"] if points is not found and points else []
    title = ", ".join([leaf, *filter(None, where), *reported])
    undated: Style = {"metadata": {"Date": None}} if ending == ".svg" else {}
    with _quiet(shlex.quote(leaf)), output_file.opened(path) as file:
        figure = draw(points, title, noise.sd if noise else None)
        figure.savefig(file, dpi=DPI, format=ending[1:], **undated)
    total = read.counts(book, leaf)["experiments"]
    return {"leaf": leaf, "file": str(path), "shown": len(points), "left_out": total - len(points)}


@contextlib.contextmanager
def _quiet(leaf: str = "LEAF") -> Iterator[None]:
    """Refuse in two lines where matplotlib is missing; a letter no font has is no warning.

    A person's own settings of matplotlib are for another program: a notebook's backend may not be
    installed here, and LaTeX for every text neither.
    """
    try:
        with _without_settings():
            import matplotlib
    except ImportError as error:
        raise Environment(
            f"a plot needs matplotlib, which cannot be imported ({error}).",
            f"Install it: {source.to_install('plot')}; or as a page, without it: lab report {leaf}",
        ) from None
    with matplotlib.rc_context({"svg.hashsalt": "lab"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


@contextlib.contextmanager
def _without_settings() -> Iterator[None]:
    """Hide what the environment and the home say of matplotlib while it is imported."""
    own = {name: os.environ.pop(name, None) for name in ("MPLBACKEND", "MATPLOTLIBRC")}
    os.environ["MATPLOTLIBRC"] = os.devnull
    try:
        yield
    finally:
        del os.environ["MATPLOTLIBRC"]
        os.environ.update({name: value for name, value in own.items() if value is not None})


def draw(points: Sequence[Point], title: str, noise: float | None) -> "Figure":
    """Return the figure of experiments in order; `noise` is the sd of one run, where known."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(shorten(title, 90), loc="left", parse_math=False)
    axes.spines[["top", "right"]].set_visible(False)
    if not points:
        return _empty(figure, axes)
    low, high = _scale(axes, points, noise or 0.0)
    _staircase(axes, points, noise)
    _marks(axes, points, low, high)
    _words(figure, axes, points)
    figure.draw_without_rendering()
    _labels(axes, points)
    return figure


def _empty(figure: "Figure", axes: "Axes") -> "Figure":
    axes.set_axis_off()
    words = "Nothing yet.\nBegin with: lab run --baseline --seeds 3"
    axes.text(0.5, 0.5, words, ha="center", va="center", transform=axes.transAxes, fontsize=13)
    return figure


def _words(figure: "Figure", axes: "Axes", points: Sequence[Point]) -> None:
    """Name the axes and the marks."""
    better = "higher" if _rises(points) else "lower"
    metric = shorten(points[-1]["metric"], 40)
    axes.set_ylabel(f"{metric} ({better} is better)" if metric else "", parse_math=False)
    axes.set_xlabel(f"experiment, in order ({len(points)} in all)")
    axes.margins(x=0.02)
    if len(points) < 12:
        axes.set_xticks(range(1, len(points) + 1))
    figure.legend(loc="outside lower center", ncols=5, frameon=False, fontsize=8)


def _rises(points: Sequence[Point]) -> bool:
    return bool(points[-1]["direction"] == "maximize")


# -- The scale -----------------------------------------------------------------


def _scale(axes: "Axes", points: Sequence[Point], noise: float) -> tuple[float, float]:
    """Set the vertical axis; return the values between which points are drawn where they are."""
    low, high = interesting(points)
    values = [p["value"] for p in points if p["value"] is not None and low <= p["value"] <= high]
    if not values:
        axes.set_yticks([])
        axes.set_ylim(0, 1)
        return 0.0, 1.0
    kind = scale_of(values)
    least = min((abs(value) for value in values if value), default=1.0)
    axes.set_yscale(kind, **({"linthresh": least} if kind == "symlog" else {}))
    scale = axes.yaxis.get_transform()
    bottom, top = (float(end) for end in scale.transform([low, high]))
    if not top > bottom:
        bottom, top = bottom - 0.1 * (abs(bottom) or 1.0), top + 0.1 * (abs(top) or 1.0)
    room = (top - bottom) * RESERVE
    if kind == "linear":
        room = max(room, 1.5 * noise if is_drawn(noise) else 0.0)
    axes.set_ylim(*(float(end) for end in scale.inverted().transform([bottom - room, top + room])))
    return low, high


def interesting(points: Sequence[Point]) -> tuple[float, float]:
    """Return the lowest and highest value worth a place on the axis; (0, 1) without any.

    All of them, unless a bad one lies so far off that it would flatten the rest: then the axis ends
    with the kept ones and the better nine tenths, and the bad one is drawn at its edge.
    """
    sign = 1.0 if points and _rises(points) else -1.0
    good = sorted(sign * point["value"] for point in points if is_drawn(point["value"]))
    if not good:
        return 0.0, 1.0
    kept = [
        sign * point["value"]
        for point in points
        if is_drawn(point["value"]) and point["verdict"] == "keep"
    ]
    floor = min([good[len(good) // 10], *kept])
    edge = floor - BEYOND * (good[-1] - floor) if good[-1] > floor else good[0]
    worst = next(value for value in good if value >= edge)
    ends = (sign * worst, sign * good[-1])
    return min(ends), max(ends)


def is_drawn(value: float | None) -> TypeGuard[float]:
    """Say whether a value can have its own place on an axis."""
    return value is not None and abs(value) <= DRAWN


def scale_of(values: Sequence[float]) -> str:
    """Return the scale on which all of `values` can be told apart.

    >>> scale_of([0.98, 1.1]), scale_of([1e-5, 1e5]), scale_of([-1e5, 0.0, 1.0, 2.0])
    ('linear', 'log', 'symlog')
    """
    sizes = sorted(abs(value) for value in values if value)
    if not sizes:
        return "linear"
    if min(values) > 0:
        return "log" if sizes[-1] / sizes[0] >= WIDE else "linear"
    return "symlog" if sizes[-1] / sizes[(len(sizes) - 1) // 2] >= WIDE else "linear"


# -- What is drawn -------------------------------------------------------------


def kind_of(point: Point) -> str:
    """Return which kind of mark an experiment gets."""
    if point["value"] is None:
        return _without_number(point)
    if point["kind"] == "baseline":
        return "baseline"
    if point["claimed"]:
        return "claimed"
    verdicts = {"keep": "kept", "discard": "discarded", "crash": "crashed", None: "undecided"}
    return verdicts[point["verdict"]]


def _without_number(point: Point) -> str:
    """Return what an experiment without a number is: a crash only where the idea is to blame."""
    if point["failure"] in SAYS_NOTHING:
        return "unmeasured"
    if point["verdict"] == "crash" or (point["verdict"] is None and point["status"] == "failed"):
        return "crashed"
    return "unmeasured" if point["verdict"] else "undecided"


def _staircase(axes: "Axes", points: Sequence[Point], noise: float | None) -> None:
    """Draw the best so far, and around it what a change of seed alone does."""
    best = best_so_far(points)
    steps = [(at, v) for at, v in enumerate(best, 1) if v is not None and is_drawn(v)]
    if not steps:
        return
    xs = [*(at for at, _ in steps), len(points) + 0.5]
    ys = [*(value for _, value in steps), steps[-1][1]]
    axes.step(xs, ys, where="post", color=BLUE, linewidth=1.4, label="best so far", zorder=1.5)
    if noise and is_drawn(noise):
        below, above = [y - noise for y in ys], [y + noise for y in ys]
        band = axes.fill_between(xs, below, above, step="post", color=BLUE, alpha=0.15)
        band.set(linewidth=0, zorder=1, label=f"noise of a run ±{noise:.2g}")


def _marks(axes: "Axes", points: Sequence[Point], low: float, high: float) -> None:
    """Draw the points; those without a number, or off the axis, at its worse edge."""
    up = _rises(points)
    edge = axes.get_ylim()[0 if up else 1]
    found: dict[str, list[tuple[int, float]]] = {}
    for at, point in enumerate(points, 1):
        value = point["value"]
        beyond = value is not None and not low <= value <= high
        kind = OFF if beyond else kind_of(point)
        found.setdefault(kind, []).append((at, edge if beyond or value is None else value))
    arrow: Style = {"marker": "v" if up else "^", "color": ORANGE, "s": 26, "zorder": 2}
    for kind, style in {**KINDS, OFF: arrow}.items():
        if kind in found:
            xs, ys = zip(*found[kind], strict=True)
            axes.scatter(xs, ys, label=f"{kind} ({len(xs)})", clip_on=False, **style)


# -- Names ---------------------------------------------------------------------


def _labels(axes: "Axes", points: Sequence[Point]) -> None:
    """Name kept changes where there is room, the largest gains first; no two names touch."""
    kept = [
        ((at, point["value"]), point)
        for at, point in enumerate(points, 1)
        if point["verdict"] == "keep" and point["claim"] and is_drawn(point["value"])
    ]
    kept.sort(key=lambda pair: -(pair[1]["gain"] or 0.0))
    down = -1 if _rises(points) else 1
    taken = [_mark_box(axes, *spot) for spot, _ in kept[: 4 * LABELS]]
    for spot, point in kept[:LABELS]:
        words = f"e{point['experiment']} {shorten(point['claim'], LABEL_CHARACTERS)}"
        label = _label(axes, words, spot)
        where = _place(label, axes.get_window_extent(), taken, down)
        if where is None:
            label.remove()
        else:
            _thread(axes, spot, where)


def _mark_box(axes: "Axes", x: float, y: float) -> "BboxBase":
    """Return the box of a kept change's mark, in pixels, which no name may cover."""
    from matplotlib.transforms import Bbox

    centre = axes.transData.transform((x, y))
    return Bbox([centre - MARK, centre + MARK])


def _label(axes: "Axes", words: str, spot: tuple[float, float]) -> "Annotation":
    """Write `words` at `spot`; where they stand is decided later."""
    from matplotlib.patheffects import withStroke

    label = axes.annotate(
        words,
        spot,
        xytext=(0, 0),
        textcoords="offset points",
        fontsize=7.5,
        va="center",
        parse_math=False,
        path_effects=[withStroke(linewidth=2, foreground="white")],
        zorder=6,
        annotation_clip=False,
    )
    label.set_in_layout(False)
    return label


def _place(
    label: "Annotation", frame: "BboxBase", taken: list["BboxBase"], down: int
) -> tuple[float, float] | None:
    """Move `label` to the nearest free place inside `frame`; return it, or None.

    Below a falling staircase and above a rising one there are fewer points, so that comes first.
    """
    for distance in DISTANCES:
        for side in (-down, down):
            for align, shift in (("left", 6.0), ("right", -6.0)):
                label.set_horizontalalignment(align)  # type: ignore[arg-type]  # a literal
                label.xyann = (shift, float(side * distance))
                box = label.get_window_extent().padded(2)
                inside = frame.x0 <= box.x0 and box.x1 <= frame.x1
                inside = inside and frame.y0 <= box.y0 and box.y1 <= frame.y1
                if inside and not any(box.overlaps(other) for other in taken):
                    taken.append(box)
                    return label.xyann
    return None


def _thread(axes: "Axes", spot: tuple[float, float], where: tuple[float, float]) -> None:
    """Draw a thin line from a mark to the near end of its name."""
    line = {"arrowstyle": "-", "color": "#888888", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 3}
    thread = axes.annotate(
        "", spot, xytext=where, textcoords="offset points", arrowprops=line, annotation_clip=False
    )
    thread.set_in_layout(False)
