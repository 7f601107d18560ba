"""The notebook: one SQLite file, opened safely, written in whole transactions.

`record` writes what happened, `state` keeps the derived tables true, `read` answers questions,
`search` finds ideas by their words, `transfer` moves records in and out. No other room has SQL.
"""

import contextlib
import importlib
import math
import os
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any, Self

from ..errors import Environment, NotFound, NotYet, Usage
from ..system import locks
from . import chain, write_lock
from .migrations import REDERIVED, STEPS

BUSY_S = 30  # 16 writers made one wait 12.8 s at worst on a rollback journal
MOVE_AWAY = "Move it away and restore an export: mv {0} {0}.broken && lab import FILE"
TEXT_LIMIT = 20_000  # characters: ten pages; more is a file, not a claim


def utc_now() -> datetime:
    """Return the present as an aware UTC time."""
    return datetime.now(UTC)


def new_uid() -> str:
    """Return an id that no other notebook will ever give."""
    return os.urandom(16).hex()


def number(word: str, letter: str) -> int:
    """Return 12 for `h12`; say what an id looks like when it is none.

    >>> number("e34", "e")
    34
    """
    digits = word[1:]
    if word[:1].lower() != letter or not digits.isascii() or not digits.isdigit():
        kind = "a hypothesis" if letter == "h" else "an experiment"
        raise Usage(f"{word!r} is not the id of {kind}.", f"Ids look like {letter}12: lab log")
    return int(digits[:18])


def _finite(value: Any) -> Any:
    """Return a value as it is recorded: infinity and NaN are no numbers, so they are null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Notebook:
    """A notebook on disk. The path and the clock come in; nothing here looks at the folder."""

    def __init__(
        self, path: Path | str, *, who: str = "", now: Callable[[], datetime] = utc_now
    ) -> None:
        self.path, self.who, self.now = path, who, now
        self.inside = False  # past the door that lets one writer in at a time
        self.line = chain.OURS  # of the chain that records hang on; an import has one of its own
        self.notes: list[chain.Note] = []  # records of this transaction, to be hung on it
        try:
            self.db = self._connect()
            self.db.row_factory = sqlite3.Row
            self._check_locks()
            self.db.execute("pragma foreign_keys = on")
            self.db.execute("pragma mmap_size = 0")  # a mapped file turns a full disk into SIGBUS
            self._migrate()
        except sqlite3.Error as error:
            raise explain(error, path) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.db.close()

    def stamp(self) -> str:
        """Return the time now as UTC ISO-8601 with milliseconds."""
        return self.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One whole transaction: everything inside is recorded, or nothing is.

        BEGIN IMMEDIATE, since a deferred transaction that reads first fails at once, whatever
        the timeout, when somebody else wrote in between.
        """
        if self.db.in_transaction:
            yield self.db
            return
        try:
            with self._alone():
                self.db.execute("begin immediate")
                self.notes.clear()
                yield self.db
                self.hang()
                self.db.execute("commit")
        except BaseException as error:
            if self.db.in_transaction:
                self.db.execute("rollback")
            if isinstance(error, sqlite3.Error) and not isinstance(error, sqlite3.IntegrityError):
                raise explain(error, self.path) from None
            raise

    def insert(self, table: str, **row: Any) -> int:
        """Add one record, stamped and with a unique id of its own; return its number."""
        row.setdefault("uid", new_uid())
        row.setdefault("at", self.stamp())
        return self.insert_plain(table, **row)

    def insert_plain(self, table: str, **row: Any) -> int:
        """Add one row as given, but for numbers that are not finite; return its number."""
        row = {name: _finite(value) for name, value in row.items()}
        columns = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join("?" * len(row))
        done = self.db.execute(
            f"insert into {table} ({columns}) values ({marks})", list(row.values())
        )
        number = int(done.lastrowid or 0)
        self.note(table, number)
        return number

    def note(self, table: str, number: int, names: Iterable[str] = ()) -> None:
        """Remember a record for the chain: that it is new, or which columns of it were filled."""
        self.notes.append((table, number, tuple(names)))

    def hang(self) -> None:
        """Hang what this transaction recorded on the chain."""
        if self.notes:
            kept = chain.kept_tables(self.db)
            chain.extend(self.db, self.line, [note for note in self.notes if note[0] in kept])
            self.notes.clear()

    def fill(self, table: str, row_id: int, **values: Any) -> None:
        """Fill columns of a record that were empty until now."""
        names = ", ".join(f'"{name}" = ?' for name in values)
        known = [_finite(value) for value in values.values()]
        self.db.execute(f"update {table} set {names} where id = ?", [*known, row_id])
        self.note(table, row_id, values)

    def event(self, verb: str, subject: str, detail: str | None = None) -> None:
        """Note who did what, when."""
        self.insert("events", who=self.who, verb=verb, subject=subject, detail=detail)

    def one(self, query: str, *values: Any) -> sqlite3.Row | None:
        """Return the first row, or None."""
        row: sqlite3.Row | None = self.db.execute(query, values).fetchone()
        return row

    def all(self, query: str, *values: Any) -> list[sqlite3.Row]:
        """Return every row."""
        return self.db.execute(query, values).fetchall()

    def has_open_jobs(self) -> bool:
        """Return whether any run has a supervisor, or had one that was killed."""
        return self.one("select 1 from jobs where ended is null limit 1") is not None

    def need(self, word: str, letter: str) -> sqlite3.Row:
        """Return the hypothesis or experiment called `word`, or name the newest there is."""
        table = "hypotheses" if letter == "h" else "experiments"
        found = self.one(f"select * from {table} where id = ?", number(word, letter))
        if found is None:
            kind = "hypothesis" if letter == "h" else "experiment"
            newest = self.db.execute(f"select max(id) from {table}").fetchone()[0]
            there = f"the newest is {letter}{newest}" if newest else "there is none yet"
            hint = "List them with: lab log"
            if letter == "h" and not newest:
                hint = "Write one down: lab hypothesis CLAIM -m MECHANISM"
            raise NotFound(f"no {kind} {word}; {there}.", hint)
        return found

    def _connect(self) -> sqlite3.Connection:
        """Open the file; where nothing may be written and nobody writes, as it is."""
        path = Path(self.path)
        log = Path(f"{path}-wal")
        locked = path.is_file() and not os.access(path.parent, os.W_OK)
        if locked and not (log.exists() and log.stat().st_size):
            uri = f"{path.absolute().as_uri()}?immutable=1"
            return sqlite3.connect(uri, uri=True, isolation_level=None)
        return sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)

    def _check_locks(self) -> None:
        """Refuse a file system without locks at once: SQLite takes it for a crowd and waits."""
        self.db.execute("pragma busy_timeout = 0")
        try:
            self._version()
        except sqlite3.OperationalError as error:
            fault = locks.record_lock_fault(Path(self.path).parent) if _is_busy(error) else None
            if fault is not None:
                raise locks.without_locks(self.path, fault) from None
        finally:
            self.db.execute(f"pragma busy_timeout = {BUSY_S * 1000}")

    def _migrate(self) -> None:
        version = self._version()
        if version > len(STEPS):
            raise Environment(
                f"{self.path} was written by a newer lab (schema {version}, this one knows "
                f"{len(STEPS)}).",
                "Update this installation: pip install --upgrade labtree",
            )
        if version == len(STEPS):
            return
        with self._alone():
            if self._version() == 0:
                self._begin()
            if self._version() < len(STEPS):  # nobody did it while we waited at the door
                with self.write():
                    self._apply(self._version())

    def _begin(self) -> None:
        """Make an empty file ours: a write-ahead log, where the file system allows one."""
        query = "select user_version, exists (select 1 from sqlite_master) from pragma_user_version"
        version, tables = self.all(query)[0]
        if version == 0 and tables:
            raise Environment(
                f"{self.path} is a SQLite file of another program.", MOVE_AWAY.format(self.path)
            )
        if self.path != ":memory:":
            self.db.execute("pragma journal_mode = wal")

    def _apply(self, version: int) -> None:
        db = _sqlite_utils().Database(self.db, execute_plugins=False)
        for step in STEPS[version:]:
            step(db)
        if 0 < version < REDERIVED:
            from .proof import rebuild

            rebuild(self)
        chain.catch_up(self)
        self.db.execute(f"pragma user_version = {len(STEPS)}")

    def _version(self) -> int:
        return int(self.db.execute("pragma user_version").fetchone()[0])

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Go through the door unless we are inside, so that a crowd writes one after another."""
        if self.inside or self.path == ":memory:":
            yield
            return
        with write_lock.acquire(f"{self.path}.lock"):
            self.inside = True
            try:
                yield
            finally:
                self.inside = False


def _sqlite_utils() -> ModuleType:
    """Import sqlite-utils without NumPy and pandas, which it would bring in: half a second."""
    hidden = {"numpy", "pandas"} - sys.modules.keys()
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: not to be had
    try:
        return importlib.import_module("sqlite_utils")
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


def _is_busy(error: sqlite3.Error) -> bool:
    return "locked" in str(error) or "busy" in str(error)


def explain(error: sqlite3.Error, path: Path | str) -> Exception:
    """Turn SQLite's error into one line that says what is wrong and one that says what to type."""
    text = str(error)
    if _is_busy(error):
        return NotYet(
            f"{path} was busy for {BUSY_S} s.", "Type the same command again in a moment."
        )
    if "not a database" in text or "malformed" in text:
        return Environment(
            f"{path} is not a notebook ({text}).",
            MOVE_AWAY.format(path),
        )
    if "disk is full" in text or "full" in text.split():
        return Environment(
            f"the disk with {path} is full.",
            "Free some space (lab gc removes what old runs left), then type the same again.",
        )
    if "readonly" in text or "read-only" in text or "unable to open" in text:
        return Environment(
            f"{path} cannot be written ({text}).",
            "Make its folder writable, or choose another: LAB_HOME=FOLDER lab ...",
        )
    if "disk I/O" in text:
        return Environment(
            f"the disk refused to write {path} ({text}).",
            f"Look whether it is full or a limit is set: df -h {path}; ulimit -f",
        )
    return Environment(f"the notebook {path} failed: {text}.", "Look at it with: lab doctor")
