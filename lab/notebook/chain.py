"""Hash chain over the records: each hangs on the one before, so that none is rewritten unseen.

An entry names a record, the columns that were written with it, and a hash over the entry before and
what stands in those columns. Whoever changes a record has to change every entry after it, and then
the newest no longer is the one that git was told of (`lab.run.heads`). What was imported is
somebody else's word: it hangs on a line of its own for each import, not on ours.
"""

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import Notebook

# A record's table, its number, the columns written; none where it is new: all that it has.
Note = tuple[str, int, tuple[str, ...]]
OURS = 0  # the line of what this notebook recorded itself


def kept_tables(db: sqlite3.Connection) -> set[str]:
    """Return the tables of records, which a trigger of that name keeps from being deleted."""
    query = "select tbl_name from sqlite_master where type = 'trigger' and name = tbl_name || ?"
    return {row[0] for row in db.execute(query, ("_stays",))}


def extend(db: sqlite3.Connection, line: int, notes: Iterable[Note]) -> None:
    """Hang records, as they stand now, on the newest entry of a line."""
    row = db.execute("select hash from chain where line = ? order by id desc limit 1", (line,))
    last = str((row.fetchone() or (f"line {line}",))[0])
    entries = []
    for table, number, names in notes:
        found = db.execute(f"select * from {table} where id = ?", (number,)).fetchone()
        if found is not None:
            names = names or _there(found)
            last = link(last, table, number, names, [found[name] for name in names])
            entries.append((line, table, number, " ".join(names), last))
    query = "insert into chain (line, part, row, names, hash) values (?, ?, ?, ?, ?)"
    db.executemany(query, entries)


def link(last: str, table: str, number: int, names: Iterable[str], values: Iterable[Any]) -> str:
    """Return the hash of an entry.

    >>> link("line 0", "runs", 1, ["seed"], [0])[:12]
    '81180a2e8b1e'
    """
    told = json.dumps([last, table, number, list(names), list(values)], ensure_ascii=False)
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()


def catch_up(book: "Notebook") -> None:
    """Hang on what no entry has: all of a notebook that is older than its chain."""
    db = book.db
    if db.execute("select 1 from chain").fetchone() is None:  # what no other notebook begins with
        first = hashlib.sha256(_random()).hexdigest()
        query = "insert into chain (line, part, row, names, hash) values (?, '', 0, '', ?)"
        db.execute(query, (OURS, first))
    extend(db, OURS, _loose(book))


def _random() -> bytes:
    from . import new_uid

    return new_uid().encode()


def _loose(book: "Notebook") -> list[Note]:
    """Return the records, or columns of them, that no entry names."""
    covered: dict[tuple[str, int], set[str]] = {}
    for row in book.db.execute("select part, row, names from chain"):
        covered.setdefault((row["part"], row["row"]), set()).update(row["names"].split())
    found = []
    for table in _tables(book.db):
        for row in book.db.execute(f"select * from {table} order by id"):
            left = set(_there(row)) - covered.get((table, row["id"]), set())
            if left:
                found.append((table, row["id"], tuple(sorted(left))))
    return found


def _there(row: sqlite3.Row) -> tuple[str, ...]:
    """Return the columns of a record that hold anything."""
    return tuple(name for name in row.keys() if name != "id" and row[name] is not None)  # noqa: SIM118


def _tables(db: sqlite3.Connection) -> list[str]:
    """Return the tables of records, also one whose triggers somebody took away."""
    named = {row[0] for row in db.execute("select distinct part from chain where part <> ''")}
    return sorted(kept_tables(db) | named)


def faults(book: "Notebook") -> Iterator[str]:
    """Follow the chain; yield a sentence for each record that is not what was written."""
    db = book.db
    tables = {table: _rows(db, table) for table in _tables(db)}
    last: dict[int, str] = {}
    for entry in db.execute("select * from chain order by id"):
        line, part = entry["line"], entry["part"]
        if part:
            row = tables.get(part, {}).get(entry["row"])
            names = entry["names"].split()
            values = None if row is None else [row[name] for name in names]
            before = last.get(line, f"line {line}")
            if values is None:
                yield f"{part} {entry['row']} was deleted behind lab's back"
            elif link(before, part, entry["row"], names, values) != entry["hash"]:
                yield f"{part} {entry['row']} was rewritten behind lab's back"
        last[line] = entry["hash"]
    for table, number, names in _loose(book):
        yield f"{table} {number} ({', '.join(names[:3])}) was not written by lab"


def _rows(db: sqlite3.Connection, table: str) -> dict[int, sqlite3.Row]:
    return {row["id"]: row for row in db.execute(f"select * from {table}")}


def first(book: "Notebook") -> str:
    """Return what this notebook's chain begins with, which no other's does."""
    row = book.one("select hash from chain order by id limit 1")
    return "" if row is None else str(row[0])


def head(book: "Notebook") -> tuple[int, str]:
    """Return the newest entry of our own line: its number and its hash."""
    row = book.one("select id, hash from chain where line = ? order by id desc limit 1", OURS)
    return (0, "") if row is None else (int(row[0]), str(row[1]))


def has(book: "Notebook", number: int, digest: str) -> bool:
    """Return whether an entry is in the chain as it was."""
    return book.one("select 1 from chain where id = ? and hash = ?", number, digest) is not None


@contextlib.contextmanager
def imported(book: "Notebook") -> Iterator[None]:
    """Hang what is recorded within on a line of its own."""
    row = book.all("select ifnull(max(line), 0) + 1 from chain")[0]
    book.line = int(row[0])
    try:
        yield
        book.hang()
    finally:
        book.line = OURS
