"""Queries about audits: which is open, what it has measured, how many runs since the last."""

import json
import sqlite3
from typing import Any

from . import Notebook, chain
from .replicates import MARKS


def unfinished(book: Notebook, tip: int, base: int) -> sqlite3.Row | None:
    """Return the audit of two experiments that was begun, by whomever, and has no end."""
    query = "select * from audits where tip = ? and base = ? and ended is null limit 1"
    return book.one(query, tip, base)


def concluded(book: Notebook, tip: int, base: int) -> bool:
    """Return whether two experiments were audited to an end, by whomever."""
    query = "select 1 from audits where tip = ? and base = ? and conclusion <> 'cut' limit 1"
    return book.one(query, tip, base) is not None


def broken(book: Notebook, audit: int, experiment: int) -> list[str]:
    """Return the constraints that an audit's runs of one side broke."""
    rows = book.all(
        "select r.broken from runs r join jobs j on j.id = r.job "
        "where j.audit = ? and r.experiment = ? and r.broken is not null",
        *(audit, experiment),
    )
    return [name for row in rows for name in json.loads(row["broken"])]


def aborted(book: Notebook, audit: int) -> int:
    """Return how many of an audit's runs ended without a number, after training began, blameless.

    Somebody may have stopped them, or killed the child: nobody knows why.
    """
    rows = book.all(
        "select count(*) from runs r join jobs j on j.id = r.job "
        f"where j.audit = ? and r.failure in ({MARKS}) and r.started is not null",
        audit,
    )
    return int(rows[0][0])


def tries(book: Notebook, audit: int) -> int:
    """Return how many chances there were to confirm something on an audit's base, this one too.

    Every audit of it, whoever began it and whether or not it came to an end, and every run of this
    one that was aborted: it was measured again. One that a change of machine ended says nothing.
    """
    rows = book.all(
        "select count(*) from audits a join audits mine on mine.base = a.base "
        "where mine.id = ? and a.id <= mine.id and ifnull(a.conclusion, '') <> 'cut'",
        audit,
    )
    return max(1, int(rows[0][0])) + aborted(book, audit)


def count(book: Notebook) -> int:
    """Return how many audits were begun so far."""
    return int(book.all("select count(*) from audits")[0][0])


def newest(book: Notebook, campaign: str, leaf: str) -> sqlite3.Row | None:
    """Return a campaign's newest finished audit that says something."""
    return book.one(
        "select * from audits where campaign = ? and leaf = ? and conclusion <> 'cut' "
        "order by id desc limit 1",
        *(campaign, leaf),
    )


def whole(book: Notebook, number: int) -> sqlite3.Row:
    """Return an audit's record."""
    return book.all("select * from audits where id = ?", number)[0]


def runs_since(book: Notebook, campaign: str, leaf: str) -> int:
    """Return how many runs a campaign made since its last audit, or in all."""
    last = newest(book, campaign, leaf)
    row = book.all(
        "select count(*) from experiments e join runs r on r.experiment = e.id "
        "where e.campaign = ? and e.leaf = ? and r.at > ?",
        *(campaign, leaf, last["ended"] if last else ""),
    )
    return int(row[0][0])


def seeds(audit: sqlite3.Row) -> list[int]:
    """Return the seeds that both sides run, in their order."""
    return [int(seed) for seed in json.loads(audit["seeds"])]


SALT = "salt"  # the event by which a notebook's audits draw the same seeds everywhere


def salt(book: Notebook) -> str | None:
    """Return what this notebook's audits draw their seeds by, so that they are the same anywhere.

    None, as in every notebook but a demo's: nobody can know them. It counts only where it was there
    before the first experiment, and was not imported.
    """
    row = book.one(
        "select detail from events where verb = ? "
        "and id in (select row from chain where part = 'events' and line = ?) "
        "and not exists (select 1 from experiments where experiments.at <= events.at)",
        *(SALT, chain.OURS),
    )
    return None if row is None else str(row["detail"])


def hosts(book: Notebook, audit: int) -> set[Any]:
    """Return the computers that an audit's finished runs were on; None is a rented one."""
    rows = book.all(
        "select distinct json_extract(r.machine, '$.host') as host from runs r "
        "join jobs j on j.id = r.job where j.audit = ? and r.status = 'finished'",
        audit,
    )
    return {row["host"] for row in rows}


def machines(book: Notebook, audit: int, experiment: int) -> list[dict[str, Any]]:
    """Return what the runs of one side of an audit used, those that finished."""
    rows = book.all(
        "select r.machine from runs r join jobs j on j.id = r.job where j.audit = ? "
        "and r.experiment = ? and r.status = 'finished' and r.machine is not null",
        *(audit, experiment),
    )
    return [json.loads(row["machine"]) for row in rows]


def failure(book: Notebook, audit: int, experiment: int, seed: int) -> str | None:
    """Return why a seed of an audit gave no number; None where it gave one."""
    rows = book.all(
        "select r.status, r.failure, j.how from jobs j left join runs r on r.job = j.id "
        "where j.audit = ? and j.experiment = ? and ifnull(r.seed, ?) = ? order by j.id, r.id",
        *(audit, experiment, seed, seed),
    )
    if not rows or any(row["status"] == "finished" for row in rows):
        return None if rows else "lost"
    return rows[-1]["failure"] or rows[-1]["how"] or "lost"


def crashed(book: Notebook, audit: int, experiment: int) -> bool:
    """Return whether a run that an audit made of one side failed by its own fault."""
    query = (
        "select 1 from runs r join jobs j on j.id = r.job where j.audit = ? and r.experiment = ? "
        f"and r.failure not in ({MARKS}) limit 1"
    )
    return book.one(query, audit, experiment) is not None


def spent(book: Notebook, audit: int) -> sqlite3.Row:
    """Return how many runs an audit made and how long they took, in seconds."""
    return book.all(
        "select count(*) runs, sum(r.seconds) seconds from runs r join jobs j on j.id = r.job "
        "where j.audit = ?",
        audit,
    )[0]
