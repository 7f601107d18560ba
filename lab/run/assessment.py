"""Assess an experiment against its incumbent; the JSON and text of `lab run` and `wait`."""

import dataclasses
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .. import judge as judging
from .. import slots
from ..documents.action import Action
from ..documents.experiments import (
    Detail,
    Mechanism,
    Paired,
    Reference,
    Replicate,
    Source,
    Standing,
)
from ..errors import Refused
from ..leaf import Condition
from ..notebook import Notebook, audits, ledger, lookup, measurements, read, record
from ..notebook.marks import marks
from ..notebook.replicates import SAYS_NOTHING
from ..text import num, plain, span

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
    noise, pairs = measurements.noise(book, scope), measurements.pairs(book, scope)
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
        verdict = judging.judge(
            measurements.values(book, number) if record.selecting else {},
            incumbent,
            noise,
            experiment["direction"],
            policy=policy,
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
    known = None
    if against is not None and incumbent is not None and incumbent.runs:
        known = reference(against, incumbent)
    seen = mechanism(book, experiment)
    values = record.selecting or record.fresh
    return Assessment(verdict, noise, pairs, values, known, seen, broken, moved)


def _moved(book: Notebook, number: int, incumbent: int | None, scope: int) -> Moved | None:
    """Return what another machine than the incumbent's adds; None where it is the same one."""
    if incumbent is None or not measurements.elsewhere(book, number, incumbent):
        return None
    return Moved(measurements.between_machines(book, scope))


def _elsewhere(moved: Moved, incumbent: int) -> str:
    """Return in words what a run on another machine than its incumbent's is worth."""
    if moved.sd is None:
        return (
            f"measured on another machine than e{incumbent}, and what that moves is unknown: "
            f"lab run e{incumbent} --seeds {BASELINE_SEEDS} here tells it"
        )
    return f"measured on another machine than e{incumbent}: {num(moved.sd)} of the noise is that"


def _together(book: Notebook, experiment: sqlite3.Row, policy: judging.Policy) -> bool:
    """Return whether this is several of its incumbent's bag at once."""
    made = experiment["parent"], experiment["contents"]
    parts = set(lookup.combination(book, *made)) if all(made) else set()
    if len(parts) < max(policy.bag, 2) or parts & ledger.tried(book, *made):
        return False  # once together: another chance for the same ones is one for luck
    return all(ledger.is_bagged(book, part, experiment["incumbent"]) for part in parts)


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


def mechanism(book: Notebook, experiment: sqlite3.Row) -> Mechanism | None:
    """Return what the measured metrics say of the observable, else what was claimed."""
    idea = _idea(book, experiment)
    observable = idea["observe"] if idea else None
    if observable:
        incumbent = (
            measurements.metrics(book, experiment["incumbent"]) if experiment["incumbent"] else {}
        )
        condition = Condition.parse(observable)
        seen = condition.holds(measurements.metrics(book, experiment["id"]), incumbent)
        if seen is not None:
            always = seen and condition.holds(incumbent, incumbent)
            return {
                "outcome": "trivial" if always else "confirmed" if seen else "refuted",
                "source": _source(book, experiment["id"], condition.metric),
                "observable": observable,
            }
    claim = lookup.last_result(book, experiment["id"])
    if claim and claim["mechanism"]:
        return {"outcome": claim["mechanism"], "source": "claimed", "observable": observable}
    return None


def _source(book: Notebook, number: int, metric: str) -> Source:
    """Return who says a metric: the harness and the yardstick, or the training alone."""
    return "measured" if measurements.is_measured(book, number, metric) else "self-reported"


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


def as_json(
    book: Notebook,
    experiment: sqlite3.Row,
    policy: judging.Policy,
    queued: slots.Entry | None = None,
) -> Standing:
    """Return the JSON of `lab run` and `lab wait` for one experiment; `queued`: in the queue."""
    number = experiment["id"]
    state = lookup.state(book, number)
    standing = assess(book, experiment, policy)
    verdict = standing.judgement
    if state["verdict"] in ("keep", "discard"):
        verdict = _as_judged(book, number, verdict)
    runs = lookup.runs(book, number)
    last = runs[-1] if runs else None
    done = state["status"] in ("finished", "failed")
    detail: Detail = json.loads(last["detail"]) if last and last["detail"] else {}
    judged = done and experiment["kind"] == "run"
    tip = number if state["verdict"] == "keep" else experiment["incumbent"]
    stands = ledger.of(book, tip, standing.noise, policy) if tip is not None else None
    moved = standing.moved
    hints = [_elsewhere(moved, experiment["incumbent"])] if moved and judged else []
    whose = (experiment["campaign"], experiment["leaf"])
    audit = stands is not None and audit_due(book, *whose, stands, standing.noise, policy)
    return {
        "experiment": f"e{number}",
        "hypothesis": read.h(experiment["hypothesis"]),
        "leaf": experiment["leaf"],
        "profile": experiment["profile"],
        "platform": experiment["platform"],
        "yardstick": experiment["yardstick"],
        "commit": experiment["commit"],
        "parent": experiment["parent"],
        "status": state["status"],
        "failure": state["failure"],
        "metric": experiment["metric"],
        "value": None if state["claimed"] else state["value"],
        "runs": [_run(run) for run in runs],
        "metrics": measurements.run_metrics(book, last["id"]) if last else {},
        "incumbent": standing.incumbent,
        "gain": verdict.gain if judged else None,
        "se": verdict.se if judged else None,
        "noise": standing.noise.sd if standing.noise else None,
        "p_better": verdict.p_better if judged else None,
        "gain_status": ledger.gain_status(book, state, policy),
        "level": verdict.level if judged else None,
        "confirmed_gain": stands.confirmed_gain if stands else None,
        "provisional_gain": stands.provisional_gain if stands else None,
        "pairs": paired(standing.pairs),
        "suggest": verdict.suggest if judged else None,
        "reason": verdict.reason if judged else None,
        "mechanism": standing.mechanism,
        "constraints": {"broken": list(standing.broken)},
        "flags": sorted({flag for run in runs for flag in json.loads(run["flags"] or "[]")}),
        "marks": marks(book, number),
        "hints": detail.get("hints", []) + hints,
        "lines_changed": experiment["lines_changed"],
        "log": last["log"] if last else None,
        "seconds": state["seconds"],
        "cost_usd": _cost(runs),
        "position": queued.position if queued else None,
        "eta_s": queued.eta_s if queued else None,
        "next": _next(experiment, state, verdict, audit),
        "verdict": state["verdict"],
        "why": verdict.why if judged else None,
        "bar": verdict.bar if judged else None,
        "detail": detail,
        "train_wall_s": last["train_wall_s"] if last else None,
        "setup_s": last["setup_s"] if last else None,
        "waited_s": last["waited_s"] if last else None,
    }


def _as_judged(book: Notebook, number: int, now: judging.Judgement) -> judging.Judgement:
    """Return the judgement as it was recorded: what is measured later changes no verdict's gain."""
    row = lookup.last_judgement(book, number)
    if row is None:
        return now
    figures = ("gain", "se", "noise", "p_better", "level", "suggest", "reason", "why")
    return dataclasses.replace(now, **{name: row[name] for name in figures})


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


def paired(found: judging.Pairs | None) -> Paired | None:
    """Return the JSON of what equal seeds share."""
    return None if found is None else {"rho": found.rho, "runs": found.runs}


def _cost(runs: list[sqlite3.Row]) -> float | None:
    known = [run["cost_usd"] for run in runs if run["cost_usd"] is not None]
    return sum(known) if known else None


def confined(machine: str | None) -> str | None:
    """Return how a run was confined, by what is recorded of its machine."""
    found = json.loads(machine or "{}").get("confined")
    return None if found is None else str(found)


def _run(run: sqlite3.Row) -> Replicate:
    return {
        "run": run["id"],
        "seed": run["seed"],
        "value": run["value"],
        "load": json.loads(run["machine"] or "{}").get("delayed"),
        "seconds": run["seconds"],
        "device": run["device"],
        "confined": confined(run["machine"]),
        "status": run["status"] or ("running" if run["started"] else "queued"),
        "failure": run["failure"],
    }


def _next(
    experiment: sqlite3.Row, state: sqlite3.Row, verdict: judging.Judgement, audit: bool
) -> Action:
    """Return what to do with the experiment now."""
    number, idea = experiment["id"], experiment["hypothesis"]
    if state["status"] in ("queued", "running"):
        return Action("wait", experiment=number)
    if idea is None:
        if verdict.suggest == "replicate":
            return Action("replicate", experiment=number, seeds=verdict.more)
        measured = state["value"] is not None and not state["claimed"]
        return Action("propose") if measured else Action("baseline", seeds=BASELINE_SEEDS)
    if state["verdict"] in ("keep", "discard") and audit:
        return Action("audit")
    if state["verdict"] in ("keep", "discard"):
        return Action("look")
    if state["status"] == "failed":
        crash = Action("judge", experiment=number, verdict="crash")
        blameless = state["failure"] in SAYS_NOTHING
        return Action("run", hypothesis=idea, otherwise=None if blameless else crash)
    if verdict.suggest == "replicate":
        who = experiment["incumbent"] if verdict.target == "incumbent" else number
        return Action("replicate", experiment=who, seeds=verdict.more)
    return Action("judge", experiment=number, verdict=verdict.suggest)


def as_text(found: Standing) -> str:
    """Return the same as text, for agents and people who read rather than parse."""
    if found["status"] in ("queued", "running"):
        return _told_waiting(found)
    if found["status"] == "failed":
        return _told_failure(found)
    runs = [run for run in found["runs"] if run["value"] is not None]
    seeds = ", ".join(f"{num(run['value'])} (seed {run['seed']})" for run in runs)
    lines = [
        f"{found['experiment']} finished: {found['metric']} {num(found['value'])}; runs: {seeds}",
        f"train {span(found['train_wall_s'])}, set-up {span(found['setup_s'])}, waited "
        f"{span(found['waited_s'])}; {found['profile']} on {found['platform']}",
    ]
    if found["incumbent"]:
        incumbent, error = found["incumbent"], num(found["se"])
        lines.append(
            f"incumbent {incumbent['experiment']} {num(incumbent['value'])} "
            f"({incumbent['runs']} run{'s' * (incumbent['runs'] != 1)}), level "
            f"{num(found['level'])}; gain {num(found['gain'], sign=True)} ± {error}, "
            f"P(better) {num(found['p_better'])}, a keep needs {num(found['bar'])}"
        )
    if found["mechanism"]:
        seen = found["mechanism"]
        lines.append(f"mechanism {seen['outcome']} ({seen['source']}): {plain(seen['observable'])}")
    lines += _remarks(found)
    if found["suggest"]:
        judged = f"judged {found['verdict']}; " if found["verdict"] else ""
        said = f"suggested: {found['suggest']} ({found['reason']}): {found['why']}"
        lines.append(f"{judged}{said}")
    if found["gain_status"]:
        lines.append(status_words(found["gain_status"]))
    return "\n".join([*lines, f"next: {found['next']}"])


def status_words(status: str) -> str:
    """Return what a gain's status means, in a line."""
    return {
        "provisional": "kept provisionally: lab audit says what the branch has truly gained",
        "confirmed": "confirmed by an audit",
        "not_confirmed": "not confirmed by an audit: nothing is claimed of it",
        "bagged": "in the bag: above the level, below the bar; tried together with others",
    }[status]


def _remarks(found: Standing) -> list[str]:
    lines = []
    if found["constraints"]["broken"]:
        lines.append(f"broken: {', '.join(found['constraints']['broken'])}: cannot be kept")
    if any(run["confined"] == "none" for run in found["runs"]):
        lines.append("not confined: its runs had your rights and saw all your files (lab doctor)")
    if found["marks"]:
        lines.append(f"bear in mind: {'; '.join(found['marks'])}")
    if found["flags"]:
        lines.append(f"flags: {', '.join(found['flags'])}")
    lines += [f"hint: {plain(hint)}" for hint in found["hints"]]
    if found["lines_changed"] is not None and found["hypothesis"]:
        lines.append(f"net statements: {found['lines_changed']:+d}")
    return lines


def _told_waiting(found: Standing) -> str:
    where = "" if found["position"] is None else f", place {found['position']} in the queue"
    eta = "" if found["eta_s"] is None else f", about {span(found['eta_s'])} to go"
    return f"{found['experiment']} {found['status']}{where}{eta}\nnext: {found['next']}"


def _told_failure(found: Standing) -> str:
    detail = found["detail"]
    place = f" at {detail['place']}" if detail.get("place") else ""
    lines = [f"{found['experiment']} failed: {found['failure'] or 'lost'}{place}"]
    said = (detail.get("last"), detail.get("says"), detail.get("hint"))
    lines += [f"  {plain(words)}" for words in said if words]
    if found["log"]:
        lines.append(f"  log: {detail.get('log') or found['log']}")
    return "\n".join([*lines, f"next: {found['next']}"])
