"""Attempts: edits that failed in their dry run; no experiment was made of them."""

import sqlite3
from typing import Any, Protocol

from ..documents.experiments import Attempt
from ..documents.leaves import DryFailure
from ..system.masking import mask
from . import Notebook, search
from .lookup import Key

ATTEMPT = (
    "select a.*, h.claim, h.mechanism from attempts a join hypotheses h on h.id = a.hypothesis"
)
LOOK = 500  # attempts of a leaf looked through for a text: older ones are nobody's news


class Failed(Protocol):
    """Why a dry run failed."""

    @property
    def kind(self) -> str: ...
    @property
    def place(self) -> str: ...
    @property
    def last(self) -> str: ...


def add(
    book: Notebook,
    idea: sqlite3.Row,
    campaign: str | None,
    parent: str | None,
    ids: tuple[Key, str],
    failed: Failed,
    **more: Any,
) -> None:
    """Record an attempt; its hypothesis stays open. `more`: the log, the profile, the seconds."""
    key, behaviour = ids
    with book.write():
        more = {name: mask(one) if isinstance(one, str) else one for name, one in more.items()}
        book.insert(
            "attempts",
            **{"hypothesis": idea["id"], "leaf": idea["leaf"], "campaign": campaign},
            **{"parent": parent, "contents": key[1], "behaviour": behaviour},
            **{"failure": failed.kind, "place": failed.place, "last": mask(failed.last)},
            **more,
        )
        book.event("attempt", f"h{idea['id']}", failed.kind)


def is_known_good(book: Notebook, key: Key) -> bool:
    """Return whether a run of these contents has ended with a number, in whatever profile."""
    row = book.one(
        "select 1 from experiments e join state s on s.experiment = e.id where e.leaf = ? "
        "and e.contents = ? and s.runs > 0 and s.value is not null limit 1",
        *key[:2],
    )
    return row is not None


def has_contents(book: Notebook, contents: str) -> bool:
    """Return whether a dry run of these contents failed."""
    return book.one("select 1 from attempts where contents = ? limit 1", contents) is not None


def claims(book: Notebook, leaf: str, n: int) -> list[str]:
    """Return what the newest edits of a leaf that failed in a dry run claimed."""
    rows = book.all(f"{ATTEMPT} where a.leaf = ? order by a.id desc limit ?", leaf, n)
    return [row["claim"] for row in rows]


def of_idea(book: Notebook, hypothesis: int) -> list[Attempt]:
    """Return the attempts of a hypothesis, oldest first."""
    rows = book.all(f"{ATTEMPT} where a.hypothesis = ? order by a.id", hypothesis)
    return [_attempt(row) for row in rows]


def near(
    book: Notebook, leaf: str | None, text: str | None, n: int, profile: str | None = None
) -> list[DryFailure]:
    """Return the newest attempts whose idea, or whose error, is near a text; without one, none.

    Nor are there any of one profile: a dry run has its own.
    """
    if text is None or profile is not None:
        return []
    scores = dict(search.search(book.db, text, leaf=leaf, limit=LOOK))
    where = "where a.leaf = ?" if leaf else "where ? is null"
    rows = book.all(f"{ATTEMPT} {where} order by a.id desc limit ?", leaf, LOOK)
    words = text.lower()
    said = [row for row in rows if words in f"{row['last']} {row['place']}".lower()]
    others = [row for row in rows if row["hypothesis"] in scores and row not in said]
    others.sort(key=lambda row: -scores[row["hypothesis"]])
    return [_failure(row, scores.get(row["hypothesis"])) for row in [*said, *others][:n]]


def _failure(row: sqlite3.Row, score: float | None) -> DryFailure:
    at = f"{row['place']}: " if row["place"] else ""
    return {
        "experiment": None,
        "hypothesis": f"h{row['hypothesis']}",
        "claim": row["claim"],
        "mechanism": row["mechanism"],
        "kind": "unsettled",
        "failure": row["failure"],
        "gain": None,
        "mechanism_outcome": None,
        "lesson": f"{at}{row['last']}",
        "leaf": row["leaf"],
        "parent": row["parent"],
        "score": score,
        "imported": False,
    }


def _attempt(row: sqlite3.Row) -> Attempt:
    return {
        "hypothesis": f"h{row['hypothesis']}",
        "claim": row["claim"],
        "failure": row["failure"],
        "place": row["place"] or None,
        "last": row["last"],
        "profile": row["profile"],
        "seconds": row["seconds"],
        "at": row["at"],
    }
