"""Waves: changes of one parent that are run at once, of which the best is kept."""

import sqlite3
from dataclasses import dataclass

from . import Notebook, new_uid

MOST = 16  # at once: beyond, the best of them owes more to luck than the hours are worth


@dataclass(frozen=True)
class Wave:
    """The others that were run in waves on the same incumbent, by the same campaign."""

    under_way: tuple[int, ...] = ()  # those that have no number yet and may get one
    waiting: tuple[int, ...] = ()  # those that have a number and no verdict
    kept: int | None = None  # what was kept on that incumbent, in a wave or alone


def of(book: Notebook, experiment: int) -> Wave:
    """Return the others of an experiment's wave and of those before; none where it is in no wave.

    On one incumbent one change is kept: the branch stands elsewhere then.
    """
    rows = book.all(
        "select s.experiment, s.status, s.verdict, o.wave from experiments e "
        "join experiments o on o.campaign = e.campaign and o.incumbent = e.incumbent "
        "join state s on s.experiment = o.id where e.id = ?1 and e.wave is not null "
        "and o.id <> ?1 and o.kind = 'run' order by o.id",
        experiment,
    )
    kept = [row["experiment"] for row in rows if row["verdict"] == "keep"]
    undecided = [row for row in rows if row["verdict"] is None and row["wave"] is not None]
    return Wave(
        tuple(row["experiment"] for row in undecided if row["status"] in ("queued", "running")),
        tuple(row["experiment"] for row in undecided if row["status"] == "finished"),
        kept[-1] if kept else None,
    )


def members(book: Notebook, wave: str | None) -> list[int]:
    """Return the changes of a wave, oldest first."""
    if wave is None:
        return []
    return [row["id"] for row in book.all("select id from experiments where wave = ?", wave)]


def width(book: Notebook, experiment: int) -> int:
    """Return of how many changes an experiment is the best: its wave, and others before it.

    Wave after wave of one incumbent is one choice among all of them.
    """
    row = book.one(
        "select count(*) as width from experiments o join experiments e on e.id = ?1 where "
        "o.campaign = e.campaign and o.incumbent = e.incumbent and o.wave is not null "
        "and e.wave is not null and o.id <= (select max(id) from experiments where wave = e.wave)",
        experiment,
    )
    return max(1, int(row["width"])) if row is not None else 1


def kept_apart(book: Notebook, campaign: str) -> int | None:
    """Return the newest change of a wave that was kept, where the branch did not move since."""
    row = book.one(
        "select e.id, (select max(at) from results where experiment = e.id and verdict = 'keep') > "
        "(select at from tips where campaign = e.campaign order by id desc limit 1) as apart "
        "from experiments e join state s on s.experiment = e.id "
        "where e.campaign = ? and e.wave is not null and s.verdict = 'keep' "
        "order by e.id desc limit 1",
        campaign,
    )
    return int(row["id"]) if row is not None and row["apart"] else None


def joined(book: Notebook, campaign: str, incumbent: int) -> tuple[str, int]:
    """Return the name of the wave that a new change of an incumbent joins, and how many it has.

    A wave is open as long as nothing of it has a verdict: who knows how the first ones ended, and
    then adds another, begins a new one.
    """
    row: sqlite3.Row | None = book.one(
        "select e.wave, count(*) as width, sum(s.verdict is not null) as judged from experiments e "
        "join state s on s.experiment = e.id where e.wave = (select wave from experiments where "
        "campaign = ? and incumbent = ? and wave is not null order by id desc limit 1) "
        "group by e.wave",
        *(campaign, incumbent),
    )
    if row is None or row["judged"]:
        return new_uid(), 0
    return str(row["wave"]), int(row["width"])
