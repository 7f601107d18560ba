"""Frame of a figure: inline SVG, words beside it, values to hover over.

A figure is drawn on 1000 by 1000 units and stretched to the page; strokes keep their width, so a
dot (a line of no length with round ends) stays round, and words are HTML beside it, so they stay
readable on a telephone. Values to hover over travel as JSON beside the picture.
"""

from collections.abc import Sequence

from ..notebook.read import Found
from .html import Safe, data, tag
from .scale import SIZE, Axis


def figure(caption: str, picture: Safe, words: Sequence[Safe], hover: Found, legend: Safe) -> Safe:
    """Return a figure; `hover` is what script.js reads to tell values."""
    drawing = tag(
        "svg",
        tag("title", caption),
        picture,
        viewBox=f"0 0 {SIZE} {SIZE}",
        preserveAspectRatio="none",
        role="group" if "<a " in picture else "img",  # a picture has no links to go to
    )
    tip = tag("div", class_="tip", hidden=True, role="status")
    area = tag("div", drawing, words, tag("i", class_="spot", hidden=True), tip, class_="area")
    values = tag("script", data(hover), type="application/json")
    return tag("figure", tag("figcaption", caption), area, legend, values, class_="plot")


def grid(values: Sequence[tuple[float, str]], axis: Axis) -> Safe:
    """Return a line across at each of the values."""
    path = "".join(f"M0 {(1 - axis.place(v)) * SIZE:.1f}H{SIZE}" for v, _ in values)
    return tag("path", class_="grid", d=path)


def heights(axis: Axis) -> list[Safe]:
    """Return the values written at the axis."""
    return [
        tag("span", name, class_="y", style=f"top:{(1 - axis.place(value)) * 100:.2f}%")
        for value, name in axis.ticks()
    ]
