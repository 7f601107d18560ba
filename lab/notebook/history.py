"""Queries of board and plot: experiments in order, and what won the kept ones."""

import sqlite3
from typing import TypedDict, cast

from . import Notebook
from .archive import SHOWN
from .read import is_measured


class Point(TypedDict):
    """One experiment of a board's line or a plot."""

    experiment: int
    status: str
    verdict: str | None
    value: float | None
    gain: float | None
    claimed: int
    failure: str | None
    kind: str
    metric: str | None
    direction: str | None
    claim: str | None


# The judgement that stood when a change was last kept: what was claimed for it, and how surely.
KEEP = """
    select s.experiment, s.scope, s.campaign, s.ordinal, s.runs, e.kind, e.direction, e.incumbent,
           coalesce(j.gain, s.gain) as gain, j.se, j.incumbent_value
    from state s join experiments e on e.id = s.experiment
    left join judgements j on j.id = (
        select max(id) from judgements where experiment = s.experiment and at <= (
            select max(at) from results where experiment = s.experiment and verdict = 'keep'))"""


def keeps(book: Notebook, leaf: str) -> list[sqlite3.Row]:
    """Return every kept change of a leaf, oldest first, with its gain and se as it was kept.

    Imported ones only where nothing was measured here.
    """
    where = f"where s.leaf = ? and s.verdict = 'keep' and s.gain is not null and {SHOWN}"
    if is_measured(book, leaf):
        where += " and e.kind <> 'import'"
    return book.all(f"{KEEP} {where} order by s.experiment", leaf)


def looks(book: Notebook, kept: sqlite3.Row, previous: int) -> int:
    """Return how many ideas this campaign had measured since `previous`, `kept` included."""
    row = book.one(
        "select count(*) from state where campaign is ? and leaf = ("
        "select leaf from state where experiment = ?2) and experiment > ?3 and experiment <= ?2 "
        "and scope = ?4 and value is not null and gain is not null",
        *(kept["campaign"], kept["experiment"], previous, kept["scope"]),
    )
    return max(1, int(row[0])) if row else 1


def newest_scope(book: Notebook, leaf: str) -> sqlite3.Row | None:
    """Return the scope of the newest experiment that was measured here.

    Where none of the newest was, of the newest with a value; without any, of the newest.
    """
    known = f"select * from state s where leaf = ? and {SHOWN}"
    measured = f"{known} and value is not null and not claimed"
    newest = f"select * from ({known} order by experiment desc limit 1000)"
    for query in (
        f"{measured} order by experiment desc",
        f"{newest} where value is not null",
        newest,
    ):
        row = book.one(f"{query} limit 1", leaf)
        if row is not None:
            return scope(book, row["scope"])
    return None


def scope(book: Notebook, number: int) -> sqlite3.Row:
    """Return a scope: leaf, profile, platform, yardstick."""
    return book.all("select * from scopes where id = ?", number)[0]


def first_baseline(book: Notebook, leaf: str, scope: int) -> int | None:
    """Return the first baseline of a leaf within a scope: where it began."""
    row = book.one(
        "select e.id from experiments e indexed by experiments_baseline join state s "
        "on s.experiment = e.id where e.leaf = ? and e.kind = 'baseline' and s.scope = ? "
        "and s.verdict = 'keep' and s.value is not null order by e.id limit 1",
        *(leaf, scope),
    )
    return row["id"] if row else None


def head_scope(book: Notebook, leaf: str) -> sqlite3.Row | None:
    """Return the scope that heads a board: the newest, of a smoke test only without others."""
    newest = newest_scope(book, leaf)
    if newest is None or newest["profile"] != "smoke":
        return newest
    row = newest_baseline(book, leaf)
    found = book.one(
        "select c.* from scopes c join state s on s.scope = c.id where s.experiment = ?",
        row["id"] if row else None,
    )
    return found or newest


def newest_leaf(book: Notebook) -> str | None:
    """Return the leaf of the newest experiment."""
    row = book.one("select leaf from experiments order by id desc limit 1")
    return row["leaf"] if row else None


def newest_baseline(book: Notebook, leaf: str) -> sqlite3.Row | None:
    """Return number and profile of the newest baseline measured here, smoke tests aside."""
    return book.one(
        "select e.id, e.profile from experiments e indexed by experiments_baseline "
        "join state s on s.experiment = e.id where e.leaf = ? and s.verdict = 'keep' "
        "and s.value is not null and not s.claimed "
        "and e.kind = 'baseline' and e.profile <> 'smoke' and not exists ("
        "select 1 from jobs j where j.experiment = e.id and j.runner like 'modal%') "
        "order by e.id desc limit 1",
        leaf,
    )


def points(book: Notebook, leaf: str, scope: int, n: int = -1) -> list[Point]:
    """Return the newest `n` experiments of one scope (all when negative), oldest first."""
    rows = book.all(
        "select s.experiment, s.status, s.verdict, s.value, s.gain, s.claimed, s.failure, "
        "e.kind, e.metric, e.direction, h.claim from state s join experiments e on e.id = "
        "s.experiment left join hypotheses h on h.id = s.hypothesis "
        f"where s.leaf = ? and s.scope = ? and {SHOWN} order by s.experiment desc limit ?",
        *(leaf, scope, n),
    )
    return [cast(Point, dict(row)) for row in reversed(rows)]
