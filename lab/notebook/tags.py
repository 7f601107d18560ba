"""Tags and notes of experiments: what people and agents say of them, beside their numbers."""

import re
import sqlite3
from collections.abc import Iterable

from ..errors import Usage
from . import Notebook

LONGEST = 40  # characters of a tag
STAR = "star"  # the tag that pages show as a star
# A tag is there when the newest word on it says so; whichever notebook it was said in.
TAGGED = (
    "select t.experiment from tags t where t.tag = ? and not t.gone and not exists ("
    "select 1 from tags l where l.experiment = t.experiment and l.tag = t.tag "
    "and (l.at, l.id) > (t.at, t.id))"
)


def word(text: str) -> str:
    """Return a tag as it is kept; refuse what is none.

    >>> word("#Promising")
    'promising'
    """
    clean = text.strip().lstrip("#").lower()
    if not re.fullmatch(rf"[\w.+-]{{1,{LONGEST}}}", clean):
        hint = f"A tag is one word of at most {LONGEST} letters, digits, -, _, . or +: promising"
        raise Usage(f"{text[: 2 * LONGEST]!r} is no tag.", hint)
    return clean


def tag(book: Notebook, experiment: int, name: str, gone: bool = False) -> bool:
    """Tag an experiment, or take the tag away; return whether that is new."""
    with book.write():
        if (name in of(book, experiment)) != gone:
            return False
        book.insert("tags", experiment=experiment, tag=name, gone=int(gone), by=book.who)
        book.event("untag" if gone else "tag", f"e{experiment}", name)
        return True


def note(book: Notebook, experiment: int, words: str) -> int:
    """Write a note to an experiment."""
    with book.write():
        made = book.insert("notes", experiment=experiment, text=words, by=book.who)
        book.event("note", f"e{experiment}", words[:200])
        return made


def of(book: Notebook, experiment: int) -> list[str]:
    """Return the tags of an experiment, in the order they were given."""
    return of_all(book, [experiment]).get(experiment, [])


def of_all(book: Notebook, experiments: Iterable[int]) -> dict[int, list[str]]:
    """Return the tags of experiments that have any."""
    numbers = list(experiments)
    marks = ", ".join("?" * len(numbers))
    rows = book.all(
        f"select experiment, tag, gone from tags where experiment in ({marks}) order by at, id",
        *numbers,
    )
    found: dict[int, list[str]] = {}
    for row in rows:
        known = found.setdefault(row["experiment"], [])
        if row["tag"] in known:
            known.remove(row["tag"])
        if not row["gone"]:
            known.append(row["tag"])
    return {number: names for number, names in found.items() if names}


def notes(book: Notebook, experiment: int) -> list[sqlite3.Row]:
    """Return the notes to an experiment, oldest first."""
    query = "select text, by, at from notes where experiment = ? order by at, id"
    return book.all(query, experiment)


def known(book: Notebook, leaf: str) -> list[str]:
    """Return the tags that experiments of a leaf have, by name."""
    rows = book.all(
        "select distinct t.tag from tags t cross join state s on s.experiment = t.experiment "
        "where s.leaf = ? order by t.tag",
        leaf,
    )
    return [row["tag"] for row in rows]
