"""Queries about runs: how long they take, where they ran, and whether two of them are the same."""

import json
import sqlite3
from collections.abc import Iterable
from typing import Any

from . import Notebook
from .state import parts

TOOK = ("cpu_s", "start_cpu_s", "end_s", "end_cpu_s", "eval_s", "eval_cpu_s", "steps", "clock_s")
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


def median_seconds(book: Notebook, leaf: str, profile: str | None) -> float | None:
    """Return the median length of the newest finished runs in a leaf and profile."""
    rows = book.all(
        "select r.seconds from runs r join experiments e on e.id = r.experiment "
        "where r.experiment in (select experiment from state where leaf = ? "
        "order by experiment desc limit ?) and e.profile is ? and r.status = 'finished'",
        *(leaf, TYPICAL_RUNS, profile),
    )
    known = sorted(row[0] for row in rows if row[0] is not None)
    return known[len(known) // 2] if known else None


def other_seeds(book: Notebook, experiment: int, seed: int) -> list[int]:
    """Return the finished runs of an experiment with another seed."""
    rows = book.all(
        "select id from runs where experiment = ? and seed <> ? and status = 'finished'",
        *(experiment, seed),
    )
    return [row[0] for row in rows]


def finished(book: Notebook, experiment: int | None, seed: int) -> int | None:
    """Return an experiment's newest finished run with a seed."""
    row = book.one(
        "select max(id) from runs where experiment = ? and seed = ? and status = 'finished'",
        *(experiment, seed),
    )
    return row[0] if row else None


def warm(book: Notebook, experiments: Iterable[int]) -> set[int]:
    """Return which of these experiments have a run that began from an earlier one's artefact."""
    return _recorded(book, "warm_start", experiments)


def self_reported(book: Notebook, experiments: Iterable[int]) -> set[int]:
    """Return which of these experiments were scored by what their script printed itself."""
    return _recorded(book, "self_reported", experiments)


def _recorded(book: Notebook, name: str, experiments: Iterable[int]) -> set[int]:
    """Return which of these experiments have a run whose machine's record has a name."""
    found: set[int] = set()
    for part in parts(experiments):
        marks = ", ".join("?" * len(part))
        query = f"select distinct experiment from runs where experiment in ({marks})"
        rows = book.all(f"{query} and json_extract(machine, '$.{name}') is not null", *part)
        found |= {row["experiment"] for row in rows}
    return found


def took(book: Notebook, experiment: int | None) -> dict[str, float]:
    """Return the most that any finished run of an experiment took, of what the harness measured."""
    what = ", ".join(f"max(json_extract(machine, '$.{name}')) as {name}" for name in TOOK)
    row = book.one(
        f"select {what} from runs where experiment = ? and status = 'finished'", experiment
    )
    return {name: row[name] for name in TOOK if row is not None and row[name] is not None}


def machines(book: Notebook, experiment: int | None) -> list[dict[str, Any]]:
    """Return where and how each finished run of an experiment ran, and its seed, as recorded."""
    rows = book.all(
        "select seed, machine from runs where experiment = ? and status = 'finished' "
        "and machine is not null",
        experiment,
    )
    return [{**json.loads(row["machine"]), "seed": row["seed"]} for row in rows]


def unit_s(book: Notebook, experiment: int, host: str) -> float | None:
    """Return the unit of the CPU clock that the first run of its scope had on a host."""
    row = book.one(
        "select json_extract(r.machine, '$.reference_s') unit from state s join runs r "
        "on r.experiment = s.experiment where s.scope = (select scope from state where "
        "experiment = ?) and json_extract(r.machine, '$.host') = ? and unit is not null "
        "order by s.experiment, r.id limit 1",
        *(experiment, host),
    )
    return float(row["unit"]) if row else None


def printed(book: Notebook, run: int, source: str) -> dict[str, float]:
    """Return the numbers that a run's `train` or `evaluate` printed."""
    query = "select name, value from metrics where run = ? and source = ?"
    return {row["name"]: row["value"] for row in book.all(query, run, source)}


def row(book: Notebook, run: int) -> sqlite3.Row:
    """Return one run's record."""
    return book.all("select * from runs where id = ?", run)[0]


def of_job(book: Notebook, job: int) -> list[sqlite3.Row]:
    """Return the runs that a job has made so far, oldest first."""
    return book.all("select * from runs where job = ? order by id", job)


def remote(book: Notebook) -> set[str]:
    """Return the ids of the sandboxes that open runs own."""
    rows = book.all("select remote_id from runs where ended is null and remote_id is not null")
    return {row[0] for row in rows}


def restarts(book: Notebook, job: int) -> int:
    """Return how many supervisors took a job over from one that was killed."""
    query = "select count(*) from events where subject = ? and verb = 'keeper again'"
    return int(book.all(query, f"job {job}")[0][0])


def ever_remote(book: Notebook) -> bool:
    """Return whether any run was ever in a sandbox."""
    return book.one("select 1 from runs where remote_id is not null limit 1") is not None


GONE, COMMIT = "gone", "commit"  # an event, and what it says of an experiment, or `run 7`


def made_here(book: Notebook, folder: str) -> list[sqlite3.Row]:
    """Return the runs that this notebook recorded itself and whose log lay below a folder."""
    query = """
        select r.id, r.experiment, e."commit", json_extract(r.machine, '$.logs') logs
        from runs r join experiments e on e.id = r.experiment
        where substr(r.log, 1, ?) = ? and r.id in
        (select row from chain where part = 'runs' and line = 0) order by r.id"""
    return book.all(query, len(folder), folder)


def known_gone(book: Notebook) -> set[tuple[str, str]]:
    """Return what a person knows to be lost: an experiment, and its commit or a run of it."""
    return {(*row,) for row in book.all("select subject, detail from events where verb = ?", GONE)}
