"""By which column a log decides, and which way is better: asked, the leaf's, said, or shown.

In this order: what was asked for; the leaf's own metric, where the log has it; what the log says;
the names of the columns, and the steps that its kept rows take. Never an id or a "before".
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from ..errors import Usage
from . import names
from .rows import ImportedRow, Problem, Said, Taken, Wish
from .values import BLANK, Direction

NAMED = 2  # of `names.rank`: up to here a name says that it is a score
SURE = 3  # steps from which what the kept rows show outweighs what a name says
AGREE = 2 / 3  # of the steps that must go one way: a keep of something simpler may cost a little


def choose(
    rows: Sequence[ImportedRow], said: Said, wish: Wish
) -> tuple[list[ImportedRow], list[Problem], list[Taken]]:
    """Give each row its metric, value and direction; return what was taken, too."""
    rows = _oldest_first(rows)
    whys: dict[str, str] = {}
    found: list[ImportedRow] = []
    for _, part in groupby(rows, key=lambda row: row.section):
        found += _with_metric(list(part), said, wish, whys)
    if wish.metric and rows and not any(names.same(row.metric, wish.metric) for row in found):
        there = ", ".join(dict.fromkeys(name for row in rows for name in row.names)) or "none"
        raise Usage(f"the log has no column {wish.metric!r}.", f"Its columns are: {there}")
    problems = [problem for row in found for problem in _unread(row)]
    taken = [_taken(metric, why, found, said, wish) for metric, why in whys.items()]
    ways = {one.metric: one.direction for one in taken}
    done = [replace(row, direction=ways.get(row.metric or "")) for row in found]
    return done, problems, taken


def _oldest_first(rows: Sequence[ImportedRow]) -> list[ImportedRow]:
    """Turn a log round that has its newest row on top."""
    times = [row.at for row in rows if row.at]
    down = len(times) > 1 and times[0] > times[-1] and times == sorted(times, reverse=True)
    return list(rows)[::-1] if down else list(rows)


# -- Which column ----------------------------------------------------------------


def _with_metric(
    rows: list[ImportedRow], said: Said, wish: Wish, whys: dict[str, str]
) -> list[ImportedRow]:
    """Choose for the rows under one header; note why."""
    columns = list(dict.fromkeys(name for row in rows for name in row.names))
    column, why = _column(columns, rows, said, wish)
    if column is None:
        return rows
    metric = column
    if said.metric and names.is_generic(column) and not names.same(column, wish.leaf_metric):
        metric = said.metric  # "metric" is where, what it is called is said elsewhere
    whys.setdefault(metric, why)
    return [_named(row, column, metric) for row in rows]


def _named(row: ImportedRow, column: str, metric: str) -> ImportedRow:
    def called(name: str) -> str:
        return metric if name == column else name

    return replace(
        row,
        metric=metric,
        value=row.metrics.get(column),
        metrics={called(name): value for name, value in row.metrics.items()},
        names=tuple(map(called, row.names)),
        unread={called(name): text for name, text in row.unread.items()},
    )


def _column(
    columns: list[str], rows: list[ImportedRow], said: Said, wish: Wish
) -> tuple[str | None, str]:
    """Return the column a log decides by, and why it was taken."""
    wanted = ((wish.metric, "as asked"), (wish.leaf_metric, "the leaf's"), (said.metric, "as said"))
    for name, why in wanted:
        found = next((column for column in columns if names.same(column, name)), None)
        if found is not None:
            return found, why
    if wish.metric:
        return None, ""
    ranked = [(names.rank(column), column) for column in columns]
    possible = [(rank, column) for rank, column in ranked if rank is not None]
    if not possible:
        return None, ""
    has = {name: sum(name in row.metrics for row in rows) for _, name in possible}
    some = (
        [(rank, column) for rank, column in possible if has[column] and rank <= NAMED]
        or [(rank, column) for rank, column in possible if rank < NAMED]  # by name; cells are torn
        or [(rank, column) for rank, column in possible if has[column]]
        or possible
    )
    best = min(rank for rank, _ in some)
    equals = [column for rank, column in some if rank == best]
    column = max(equals, key=lambda name: _agreement(votes(rows, name)))
    return column, "by its name" if best <= NAMED else "the likeliest of its columns"


def _agreement(steps: tuple[int, int]) -> tuple[float, int]:
    """Return how much the steps of a column agree, and how many there are."""
    total = sum(steps)
    return (abs(steps[0] - steps[1]) / total if total else 0.0, total)


def _unread(row: ImportedRow) -> Iterable[Problem]:
    """Name what stands where a number should be."""
    for name, text in row.unread.items():
        blank = text.strip().lower() in BLANK
        if name == row.metric:
            if row.verdict != "crash" and not (blank and row.verdict is None):
                yield Problem(row.line, f"{name} {text!r} is not a number", skipped=False)
        elif any(sign.isdigit() for sign in text) and names.rank(name) in (0, 1, 2, 4):
            yield Problem(row.line, f"{name} {text!r} is not a number", skipped=False)


# -- Which way -------------------------------------------------------------------


def votes(rows: Iterable[ImportedRow], column: str) -> tuple[int, int]:
    """Return how many steps say that lower is better, and how many that higher is.

    A row that was kept should be better than the one kept before it; one that was not, worse.
    """
    lower = higher = 0
    last: float | None = None
    for row in rows:
        value = row.metrics.get(column)
        if value is None or row.verdict not in ("keep", "discard"):
            continue
        if last is not None and value != last:
            fell = (value < last) == (row.verdict == "keep")
            lower, higher = lower + fell, higher + (not fell)
        if row.verdict == "keep":
            last = value
    return lower, higher


def _taken(metric: str, why: str, rows: Sequence[ImportedRow], said: Said, wish: Wish) -> Taken:
    mine = [row for row in rows if row.metric == metric]
    way, reason = _direction(metric, mine, said, wish)
    return Taken(metric, why, way, reason)


def _direction(
    metric: str, rows: Sequence[ImportedRow], said: Said, wish: Wish
) -> tuple[Direction | None, str]:
    """Return which way is better, and where that is from."""
    told = next((row.says for row in reversed(rows) if row.says), None) or said.direction
    lower, higher = votes(rows, metric)
    shown: Direction = "minimize" if lower > higher else "maximize"
    agree = max(lower, higher) >= AGREE * (lower + higher) and lower + higher > 0
    sure = agree and lower + higher >= SURE
    own = wish.leaf_direction
    ways: list[tuple[Direction | None, str]] = [
        (wish.direction, "as asked"),
        (own if names.same(metric, wish.leaf_metric) else None, "the leaf's"),
        (told, "as the log says"),
        (shown if sure else None, "by the steps of its kept rows"),
        (names.by_name(metric), "by its name"),
        (shown if agree else None, "by the steps of its kept rows"),
        (own if names.is_generic(metric) else None, "the leaf's"),
    ]
    return next(((way, why) for way, why in ways if way is not None), (None, ""))
