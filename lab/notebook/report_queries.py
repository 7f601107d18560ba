"""Queries of the report: what came since a moment, who worked, what it was worth."""

import sqlite3
from datetime import datetime, timedelta
from typing import Any

from . import Notebook
from .state import SAYS_NOTHING

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


def last_night(book: Notebook) -> str | None:
    """Return when the newest stretch of work without a long pause began; None without any."""
    first: str | None = None
    for row in book.db.execute("select at from experiments order by id desc"):
        if first is not None and _moment(first) - _moment(row["at"]) > PAUSE:
            break
        first = row["at"]
    return first


def _moment(at: str) -> datetime:
    return datetime.fromisoformat(at)


def rows(book: Notebook, leaf: str, since: str, n: int) -> list[dict[str, Any]]:
    """Return the newest `n` experiments of a leaf made since a moment, oldest first."""
    where = "where s.leaf = ? and e.at >= ? order by s.experiment desc limit ?"
    return [dict(row) for row in reversed(book.all(f"{ROW} {where}", leaf, since, n))]


def row(book: Notebook, experiment: int) -> dict[str, Any]:
    """Return one experiment."""
    return dict(book.all(f"{ROW} where s.experiment = ?", experiment)[0])


def made(book: Notebook, leaf: str, since: str) -> dict[str, int]:
    """Return how many experiments a leaf was given since a moment, and what became of them."""
    found = book.one(
        "select count(*) as experiments, ifnull(sum(s.verdict = 'keep' and e.kind <> 'baseline'), "
        "0) as keep, ifnull(sum(s.verdict = 'discard'), 0) as discard, "
        "ifnull(sum(s.verdict = 'crash'), 0) as crash, ifnull(sum(s.verdict is null), 0) as open "
        "from experiments e join state s on s.experiment = e.id where s.leaf = ? and e.at >= ?",
        *(leaf, since),
    )
    return dict(found) if found else {}


def spent(book: Notebook, leaf: str, since: str) -> dict[str, Any]:
    """Return runs, their seconds on a device and cost in US dollars (None: not known) since."""
    runs = book.all(
        "select count(*), ifnull(sum(r.seconds), 0), sum(r.cost_usd) from runs r "
        "join state s on s.experiment = r.experiment where r.at >= ? and s.leaf = ?",
        *(since, leaf),
    )[0]
    sessions = book.all(
        "select sum(s.cost_usd) from sessions s join campaigns c on c.id = s.campaign "
        "where c.leaf = ? and s.at >= ?",
        *(leaf, since),
    )[0]
    known = [cost for cost in (runs[2], sessions[0]) if cost is not None]
    return {"runs": runs[0], "seconds": runs[1], "cost_usd": sum(known) if known else None}


def best_before(book: Notebook, scope: int, leaf: str, before: str) -> sqlite3.Row | None:
    """Return what was the best kept or baseline experiment of a scope at a moment."""
    return book.one(
        "select s.experiment, s.value, s.runs, s.campaign from state s "
        "join experiments e on e.id = s.experiment "
        "where s.leaf = ? and s.verdict = 'keep' and s.scope = ? and s.value is not null "
        "and ifnull((select min(at) from results where experiment = s.experiment "
        "and verdict = 'keep'), e.at) < ? "
        "order by s.claimed, case e.direction when 'maximize' then -s.value else s.value end "
        "limit 1",
        *(leaf, scope, before),
    )


def first_kept(book: Notebook, scope: int, leaf: str) -> sqlite3.Row | None:
    """Return the first kept or baseline experiment of a scope: where its work began."""
    return book.one(
        "select experiment, value, runs, campaign from state where leaf = ? and verdict = 'keep' "
        "and scope = ? and value is not null order by experiment limit 1",
        *(leaf, scope),
    )


def campaigns(book: Notebook, leaf: str, since: str) -> list[dict[str, Any]]:
    """Return the campaigns at work on a leaf since a moment: agent, counts, how each ended."""
    found = book.all(
        "select e.campaign as name, count(*) as experiments, "
        "sum(s.verdict = 'keep' and e.kind <> 'baseline') as kept "
        "from experiments e join state s on s.experiment = e.id "
        "where s.leaf = ? and e.at >= ? and e.campaign is not null group by e.campaign "
        "order by min(e.id)",
        *(leaf, since),
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
