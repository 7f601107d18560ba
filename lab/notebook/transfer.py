"""Records in and out: our own JSON Lines, and the logs of other tools."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .. import foreign
from ..errors import Usage
from ..migrations import RECORDS
from . import Notebook, record, state

# Where a record points at another one: exported as that one's unique id.
POINTERS = {
    "hypothesis": "hypotheses",
    "experiment": "experiments",
    "incumbent": "experiments",
    "job": "jobs",
    "run": "runs",
    "lesson": "lessons",
}
MINIMIZED = ("loss", "bpb", "perplexity", "ppl", "error", "nll", "mse")


def export(book: Notebook) -> Iterator[str]:
    """Yield every record as one line of JSON, oldest first, ids replaced by unique ids."""
    for table in RECORDS:
        for row in book.db.execute(f"select * from {table} order by id"):
            yield json.dumps({"table": table} | _outward(book, table, dict(row)), allow_nan=False)


def _target(table: str, column: str) -> str | None:
    """Return the table that a column points into; elsewhere a campaign is a name."""
    return "campaigns" if (table, column) == ("sessions", "campaign") else POINTERS.get(column)


def _outward(book: Notebook, table: str, row: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for column, value in row.items():
        target = _target(table, column)
        if target and value is not None:
            value = book.all(f"select uid from {target} where id = ?", value)[0][0]
        if column != "id" and value is not None:
            found[column] = value
    return found


def load(book: Notebook, path: Path, leaf: str | None) -> dict[str, Any]:
    """Read a file of any kind we know; return how many records were new, old and skipped."""
    if not path.is_file():
        raise Usage(f"{path} is not a file.", "Type: lab import FILE")
    if foreign.kind(path) == "labtree-jsonl":
        return _load_own(book, path)
    return _load_foreign(book, path, leaf)


# -- Our own JSON Lines ---------------------------------------------------------


def _load_own(book: Notebook, path: Path) -> dict[str, Any]:
    counts = {"new": 0, "known": 0, "skipped": 0}
    touched: set[int] = set()
    problems: list[str] = []
    with path.open(encoding="utf-8", errors="replace") as file, book.write():
        for line, words in enumerate(file, start=1):
            if not words.strip():
                continue
            try:
                outcome = _take(book, json.loads(words), touched)
            except (ValueError, KeyError, TypeError, sqlite3.Error) as error:
                problems.append(f"{path}:{line}: skipped ({_why(error)})")
                outcome = "skipped"
            counts[outcome] += 1
        _settle(book, touched)
    return counts | {"problems": problems}


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON: {error.msg}"
    if isinstance(error, KeyError):
        return f"no {error.args[0]}"
    return str(error)


def _take(book: Notebook, row: dict[str, Any], touched: set[int]) -> str:
    """Insert one exported record unless it is here; note whose state it changes."""
    table = row.pop("table")
    if table not in RECORDS:
        raise ValueError(f"no such table {table!r}")
    values = {name: _inward(book, table, name, value) for name, value in row.items()}
    if _is_here(book, table, values):
        return "known"
    if table == "campaigns" and book.one("select 1 from campaigns where name = ?", row["name"]):
        return "known"
    made = book.insert_plain(table, **values)
    if table == "experiments":
        touched.add(made)
    elif isinstance(values.get("experiment"), int):
        touched.add(values["experiment"])
    if table == "hypotheses":
        pending = {"hypothesis": made, "leaf": row["leaf"], "campaign": row.get("campaign")}
        book.insert_plain("pending", **pending)
        record.index(book, made)
    return "new"


def _inward(book: Notebook, table: str, column: str, value: Any) -> Any:
    target = _target(table, column)
    if target is None or value is None:
        return value
    found = book.one(f"select id from {target} where uid = ?", value)
    if found is None:
        raise ValueError(f"{column} {value!r} is not here")
    return found[0]


def _is_here(book: Notebook, table: str, values: dict[str, Any]) -> bool:
    if "uid" in values:
        return book.one(f"select 1 from {table} where uid = ?", values["uid"]) is not None
    keys = {"metrics": ("run", "name", "source"), "evidence": ("lesson", "experiment")}[table]
    where = " and ".join(f"{key} = ?" for key in keys)
    found = book.one(f"select 1 from {table} where {where}", *(values[key] for key in keys))
    return found is not None


def _settle(book: Notebook, touched: set[int]) -> None:
    """Bring the derived state of what came in up to date."""
    for experiment in sorted(touched):
        old = book.one("select * from state where experiment = ?", experiment)
        new = state.facts(book, experiment)
        state.store(book, new, old)
        if new["hypothesis"]:
            book.db.execute("delete from pending where hypothesis = ?", (new["hypothesis"],))
            record.index(book, new["hypothesis"])


# -- Other tools' logs ----------------------------------------------------------


def _load_foreign(book: Notebook, path: Path, leaf: str | None) -> dict[str, Any]:
    if leaf is None:
        raise Usage(f"{path} does not say which leaf it belongs to.", "Type: --leaf pretrain")
    counts = {"new": 0, "known": 0, "skipped": 0}
    problems: list[str] = []
    ladder = Ladder()
    with book.write():
        for row in foreign.read(path):
            if isinstance(row, foreign.Problem):
                problems.append(f"{path}:{row.line}: {row.text}")
                counts["skipped"] += row.skipped
            else:
                gain = ladder.climb(row)
                counts[_take_foreign(book, row, leaf, gain)] += 1
        if counts["new"]:
            book.event("import", leaf, path.name)
    return counts | {"problems": problems}


class Ladder:
    """The gain of each row over the last one kept before it, as the log's own author saw it."""

    def __init__(self) -> None:
        self.kept: dict[str, float] = {}

    def climb(self, row: foreign.ForeignRow) -> float | None:
        """Return the row's gain, positive when better; a keep becomes the next rung."""
        if row.metric is None or row.value is None:
            return None
        last = self.kept.get(row.metric)
        if row.verdict == "keep":
            self.kept[row.metric] = row.value
        if last is None:
            return None
        return (row.value - last) * (-1 if direction_of(row.metric) == "minimize" else 1)


def direction_of(metric: str) -> str:
    """Guess which way a metric of another tool's log is better, by its name.

    >>> direction_of("val_bpb"), direction_of("eval_reward_mean")
    ('minimize', 'maximize')
    """
    words = metric.lower().split("_")
    return "minimize" if any(word in words for word in MINIMIZED) else "maximize"


def _take_foreign(book: Notebook, row: foreign.ForeignRow, leaf: str, gain: float | None) -> str:
    uid = f"{leaf}:{row.uid_seed}"
    if book.one("select 1 from hypotheses where uid = ?", uid):
        return "known"
    at = row.at or book.stamp()
    made = record.hypothesis(
        book,
        **{
            "leaf": leaf,
            "claim": row.claim or "(no description)",
            "mechanism": row.mechanism or "",
        },
        source="import",
        uid=uid,
        at=at,
    )
    experiment: dict[str, Any] = {
        **{"uid": uid, "at": at, "hypothesis": made, "leaf": leaf, "kind": "import"},
        **{"metric": row.metric, "commit": row.commit},
        "direction": direction_of(row.metric) if row.metric else None,
    }
    number = book.insert("experiments", **experiment)
    book.db.execute("delete from pending where hypothesis = ?", (made,))
    if row.verdict is not None:
        values = dict(row.metrics)
        book.insert(
            "results",
            **{"uid": uid, "at": at, "experiment": number, "verdict": row.verdict, "gain": gain},
            **{"mechanism": row.mechanism_outcome, "theory_revision": row.lesson},
            metrics=json.dumps(values) if values else None,
            value=row.value,
            by="import",
        )
    new = state.facts(book, number)
    state.store(book, new)
    if new["kind"] or row.lesson:
        record.index(book, made)
    return "new"
