"""PraxLab importer: hypotheses, experiments and results of an `experiments.db`."""

import json
import math
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from ..errors import Environment, Usage
from .rows import ImportedRow, Problem
from .values import OUTCOMES, measured, verdict, when

TABLES = ("hypotheses", "experiments", "results")
LESSONS = ("theory_revision", "insight", "interpretation")  # the most considered first


def read(path: Path) -> Iterator[ImportedRow | Problem]:
    """Yield the experiments of a PraxLab database, in the order they were registered.

    A copy is read, so that not even SQLite's own side files appear beside the original; its
    write-ahead log, when there is one, holds the newest rows and is copied with it.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "experiments.db"
        try:
            shutil.copyfile(path, copy)
            log = path.with_name(path.name + "-wal")
            if log.exists():
                shutil.copyfile(log, copy.with_name(copy.name + "-wal"))
        except OSError as reason:
            why = f"{path} cannot be copied: {reason.strerror}."
            raise Environment(why, "Free some space in the temporary folder.") from reason
        with closing(sqlite3.connect(copy)) as db:
            db.text_factory = lambda raw: raw.decode(errors="replace")
            try:
                found = {name: _table(db, name) for name in TABLES}
            except sqlite3.DatabaseError as reason:
                why = f"{path} is no PraxLab experiments.db: {reason}."
                raise Usage(why, "Give data/experiments.db of a PraxLab checkout.") from reason
    yield from _join(**found)


def _table(db: sqlite3.Connection, name: str) -> list[dict[str, Any]]:
    """Return a table's rows with their numbers; older databases lack some of the columns."""
    cursor = db.execute(f"select rowid as line, * from {name} order by rowid")
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def _join(
    hypotheses: list[dict[str, Any]],
    experiments: list[dict[str, Any]],
    results: list[dict[str, Any]],
) -> Iterator[ImportedRow | Problem]:
    """Put each experiment beside its hypothesis and its result."""
    ideas = {row.get("id"): row for row in hypotheses}
    ends = {row.get("experiment_id"): row for row in results}
    for row in experiments:
        idea, end = ideas.get(row.get("hypothesis_id"), {}), ends.get(row.get("id"), {})
        claim = _text(idea, "title") or _text(idea, "description")
        if not claim:
            yield Problem(row["line"], f"experiment {row.get('id')} has no hypothesis; skipped")
            continue
        yield from _experiment(row, idea, end, claim)
    tried = {row.get("hypothesis_id") for row in experiments}
    for idea in hypotheses:
        if idea.get("id") not in tried:
            yield Problem(idea["line"], f"hypothesis {idea.get('id')} was never tried; skipped")


def _experiment(
    row: dict[str, Any], idea: Mapping[str, Any], end: Mapping[str, Any], claim: str
) -> Iterator[ImportedRow | Problem]:
    """Yield one experiment of the database, after what is wrong with it."""
    status = _text(end, "verdict") or _text(row, "status")
    judged, known = verdict(status)
    if not known:
        yield Problem(row["line"], f"verdict {status!r} is not one we know", skipped=False)
    written = _metrics(_text(end, "metrics_json"))
    if written is None:
        yield Problem(row["line"], "its metrics are not a JSON object", skipped=False)
    metrics = measured(written or {}, judged)
    at = _text(end, "created_at") or _text(row, "created_at")
    yield ImportedRow(
        line=row["line"],
        commit=None,
        metrics=metrics,
        verdict=judged,
        claim=claim,
        mechanism=_text(idea, "mechanism_explanation") or _text(idea, "rationale"),
        lesson=next(filter(None, (_text(end, name) for name in LESSONS)), None),
        mechanism_outcome=OUTCOMES.get(_text(end, "mechanism_confirmed")),
        at=when(at),
        uid_seed=f"praxlab-db:{row.get('id')}:{_text(row, 'created_at')}:{claim}",
        leaf=_text(row, "task_id") or None,
        names=tuple(written or {}),
    )


def _text(row: Mapping[str, Any], name: str) -> str:
    """Return a column as text; empty where the column is missing or null."""
    value = row.get(name)
    return "" if value is None else str(value).strip()


def _metrics(written: str) -> dict[str, float] | None:
    """Return the finite numbers of a JSON object, {} for nothing at all, None if it is broken."""
    try:
        found = json.loads(written or "{}", parse_int=float)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    numbers = {n: v for n, v in found.items() if isinstance(v, float)}
    return {n: v for n, v in numbers.items() if math.isfinite(v)}
