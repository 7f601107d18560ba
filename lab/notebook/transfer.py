"""`lab export`, `lab import` of records as JSON Lines: merge or sync two notebooks."""

import json
import math
import re
import sqlite3
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from .. import importers
from ..errors import NotFound, Usage
from . import Notebook, chain, import_rows, record, schema, state

# Where a record points at another one: exported as that one's unique id.
POINTERS = {
    "hypothesis": "hypotheses",
    "experiment": "experiments",
    "incumbent": "experiments",
    "job": "jobs",
    "run": "runs",
    "lesson": "lessons",
    "audit": "audits",
}
APART = {  # columns that point elsewhere than their name says, or only in this table
    ("sessions", "campaign"): "campaigns",
    ("audits", "tip"): "experiments",
    ("audits", "base"): "experiments",
}
# What is in flight stays at home: elsewhere nobody would ever end it. Exported again when it ended.
_JOBS = (
    "ended is not null and (audit is null or audit in (select id from audits where ended <> ''))"
)
_ENDED = f"ended is not null and (job is null or job in (select id from jobs where {_JOBS}))"
ENDED = {
    "audits": "ended is not null",
    "jobs": _JOBS,
    "sessions": "ended is not null",
    "runs": _ENDED,
    "metrics": f"run in (select id from runs where {_ENDED})",
}
PAIRS = {"metrics": ("run", "name", "source"), "evidence": ("lesson", "experiment")}  # have no uid
AT_HOME = ("sealed",)  # told to no agent, and an export may be read by any
BAD = (ValueError, KeyError, TypeError, sqlite3.IntegrityError, sqlite3.ProgrammingError)
Row = dict[str, Any]
NO_WISH = importers.Wish()


def export(book: Notebook) -> Iterator[str]:
    """Yield every record as one line of JSON, oldest first, ids replaced by unique ids."""
    book.db.execute("begin")  # one moment of the notebook, whoever writes meanwhile
    try:
        for table in _travelling(book):
            for row in book.db.execute(_query(book, table)):
                found = {name: row[name] for name in row.keys() if _is_told(row[name])}  # noqa: SIM118
                if table == "events":
                    found["subject"] = _portable(book, found["subject"])
                elif table == "combinations":
                    found["parts"] = _uids(book, found["parts"])
                yield json.dumps({"table": table} | found, allow_nan=False)
    finally:
        book.db.execute("commit")


def _travelling(book: Notebook) -> list[str]:
    """Return the tables of records that leave this notebook."""
    return [table for table in schema.records(book) if table not in AT_HOME]


def _is_told(value: Any) -> bool:
    """Say whether a value goes out: null does not, nor what was once written as infinite."""
    return value is not None and not (isinstance(value, float) and not math.isfinite(value))


def _query(book: Notebook, table: str) -> str:
    """Return the question for a table's records, pointers as unique ids."""
    names = []
    for name in schema.columns(book, table):
        target = _target(table, name)
        if target:
            names.append(f'(select uid from {target} where id = t."{name}") as "{name}"')
        elif name != "id":
            names.append(f'"{name}"')
    return f"select {', '.join(names)} from {table} t where {ENDED.get(table, '1')} order by id"


def _target(table: str, column: str) -> str | None:
    """Return the table that a column points into."""
    return APART.get((table, column)) or POINTERS.get(column)


def _portable(book: Notebook, subject: str) -> str:
    """Return `e:UID` for the `e34` that an event is about."""
    if not re.fullmatch(r"[he]\d+", subject):
        return subject
    table = "hypotheses" if subject[0] == "h" else "experiments"
    found = book.one(f"select uid from {table} where id = ?", int(subject[1:]))
    return f"{subject[0]}:{found[0]}" if found else subject


def _local(book: Notebook, subject: Any) -> Any:
    """Return the `e34` that stands for `e:UID` here."""
    if not isinstance(subject, str) or subject[:2] not in ("h:", "e:"):
        return subject
    table = "hypotheses" if subject[0] == "h" else "experiments"
    found = book.one(f"select id from {table} where uid = ?", subject[2:])
    return f"{subject[0]}{found[0]}" if found else subject


def _uids(book: Notebook, parts: str) -> list[str]:
    """Return the unique ids of the experiments that a combination is made of."""
    query = "select uid from experiments where id = ?"
    return [book.all(query, part)[0][0] for part in json.loads(parts)]


def load(book: Notebook, path: Path, leaf: str | None, wish: importers.Wish = NO_WISH) -> Row:
    """Read a file of any kind we know; return how many records were new, old and skipped."""
    if not path.is_file():
        raise NotFound(f"there is no file {path}.", "Type: lab import FILE")
    book.db.execute("pragma cache_size = -200000")  # 200 MB: a million unique ids in random order
    if importers.kind(path) == "labtree-jsonl":
        return Import(book, path).read()
    if leaf is None:
        raise Usage(f"{path} does not say which leaf it belongs to.", "Type: --leaf pretrain")
    return import_rows.load(book, path, leaf, wish)


class Import:
    """One file of JSON Lines on its way in, as one transaction."""

    def __init__(self, book: Notebook, path: Path) -> None:
        self.book, self.path = book, path
        self.known = {table: schema.columns(book, table) for table in _travelling(book)}
        self.counts = {"new": 0, "known": 0, "skipped": 0}
        self.problems: list[str] = []
        self.experiments: set[int] = set()  # whose state must be derived anew
        self.hypotheses: set[int] = set()  # whose words must be indexed anew

    def read(self) -> Row:
        """Take the file in; return the counts and what was wrong with single lines."""
        with self.book.write(), chain.imported(self.book):
            for table, lines in groupby(self._lines(), key=lambda found: found[1]["table"]):
                for part in state.parts(lines):
                    self._batch(table, [(line, row) for line, row in part])
            self._settle()
        return self.counts | {"settled": 0, "problems": self.problems, "taken": []}

    def _lines(self) -> Iterator[tuple[int, Row]]:
        with self.path.open(encoding="utf-8", errors="replace") as file:
            for line, words in enumerate(file, start=1):
                if not words.strip():
                    continue
                try:
                    yield line, self._checked(json.loads(words))
                except (*BAD, RecursionError) as error:
                    self._skip(line, error)

    def _checked(self, row: Any) -> Row:
        """Return a record whose columns all exist and whose numbers are all finite."""
        if not isinstance(row, dict) or row.get("table") not in self.known:
            raise ValueError("no record of a table we know")
        unknown = [name for name in row if name not in (*self.known[row["table"]], "table")]
        if unknown or "id" in row:
            raise ValueError(f"no such column {(unknown or ['id'])[0]!r}")
        if "uid" not in row and row["table"] not in PAIRS:
            raise KeyError("uid")
        if any(isinstance(v, float) and not math.isfinite(v) for v in row.values()):
            raise ValueError("a number is not finite")
        return row

    def _skip(self, line: int, error: BaseException) -> None:
        why = str(error)
        if isinstance(error, json.JSONDecodeError):
            why = f"not JSON: {error.msg}"
        elif isinstance(error, KeyError):
            why = f"no {error.args[0]}"
        self.problems.append(f"{self.path}:{line}: skipped ({why})")
        self.counts["skipped"] += 1

    def _batch(self, table: str, lines: list[tuple[int, Row]]) -> None:
        """Insert records of one table together; where one is bad, one by one."""
        self.book.db.execute("savepoint batch")
        noted = len(self.book.notes)
        try:
            self._insert(table, [row for _, row in lines])
        except BAD as error:
            self.book.db.execute("rollback to batch")
            del self.book.notes[noted:]
            if len(lines) == 1:
                self._skip(lines[0][0], error)
            else:
                for line in lines:
                    self._batch(table, [line])
        self.book.db.execute("release batch")

    def _insert(self, table: str, rows: list[Row]) -> None:
        """Insert those of `rows` that are not here, with the ids that come next."""
        rows = [{name: value for name, value in row.items() if name != "table"} for row in rows]
        self._resolve(table, rows)
        new = self._new(table, rows)
        first = self.book.all(f"select ifnull(max(id), 0) + 1 from {table}")[0][0]
        by_columns: dict[tuple[str, ...], list[list[Any]]] = {}
        for number, row in enumerate(new, start=first):
            by_columns.setdefault(("id", *row), []).append([number, *row.values()])
        for names, values in by_columns.items():
            into = ", ".join(f'"{name}"' for name in names)
            marks = ", ".join("?" * len(names))
            self.book.db.executemany(f"insert into {table} ({into}) values ({marks})", values)
            for made in values:
                self.book.note(table, made[0])
        self.counts["new"] += len(new)
        self.counts["known"] += len(rows) - len(new)
        self._touch(table, range(first, first + len(new)), new)

    def _resolve(self, table: str, rows: list[Row]) -> None:
        """Put local ids in the place of unique ones."""
        for column in {name for row in rows for name in row}:
            target = _target(table, column)
            if target:
                asked = [row[column] for row in rows if row.get(column) is not None]
                ids = self._ids(target, asked)
                for row in rows:
                    if row.get(column) is not None:
                        if row[column] not in ids:
                            raise ValueError(f"{column} {row[column]!r} is not here")
                        row[column] = ids[row[column]]
            elif (table, column) == ("events", "subject"):
                for row in rows:
                    row[column] = _local(self.book, row.get(column))
            elif (table, column) == ("combinations", "parts"):
                for row in rows:
                    row[column] = self._parts(row["parts"])

    def _parts(self, uids: list[Any]) -> str:
        """Return the experiments that a combination is made of, as they are called here."""
        ids = self._ids("experiments", uids)
        if missing := [uid for uid in uids if uid not in ids]:
            raise ValueError(f"experiment {missing[0]!r} is not here")
        return json.dumps([ids[uid] for uid in uids])

    def _ids(self, table: str, uids: list[Any]) -> dict[Any, int]:
        marks = ", ".join("?" * len(uids))
        found = self.book.db.execute(f"select uid, id from {table} where uid in ({marks})", uids)
        return {row[0]: row[1] for row in found}

    def _new(self, table: str, rows: list[Row]) -> list[Row]:
        """Return the records that this notebook does not have."""
        if table in PAIRS:
            where = " and ".join(f'"{key}" = ?' for key in PAIRS[table])
            query = f"select 1 from {table} where {where}"
            keys = [[row[key] for key in PAIRS[table]] for row in rows]
            return [r for r, key in zip(rows, keys, strict=True) if not self.book.one(query, *key)]
        here = self._ids(table, [row["uid"] for row in rows])
        new = [row for row in rows if row["uid"] not in here]
        if table == "campaigns":
            query = "select 1 from campaigns where name = ?"
            new = [row for row in new if not self.book.one(query, row["name"])]
        return new

    def _touch(self, table: str, ids: range, rows: list[Row]) -> None:
        """Note whose derived state these records change."""
        if table == "hypotheses":
            self.hypotheses.update(ids)
            pending = [
                (i, row["leaf"], row.get("campaign")) for i, row in zip(ids, rows, strict=True)
            ]
            self.book.db.executemany("insert into pending values (?, ?, ?)", pending)
        elif table == "experiments":
            self.experiments.update(ids)
        else:
            for name in ("experiment", "tip", "base"):
                if _target(table, name):
                    self.experiments.update(row[name] for row in rows if name in row)

    def _settle(self) -> None:
        """Bring the derived state of what came in up to date."""
        for part in state.parts(sorted(self.experiments)):
            ideas = [(s["hypothesis"],) for s in state.refresh_all(self.book, part)]
            self.book.db.executemany("delete from pending where hypothesis = ?", ideas)
            self.hypotheses.update(idea for (idea,) in ideas if idea is not None)
        self.book.db.execute(
            "delete from pending where exists "
            "(select 1 from events where subject = 'h' || hypothesis and verb = 'drop')"
        )
        for part in state.parts(sorted(self.hypotheses)):
            record.index(self.book, *part)
