"""What the constants of a leaf are worth: each value tried against its gain, and how much it is."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from ..judge.importance import importance
from ..notebook import Notebook, pages
from ..page.frame import figure, grid, heights
from ..page.html import Safe, join, tag
from ..page.scale import SIZE, Axis
from ..run.step_log import finite
from ..text import num, plural, shorten

MOST = 8  # knobs, the most important first
LOOKED_AT = 2000  # experiments, the newest
LEAST = 3  # values tried, for a picture


@dataclass(frozen=True)
class Try:
    """One value of a knob, and what the experiment gained that turned it."""

    value: float
    gain: float
    experiment: int
    kept: bool
    claim: str


@dataclass(frozen=True)
class Knob:
    """A constant with all that was tried of it."""

    name: str
    tries: Sequence[Try]
    share: float | None  # of the gains' variance that it explains


def section(book: Notebook, leaf: str, scope: int) -> Safe:
    """Return a small picture for each knob, the most important first."""
    found = knobs(book, leaf, scope)
    if not found:
        return join()
    pictures = [tag("div", _picture(knob), id=f"knob-{at}") for at, knob in enumerate(found)]
    told = "Each value against the gain of its experiment, which may have turned others too."
    return join(
        tag("h2", "Knobs"), tag("p", told, class_="none"), tag("div", pictures, class_="knobs")
    )


def knobs(book: Notebook, leaf: str, scope: int) -> list[Knob]:
    """Return the constants that were turned to numbers three times or more."""
    tries: dict[str, list[Try]] = {}
    for row in pages.turned(book, leaf, scope, LOOKED_AT):
        for name, _, new in json.loads(row["constants"]):
            if finite(new):
                kept, claim = row["verdict"] == "keep", shorten(row["claim"], 80)
                one = Try(float(new), row["gain"], row["experiment"], kept, claim)
                tries.setdefault(name, []).append(one)
    found = [
        Knob(name, some, importance([one.value for one in some], [one.gain for one in some]))
        for name, some in tries.items()
        if len({one.value for one in some}) >= LEAST
    ]
    return sorted(found, key=lambda knob: (-(knob.share or 0.0), -len(knob.tries)))[:MOST]


def _picture(knob: Knob) -> Safe:
    tries = sorted(knob.tries, key=lambda one: one.value)
    values, gains = [one.value for one in tries], [one.gain for one in tries]
    across = Axis.around(values, values[0], values[-1])
    up = Axis.around([], min([*gains, 0.0]), max([*gains, 0.0]))
    marks = [
        (round(across.place(one.value) * SIZE, 1), round((1 - up.place(one.gain)) * SIZE, 1), one)
        for one in tries
    ]
    dots = [
        tag(
            "path", class_=kind, d="".join(f"M{x} {y}h0" for x, y, one in marks if one.kept == kept)
        )
        for kept, kind in ((False, "discarded"), (True, "kept"))
        if any(one.kept == kept for one in tries)
    ]
    level = tag("path", class_="zero", d=f"M0 {(1 - up.place(0.0)) * SIZE:.1f}H{SIZE}")
    ticks = [
        tag("span", name, class_="x", style=f"left:{across.place(value) * 100:.2f}%")
        for value, name in across.ticks(3)
    ]
    share = "" if knob.share is None else f", explains {knob.share:.0%} of the gains' variance"
    return figure(
        f"{shorten(knob.name, 40)}: {plural(len(tries), 'try').replace('trys', 'tries')}{share}",
        join(grid(up.ticks(3), up), level, dots),
        [*heights(up), *ticks],
        {"points": [[x, y, _told(knob.name, one), one.claim] for x, y, one in marks]},
        join(),
    )


def _told(name: str, one: Try) -> str:
    return f"e{one.experiment} {name} {num(one.value)}: {num(one.gain, sign=True)}"
