"""Assess an experiment against its incumbent by what the notebook holds, and record that."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .. import judge as judging
from ..documents.experiments import (
    Mechanism,
    Paired,
    Reference,
)
from ..errors import Refused
from ..notebook import Notebook, audits, ledger, lookup, measurements, record, waves
from ..text import plural, span
from .mechanism import mechanism

BASELINE_SEEDS = judging.BASELINE_RUNS


@dataclass(frozen=True)
class Moved:
    """Another machine than the incumbent's: how far it moves numbers, where that is known."""

    sd: float | None  # in units of the metric


@dataclass(frozen=True)
class Assessment:
    """An experiment's judgement, with what it was judged by."""

    judgement: judging.Judgement
    noise: judging.Noise | None
    pairs: judging.Pairs | None
    values: judging.Runs
    incumbent: Reference | None
    mechanism: Mechanism | None
    broken: tuple[str, ...]
    moved: Moved | None  # where the incumbent was measured on another machine


def policy_of(table: Mapping[str, Any]) -> judging.Policy:
    """Return the thresholds of a leaf's `[judge]` table."""
    try:
        return judging.Policy.from_table(table)
    except ValueError as error:
        raise Refused(f"leaf.toml: {error}.", "See the settings: docs/judging.md") from None


def policy_for(book: Notebook, experiment: int) -> judging.Policy:
    """Return the thresholds that an experiment was begun with; later edits change no verdict."""
    job = lookup.first_job(book, experiment)
    asked = json.loads(job["asked"] or "{}") if job else {}
    try:
        return judging.Policy.from_table(asked.get("judge", {}))
    except ValueError:  # a rule of before
        return judging.Policy()


def assess(book: Notebook, experiment: sqlite3.Row, policy: judging.Policy) -> Assessment:
    """Judge an experiment by what the notebook holds at this moment."""
    number, scope = experiment["id"], lookup.state(book, experiment["id"])["scope"]
    noise = measurements.noise_of(book, scope, experiment["incumbent"])
    pairs = measurements.pairs(book, scope)
    broken, record = _broken(book, number), measurements.known_by(book, number)
    incumbent, against = None, experiment["incumbent"]
    if against is not None:
        incumbent = measurements.known_by(book, against)
    moved = _moved(book, number, against, scope)
    if moved is not None:
        noise = judging.apart(noise, moved.sd)
    ended = measurements.endings(book, number)
    if experiment["kind"] == "baseline":
        verdict = judging.baseline(len(record.runs), ended.unsteady)
    else:
        idea = _idea(book, experiment)
        made, at_once = measurements.values(book, number) if record.selecting else ({}, 1)
        verdict = judging.judge(
            made,
            incumbent,
            noise,
            experiment["direction"],
            policy=policy,
            at_once=at_once,
            rho=pairs.rho if pairs else 0.0,
            min_effect=(idea["min_effect"] or 0.0) if idea else 0.0,
            broken=broken,
            lines_changed=experiment["lines_changed"],
            together=_together(book, experiment, policy),
            may_simplify=_may_simplify(book, against, noise, policy),
            failures=ended.failures,
            unfinished=ended.unfinished,
            aborted=ended.aborted,
        )
        verdict = _in_wave(book, number, verdict)
    known = None
    if against is not None and incumbent is not None and incumbent.runs:
        known = reference(against, incumbent)
    seen = mechanism(book, experiment)
    values = record.selecting or record.fresh
    return Assessment(verdict, noise, pairs, values, known, seen, broken, moved)


def _in_wave(book: Notebook, number: int, verdict: judging.Judgement) -> judging.Judgement:
    """Return the same, unless another change of its wave is the one to keep: of each wave one is.

    What the others would have gained on top of it is for a run of both to say.
    """
    if verdict.suggest != "keep":
        return verdict
    wave, many = waves.of(book, number), waves.width(book, number)
    if many == 1 and wave.kept is None:
        return verdict
    better = [other for other in wave.waiting if _is_better(book, other, number)]
    if wave.kept is not None:
        why = f"e{wave.kept} was kept on the same incumbent"
    elif better:
        why = f"e{better[0]} of the same wave is better"
    elif (verdict.gain or 0.0) <= judging.best_of(many) * (verdict.noise or 0.0):
        why = f"the best of {many} of nothing is as good"
    else:
        return verdict
    why = f"{verdict.why}; {why}"
    return replace(verdict, suggest="discard", reason="bagged", near_miss=True, why=why)


def _is_better(book: Notebook, other: int, than: int) -> bool:
    """Return whether another change of a wave has the better number and broke nothing."""
    if _broken(book, other):
        return False
    theirs, ours = (lookup.state(book, number) for number in (other, than))
    direction = lookup.experiment(book, than)["direction"]
    gain = judging.SIGN[direction] * (theirs["value"] - ours["value"])
    return bool(gain > 0 or (gain == 0 and other < than))


def _moved(book: Notebook, number: int, incumbent: int | None, scope: int) -> Moved | None:
    """Return what another machine than the incumbent's adds; None where it is the same one."""
    if incumbent is None or not measurements.elsewhere(book, number, incumbent):
        return None
    return Moved(measurements.between_machines(book, scope))


def _together(book: Notebook, experiment: sqlite3.Row, policy: judging.Policy) -> bool:
    """Return whether this is several of its branch's bag at once."""
    made = experiment["parent"], experiment["contents"]
    parts = set(lookup.combination(book, *made)) if all(made) else set()
    if len(parts) < max(policy.bag, 2) or experiment["incumbent"] is None:
        return False
    line = ledger.chain(book, experiment["incumbent"])
    if parts & ledger.tried(book, line, experiment["contents"]):
        return False  # once together: another chance for the same ones is one for luck
    return all(ledger.is_bagged(book, part, line) for part in parts)


def _may_simplify(
    book: Notebook, incumbent: int | None, noise: judging.Noise | None, policy: judging.Policy
) -> bool:
    """Return whether fewer lines may still be a reason: so many changes between audits at most."""
    if incumbent is None:
        return True
    return ledger.of(book, incumbent, noise, policy).simpler < policy.simpler_most


def reference(experiment: int, record: judging.Record) -> Reference:
    """Return an experiment by the mean of the runs that count for it."""
    values = list(record.runs.values())
    value = judging.mean(values) if values else None
    return {"experiment": f"e{experiment}", "value": value, "runs": len(values)}


def _broken(book: Notebook, number: int) -> tuple[str, ...]:
    rows = [row["broken"] for row in lookup.runs(book, number) if row["broken"]]
    return tuple(dict.fromkeys(name for row in rows for name in json.loads(row)))


def _idea(book: Notebook, experiment: sqlite3.Row) -> sqlite3.Row | None:
    return lookup.hypothesis(book, experiment["hypothesis"])


def record_judgement(book: Notebook, experiment: sqlite3.Row, policy: judging.Policy) -> Assessment:
    """Judge, and record the judgement so that what was said can be read later."""
    standing = assess(book, experiment, policy)
    verdict, seen = standing.judgement, standing.mechanism
    measured = seen if seen is not None and seen["source"] != "claimed" else None
    record.judgement(
        book,
        experiment["id"],
        runs=len(standing.values),
        incumbent=experiment["incumbent"],
        incumbent_value=standing.incumbent["value"] if standing.incumbent else None,
        gain=verdict.gain,
        level=verdict.level,
        se=verdict.se,
        noise=verdict.noise,
        p_better=verdict.p_better,
        suggest=verdict.suggest,
        reason=verdict.reason,
        near_miss=int(verdict.near_miss),
        why=verdict.why,
        mechanism=json.dumps(measured) if measured else None,
    )
    return standing


def audit_due(
    book: Notebook,
    campaign: str | None,
    leaf: str,
    stands: ledger.Ledger,
    noise: judging.Noise | None,
    policy: judging.Policy,
) -> bool:
    """Return whether the branch is so far above what was confirmed that an audit is due."""
    if campaign is None or not stands.since or stands.provisional_gain is None:
        return False
    runs = audits.runs_since(book, campaign, leaf)
    return judging.due(stands.provisional_gain, noise, policy, runs)


def audit_cost(runs_a_side: int, each_s: float | None) -> str:
    """Return in words how many runs an audit is, and how long where a run's length is known.

    >>> audit_cost(3, 300.0), audit_cost(3, None)
    ('6 runs, about 30 min', '6 runs')
    """
    about = f", about {span(2 * runs_a_side * each_s)}" if each_s else ""
    return f"{plural(2 * runs_a_side, 'run')}{about}"


def paired(found: judging.Pairs | None) -> Paired | None:
    """Return the JSON of what equal seeds share."""
    return None if found is None else {"rho": found.rho, "runs": found.runs}
