"""Queries of `lab show`: everything about one experiment, or one idea."""

import json
import sqlite3
from typing import Any, cast

from ..documents.experiments import (
    Experiment,
    Hypothesis,
    JudgementRecord,
    NoteRecord,
    ReportedRecord,
    ResultRecord,
    RunRecord,
)
from . import Notebook, attempts, environments, measurements, tags, waves
from .ideas import lesson_of
from .marks import marks
from .read import ENTRY, e, entry


def whole(book: Notebook, experiment: sqlite3.Row) -> Experiment:
    """Return everything that is known of one experiment, for `lab show`."""
    number = experiment["id"]
    counting = measurements.counting(book, number)
    row = book.all(f"{ENTRY} where s.experiment = ?", number)[0]
    runs = [dict(run) for run in _records(book, "runs", number)]
    return {
        **entry(row),
        "mechanism": row["because"],
        "mechanism_outcome": row["mechanism"],
        "mechanism_source": row["mechanism_source"],
        "kind": experiment["kind"],
        "profile": experiment["profile"],
        "platform": experiment["platform"],
        "yardstick": experiment["yardstick"],
        "metric": experiment["metric"],
        "direction": experiment["direction"],
        "incumbent": e(experiment["incumbent"]),
        "campaign": experiment["campaign"],
        "axis": row["axis"],
        "wave": [f"e{one}" for one in waves.members(book, experiment["wave"])],
        "attempt": experiment["attempt"],
        "lines_changed": experiment["lines_changed"],
        "lesson": lesson_of(book, number),
        "measured": measurements.metrics(book, number),
        "runs": [cast(RunRecord, {**run, **_beside(book, run["id"], counting)}) for run in runs],
        "environments": environments.of_runs(book, runs),
        "judgements": [
            cast(JudgementRecord, _unpacked(row)) for row in _records(book, "judgements", number)
        ],
        "results": [
            cast(ResultRecord, _unpacked(row)) for row in _records(book, "results", number)
        ],
        "reported": [
            cast(ReportedRecord, _unpacked(row)) for row in _records(book, "reported", number)
        ],
        "equal_seeds": measurements.at_equal_seeds(book, experiment),
        "marks": marks(book, number),
        "outside_noise": number in measurements.noise_and_outside(book, row["scope"])[1],
        "tags": tags.of(book, number),
        "notes": [cast(NoteRecord, dict(row)) for row in tags.notes(book, number)],
    }


def _beside(book: Notebook, run: int, counting: set[int]) -> dict[str, Any]:
    return {"metrics": measurements.run_metrics(book, run), "counts": run in counting}


def _records(book: Notebook, table: str, experiment: int) -> list[sqlite3.Row]:
    return book.all(f"select * from {table} where experiment = ? order by id", experiment)


def idea(book: Notebook, hypothesis: sqlite3.Row) -> Hypothesis:
    """Return a hypothesis with every experiment made for it."""
    query = f"{ENTRY} where s.hypothesis = ? order by s.experiment"
    tried = [entry(row) for row in book.all(query, hypothesis["id"])]
    return {
        "hypothesis": f"h{hypothesis['id']}",
        "leaf": hypothesis["leaf"],
        "claim": hypothesis["claim"],
        "mechanism": hypothesis["mechanism"],
        "observe": hypothesis["observe"],
        "expect": hypothesis["expect"],
        "withdrawn": _withdrawn(book, hypothesis["id"]),
        "min_effect": hypothesis["min_effect"],
        "axis": hypothesis["axis"],
        "campaign": hypothesis["campaign"],
        "source": hypothesis["source"],
        "at": hypothesis["at"],
        "experiments": tried,
        "attempts": attempts.of_idea(book, hypothesis["id"]),
    }


def _withdrawn(book: Notebook, hypothesis: int) -> str | None:
    row = book.one(
        "select detail from events where subject = ? and verb = 'drop' order by id desc limit 1",
        f"h{hypothesis}",
    )
    return None if row is None else row["detail"] or ""


def _unpacked(record: sqlite3.Row) -> dict[str, Any]:
    """Return a record with what it has as JSON read."""
    row = dict(record)
    for name in ("metrics", "mechanism"):
        if isinstance(row.get(name), str) and row[name].startswith("{"):
            row[name] = json.loads(row[name])
    return row
