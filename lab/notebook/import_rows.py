"""Imported rows: each becomes a hypothesis, an experiment, a verdict.

They carry no platform and no yardstick, so none of them is ever anybody's incumbent. A row that was
open and comes in settled is the same experiment: what is new of it is added.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .. import importers
from ..judge import finite
from . import Notebook, chain, record, state

ImportedRow = importers.ImportedRow
Rung = tuple[ImportedRow, float | None]
# What was imported for a leaf, as it stands now.
HERE = """
    select e.id, e.uid, e.hypothesis, e."commit", e.metric, s.verdict, s.value, h.claim
    from experiments e join state s on s.experiment = e.id
    join hypotheses h on h.id = e.hypothesis where e.leaf = ? and e.kind = 'import' order by e.id"""


def load(book: Notebook, path: Path, leaf: str, wish: importers.Wish) -> dict[str, Any]:
    """Take in a log for `leaf`, as one transaction; the same rows twice change nothing."""
    log = importers.load(path, wish)
    counts = {"new": 0, "known": 0, "skipped": sum(one.skipped for one in log.problems)}
    ladder = Ladder()
    rungs = [(row, ladder.climb(row)) for row in log.rows]
    with book.write(), chain.imported(book):
        settled = Settled(book, leaf, log.rows)
        for part in state.parts(rungs):
            new = _take(book, part, leaf, settled)
            counts["new"] += new
            counts["known"] += len(part) - new
        if counts["new"] or settled.changed:
            book.event("import", leaf, path.name)
    problems = [f"{path}:{one.line}: {one.text}" for one in log.problems]
    taken = [vars(one) for one in log.taken]
    return counts | {"settled": settled.changed, "problems": problems, "taken": taken}


class Ladder:
    """The gain of each row over the last one kept before it, as the log's own author saw it."""

    def __init__(self) -> None:
        self.kept: dict[str, float] = {}

    def climb(self, row: ImportedRow) -> float | None:
        """Return the row's gain, positive when better; a keep becomes the next rung."""
        if row.metric is None or row.value is None:
            return None
        last = self.kept.get(row.metric)
        if row.verdict == "keep":
            self.kept[row.metric] = row.value
        if last is None or row.direction is None:
            return None
        return finite((row.value - last) * (-1 if row.direction == "minimize" else 1))


class Settled:
    """The rows that are here in an earlier form: open then, or with another verdict or number.

    A row here that the file still holds as it was is itself. Another may be what a new line was:
    of the same commit and claim, or open until now and of the same commit or claim, or the same in
    claim, number and verdict where only a column came to the table.
    """

    def __init__(self, book: Notebook, leaf: str, rows: Sequence[ImportedRow]) -> None:
        self.changed = 0
        self.known = {uid for part in state.parts(_uids(leaf, rows)) for uid in _known(book, part)}
        held = self.known & set(_uids(leaf, rows))
        newest = "select uid from results where experiment = ? order by id desc limit 1"
        self.open: dict[tuple[str, str], list[sqlite3.Row]] = {}
        for row in book.all(HERE, leaf):
            last = book.one(newest, row["id"])
            if row["uid"] in held or (last and last["uid"] in held):
                continue
            for key in _keys(row["commit"], row["claim"]):
                self.open.setdefault(key, []).append(row)
        self.used: set[int] = set()

    def earlier(self, row: ImportedRow) -> sqlite3.Row | None:
        """Return the experiment that a new line settles, each once."""
        keys = _keys(row.commit, row.claim if row.described else None)
        near = [one for key in keys for one in self.open.get(key, ()) if one["id"] not in self.used]
        found = next((one for one in near if _is_same(row, one)), None)
        if found is not None:
            self.used.add(found["id"])
        return found


def _keys(commit: str | None, claim: str | None) -> Iterator[tuple[str, str]]:
    if commit:
        yield "commit", commit
    if claim:
        yield "claim", claim


def _is_same(row: ImportedRow, here: sqlite3.Row) -> bool:
    """Say whether a line tells of an experiment that is here."""
    claim = row.described and row.claim == here["claim"]
    commit = row.commit is not None and row.commit == here["commit"]
    apart = None not in (row.commit, here["commit"]) and not commit
    if here["verdict"] is None:
        return (claim or commit) and not apart
    same = row.value is not None and (row.value, row.verdict) == (here["value"], here["verdict"])
    return claim and (commit or (same and not apart))


def _uids(leaf: str, rows: Iterable[ImportedRow]) -> list[str]:
    return [f"{leaf}:{row.uid_seed}" for row in rows]


def _known(book: Notebook, uids: list[str]) -> set[str]:
    """Return those unique ids that rows have which came in before, new or as a settlement."""
    marks = ", ".join("?" * len(uids))
    query = f"select uid from hypotheses where uid in ({marks}) union all select uid from results"
    return {uid for (uid,) in book.db.execute(f"{query} where uid in ({marks})", uids * 2)}


def _take(book: Notebook, rows: list[Rung], leaf: str, settled: Settled) -> int:
    """Write down those rows that are not here; return how many there were."""
    new: list[tuple[str, ImportedRow, float | None]] = []
    touched: list[int] = []
    for row, gain in rows:
        (uid,) = _uids(leaf, [row])
        if uid in settled.known:
            continue
        earlier = settled.earlier(row)
        if earlier is None:
            new.append((uid, row, gain))
        elif _differs(row, earlier):
            _tell(book, uid, earlier["id"], row, gain)
            touched.append(earlier["id"])
    settled.changed += len(touched)
    _insert_new(book, new, leaf)
    if touched:
        ideas = [one["hypothesis"] for one in state.refresh_all(book, touched)]
        record.index(book, *ideas)
    return len(new)


def _differs(row: ImportedRow, here: sqlite3.Row) -> bool:
    """Say whether a line says more of an experiment, or something else, than is here."""
    verdict = row.verdict is not None and row.verdict != here["verdict"]
    return verdict or (row.value is not None and row.value != here["value"])


def _insert_new(
    book: Notebook, new: list[tuple[str, ImportedRow, float | None]], leaf: str
) -> None:
    """Write down a hypothesis, an experiment and what came of it for each row."""
    if not new:
        return
    idea, number = (
        book.all(f"select ifnull(max(id), 0) + 1 from {table}")[0][0]
        for table in ("hypotheses", "experiments")
    )
    ideas, tried = [], []
    for place, (uid, row, _) in enumerate(new):
        at, it = row.at or book.stamp(), (idea + place, number + place)
        ideas.append((it[0], uid, leaf, row.claim, row.mechanism or "", "import", at))
        about = (row.metric, row.direction, row.commit, at)
        tried.append((it[1], uid, it[0], leaf, "import", *about))
    _insert(book, "hypotheses", "id uid leaf claim mechanism source at", ideas)
    _insert(book, "experiments", "id uid hypothesis leaf kind metric direction commit at", tried)
    for place, (uid, row, gain) in enumerate(new):
        _tell(book, uid, number + place, row, gain)
    state.refresh_all(book, [row[0] for row in tried])
    record.index(book, *(row[0] for row in ideas))


def _tell(book: Notebook, uid: str, experiment: int, row: ImportedRow, gain: float | None) -> None:
    """Write down what the log says came of an experiment: its verdict, or its numbers alone."""
    facts: dict[str, Any] = {
        "uid": uid,
        "experiment": experiment,
        "metrics": json.dumps(row.metrics) if row.metrics else None,
        "value": row.value,
        "at": row.at or book.stamp(),
    }
    if row.verdict is not None:
        judged = {"verdict": row.verdict, "mechanism": row.mechanism_outcome, "gain": gain}
        learned = {"theory_revision": row.lesson, "by": "import"}
        book.insert_plain("results", **facts, **judged, **learned)
    elif row.metrics:
        book.insert_plain("reported", **facts)


def _insert(book: Notebook, table: str, names: str, rows: list[tuple[Any, ...]]) -> None:
    columns = [f'"{name}"' for name in names.split()]
    marks = ", ".join("?" * len(columns))
    query = f"insert into {table} ({', '.join(columns)}) values ({marks})"
    book.db.executemany(query, rows)
    for row in rows:
        book.note(table, row[0])
