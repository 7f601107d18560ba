"""Derived state: what follows from the records, kept in the same transaction as they are.

`derive` is the whole rule and touches no database; `refresh` applies it to one experiment after
a write, and `differences` applies it to all of them for `lab doctor`.
"""

import json
import math
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from . import Notebook

SAYS_NOTHING = ("infra", "interrupted", "lost")  # failures that tell nothing about the idea
COLUMNS = (
    *("experiment", "hypothesis", "leaf", "scope", "campaign", "status", "failure", "verdict"),
    *("kind", "value", "claimed", "runs", "ss", "df", "gain", "mechanism", "mechanism_source"),
    *("seconds", "telling", "ordinal", "axis", "overruled"),
)
INSERT = f"insert or replace into state values ({', '.join('?' * len(COLUMNS))})"
State = dict[str, Any]
Row = Mapping[str, Any] | sqlite3.Row


def values_by_seed(runs: Sequence[Row]) -> list[float]:
    """Return one value a seed; seeds that were ignored (all metrics the same) count once."""
    kept: dict[int, float] = {}
    for run in runs:
        if run["status"] == "finished" and run["value"] is not None:
            if "seed_ignored" in (run["flags"] or "") and kept:
                continue
            kept.setdefault(run["id"], run["value"])
    return list(kept.values())


def derive(
    experiment: Row,
    scope: int,
    job: Row | None,
    runs: Sequence[Row],
    result: Row | None,
    judgement: Row | None,
    cited: bool,
) -> State:
    """Return the state of one experiment from its newest job, runs, result and judgement."""
    values = values_by_seed(runs)
    result = _standing(result, job)
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
    if experiment["kind"] == "baseline" and values and not result:
        state["verdict"] = "keep"
    state |= _worth(experiment, values, result, judgement)
    state |= _mechanism(result, judgement)
    near = bool(judgement["near_miss"]) if judgement else False
    state["kind"] = _kind(state, near)
    lesson = cited or bool(result and result["theory_revision"])
    state["telling"] = _telling(state, lesson)
    suggested = result["suggested"] if result else None
    state["overruled"] = int(state["verdict"] == "keep" and suggested not in (None, "keep"))
    return state


def _standing(result: Row | None, job: Row | None) -> Row | None:
    """A crash noted by the keeper stands only until the experiment is run again."""
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
    return "finished" if values else "failed"


def _worth(
    experiment: Row, values: list[float], result: Row | None, judgement: Row | None
) -> State:
    """Value (the mean over runs, or what was claimed), spread and gain."""
    mean = math.fsum(values) / len(values) if values else None
    claimed = result["value"] if result and mean is None else None
    sign = -1.0 if experiment["direction"] == "maximize" else 1.0
    gain = judgement["gain"] if judgement else result["gain"] if result else None
    return {
        "value": mean if mean is not None else claimed,
        "claimed": int(mean is None and claimed is not None),
        "ss": math.fsum((v - mean) ** 2 for v in values) if mean is not None else 0.0,
        "df": max(0, len(values) - 1),
        "gain": gain,
        "ordinal": sign * mean if mean is not None else None,
    }


def _mechanism(result: Row | None, judgement: Row | None) -> State:
    """What was measured outranks what was claimed."""
    if judgement and judgement["mechanism"]:
        outcome = json.loads(judgement["mechanism"])["outcome"]
        return {"mechanism": outcome, "mechanism_source": "measured"}
    if result and result["mechanism"]:
        return {"mechanism": result["mechanism"], "mechanism_source": "claimed"}
    return {"mechanism": None, "mechanism_source": None}


def _kind(state: State, near_miss: bool) -> str | None:
    """Dead end (ran and lost, or mechanism refuted), unsettled (says too little), or neither."""
    if state["failure"] in SAYS_NOTHING:
        return None
    if state["mechanism"] == "refuted" and state["verdict"] is not None:
        return "dead_end"
    if state["verdict"] == "crash":
        return "unsettled"
    if state["verdict"] == "discard":
        return "unsettled" if near_miss else "dead_end"
    return None


def _telling(state: State, lesson: bool) -> int:
    """How much a failure teaches: a refuted mechanism most, then a lesson, then a number."""
    measured = state["mechanism_source"] == "measured"
    refuted = state["mechanism"] == "refuted"
    return 4 * refuted + 2 * (refuted and measured) + 2 * lesson + (state["kind"] == "dead_end")


def facts(book: Notebook, experiment: int) -> State:
    """Collect one experiment's records and derive its state; changes nothing."""
    row = dict(book.all("select * from experiments where id = ?", experiment)[0])
    if row["axis"] is None and row["hypothesis"]:
        row["axis"] = book.all("select axis from hypotheses where id = ?", row["hypothesis"])[0][0]
    newest = "where experiment = ? order by id desc limit 1"
    return derive(
        row,
        scope_of(book, row),
        book.one(f"select * from jobs {newest}", experiment),
        book.all("select * from runs where experiment = ? order by id", experiment),
        book.one(f"select * from results {newest}", experiment),
        book.one(f"select * from judgements {newest}", experiment),
        book.one("select 1 from evidence where experiment = ?", experiment) is not None,
    )


def scope_of(book: Notebook, experiment: Row) -> int:
    """Return the number of the set within which this experiment's values may be compared."""
    key = [experiment[name] or "" for name in ("leaf", "profile", "platform", "yardstick")]
    return scope(book, *key)


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
    old = book.one("select * from state where experiment = ?", experiment)
    new = facts(book, experiment)
    store(book, new, old)
    return new


def store(book: Notebook, new: State, old: Row | None = None) -> None:
    """Write one state and move the counts by what changed."""
    book.db.execute(INSERT, [new[name] for name in COLUMNS])
    for row, sign in ((old, -1), (new, +1)):
        if row is not None:
            _count(book, row, sign)


def _count(book: Notebook, state: Row, sign: int) -> None:
    verdict = state["verdict"]
    flags = [sign * (verdict == name) for name in ("keep", "discard", "crash")]
    book.db.execute(
        "insert into tallies values (?, ?, ?, ?, ?, ?) "
        "on conflict (leaf) do update set experiments = experiments + excluded.experiments, "
        "keep = keep + excluded.keep, discard = discard + excluded.discard, "
        "crash = crash + excluded.crash, overruled = overruled + excluded.overruled",
        (state["leaf"], sign, *flags, sign * state["overruled"]),
    )
    book.db.execute(
        "update scopes set experiments = experiments + ?, ss = ss + ?, df = df + ? where id = ?",
        (sign, sign * state["ss"], sign * state["df"], state["scope"]),
    )
    if state["axis"]:
        book.db.execute(
            "insert into axes values (?, ?, ?, ?) on conflict (leaf, axis) "
            "do update set tried = tried + excluded.tried, kept = kept + excluded.kept",
            (state["leaf"], state["axis"], sign, sign * (verdict == "keep")),
        )


def differences(book: Notebook) -> Iterator[str]:
    """Recompute what is derived and yield a sentence for each thing that disagrees."""
    for (experiment,) in book.db.execute("select experiment from state order by experiment"):
        row = book.all("select * from state where experiment = ?", experiment)[0]
        new = facts(book, experiment)
        wrong = [name for name in COLUMNS if not _same(row[name], new[name])]
        if wrong:
            yield f"e{experiment}: {', '.join(wrong)} is not what the records say"
    for what, query in DISAGREEMENTS.items():
        for (name,) in book.db.execute(query):
            yield f"{what} of {name} is not what the records say"


# The counts against what the states add up to. A sum of squares taken in another order differs by
# rounding, which is what the tolerance is for.
_SUMS = "sum(verdict = 'keep') k, sum(verdict = 'discard') d, sum(verdict = 'crash') c"
DISAGREEMENTS = {
    "the state": "select 'e' || id from experiments e where not exists "
    "(select 1 from state where experiment = e.id)",
    "the tally": f"select leaf from (select leaf, count(*) n, {_SUMS}, sum(overruled) o from state "
    "group by leaf) left join tallies using (leaf) where (n, ifnull(k, 0), ifnull(d, 0), "
    "ifnull(c, 0), o) is not (experiments, keep, discard, crash, tallies.overruled)",
    "the spread": "select leaf || '/' || profile from scopes left join (select scope, count(*) n, "
    "sum(state.ss) s, sum(state.df) f from state group by scope) on scope = scopes.id where "
    "experiments <> ifnull(n, 0) or df <> ifnull(f, 0) or abs(ss - ifnull(s, 0)) > 1e-6 * (1 + ss)",
    "the axis count": "select leaf || ' ' || axis from axes left join (select leaf, axis, count(*) n, "
    "sum(verdict is 'keep') k from state where axis is not null group by leaf, axis) "
    "using (leaf, axis) where tried <> ifnull(n, 0) or kept <> ifnull(k, 0)",
    "the list of open ideas": "select 'h' || id from hypotheses h where (id in "
    "(select hypothesis from pending)) = exists "
    "(select 1 from experiments where hypothesis = h.id)",
}


def _same(left: Any, right: Any) -> bool:
    """Equal, or equal up to the rounding of sums taken in another order."""
    if isinstance(left, float) and isinstance(right, int | float):
        return math.isclose(left, right, rel_tol=1e-6, abs_tol=1e-12)
    return bool(left == right)


def rebuild(book: Notebook) -> None:
    """Make every derived table again from the records (`lab doctor --fix`)."""
    with book.write() as db:
        for table in ("state", "tallies", "axes", "pending"):
            db.execute(f"delete from {table}")
        db.execute("update scopes set experiments = 0, ss = 0, df = 0")
        db.execute(
            "insert into pending select id, leaf, campaign from hypotheses h where not exists "
            "(select 1 from experiments where hypothesis = h.id)"
        )
        for (experiment,) in db.execute("select id from experiments order by id").fetchall():
            refresh(book, experiment)
