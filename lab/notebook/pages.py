"""Queries of `lab serve`: a page's rows by an index, whatever the size of the notebook."""

import sqlite3
from dataclasses import dataclass

from . import Notebook
from .report_queries import ROW
from .tags import TAGGED

LATELY = 5000  # verdicts, the newest: what was kept before them is no news


def kept_lately(book: Notebook, n: int) -> list[sqlite3.Row]:
    """Return what was kept last and still is, newest first; baselines and imports aside."""
    return book.all(
        "select s.experiment, s.leaf, s.campaign, s.gain, r.id as result, r.at, h.claim, "
        "(select se from judgements where experiment = s.experiment order by id desc limit 1) "
        "as se from results r join state s on s.experiment = r.experiment "
        "join experiments e on e.id = s.experiment "
        "left join hypotheses h on h.id = s.hypothesis "
        "where r.id > (select max(id) from results) - ?1 and r.verdict = 'keep' "
        "and s.verdict = 'keep' and e.kind = 'run' "
        "and r.id = (select max(id) from results where experiment = r.experiment) "
        "order by r.id desc limit ?2",
        *(LATELY, n),
    )


# -- The experiments of a leaf, a page at a time ---------------------------------

# What a table is sorted by, each by an index of its own.
ORDERS = {"id": "experiment", "value": "value + 0", "gain": "gain + 0", "time": "seconds + 0"}
OUTCOMES = {
    "kept": "s.verdict = 'keep'",
    "discarded": "s.verdict = 'discard'",
    "crashed": "s.verdict = 'crash'",
    "open": "s.verdict is null",
}


@dataclass(frozen=True)
class Wanted:
    """Which experiments, in which order: what is said of a table in its address."""

    order: str = "id"
    down: bool = True
    words: str = ""  # all of them in the claim, whatever their case
    outcome: str = ""  # of OUTCOMES
    tag: str = ""
    place: int = 0  # of the first row


def experiments(book: Notebook, leaf: str, wanted: Wanted, n: int) -> list[sqlite3.Row]:
    """Return at most `n` experiments; those without a number come last, whichever way it goes."""
    where, values = ["s.leaf = ?"], [leaf]
    if wanted.outcome in OUTCOMES:
        where.append(OUTCOMES[wanted.outcome])
    for word in wanted.words.lower().split():
        where.append("instr(lower(h.claim), ?) > 0")
        values.append(word)
    if wanted.tag:
        where.append(f"s.experiment in ({TAGGED})")
        values.append(wanted.tag)
    way = "desc" if wanted.down else "asc"
    order = f"s.{ORDERS.get(wanted.order, 'experiment')} {way} nulls last"
    claims = "left join hypotheses h on h.id = s.hypothesis" if wanted.words else ""
    chosen = (
        f"select s.experiment from state s {claims} where {' and '.join(where)} "
        f"order by {order} limit ? offset ?"
    )
    rows = book.all(f"{ROW} where s.experiment in ({chosen})", *values, n, wanted.place)
    by_number = {row["experiment"]: row for row in rows}
    numbers = [row[0] for row in book.all(chosen, *values, n, wanted.place)]
    return [by_number[number] for number in numbers]


def level_before(book: Notebook, scope: int, experiment: int) -> float | None:
    """Return the best value that was kept, or a baseline's, of those older than an experiment."""
    row = book.one(
        "select value from state where scope = ? and verdict = 'keep' and not claimed "
        "and ordinal is not null and experiment < ? order by ordinal limit 1",
        *(scope, experiment),
    )
    return float(row["value"]) if row else None


def turned(book: Notebook, leaf: str, scope: int, n: int) -> list[sqlite3.Row]:
    """Return what the newest `n` experiments of a scope turned, and what each gained by it."""
    return book.all(
        "select s.experiment, s.gain, s.verdict, h.claim, c.constants from ("
        "select * from state where leaf = ?1 order by experiment desc limit ?3) s "
        "join changes c on c.experiment = s.experiment "
        "left join hypotheses h on h.id = s.hypothesis "
        "where s.scope = ?2 and s.gain is not null order by s.experiment",
        *(leaf, scope, n),
    )


def failed(book: Notebook, leaf: str, n: int) -> list[sqlite3.Row]:
    """Return class and time of what failed among a leaf's newest `n` experiments."""
    return book.all(
        "select s.experiment, s.failure, e.at from ("
        "select * from state where leaf = ? order by experiment desc limit ?) s "
        "join experiments e on e.id = s.experiment "
        "where s.failure is not null order by s.experiment",
        *(leaf, n),
    )


# -- One experiment ----------------------------------------------------------------


def row(book: Notebook, experiment: int) -> sqlite3.Row:
    """Return one experiment with its newest judgement."""
    return book.all(f"{ROW} where s.experiment = ?", experiment)[0]


def children(book: Notebook, experiment: int, n: int) -> list[sqlite3.Row]:
    """Return what was judged against an experiment, newest first."""
    return book.all(
        f"{ROW} where e.incumbent = ? order by s.experiment desc limit ?", experiment, n
    )
