"""Archive: what a person took out of sight, by an event with its author; nothing is deleted.

What is hidden is read from the events: the newest on an experiment, or on a leaf, counts.
"""

import sqlite3
from collections.abc import Iterable

from ..errors import NotFound, Refused
from . import Notebook, lookup

# What every list asks of an experiment `s`, unless it was asked for what is hidden.
SHOWN = "s.experiment not in (select experiment from hidden)"
SHOWN_LEAF = "('leaf ' || s.leaf) not in (select subject from archived)"  # where none is named
# Of a lesson `l`: not all of its evidence is out of sight.
SHOWN_LESSON = (
    "(not exists (select 1 from hidden) or exists (select 1 from evidence v where v.lesson = l.id "
    "and v.experiment not in (select experiment from hidden)) "
    "or not exists (select 1 from evidence v where v.lesson = l.id))"
)
LEAF = "leaf "  # begins what an event on a leaf is about


def note(book: Notebook, subjects: Iterable[str], why: str | None, *, undo: bool) -> list[str]:
    """Take subjects out of sight, or `undo` it; return those that were not so already."""
    with book.write():
        out = {row[0] for row in book.all("select subject from archived")}
        moved = [one for one in subjects if (one in out) == undo]
        for one in moved:
            book.event("unarchive" if undo else "archive", one, why)
    return moved


def listed(book: Notebook) -> list[sqlite3.Row]:
    """Return what is out of sight: subject, who took it there, when and why; newest first."""
    return book.all(
        "select e.subject, e.who, e.at, e.detail from archived a join events e on e.id = a.event "
        "order by e.id desc"
    )


def is_hidden(book: Notebook, number: int) -> bool:
    """Return whether an experiment is out of sight by itself."""
    return book.one("select 1 from hidden where experiment = ? limit 1", number) is not None


def leaves(book: Notebook) -> set[str]:
    """Return the leaves that are out of sight."""
    rows = book.all("select subject from archived where subject like ?", f"{LEAF}%")
    return {row[0].removeprefix(LEAF) for row in rows}


def subjects(book: Notebook, word: str, known: Iterable[str], undo: bool = False) -> list[str]:
    """Return what `e34`, a leaf or the file of an import stands for; NotFound for nothing known."""
    if word[:1].lower() == "e" and word[1:].isdigit():
        row = book.need(word, "e")
        if not undo:
            _check(book, row)
        return [f"e{row['id']}"]
    if word in known:
        return [f"{LEAF}{word}"]
    found = _imported(book, word)
    if not found:
        raise NotFound(
            f"no experiment, leaf or import is called {word}.",
            "See imports with: lab log --events; leaves with: lab leaves",
        )
    return [f"e{number}" for number in found]


def _check(book: Notebook, row: sqlite3.Row) -> None:
    """Refuse what others stand on, and what is not over yet."""
    name, state = f"e{row['id']}", lookup.state(book, row["id"])
    if state["verdict"] == "keep" and row["kind"] != "import":
        raise Refused(
            f"{name} is kept: what was built on it needs it in sight.",
            f"Take it back first: lab result {name} -v discard --because WHY",
        )
    if state["verdict"] is None and row["kind"] != "import":
        raise Refused(
            f"{name} has no verdict yet.", f"Give it one first: lab result {name} -v discard"
        )


def _imported(book: Notebook, name: str) -> list[int]:
    """Return the experiments that came in with a log of this name, by its newest import."""
    event = book.one(
        "select id from events where verb = 'import' and detail = ? order by id desc limit 1", name
    )
    if event is None:
        return []
    rows = book.all(
        "select row from chain where part = 'experiments' and line = ("
        "select line from chain where part = 'events' and row = ?) order by row",
        event["id"],
    )
    return [row[0] for row in rows]
