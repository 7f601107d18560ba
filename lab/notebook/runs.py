"""Questions about runs: how long they take, and whether two of them are the same."""

import sqlite3

from . import Notebook

TYPICAL_RUNS = 20  # whose mean is the expected length of the next


def typical_seconds(book: Notebook, experiment: sqlite3.Row) -> float | None:
    """Return how long a run in this leaf and profile holds its device, from the newest ones."""
    row = book.one(
        "select avg(seconds) from (select r.seconds from runs r join experiments e "
        "on e.id = r.experiment where r.experiment in (select experiment from state where leaf = ? "
        "order by experiment desc limit ?) and e.profile = ? and r.status = 'finished')",
        *(experiment["leaf"], TYPICAL_RUNS, experiment["profile"]),
    )
    return row[0] if row else None


def other_seeds(book: Notebook, experiment: int, seed: int) -> list[int]:
    """Return the finished runs of an experiment with another seed."""
    rows = book.all(
        "select id from runs where experiment = ? and seed <> ? and status = 'finished'",
        *(experiment, seed),
    )
    return [row[0] for row in rows]


def evaluated(book: Notebook, run: int) -> dict[str, float]:
    """Return what `evaluate` measured in a run."""
    query = "select name, value from metrics where run = ? and source = 'evaluate'"
    return {row["name"]: row["value"] for row in book.all(query, run)}
