"""Queries of the report: what came since a moment, who worked, what it was worth."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from . import Notebook
from .archive import SHOWN
from .replicates import MARKS, SAYS_NOTHING

PAUSE = timedelta(hours=6)  # without an experiment: one night of work ends, another begins
SILENT = ", ".join(f"'{name}'" for name in SAYS_NOTHING)
EVENTS = "('loop', 'loop ended', 'loop stopped')"
# An experiment with the judgement that is newest, or that stood when it was last kept.
ROW = """
    select s.experiment, s.hypothesis, s.leaf, s.scope, s.campaign, s.status, s.failure, s.verdict,
           s.kind as settled, s.value, s.claimed, s.runs, s.mechanism as outcome,
           s.mechanism_source as source, s.seconds, s.axis, s.overruled,
           coalesce(j.gain, s.gain) as gain, j.se, j.p_better, j.why, j.incumbent_value,
           e.kind, e."commit", e.parent, e.incumbent, e.at, e.metric, e.direction, e.profile,
           e.platform, e.yardstick, e.lines_changed, h.claim, h.mechanism, h.observe
    from state s join experiments e on e.id = s.experiment
    left join hypotheses h on h.id = s.hypothesis
    left join judgements j on j.id = (
        select max(id) from judgements where experiment = s.experiment and (
            s.verdict is not 'keep' or at <= ifnull(
                (select max(at) from results where experiment = s.experiment and verdict = 'keep'),
                '9')))"""


@dataclass(frozen=True)
class Firsts:
    """Where a window begins: in each table, the number of its first record.

    By numbers and not by times, since a clock may have been ahead, or behind, and then set right.
    """

    experiments: int = 0
    results: int = 0
    runs: int = 0
    sessions: int = 0


EVERYTHING = Firsts(2**62, 2**62)  # a window that has not begun: all came before it


def firsts(book: Notebook, experiment: int, since: str) -> Firsts:
    """Return the window that begins with an experiment, and with what else came since a moment."""

    def first(table: str) -> int:
        query = f"select min(id) from {table} where experiment >= ?"
        of_them = book.all(query, experiment)[0][0]
        by_time = first_since(book, table, since)
        return by_time if of_them is None else min(by_time, int(of_them))

    sessions = first_since(book, "sessions", since)
    return Firsts(experiment, first("results"), first("runs"), sessions)


def first_since(book: Notebook, table: str, since: str) -> int:
    """Return the number of a table's first record since a moment.

    Imported experiments have a time of elsewhere, and are not looked at. A record from the future,
    whose clock was ahead, is as old as its neighbours: it is never hidden.
    """
    ours = "kind <> 'import' and " if table == "experiments" else ""
    now = book.stamp()
    query = f"select min(id) from {table} where {ours} at >= ? and at <= ?"
    first = book.all(query, since, now)[0][0]
    query = f"select max(id) from {table} where {ours} at <= ? and (? is null or id < ?2)"
    before = book.all(query, now, first)[0][0]
    return int(before or 0) + 1


def last_night(book: Notebook) -> tuple[str, int] | None:
    """Return when the newest stretch of work without a long pause began, and with what; else None.

    A time that lies before an earlier experiment's, or after now, is of a clock that was set: the
    experiment is as old as the one before it.
    """
    found: tuple[str, int] | None = None
    rows = book.all(
        "select id, max(case when at <= ? then at end) over (order by id) as at from experiments "
        "where kind <> 'import' order by id desc",
        book.stamp(),
    )
    for row in rows:
        at = row["at"] or (found[0] if found else book.stamp())
        if found is not None and _moment(found[0]) - _moment(at) > PAUSE:
            break
        found = (at, int(row["id"]))
    return found


def _moment(at: str) -> datetime:
    return datetime.fromisoformat(at)


def rows(book: Notebook, leaf: str, first: int, n: int) -> list[dict[str, Any]]:
    """Return the newest `n` experiments of a leaf from `first` on, oldest first.

    Imported ones belong to no window: they are there where everything is asked for, with 0.
    """
    where = f"where s.leaf = ?1 and {SHOWN} and e.id >= ?2 and (?2 = 0 or e.kind <> 'import')"
    found = book.all(f"{ROW} {where} order by s.experiment desc limit ?3", leaf, first, n)
    return [dict(row) for row in reversed(found)]


def row(book: Notebook, experiment: int) -> dict[str, Any]:
    """Return one experiment."""
    return dict(book.all(f"{ROW} where s.experiment = ?", experiment)[0])


def made(book: Notebook, leaf: str, first: int) -> dict[str, int]:
    """Return how many experiments a leaf was given from `first` on, and what became of them."""
    found = book.one(
        "select ifnull(sum(e.kind <> 'baseline'), 0) as experiments, "
        "ifnull(sum(s.verdict = 'keep' and e.kind <> 'baseline'), "
        "0) as keep, ifnull(sum(s.verdict = 'discard'), 0) as discard, "
        f"ifnull(sum(s.verdict = 'crash' and ifnull(s.failure, '') not in ({MARKS})), 0) as crash, "
        f"ifnull(sum(s.verdict = 'crash' and s.failure in ({MARKS})), 0) as interrupted, "
        "ifnull(sum(s.verdict is null), 0) as open "
        "from experiments e join state s on s.experiment = e.id where s.leaf = ? and e.id >= ? "
        f"and e.kind <> 'import' and {SHOWN}",
        *(leaf, first),
    )
    return dict(found) if found else {}


def spent(book: Notebook, leaf: str, first: Firsts) -> dict[str, Any]:
    """Return runs, their seconds on a device and cost in US dollars (None: not known)."""
    runs = book.all(
        "select count(*), ifnull(sum(r.seconds), 0), sum(r.cost_usd) from runs r "
        "join state s on s.experiment = r.experiment where r.id >= ? and s.leaf = ?",
        *(first.runs, leaf),
    )[0]
    sessions = book.all(
        "select sum(s.cost_usd) from sessions s join campaigns c on c.id = s.campaign "
        "where c.leaf = ? and s.id >= ?",
        *(leaf, first.sessions),
    )[0]
    known = [cost for cost in (runs[2], sessions[0]) if cost is not None]
    return {"runs": runs[0], "seconds": runs[1], "cost_usd": sum(known) if known else None}


def best_before(
    book: Notebook, scope: int, leaf: str, first: Firsts = EVERYTHING
) -> sqlite3.Row | None:
    """Return what was the best kept or baseline experiment of a scope before a window began."""
    return book.one(
        "select s.experiment, s.value, s.runs, s.campaign from state s "
        "join experiments e on e.id = s.experiment "
        "where s.leaf = ? and s.verdict = 'keep' and s.scope = ? and s.value is not null "
        "and ifnull((select min(id) from results where experiment = s.experiment "
        "and verdict = 'keep') < ?, e.id < ?) "
        "order by s.claimed, case e.direction when 'maximize' then -s.value else s.value end "
        "limit 1",
        *(leaf, scope, first.results, first.experiments),
    )


def first_kept(book: Notebook, scope: int, leaf: str) -> sqlite3.Row | None:
    """Return the first kept or baseline experiment of a scope: where its work began."""
    return book.one(
        "select experiment, value, runs, campaign from state where leaf = ? and verdict = 'keep' "
        "and scope = ? and value is not null order by experiment limit 1",
        *(leaf, scope),
    )


def campaigns(book: Notebook, leaf: str, first: int) -> list[dict[str, Any]]:
    """Return the campaigns at work on a leaf from `first` on: agent, counts, how each ended."""
    found = book.all(
        "select e.campaign as name, count(*) as experiments, "
        "sum(s.verdict = 'keep' and e.kind <> 'baseline') as kept "
        "from experiments e join state s on s.experiment = e.id "
        "where s.leaf = ? and e.id >= ? and e.campaign is not null group by e.campaign "
        "order by min(e.id)",
        *(leaf, first),
    )
    return [dict(one) | _ending(book, one["name"]) for one in found]


def _ending(book: Notebook, name: str) -> dict[str, Any]:
    last = book.one(
        f"select verb, detail, at from events where subject = ? and verb in {EVENTS} "
        "order by id desc limit 1",
        name,
    )
    agent = book.one("select agent from campaigns where name = ?", name)
    return {
        "agent": agent["agent"] if agent else None,
        "verb": last["verb"] if last else None,
        "why": last["detail"] if last and last["verb"] != "loop" else None,
        "ended": last["at"] if last and last["verb"] != "loop" else None,
    }


def runs(book: Notebook, experiment: int) -> list[dict[str, Any]]:
    """Return the runs of an experiment, oldest first."""
    return [
        dict(one)
        for one in book.all("select * from runs where experiment = ? order by id", experiment)
    ]


def newest_runs(book: Notebook, leaf: str, n: int) -> list[dict[str, Any]]:
    """Return the runs of a leaf's newest `n` experiments, newest first."""
    found = book.all(
        "select r.id, r.experiment, r.seed, r.value, r.status, r.failure from runs r "
        f"where ifnull(r.failure, '') not in ({SILENT}) and r.experiment in ("
        "select experiment from state where leaf = ? order by experiment desc limit ?) "
        "order by r.id desc",
        *(leaf, n),
    )
    return [dict(one) for one in found]


def because(book: Notebook, experiment: int) -> str | None:
    """Return why an experiment was kept against the suggestion, where it was."""
    found = book.one(
        "select because from results where experiment = ? and verdict = 'keep' order by id desc",
        experiment,
    )
    return found["because"] if found else None
