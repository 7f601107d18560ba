"""Imported rows: each becomes a hypothesis, an experiment, a verdict.

They carry no platform and no yardstick, so none of them is ever anybody's incumbent.
"""

import json
from pathlib import Path
from typing import Any

from .. import importers
from . import Notebook, record, state

MINIMIZED = ("loss", "bpb", "perplexity", "ppl", "error", "nll", "mse", "rmse", "mae")
Rung = tuple[importers.ImportedRow, float | None]


def load(book: Notebook, path: Path, leaf: str) -> dict[str, Any]:
    """Take in a log for `leaf`, as one transaction; the same rows twice change nothing."""
    counts = {"new": 0, "known": 0, "skipped": 0}
    problems: list[str] = []
    ladder = Ladder()
    with book.write():
        for part in state.parts(importers.read(path)):
            rows: list[Rung] = []
            for row in part:
                if isinstance(row, importers.Problem):
                    problems.append(f"{path}:{row.line}: {row.text}")
                    counts["skipped"] += row.skipped
                else:
                    rows.append((row, ladder.climb(row)))
            new = _take(book, rows, leaf)
            counts["new"] += new
            counts["known"] += len(rows) - new
        if counts["new"]:
            book.event("import", leaf, path.name)
    return counts | {"problems": problems}


class Ladder:
    """The gain of each row over the last one kept before it, as the log's own author saw it."""

    def __init__(self) -> None:
        self.kept: dict[str, float] = {}

    def climb(self, row: importers.ImportedRow) -> float | None:
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


def _take(book: Notebook, rows: list[Rung], leaf: str) -> int:
    """Write down those rows that are not here; return how many there were."""
    uids = [f"{leaf}:{row.uid_seed}" for row, _ in rows]
    marks = ", ".join("?" * len(uids))
    found = book.db.execute(f"select uid from hypotheses where uid in ({marks})", uids)
    here = {uid for (uid,) in found}
    new = [(uid, *rung) for uid, rung in zip(uids, rows, strict=True) if uid not in here]
    first = {
        table: book.all(f"select ifnull(max(id), 0) + 1 from {table}")[0][0]
        for table in ("hypotheses", "experiments")
    }
    ideas, tried, ends = [], [], []
    for place, (uid, row, gain) in enumerate(new):
        idea, number = first["hypotheses"] + place, first["experiments"] + place
        at = row.at or book.stamp()
        claim = row.claim or "(no description)"
        ideas.append((idea, uid, leaf, claim, row.mechanism or "", "import", at))
        direction = direction_of(row.metric) if row.metric else None
        tried.append((number, uid, idea, leaf, "import", row.metric, direction, row.commit, at))
        if row.verdict is not None:
            metrics = json.dumps(row.metrics) if row.metrics else None
            end = (row.verdict, row.mechanism_outcome, row.lesson, metrics, row.value, gain)
            ends.append((uid, number, *end, "import", at))
    _insert(book, "hypotheses", "id uid leaf claim mechanism source at", ideas)
    _insert(book, "experiments", "id uid hypothesis leaf kind metric direction commit at", tried)
    names = "uid experiment verdict mechanism theory_revision metrics value gain by at"
    _insert(book, "results", names, ends)
    if new:
        state.refresh_all(book, [row[0] for row in tried])
        record.index(book, *(row[0] for row in ideas))
    return len(new)


def _insert(book: Notebook, table: str, names: str, rows: list[tuple[Any, ...]]) -> None:
    columns = [f'"{name}"' for name in names.split()]
    marks = ", ".join("?" * len(columns))
    query = f"insert into {table} ({', '.join(columns)}) values ({marks})"
    book.db.executemany(query, rows)
