"""`lab curve` for whoever reads: ten rows at equal steps beside ten at equal time."""

from collections.abc import Sequence
from itertools import groupby
from typing import Literal

from ..documents.trainings import Curve, Reached, Stretch
from ..text import count, plain, span

GAP = "    "  # between the two tables
SAME_LENGTH = 0.02  # of the steps: then equal time says what equal steps say

Better = Literal["lower", "higher"]


def text(found: Curve) -> str:
    """Return two trainings side by side: what is compared, the rows, where they part."""
    way = f", {found['better']} is better" if found["better"] else ""
    seeds = ", ".join(map(str, found["seeds"]))
    of = f"seed{'s' * (len(found['seeds']) > 1)} {seeds}"
    if found["their_seeds"] != found["seeds"]:
        of = f"seed {seeds} beside {found['against']}'s seed {found['their_seeds'][0]}"
    head = f"{found['experiment']} against {found['against']}: {plain(found['metric'])}{way}; {of}"
    lines = [f"{head}; each row is the mean over a stretch", *_tables(found)]
    lines += [f"note: {note}" for note in found["notes"]]
    ends = _ended(found["mine"], found["experiment"]), _ended(found["theirs"], found["against"])
    return "\n".join([*lines, "; ".join(ends), found["line"]])


def _ended(reached: Reached, name: str) -> str:
    after = f" after {span(reached['elapsed_s'])}" if reached["elapsed_s"] is not None else ""
    return f"{name} logged step {count(reached['step'])} last{after}"


def _tables(found: Curve) -> list[str]:
    """Return both tables beside each other; the one by time only where the logs tell it."""
    left = _table(found["by_step"], ("to step", found["experiment"], found["against"]), "{:.0f}")
    right = _table(found["by_time"], ("to s", found["experiment"], found["against"]), "{:.3g}")
    if len(right) == 1:
        return left
    width = max(map(len, left))
    rows = max(len(left), len(right))
    cells = ((*left, *[""] * rows), (*right, *[""] * rows))
    return [f"{cells[0][at]:<{width}}{GAP}{cells[1][at]}".rstrip() for at in range(rows)]


def _table(rows: Sequence[Stretch], names: tuple[str, str, str], place: str) -> list[str]:
    """Return a table's head and its rows."""
    head = (*names, "difference")
    body = [
        (
            place.format(row["end"]),
            f"{row['mine']:.5g}",
            f"{row['theirs']:.5g}",
            f"{row['difference']:+.3g}" if row["apart"] else f"({row['difference']:+.1g})",
        )
        for row in rows
    ]
    widths = [max(len(one[at]) for one in (head, *body)) for at in range(len(head))]
    return [
        "  ".join(f"{word:>{width}}" for word, width in zip(one, widths, strict=True))
        for one in (head, *body)
    ]


# -- In a line -----------------------------------------------------------------


def line(found: Curve) -> str:
    """Return the comparison in a line: at equal steps and, where lengths differ, at equal time."""
    seeds, many = found["seeds"], len(found["seeds"]) > 1
    of = f"mean of seeds {', '.join(map(str, seeds))}" if many else f"seed {seeds[0]}"
    if found["their_seeds"] != seeds:
        of += f" beside its seed {found['their_seeds'][0]}, none in common"
    words = f"{plain(found['metric'])} against {found['against']}, {of}: "
    words += where(found["by_step"], found["better"], by_step=True)
    mine, theirs = found["mine"]["step"], found["theirs"]["step"]
    if abs(mine - theirs) <= SAME_LENGTH * max(abs(mine), abs(theirs)):
        return words
    if found["by_time"]:
        words += f"; at equal time {where(found['by_time'], found['better'], by_step=False)}"
    return f"{words}; {count(mine)} step{'s' * (mine != 1)}, {found['against']} {count(theirs)}"


def where(rows: Sequence[Stretch], better: Better | None, by_step: bool) -> str:
    """Return in words where two trainings lie apart: at first, most, and at the end."""
    if all(row["difference"] == 0 for row in rows):
        return "the very same throughout"
    parts = [list(part) for _, part in groupby(rows, key=lambda row: _way(row, better))]
    if len(parts) == 1 and not rows[0]["apart"]:
        return f"level throughout (within {_amount(max(rows, key=_distance))})"
    if len(parts) == 1:
        return f"{_way(rows[-1], better)} throughout, by {_amount(rows[-1])} at the end"
    most = max(
        (part for part in parts if part[0]["apart"]), key=lambda part: max(map(_distance, part))
    )
    told = [part for part in parts if part in (parts[0], most, parts[-1])]
    return ", ".join(_part(part, part is parts[-1], better, by_step) for part in told)


def _part(part: list[Stretch], is_last: bool, better: Better | None, by_step: bool) -> str:
    way = _way(part[0], better)
    if not part[0]["apart"]:
        return f"level {'from' if is_last else 'until'} " + _place(
            part[0]["start"] if is_last else part[-1]["end"], by_step
        )
    row = part[-1] if is_last else max(part, key=_distance)
    return f"{way} by {_amount(row)} at {_place(row['end'], by_step)}"


def _way(row: Stretch, better: Better | None) -> str:
    if not row["apart"]:
        return "level"
    higher = row["difference"] > 0
    if better is None:
        return "higher" if higher else "lower"
    return "ahead" if higher == (better == "higher") else "behind"


def _distance(row: Stretch) -> float:
    return abs(row["difference"])


def _amount(row: Stretch) -> str:
    return f"{_distance(row):.2g}"


def _place(at: float, by_step: bool) -> str:
    return f"step {count(at)}" if by_step else f"{at:.3g} s"
