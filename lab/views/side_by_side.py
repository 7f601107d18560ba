"""`lab show e1 e4`: experiments beside each other; what differs is marked and comes first."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..text import num, shorten

COLUMN = 36  # characters of a value where a program reads
NARROWEST = 10  # of one on a terminal
# What tells experiments apart by itself: at the end, and not marked.
FIRST = ("claim", "verdict", "failure", "value", "gain", "measured")
OWN = ("hypothesis", "commit", "parent", "at", "uid")
Row = tuple[str, list[str]]


def text(
    found: Sequence[Mapping[str, Any]],
    constants: Sequence[Mapping[str, Any]],
    width: int | None = None,
) -> str:
    """Return several experiments as columns, a row for each thing that is known.

    `constants` are those of each one's files that differ, knobs first; `width` is a terminal's.
    """
    names = [str(one.get("experiment") or one.get("hypothesis")) for one in found]
    rows = [*_constants(constants), *_facts(found)]
    differ = [row for row in rows if row[0] not in OWN and len(set(row[1])) > 1]
    same = [row for row in rows if row[0] not in OWN and len(set(row[1])) == 1]
    own = [row for row in rows if row[0] in OWN]
    marked = [("* ", row) for row in differ]
    every = [("  ", ("experiment", names)), *marked, *(("  ", row) for row in [*same, *own])]
    head = max(len(name) for _, (name, _) in every)
    most = COLUMN if width is None else max(NARROWEST, (width - head - 2) // len(found) - 2)
    cut = [(mark, name, [shorten(one, most) for one in values]) for mark, (name, values) in every]
    widths = [max(len(values[place]) for _, _, values in cut) for place in range(len(found))]
    lines = []
    for mark, name, values in cut:
        cells = [f"{one:<{wide}}" for one, wide in zip(values, widths, strict=True)]
        lines.append("  ".join([f"{mark}{name:<{head}}", *cells]).rstrip())
    return "\n".join(lines)


def _constants(known: Sequence[Mapping[str, Any]]) -> list[Row]:
    names = dict.fromkeys(name for one in known for name in one)
    return [(name, [_figure(one.get(name)) for one in known]) for name in names]


def _facts(found: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return what is known of each: its outcome, a row for each metric, and the other fields."""
    rows: list[Row] = []
    names = dict.fromkeys(name for one in found for name in one if name != "experiment")
    for name in dict.fromkeys([*(one for one in FIRST if one in names), *names]):
        values = [one.get(name) for one in found]
        if name == "measured":
            for metric in dict.fromkeys(metric for value in values for metric in (value or {})):
                rows.append((metric, [num((value or {}).get(metric)) for value in values]))
        elif not any(isinstance(value, list | dict) for value in values) and any(values):
            rows.append((name, [_figure(value) for value in values]))
    return rows


def _figure(value: object) -> str:
    return "-" if value is None else num(value) if isinstance(value, float) else str(value)
