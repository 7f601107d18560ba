"""Derived state: what follows from the records, kept in the same transaction.

`derive` is the whole rule and touches no database; `refresh` applies it to one experiment after
a write, and `differences` applies it to all of them for `lab doctor`.
"""

import itertools
import json
import math
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from ..judge import finite, mean, spread
from . import Notebook
from .replicates import PRUNED, RUNS, SAYS_NOTHING, record, unselected, unsteady

CHUNK = 500  # experiments looked at together: 10 times quicker than one by one
SCOPE = ("leaf", "profile", "platform", "yardstick")
COLUMNS = (
    *("experiment", "hypothesis", "leaf", "scope", "campaign", "status", "failure", "verdict"),
    *("kind", "value", "claimed", "runs", "spread", "df", "gain", "mechanism", "mechanism_source"),
    *("seconds", "telling", "ordinal", "axis", "overruled"),
)
DEAD = 0.05  # P(better) below which a discard is a dead end (docs/judging.md)
INSERT = f"insert or replace into state values ({', '.join('?' * len(COLUMNS))})"
State = dict[str, Any]
Thing = TypeVar("Thing")
Row = Mapping[str, Any] | sqlite3.Row
AUDIT = "audit: "  # how the reason of a verdict begins that an audit gave


def derive(
    experiment: Row,
    scope: int,
    job: Row | None,
    runs: Sequence[Row],
    results: Sequence[Row],
    judgement: Row | None,
    cited: bool,
    reported: Sequence[Row] = (),
) -> State:
    """Return the state of one experiment from its newest job, runs, results, newest judgement."""
    kept = [row["at"] for row in results if row["verdict"] == "keep"]
    known = record(experiment["kind"], runs, min(kept, default=None))
    values = list(known.runs.values())
    result = _standing(results[-1] if results else None, job)
    state: State = {
        "experiment": experiment["id"],
        "hypothesis": experiment["hypothesis"],
        "leaf": experiment["leaf"],
        "scope": scope,
        "campaign": experiment["campaign"],
        "status": _status(experiment, job, runs, values, result),
        "failure": None if values or not runs else runs[-1]["failure"],
        "verdict": result["verdict"] if result else None,
        "runs": len(values),
        "seconds": sum(run["seconds"] or 0 for run in runs) if runs else None,
        "axis": experiment["axis"],
    }
    if not runs and job is not None and job["how"]:
        state["failure"] = job["how"] if job["how"] in SAYS_NOTHING else None
    if experiment["kind"] == "baseline" and values and not result and not unsteady(runs):
        state["verdict"] = "keep"
    state |= _worth(experiment, values, [*reported, *results], judgement)
    kept = [row["at"] for row in results if row["verdict"] == "keep"]
    state |= _noise(unselected(experiment["kind"], runs, min(kept, default=None)))
    state |= _mechanism(result, judgement)
    state["kind"] = _kind(state, _is_inconclusive(state, results, judgement))
    lesson = cited or bool(result and result["theory_revision"])
    state["telling"] = _telling(state, lesson)
    suggested = result["suggested"] if result else None
    state["overruled"] = int(state["verdict"] == "keep" and suggested not in (None, "keep"))
    return state


def _standing(result: Row | None, job: Row | None) -> Row | None:
    """A verdict that the supervisor noted stands only until the experiment is run again."""
    if result is None or job is None or result["job"] is None or result["job"] >= job["id"]:
        return result
    return None


def _status(
    experiment: Row, job: Row | None, runs: Sequence[Row], values: list[float], result: Row | None
) -> str:
    if experiment["kind"] == "import":
        return "failed" if result and result["verdict"] == "crash" else "finished"
    if experiment["kind"] == "elsewhere":
        return "finished" if result else "running"
    if job is not None and job["ended"] is None:
        started = any(run["started"] and not run["ended"] for run in runs)
        return "running" if started else "queued"
    if not values and runs and runs[-1]["failure"] == PRUNED:
        return PRUNED
    return "finished" if values else "failed"


def _worth(
    experiment: Row, values: list[float], results: Sequence[Row], judgement: Row | None
) -> State:
    """Value (the mean over the runs that count, or what was claimed last) and gain."""
    centre = mean(values) if values else None
    claimed = _last(results, "value") if centre is None else None
    sign = -1.0 if experiment["direction"] == "maximize" else 1.0
    told = _last(results, "gain")
    by_audit = judgement is not None and _measured_since(results, judgement)
    gain = judgement["gain"] if judgement and not by_audit else told
    return {
        "value": centre if centre is not None else claimed,
        "claimed": int(centre is None and claimed is not None),
        "gain": gain,
        "ordinal": sign * centre if centre is not None else None,
    }


def _noise(groups: Sequence[Sequence[float]]) -> State:
    """What the runs that nobody selected add to the noise."""
    wide = [spread(group) for group in groups]  # None where it is beyond every number
    known = [one for one in wide if one is not None]
    df = sum(len(group) - 1 for group, one in zip(groups, wide, strict=True) if one is not None)
    return {"spread": finite(math.hypot(*known)) or 0.0, "df": df}


def _last(rows: Sequence[Row], name: str) -> Any:
    """Return the newest value of a column that has one."""
    known = (row[name] for row in reversed(rows) if name in row.keys())  # noqa: SIM118 (a Row)
    return next((value for value in known if value is not None), None)


def _mechanism(result: Row | None, judgement: Row | None) -> State:
    """What was measured outranks what was claimed."""
    if judgement and judgement["mechanism"]:
        seen = json.loads(judgement["mechanism"])
        return {"mechanism": seen["outcome"], "mechanism_source": seen.get("source", "measured")}
    if result and result["mechanism"]:
        return {"mechanism": result["mechanism"], "mechanism_source": "claimed"}
    return {"mechanism": None, "mechanism_source": None}


def _measured_since(results: Sequence[Row], judgement: Row) -> bool:
    """Return whether the newest verdict is an audit's, whose gain is newer than the judgement's."""
    if not results or not (results[-1]["because"] or "").startswith(AUDIT):
        return False
    last = results[-1]
    return last["gain"] is not None and last["at"] >= judgement["at"]


def _says_little(judgement: Row) -> bool:
    """A discard that its numbers do not make a dead end: it could still be a gain."""
    if judgement["reason"] == "same":
        return False
    if judgement["near_miss"] or judgement["reason"] in ("bagged", "undecided", "failed"):
        return True
    better, gain = judgement["p_better"], judgement["gain"]
    return bool(better >= DEAD if better is not None else (gain or 0.0) > 0)


def _is_inconclusive(state: State, results: Sequence[Row], judgement: Row | None) -> bool:
    if judgement is None:
        return False
    if _measured_since(results, judgement):
        return bool(state["gain"] > 0)
    return _says_little(judgement)


def _kind(state: State, inconclusive: bool) -> str | None:
    """Dead end (ran and lost, or mechanism refuted), unsettled (says too little), or neither."""
    if state["failure"] in SAYS_NOTHING:
        return None
    if state["mechanism"] == "refuted" and state["verdict"] not in (None, "keep"):
        return "dead_end"
    if state["verdict"] == "crash":
        return "unsettled"
    if state["verdict"] == "discard":
        return "unsettled" if inconclusive else "dead_end"
    return None


def _telling(state: State, lesson: bool) -> int:
    """How much a failure teaches: a refuted mechanism most, then a lesson, then a number."""
    measured = state["mechanism_source"] == "measured"
    refuted = state["mechanism"] == "refuted"
    dead_end = state["kind"] == "dead_end"
    return int(4 * refuted + 2 * (refuted and measured) + 2 * lesson + dead_end)


def facts_of(book: Notebook, experiments: Sequence[int]) -> list[State]:
    """Derive the state of experiments (at most CHUNK) from their records; changes no record."""
    marks = ", ".join("?" * len(experiments))
    axis = "ifnull(e.axis, (select axis from hypotheses where id = e.hypothesis)) as derived_axis"
    query = f"select e.*, {axis} from experiments e where id in ({marks}) order by id"
    rows = [dict(row) for row in book.all(query, *experiments)]
    about: dict[str, dict[int, list[sqlite3.Row]]] = {}
    for table in ("jobs", "runs", "results", "judgements", "reported"):
        found = about[table] = {}
        what = RUNS if table == "runs" else f"select r.* from {table} r"
        training = "json_extract(r.asked, '$.seal') is null and" if table == "jobs" else ""
        query = f"{what} where {training} r.experiment in ({marks}) order by r.id"
        for row in book.db.execute(query, experiments):
            found.setdefault(row["experiment"], []).append(row)
    query = f"select distinct experiment from evidence where experiment in ({marks})"
    cited = {row[0] for row in book.db.execute(query, experiments)}
    scopes: dict[tuple[str, ...], int] = {}
    states = []
    for row in rows:
        row["axis"], number = row.pop("derived_axis"), row["id"]
        key = tuple(row[name] or "" for name in SCOPE)
        if key not in scopes:
            scopes[key] = scope(book, *key)
        job, judgement = (
            next(reversed(about[name].get(number, [])), None) for name in ("jobs", "judgements")
        )
        runs, results = about["runs"].get(number, []), about["results"].get(number, [])
        said = about["reported"].get(number, [])
        known = (job, runs, results, judgement, number in cited, said)
        states.append(derive(row, scopes[key], *known))
    return states


def scope(book: Notebook, leaf: str, profile: str, platform: str, yardstick: str) -> int:
    """Return the scope's number, adding it when it is new and we are writing; 0 when unknown."""
    key = (leaf, profile, platform, yardstick)
    where = "leaf = ? and profile = ? and platform = ? and yardstick = ?"
    found = book.one(f"select id from scopes where {where}", *key)
    if found:
        return int(found[0])
    if not book.db.in_transaction:
        return 0
    return book.insert_plain(
        "scopes", leaf=leaf, profile=profile, platform=platform, yardstick=yardstick
    )


def refresh(book: Notebook, experiment: int) -> State:
    """Bring the derived tables up to date with one experiment's records."""
    return refresh_all(book, [experiment])[0]


def refresh_all(book: Notebook, experiments: Sequence[int]) -> list[State]:
    """Bring the derived tables up to date with the records of experiments (at most CHUNK)."""
    marks = ", ".join("?" * len(experiments))
    old = book.all(f"select * from state where experiment in ({marks})", *experiments)
    new = facts_of(book, experiments)
    book.db.executemany(INSERT, [[one[name] for name in COLUMNS] for one in new])
    changes = Changes()
    for row in old:
        changes.add(row, -1)
    for one in new:
        changes.add(one, +1)
    changes.write(book.db)
    return new


class Changes:
    """How the counts move when states come and go: added up first, written once."""

    def __init__(self) -> None:
        self.leaves: dict[str, list[int]] = {}
        self.scopes: dict[int, list[int]] = {}
        self.axes: dict[tuple[str, str], list[int]] = {}

    def add(self, state: Row, sign: int) -> None:
        """Count one state in (+1) or out (-1)."""
        verdict = state["verdict"]
        flags = [int(verdict == name) for name in ("keep", "discard", "crash")]
        _sum(self.leaves, state["leaf"], [1, *flags, state["overruled"]], sign)
        _sum(self.scopes, state["scope"], [1], sign)
        if state["axis"]:
            _sum(self.axes, (state["leaf"], state["axis"]), [1, flags[0]], sign)

    def write(self, db: sqlite3.Connection) -> None:
        """Move the counts."""
        db.executemany(
            "insert into tallies values (?, ?, ?, ?, ?, ?) "
            "on conflict (leaf) do update set experiments = experiments + excluded.experiments, "
            "keep = keep + excluded.keep, discard = discard + excluded.discard, "
            "crash = crash + excluded.crash, overruled = overruled + excluded.overruled",
            [(leaf, *sums) for leaf, sums in self.leaves.items()],
        )
        db.executemany(
            "update scopes set experiments = experiments + ? where id = ?",
            [(*sums, number) for number, sums in self.scopes.items()],
        )
        db.executemany(
            "insert into axes values (?, ?, ?, ?) on conflict (leaf, axis) "
            "do update set tried = tried + excluded.tried, kept = kept + excluded.kept",
            [(*key, *sums) for key, sums in self.axes.items()],
        )


def _sum(sums: dict[Any, Any], key: Any, values: Sequence[float], sign: int) -> None:
    known = sums.setdefault(key, [0] * len(values))
    for place, value in enumerate(values):
        known[place] += sign * value


def parts(things: Iterable[Thing]) -> Iterator[list[Thing]]:
    """Yield things in lists of at most CHUNK."""
    rest = iter(things)
    while part := list(itertools.islice(rest, CHUNK)):
        yield part
