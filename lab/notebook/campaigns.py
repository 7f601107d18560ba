"""Queries about campaigns: how far each came, what it owes, what it cost."""

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..documents.leaves import Left
from . import Notebook
from .replicates import MARKS

# An experiment counts once it is judged; a baseline has no hypothesis, a replicate no row of its
# own, and a crash that says nothing about the idea is run again.
COUNTS = (
    "hypothesis is not null and verdict is not null "
    f"and not (verdict = 'crash' and ifnull(failure, '') in ({MARKS}))"
)


@dataclass(frozen=True)
class Start:
    """Where a loop began: judged experiments and the time before its first one."""

    counted: int
    at: str


def counted(book: Notebook, name: str, leaf: str) -> int:
    """Return how many of a campaign's experiments were judged."""
    row = book.one(
        f"select count(*) from state where campaign = ? and leaf = ? and {COUNTS}", name, leaf
    )
    return int(row[0]) if row else 0


def begin(book: Notebook, name: str, leaf: str, asked: dict[str, Any]) -> Start:
    """Note that a loop starts, or goes on after a cut; return where it first began."""
    with book.write():
        before = loop_of(book, name)
        if before is not None:
            start = Start(before["start"], before["since"])
        else:
            start = Start(counted(book, name, leaf), book.stamp())
        detail = {**asked, "start": start.counted, "since": start.at}
        book.event("loop", name, json.dumps(detail))
        return start


def loop_of(book: Notebook, name: str) -> dict[str, Any] | None:
    """Return what the campaign's open loop was asked for; None when none is open."""
    last = book.one(
        "select verb, detail from events where subject = ? and verb in ('loop', 'loop ended') "
        "order by id desc limit 1",
        name,
    )
    return json.loads(last["detail"]) if last is not None and last["verb"] == "loop" else None


def remaining(book: Notebook, name: str, leaf: str) -> Left | None:
    """Return what is left to the campaign's loop by its limits; None without limits or a loop."""
    asked = loop_of(book, name) or {}
    most, hours = asked.get("experiments"), asked.get("hours")
    newest = book.one(
        "select verb, at from events where subject = ? and verb in ('loop', 'loop stopped') "
        "order by id desc limit 1",
        name,
    )
    if (most is None and hours is None) or newest is None or newest["verb"] != "loop":
        return None
    passed = (book.now() - datetime.fromisoformat(newest["at"])).total_seconds()
    done = counted(book, name, leaf) - asked["start"]
    return {
        "experiments": None if most is None else max(0, most - done),
        "of": most,
        "seconds": None if hours is None else max(0.0, hours * 3600 - passed),
    }


def ended(book: Notebook, name: str, why: str) -> None:
    """Note that a loop reached its end, so that the next one begins anew."""
    with book.write():
        book.event("loop ended", name, why)


def cut(book: Notebook, name: str, why: str) -> None:
    """Note that a loop stopped before its end; the same command goes on."""
    with book.write():
        book.event("loop stopped", name, why)


def newest(book: Notebook, name: str) -> sqlite3.Row | None:
    """Return the campaign's newest experiment for a hypothesis, with its state."""
    return book.one(
        "select e.*, s.status, s.failure, s.verdict, s.gain from experiments e "
        "join state s on s.experiment = e.id where e.campaign = ? and e.kind = 'run' "
        "order by e.id desc limit 1",
        name,
    )


def judged_by_supervisor(book: Notebook, experiment: int) -> bool:
    """Return whether the newest verdict is the crash that the supervisor noted."""
    row = book.one(
        "select job from results where experiment = ? order by id desc limit 1", experiment
    )
    return row is not None and row["job"] is not None


def jobs(book: Notebook, experiment: int) -> int:
    """Return how often runs of an experiment were asked for."""
    return int(book.all("select count(*) from jobs where experiment = ?", experiment)[0][0])


def tried(book: Notebook, leaf: str, scope: int, n: int) -> list[sqlite3.Row]:
    """Return the newest judged experiments of a leaf within a scope, newest first."""
    return book.all(
        'select e.id, e."commit", e.parent, e.campaign, s.gain, s.verdict, s.kind, s.failure, '
        "s.value from state s join experiments e on e.id = s.experiment "
        "where s.leaf = ? and s.scope = ? and e.kind = 'run' and s.verdict is not null "
        'and e."commit" is not null order by s.experiment desc limit ?',
        *(leaf, scope, n),
    )


def has_contents(book: Notebook, contents: str, scope: Any) -> int | None:
    """Return the experiment that ran these contents within a scope (leaf, profile, ...)."""
    row = book.one(
        "select id from experiments where leaf = ? and contents = ? and profile = ? "
        "and platform = ? and yardstick = ? order by id desc limit 1",
        *(scope.leaf, contents, scope.profile, scope.platform, scope.yardstick),
    )
    return int(row[0]) if row else None


def is_cited(book: Notebook, experiment: int) -> bool:
    """Return whether a lesson cites the experiment."""
    return book.one("select 1 from evidence where experiment = ? limit 1", experiment) is not None


def cost(book: Notebook, name: str, since: str) -> float:
    """Return what sessions and runs of a campaign cost since a moment, in US dollars."""
    sessions = book.one(
        "select sum(s.cost_usd) from sessions s join campaigns c on c.id = s.campaign "
        "where c.name = ? and s.at >= ?",
        *(name, since),
    )
    runs = book.one(
        "select sum(r.cost_usd) from experiments e join runs r on r.experiment = e.id "
        "where e.campaign = ? and r.at >= ?",
        *(name, since),
    )
    return sum(float(row[0]) for row in (sessions, runs) if row and row[0] is not None)


def left(book: Notebook, name: str | None) -> float | None:
    """Return how many US dollars the campaign's open loop may still spend; None is no limit."""
    loop = loop_of(book, name) if name else None
    if loop is None or loop.get("max_cost") is None or name is None:
        return None
    return float(loop["max_cost"]) - cost(book, name, loop["since"])


def session(book: Notebook, uid: str) -> sqlite3.Row | None:
    """Return a session by its unique id, with its campaign's name and leaf."""
    return book.one(
        "select s.*, c.name, c.leaf from sessions s join campaigns c on c.id = s.campaign "
        "where s.uid = ?",
        uid,
    )


def session_uid(book: Notebook, number: int) -> str:
    """Return the unique id of a session."""
    return str(book.all("select uid from sessions where id = ?", number)[0][0])


def open_sessions(book: Notebook, campaign: int) -> list[sqlite3.Row]:
    """Return the sessions of a campaign that have no end yet."""
    return book.all("select * from sessions where campaign = ? and ended is null", campaign)


def verdicts_since(book: Notebook, name: str, at: str) -> int:
    """Return how many experiments of a campaign were judged by it since a moment."""
    row = book.one(
        "select count(distinct r.experiment) from experiments e join results r "
        "on r.experiment = e.id where e.campaign = ? and r.at >= ? and r.by = ?",
        *(name, at, name),
    )
    return int(row[0]) if row else 0


def newest_number(book: Notebook, name: str) -> int:
    """Return the number of a campaign's newest experiment for a hypothesis, 0 without one."""
    row = newest(book, name)
    return int(row["id"]) if row else 0


def made_since(book: Notebook, name: str, number: int) -> int:
    """Return how many experiments a campaign made after the one with this number."""
    row = book.one(
        "select count(*) from experiments where campaign = ? and id > ? and hypothesis is not null",
        *(name, number),
    )
    return int(row[0]) if row else 0


def heading(book: Notebook, name: str) -> sqlite3.Row | None:
    """Return the newest event of a campaign's loop: what it does, waits for, or ended by."""
    return book.one(
        "select verb, detail, at from events where subject = ? and verb in "
        "('loop', 'loop ended', 'loop stopped', 'waiting') order by id desc limit 1",
        name,
    )


def last_session(book: Notebook, campaign: int) -> sqlite3.Row | None:
    """Return a campaign's newest session."""
    return book.one("select * from sessions where campaign = ? order by id desc limit 1", campaign)


def ends(book: Notebook, name: str) -> tuple[sqlite3.Row | None, sqlite3.Row | None]:
    """Return what a campaign started from and what it builds on now, each with its state.

    The first is the incumbent of its first experiment; the second is what was kept where the
    harness last left the branch, else the incumbent of its newest experiment.
    """
    mine, last = "campaign = ? and kind = 'run' order by id limit 1", newest(book, name)
    start = book.one(f"select incumbent, leaf, profile from experiments where {mine}", name)
    if start is None or last is None:
        return None, None
    state = "select experiment, value from state where experiment = ?"
    now = book.one(
        "select s.experiment, s.value from tips t join experiments e on "
        'e."commit" = t."commit" and e.leaf = ?2 and e.profile = ?3 '
        "join state s on s.experiment = e.id where t.campaign = ?1 and s.verdict = 'keep' "
        "order by t.id desc, e.id desc limit 1",
        *(name, start["leaf"], start["profile"]),
    )
    return book.one(state, start["incumbent"]), now or book.one(state, last["incumbent"])


def begun_baseline(book: Notebook, leaf: str, profile: str) -> int | None:
    """Return the baseline of a profile that is queued or running now."""
    row = book.one(
        "select e.id from jobs j join experiments e on e.id = j.experiment where j.ended is null "
        "and e.leaf = ? and e.profile = ? and e.kind = 'baseline' order by e.id desc limit 1",
        *(leaf, profile),
    )
    return row["id"] if row else None


def without_verdict(book: Notebook, leaf: str) -> sqlite3.Row | None:
    """Return the newest experiment of a leaf's campaigns that ended and has no verdict."""
    return book.one(
        "select experiment, campaign from state indexed by state_open where leaf = ? "
        "and campaign is not null and verdict is null and status in ('finished', 'failed') "
        "order by experiment desc limit 1",
        leaf,
    )
