"""`lab curve`: the step logs of two experiments at equal steps and at equal time, same seeds."""

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from statistics import fmean

from ..documents.trainings import Curve, Reached, Stretch
from ..errors import LabError, NotFound, Refused
from ..judge.curve import Row, side_by_side
from ..notebook import Notebook, lookup
from ..notebook.replicates import Run, one_a_seed
from ..system.home import Home
from ..text import count, plain
from ..views import curve_text
from ..views.curve_text import Better
from . import step_log
from .step_log import Step

SEEDS = 5  # of each side, the lowest: as many runs as most experiments ever have
SCOPE = ("leaf", "profile", "platform", "yardstick")  # where numbers may be compared

Log = list[Step]


@dataclass(frozen=True)
class _Side:
    """One experiment with the step logs of its runs, by seed."""

    row: sqlite3.Row
    logs: dict[int, Log]

    @property
    def name(self) -> str:
        return f"e{self.row['id']}"


def beside(
    book: Notebook, home: Home, mine: sqlite3.Row, theirs: sqlite3.Row, series: str | None = None
) -> Curve:
    """Return two experiments' step logs side by side; refuse where they cannot be compared."""
    ran = [one_a_seed(lookup.runs(book, row["id"])) for row in (mine, theirs)]
    both = ran[0].keys() & ran[1].keys()
    sides = tuple(
        _side(home, row, runs, both) for row, runs in zip((mine, theirs), ran, strict=True)
    )
    for side in sides:
        if not side.logs:
            raise NotFound(*_no_log(side))
    ours, others, notes = _paired(*sides)
    notes += _without(sides[0], sides[1], both)
    name = _series(series, ours, others, (sides[0].name, sides[1].name))
    better = _better(name, mine)
    by_step, by_time = (_rows(name, ours.logs, others.logs, by) for by in step_log.CLOCK)
    if not by_step:
        raise Refused(
            f"{ours.name} and {others.name} have too few steps with {name!r} in common.",
            f"See what they measured: lab show {ours.name} {others.name}",
        )
    notes = [*_differing(mine, theirs), *notes, *_lost(ours, name), *_lost(others, name)]
    found: Curve = {
        "experiment": ours.name,
        "against": others.name,
        "metric": name,
        "better": better,
        "seeds": list(ours.logs),
        "their_seeds": list(others.logs),
        "line": "",
        "by_step": [_stretch(row) for row in by_step],
        "by_time": [_stretch(row) for row in by_time],
        "mine": _reached(ours),
        "theirs": _reached(others),
        "notes": notes,
    }
    return {**found, "line": curve_text.line(found)}


def line(book: Notebook, home: Home, experiment: sqlite3.Row) -> str | None:
    """Return in a line how an experiment's training went beside its incumbent's.

    None where one of the two left no log, or both ran other seeds.
    """
    against = experiment["incumbent"]
    if against is None:
        return None
    try:
        found = beside(book, home, experiment, lookup.experiment(book, against))
    except LabError:
        return None
    return found["line"] if found["seeds"] == found["their_seeds"] else None


# -- Which runs ----------------------------------------------------------------


def _side(home: Home, row: sqlite3.Row, runs: dict[int, Run], both: Collection[int]) -> _Side:
    """Return an experiment with a log for each seed that left one, those of both sides first."""
    chosen = sorted(runs, key=lambda seed: (seed not in both, seed))[: 2 * SEEDS]
    logs = {
        seed: step_log.read(home.run(row["id"], runs[seed]["id"]) / "steps.jsonl")
        for seed in chosen
    }
    return _Side(row, {seed: log for seed, log in logs.items() if log})


def _no_log(side: _Side) -> tuple[str, str]:
    """Return why an experiment has no step log here, and what to type."""
    why = {
        "import": "it came from another tool's log",
        "elsewhere": "it ran elsewhere",
    }.get(side.row["kind"], "none of its runs wrote a step there")
    return f"{side.name} left no step log: {why}.", f"Look at its numbers: lab show {side.name}"


def _paired(mine: _Side, theirs: _Side) -> tuple[_Side, _Side, list[str]]:
    """Return both sides with the seeds that both have, or with one each, and what that means."""
    common = [seed for seed in mine.logs if seed in theirs.logs]
    if common:
        chosen = common[:SEEDS]
        ours, others = ({seed: side.logs[seed] for seed in chosen} for side in (mine, theirs))
        left = f"the first {SEEDS} of {len(common)} seeds in common"
        notes = [left] if len(common) > SEEDS else []
        return _Side(mine.row, ours), _Side(theirs.row, others), notes
    firsts = [dict(list(side.logs.items())[:1]) for side in (mine, theirs)]
    seeds = " beside ".join(
        f"{side.name}'s seed {next(iter(side.logs))}" for side in (mine, theirs)
    )
    note = f"no seed in common: {seeds}; the difference is the seeds' luck as well"
    return _Side(mine.row, firsts[0]), _Side(theirs.row, firsts[1]), [note]


def _without(mine: _Side, theirs: _Side, both: Collection[int]) -> list[str]:
    """Return which seeds both ran and are left out, since one of the two left no log of them."""
    seeds = [
        seed
        for seed in sorted(both)[: 2 * SEEDS]
        if not (seed in mine.logs and seed in theirs.logs)
    ]
    return [f"without seed {', '.join(map(str, seeds))}: a log is missing"] if seeds else []


def _differing(mine: sqlite3.Row, theirs: sqlite3.Row) -> list[str]:
    """Return in what the two were not run alike."""
    names = [name for name in SCOPE if mine[name] != theirs[name]]
    if not names:
        return []
    said = ", ".join(f"{name} {mine[name]} and {theirs[name]}" for name in names)
    return [plain(f"not run alike: {said}")]


def _lost(side: _Side, name: str) -> list[str]:
    """Return for whom the series ends in what is no number."""
    found = {seed: step_log.lost_at(log, name) for seed, log in side.logs.items()}
    return [
        f"{side.name} seed {seed}: {plain(name)} is no number from step {count(step)} on"
        for seed, step in found.items()
        if step is not None
    ]


# -- Which series --------------------------------------------------------------


def _series(asked: str | None, mine: _Side, theirs: _Side, names: tuple[str, str]) -> str:
    """Return what is compared: what was asked for, else what all logs tell of the loss."""
    both = [_common(side) for side in (mine, theirs)]
    shared = [name for name in both[0] if name in both[1]]
    if asked is not None and asked not in shared:
        lacking = " and ".join(
            name for name, has in zip(names, both, strict=True) if asked not in has
        )
        there = ", ".join(map(plain, shared)) or "nothing"
        raise NotFound(
            f"the step log of {lacking} has no {plain(asked)!r}.", f"Both have: {there} (--metric)"
        )
    if not shared:
        raise Refused(
            f"the step logs of {names[0]} and {names[1]} have no number in common.",
            f"See what they measured: lab show {names[0]} {names[1]}",
        )
    like = [name for name in shared if "loss" in name]
    known = [name for name in step_log.SERIES if name in shared]
    return asked or [*known, *like, *shared][0]


def _common(side: _Side) -> list[str]:
    """Return the series that every log of a side has."""
    each = [step_log.series(log) for log in side.logs.values()]
    return [name for name in each[0] if all(name in names for names in each)]


def _better(name: str, row: sqlite3.Row) -> Better | None:
    """Return which way a series is better: by its name, else as the metric that shares a word."""
    from ..importers import names  # loaded where there is a curve, not by every command

    way: str | None = row["direction"] if name == row["metric"] else names.by_name(name)
    shared = names.words(name) & names.words(row["metric"] or "")
    if way is None and shared - names.GENERIC - names.HELD_OUT:
        way = row["direction"]
    ways: dict[str, Better] = {"minimize": "lower", "maximize": "higher"}
    return ways.get(way or "")


# -- Side by side --------------------------------------------------------------


def _rows(name: str, mine: dict[int, Log], theirs: dict[int, Log], by: str) -> list[Row]:
    pairs = [
        (step_log.points(one, name, by), step_log.points(other, name, by))
        for one, other in zip(mine.values(), theirs.values(), strict=True)
    ]
    return side_by_side(pairs)


def _stretch(row: Row) -> Stretch:
    return {
        "start": row.start,
        "end": row.end,
        "mine": row.mine,
        "theirs": row.theirs,
        "difference": row.difference,
        "apart": row.apart,
    }


def _reached(side: _Side) -> Reached:
    ends = [max(float(step["step"]) for step in log) for log in side.logs.values()]
    times = [
        max((float(step["elapsed_s"]) for step in log if step_log.finite(step.get("elapsed_s"))),
            default=None)
        for log in side.logs.values()
    ]  # fmt: skip
    known = [time for time in times if time is not None]
    return {"step": fmean(ends), "elapsed_s": fmean(known) if known else None}
