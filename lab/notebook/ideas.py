"""Queries of `lab failures`: dead ends nearest to a text, near-duplicates of a claim, lessons."""

import json
import sqlite3
from collections.abc import Collection, Sequence
from typing import Any

from ..documents.leaves import Failure, Lesson
from . import Notebook
from .archive import SHOWN, SHOWN_LEAF, SHOWN_LESSON
from .read import ENTRY, TURNED, Found, e, h
from .repeats import margin_of
from .replicates import PRUNED

AMONG = 4  # times as many lessons looked at: those of this program may not be the newest
# A later experiment of the same idea that was kept or discarded settles what came of it.
UNSETTLED = """(s.kind <> 'unsettled' or not exists (
    select 1 from state later where later.hypothesis = s.hypothesis
    and later.experiment > s.experiment and later.verdict in ('keep', 'discard')))"""
TOLD = 2  # earlier ideas told beside a new one: more is read in `lab failures TEXT`
LOOKED_AT = 6
# From this score an idea is near enough to be told: of 432 questions in other words 69 % then tell
# the idea that was meant, and 22 % of those asked of a leaf about something else tell any.
NEAR = 0.3
SAME_CONSTANT = 0.9  # how near another value of the same constant is at the least
Turned = tuple[str, Any, Any]  # a constant, its value before and after


def lessons(book: Notebook, leaf: str, n: int, line: Collection[int] = ()) -> list[Lesson]:
    """Return lessons for a leaf and those meant for everywhere, with evidence.

    Those that rest on a program of `line` come first, then the newest.
    """
    rows = book.all(
        f"select * from (select * from (select * from lessons l where leaf = ?1 and {SHOWN_LESSON} "
        "order by id desc limit ?2) union select * from (select * from lessons l where everywhere "
        f"and {SHOWN_LESSON} order by id desc limit ?2)) order by id desc limit ?2",
        *(leaf, n if not line else AMONG * n),
    )
    found: list[Lesson] = [
        {"lesson": row["text"], "leaf": row["leaf"], "evidence": _evidence(book, row["id"])}
        for row in rows
    ]
    apart = elsewhere(book, [name for one in found for name in one["evidence"]], line)
    return sorted(found, key=lambda one: apart.issuperset(one["evidence"]) and bool(line))[:n]


def _evidence(book: Notebook, lesson: int) -> list[str]:
    query = "select experiment from evidence where lesson = ? order by id"
    return [f"e{row[0]}" for row in book.all(query, lesson)]


def forecasts(book: Notebook, leaf: str, campaign: str | None) -> sqlite3.Row:
    """Return how many gains were expected, of those judged how many came true, and in full.

    Of a campaign where there is one; else of the whole leaf.
    """
    return book.all(
        "select count(*) as judged, "
        "ifnull(sum(s.verdict = 'keep' and ifnull(s.gain, 0) > 0), 0) as came_true, "
        "ifnull(sum(s.verdict = 'keep' and s.gain >= h.expect), 0) as in_full "
        "from hypotheses h join state s on s.experiment = (select max(experiment) from state "
        "where hypothesis = h.id) where h.leaf = ?1 and h.expect is not null "
        "and s.verdict is not null and (?2 is null or h.campaign = ?2)",
        *(leaf, campaign),
    )[0]


def lessons_there(book: Notebook, leaf: str) -> int:
    """Return how many lessons there are for a leaf."""
    query = f"select count(*) from lessons l where {SHOWN_LESSON} and {{}}"
    own = book.all(query.format("leaf = ?"), leaf)[0][0]
    return int(own + book.all(query.format("everywhere and leaf <> ?"), leaf)[0][0])


def elsewhere(book: Notebook, names: Sequence[str], line: Collection[int]) -> set[str]:
    """Return those experiments that were neither part of a line of keeps nor tried on one of it."""
    numbers = {int(name[1:]) for name in names}
    if not line or not numbers:
        return set()
    marks = ", ".join("?" * len(numbers))
    rows = book.all(f"select id, incumbent from experiments where id in ({marks})", *numbers)
    return {f"e{row['id']}" for row in rows if row["id"] not in line and row[1] not in line}


def lesson_of(book: Notebook, experiment: int) -> str | None:
    """Return the latest theory revision, else the newest lesson that cites the experiment."""
    row = book.one(
        "select theory_revision from results where experiment = ? and theory_revision is not null "
        "order by id desc limit 1",
        experiment,
    ) or book.one(
        "select l.text from evidence v join lessons l on l.id = v.lesson "
        "where v.experiment = ? order by l.id desc limit 1",
        experiment,
    )
    return row[0] if row else None


def failures(
    book: Notebook,
    leaf: str | None,
    text: str | None,
    n: int,
    *,
    kind: str | None = None,
    profile: str | None = None,
) -> list[Failure]:
    """Return dead ends and unsettled experiments: nearest to `text`, else the most telling."""
    look = n if profile is None else 10 * n  # others are among them
    rows = _nearest(book, leaf, text, look) if text else _telling(book, leaf, look, kind)
    rows = [(row, score) for row, score in rows if profile in (None, row["profile"])]
    found: list[Failure] = []
    seen: set[tuple[str, str]] = set()
    for row, score in rows:
        key = (row["leaf"], row["claim"] or "")
        if key not in seen and (kind is None or row["kind"] == kind):
            seen.add(key)
            found.append(_failure(book, row, score))
    return found[:n]


def _nearest(
    book: Notebook, leaf: str | None, text: str | None, n: int
) -> list[tuple[sqlite3.Row, float | None]]:
    from . import search

    hits = search.search(book.db, text or "", leaf=leaf, failed=True, limit=3 * n)
    rows: list[tuple[sqlite3.Row, float | None]] = []
    for number, score in hits:
        query = f"{ENTRY} where s.hypothesis = ? and s.kind is not null and {UNSETTLED}"
        query += f" and {SHOWN}" + ("" if leaf else f" and {SHOWN_LEAF}")
        tried = book.all(f"{query} order by s.experiment desc limit 1", number)
        rows += [(row, score) for row in tried]
    return rows


def _telling(
    book: Notebook, leaf: str | None, n: int, kind: str | None
) -> list[tuple[sqlite3.Row, float | None]]:
    rows: list[sqlite3.Row] = []
    for one in ("dead_end", "unsettled") if kind is None else (kind,):
        where = f"s.kind = '{one}' and {UNSETTLED} and {SHOWN}" + (
            " and s.leaf = ?" if leaf else f" and ? is null and {SHOWN_LEAF}"
        )
        order = "order by s.telling desc, s.experiment desc limit ?"
        rows += book.all(f"{ENTRY} where {where} {order}", leaf, 3 * n)
    rows.sort(key=lambda row: (row["telling"], row["experiment"]), reverse=True)
    return [(row, None) for row in rows]


def _failure(book: Notebook, row: sqlite3.Row, score: float | None) -> Failure:
    return {
        "experiment": f"e{row['experiment']}",
        "hypothesis": h(row["hypothesis"]),
        "claim": row["claim"],
        "mechanism": row["because"],
        "kind": row["kind"],
        "failure": row["failure"],
        "pruned": margin_of(book, row["experiment"]) if row["failure"] == PRUNED else None,
        "gain": row["gain"],
        "mechanism_outcome": row["mechanism"],
        "lesson": lesson_of(book, row["experiment"]),
        "leaf": row["leaf"],
        "parent": row["parent"],
        "score": None if score is None else round(score, 4),
        "imported": row["made"] == "import",
    }


def near(
    book: Notebook, leaf: str, claim: str, but: int, asked: Sequence[Turned] = (), said: str = ""
) -> list[Found]:
    """Return the ideas of all campaigns nearest to a claim, kept or not, with what came of each.

    `asked` are constants that the claim would turn, each (name, old, new), new None where it says
    no value, and `said` the same in words. An experiment that turned one to the same value is as
    near as can be, however said; to another value, nearer than what any words say.
    """
    from . import search

    text = f"{claim} {said}"
    scores = dict(search.search(book.db, text, leaf=leaf, limit=LOOKED_AT))
    alike = dict(search.near_duplicates(book.db, claim, leaf=leaf, limit=LOOKED_AT))
    turners = [number for number, _ in turns_of(book, leaf, [name for name, _, _ in asked])]
    found = []
    for number in {*alike, *scores, *turners} - {but}:
        one = _idea(book, number, text)
        by_turn, other_way = _beside(asked, one["changed"])
        one["score"] = max(by_turn, alike.get(number, 0.0), scores.get(number, 0.0))
        one["opposite"] = one["opposite"] if other_way is None else other_way
        if one["score"] >= NEAR:
            found.append(one)
    return sorted(found, key=lambda one: (-one["score"], -int(one["hypothesis"][1:])))[:TOLD]


def turns_of(book: Notebook, leaf: str, names: Collection[str]) -> list[tuple[int, Turned]]:
    """Return which hypotheses turned constants of these names, newest first, and how."""
    if not names:
        return []
    rows = book.all(
        "select s.hypothesis, c.constants from (select experiment, hypothesis from state where "
        "leaf = ? and hypothesis is not null order by experiment desc limit ?) s "
        "join changes c on c.experiment = s.experiment order by s.experiment desc",
        *(leaf, TURNED),
    )
    found: dict[tuple[int, str], Turned] = {}
    for row in rows:
        for name, old, new in json.loads(row["constants"]):
            if name in names:
                found.setdefault((row["hypothesis"], name), (name, old, new))
    return [(number, turn) for (number, _), turn in found.items()]


def _beside(asked: Sequence[Turned], changed: Sequence[Sequence[Any]]) -> tuple[float, bool | None]:
    """Return how near a change is by the constants it turned, and whether the other way; 0 by none.

    1 at the same value; else by how far the values lie apart, and less where it turned others too.
    """
    pairs = [(turn, done) for turn in asked for done in changed if turn[0] == done[0]]
    if not pairs:
        return 0.0, None
    (_, old, new), (_, before, after) = pairs[0]
    known = all(isinstance(value, int | float) for value in (old, new, before, after))
    other_way = (new - old) * (after - before) < 0 if known else None
    if new == after:
        return 1.0, other_way
    apart = abs(new - after) / max(abs(new), abs(after)) if known else 1.0
    return SAME_CONSTANT + (1 - SAME_CONSTANT) * max(0.0, 1 - apart) / len(changed), other_way


def _idea(book: Notebook, number: int, text: str) -> Found:
    """Return a hypothesis, its newest experiment, and whether it goes the other way than `text`."""
    from ..search import concepts
    from ..search.tokens import words

    idea = book.all("select * from hypotheses where id = ?", number)[0]
    query = f"{ENTRY} where s.hypothesis = ? order by s.experiment desc limit 1"
    tried = book.one(query, number)
    changed = changed_by(book, tried["experiment"]) if tried else []
    theirs = " ".join([idea["claim"], *(f"{old} to {new}" for _, old, new in changed)])
    return {
        "hypothesis": h(number),
        "claim": idea["claim"],
        "campaign": idea["campaign"],
        "experiment": e(tried["experiment"]) if tried else None,
        "status": tried["status"] if tried else unrun(book, number),
        "lesson": lesson_of(book, tried["experiment"]) if tried else None,
        "verdict": tried["verdict"] if tried else None,
        "failure": tried["failure"] if tried else None,
        "gain": tried["gain"] if tried else None,
        "parent": tried["parent"] if tried else None,
        "changed": changed,
        "opposite": concepts.opposite(words(text), words(theirs)),
    }


def unrun(book: Notebook, hypothesis: int) -> str:
    """Return how an idea without an experiment stands."""
    query = "select 1 from events where subject = ? and verb = 'drop'"
    return "withdrawn" if book.one(query, f"h{hypothesis}") else "not run"


def changed_by(book: Notebook, experiment: int) -> list[list[Any]]:
    """Return the constants that an experiment turned: name, old value, new value."""
    row = book.one("select constants from changes where experiment = ?", experiment)
    return json.loads(row[0]) if row else []
