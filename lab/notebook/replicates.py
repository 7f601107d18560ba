"""Replicates: which runs of an experiment count, which nobody selected, which seeds failed."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from ..judge import OUTNUMBER, Record

# An experiment's runs, each with the audit it was part of and what that came to.
RUNS = """
    select r.*, j.audit, a.conclusion from runs r left join jobs j on j.id = r.job
    left join audits a on a.id = j.audit"""
SAYS_NOTHING = ("infra", "interrupted", "lost")  # failures that tell nothing about the idea
PRUNED = "pruned"  # ended early by the harness: the same seed may be run to its end
MARKS = ", ".join(f"'{name}'" for name in SAYS_NOTHING)  # the same in SQL
Run = Mapping[str, Any] | sqlite3.Row


def counted(runs: Sequence[Run]) -> list[Run]:
    """Return one run a seed; a seed that was ignored, or repeated on purpose, adds nothing."""
    found: dict[int, Run] = {}
    for run in runs:
        flags = run["flags"] or ""
        if run["status"] != "finished" or run["value"] is None or "reproduction" in flags:
            continue
        if "seed_ignored" not in flags or not found:
            found.setdefault(run["seed"], run)
    return list(found.values())


def one_a_seed(runs: Sequence[Run]) -> dict[int, Run]:
    """Return a run for each seed, in their order: the one that counts, else the newest."""
    chosen = {run["seed"]: run for run in runs}
    chosen |= {run["seed"]: run for run in counted(runs)}
    return dict(sorted(chosen.items()))


def record(kind: str, runs: Sequence[Run], kept_at: str | None) -> Record:
    """Return the runs an experiment is known by, in values by seed; see `known`."""
    selecting, fresh = known(kind, runs, kept_at)
    return Record(by_seed(selecting), by_seed(fresh))


def known(kind: str, runs: Sequence[Run], kept_at: str | None) -> tuple[list[Run], list[Run]]:
    """Return the runs that won an experiment its place, and the fresh ones, which count if any are.

    `kept_at` is when it first was kept.

    Fresh are those of its newest audit that was finished, or else a baseline's own, or those that
    followed a keep: nobody selected them.
    """
    own = [run for run in counted(runs) if run["audit"] is None]
    audits = [run["audit"] for run in runs if run["conclusion"] not in (None, "cut")]
    fresh = counted([run for run in runs if run["audit"] == max(audits)]) if audits else []
    if kind == "baseline":
        return [], fresh or own
    later = [run for run in own if kept_at is not None and run["at"] > kept_at]
    selecting = [run for run in own if run not in later]
    return selecting, fresh or later


def by_seed(runs: Sequence[Run]) -> dict[int, float]:
    """Return the values of runs by their seeds."""
    return {run["seed"]: run["value"] for run in runs}


def unselected(kind: str, runs: Sequence[Run], kept_at: str | None = None) -> list[list[float]]:
    """Return the values that nobody selected, those that were measured together in one list."""
    return [list(by_seed(some).values()) for some in unselected_runs(kind, runs, kept_at)]


def unselected_runs(kind: str, runs: Sequence[Run], kept_at: str | None = None) -> list[list[Run]]:
    """Return the runs that nobody selected, those that were measured together in one list.

    They are a baseline's own, an audit's, and those of a change that followed its keep: who runs
    more seeds of what was not kept chose which change. `kept_at` is when it first was.
    """
    groups: dict[int | None, list[Run]] = {}
    for run in runs:
        groups.setdefault(run["audit"], []).append(run)
    known = {audit: counted(some) for audit, some in groups.items()}
    if kind != "baseline":
        later = kept_at is not None and known.get(None)
        known[None] = [run for run in later or () if run["at"] > kept_at]
    return [some for some in known.values() if len(some) > 1]


def unfinished(runs: Sequence[Run]) -> int:
    """Return how many seeds were begun and stopped, by somebody or something, before a number."""
    ended = {run["seed"] for run in runs if run["status"] == "finished" or blamed(run)}
    begun = {run["seed"] for run in runs if run["audit"] is None and run["started"]}
    return len(begun - ended)


def failures(runs: Sequence[Run]) -> int:
    """Return how many seeds were started and never gave a number, the idea's own fault.

    One that its own campaign stopped stays failed, whatever it gives when it is run again: whoever
    stops what looks bad chooses.
    """
    good = {run["seed"] for run in counted(runs)}
    bad = {run["seed"] for run in runs if run["status"] == "failed" and blamed(run)}
    stopped = {run["seed"] for run in runs if run["failure"] == "stopped"}
    return len((bad - good) | stopped)


def tampered(runs: Sequence[Run]) -> int:
    """Return how many runs changed what they may not: one is enough for never trusting the rest."""
    return sum(run["failure"] == "tampered" for run in runs)


def aborted(runs: Sequence[Run]) -> int:
    """Return how many runs ended without a number after training began, by no fault of the idea.

    Each was another chance for luck: whoever ends the unlucky ones measures the lucky ones.
    """
    found, done = 0, set[int]()
    for run in runs:
        if run["status"] == "finished":
            done.add(run["seed"])  # a repeat of it adds nothing, so that ending one chooses nothing
        elif run["audit"] is None and run["started"] and run["seed"] not in done:
            found += run["failure"] in SAYS_NOTHING
    return found


def unsteady(runs: Sequence[Run]) -> int:
    """Return how many runs more an experiment needs: two that finished for each aborted one."""
    own = counted([run for run in runs if run["audit"] is None])
    return max(0, OUTNUMBER * aborted(runs) - len(own))


def blamed(run: Run) -> bool:
    return run["failure"] is not None and run["failure"] not in SAYS_NOTHING
