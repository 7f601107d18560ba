"""How an experiment stands now: judged against its incumbent, and told as JSON or as text."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .. import judge as judging
from ..errors import Refused
from ..leaf import Condition
from ..notebook import Notebook, lookup, read, record
from ..notebook.read import Found
from ..notebook.state import SAYS_NOTHING
from ..text import num, plain, span


@dataclass(frozen=True)
class Assessment:
    """An experiment's judgement, with what it was judged by."""

    judgement: judging.Judgement
    values: tuple[float, ...]
    incumbent: Found | None
    mechanism: Found | None
    broken: tuple[str, ...]


def policy_of(table: Mapping[str, Any]) -> judging.Policy:
    """Return the thresholds of a leaf's `[judge]` table."""
    try:
        return judging.Policy.from_table(table)
    except ValueError as error:
        raise Refused(f"leaf.toml: {error}.", "See the settings: docs/judging.md") from None


def assess(book: Notebook, experiment: sqlite3.Row, policy: judging.Policy) -> Assessment:
    """Judge an experiment by what the notebook holds at this moment."""
    number = experiment["id"]
    state = lookup.state(book, number)
    side = read.side(book, number)
    values = side.selecting + side.fresh
    incumbent = read.side(book, experiment["incumbent"]) if experiment["incumbent"] else None
    if incumbent is not None and not incumbent.record(policy):
        incumbent = None
    broken = _broken(book, number)
    idea = _idea(book, experiment)
    if experiment["kind"] == "baseline":
        verdict = judging.Judgement(
            suggest="keep", reason="better", why="a baseline stands by itself"
        )
        verdict = verdict if values else judging.failed()
    elif not values:
        verdict = judging.failed()
    else:
        verdict = judging.judge(
            values,
            incumbent,
            read.noise(book, state["scope"]),
            experiment["direction"],
            policy=policy,
            min_effect=(idea["min_effect"] or 0.0) if idea else 0.0,
            broken=broken,
            lines_changed=experiment["lines_changed"],
        )
    known = None
    if incumbent is not None:
        runs = incumbent.record(policy)
        name = f"e{experiment['incumbent']}"
        known = {"experiment": name, "value": sum(runs) / len(runs), "runs": len(runs)}
    return Assessment(verdict, values, known, mechanism(book, experiment), broken)


def _broken(book: Notebook, number: int) -> tuple[str, ...]:
    rows = [row["broken"] for row in lookup.runs(book, number) if row["broken"]]
    return tuple(dict.fromkeys(name for row in rows for name in json.loads(row)))


def _idea(book: Notebook, experiment: sqlite3.Row) -> sqlite3.Row | None:
    return lookup.hypothesis(book, experiment["hypothesis"])


def mechanism(book: Notebook, experiment: sqlite3.Row) -> Found | None:
    """Return what the measured metrics say of the observable, else what was claimed."""
    idea = _idea(book, experiment)
    observable = idea["observe"] if idea else None
    if observable:
        incumbent = read.metrics(book, experiment["incumbent"]) if experiment["incumbent"] else {}
        seen = Condition.parse(observable).holds(read.metrics(book, experiment["id"]), incumbent)
        if seen is not None:
            outcome = "confirmed" if seen else "refuted"
            return {"outcome": outcome, "source": "measured", "observable": observable}
    claim = lookup.last_result(book, experiment["id"])
    if claim and claim["mechanism"]:
        return {"outcome": claim["mechanism"], "source": "claimed", "observable": observable}
    return None


def record_judgement(book: Notebook, experiment: sqlite3.Row, policy: judging.Policy) -> Assessment:
    """Judge, and record the judgement so that what was said can be read later."""
    standing = assess(book, experiment, policy)
    verdict = standing.judgement
    measured = (
        standing.mechanism if (standing.mechanism or {}).get("source") == "measured" else None
    )
    record.judgement(
        book,
        experiment["id"],
        runs=len(standing.values),
        incumbent=experiment["incumbent"],
        incumbent_value=standing.incumbent["value"] if standing.incumbent else None,
        gain=verdict.gain,
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


def as_json(book: Notebook, experiment: sqlite3.Row, policy: judging.Policy) -> Found:
    """Return the JSON of `lab run` and `lab wait` for one experiment."""
    number = experiment["id"]
    state = lookup.state(book, number)
    standing = assess(book, experiment, policy)
    verdict = standing.judgement
    runs = lookup.runs(book, number)
    last = runs[-1] if runs else None
    done = state["status"] in ("finished", "failed")
    detail = json.loads(last["detail"]) if last and last["detail"] else {}
    noise = read.noise(book, state["scope"])
    judged = done and experiment["kind"] == "run"
    found: Found = {
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
        "metrics": read.run_metrics(book, last["id"]) if last else {},
        "incumbent": standing.incumbent,
        "gain": verdict.gain if judged else None,
        "se": verdict.se if judged else None,
        "noise": noise.sd if noise else None,
        "p_better": verdict.p_better if judged else None,
        "suggest": verdict.suggest if judged else None,
        "reason": verdict.reason if judged else None,
        "mechanism": standing.mechanism,
        "constraints": {"broken": list(standing.broken)},
        "flags": sorted({flag for run in runs for flag in json.loads(run["flags"] or "[]")}),
        "hints": detail.get("hints", []),
        "lines_changed": experiment["lines_changed"],
        "log": last["log"] if last else None,
        "seconds": state["seconds"],
        "cost_usd": _cost(runs),
        "position": None,
        "eta_s": None,
        "next": None,
        "verdict": state["verdict"],
        "why": verdict.why if judged else None,
        "bar": verdict.bar if judged else None,
        "detail": detail,
        "train_wall_s": last["train_wall_s"] if last else None,
        "setup_s": last["setup_s"] if last else None,
        "waited_s": last["waited_s"] if last else None,
    }
    found["next"] = _next(found, verdict)
    return found


def _cost(runs: list[sqlite3.Row]) -> float | None:
    known = [run["cost_usd"] for run in runs if run["cost_usd"] is not None]
    return sum(known) if known else None


def _run(run: sqlite3.Row) -> Found:
    status = run["status"] or ("running" if run["started"] else "queued")
    names = ("seed", "value", "seconds", "device")
    return (
        {"run": run["id"]}
        | {name: run[name] for name in names}
        | {
            "status": status,
            "failure": run["failure"],
        }
    )


def _next(found: Found, verdict: judging.Judgement) -> str:
    """Return the line to type."""
    name = found["experiment"]
    if found["status"] in ("queued", "running"):
        return f"lab wait {name}"
    if found["hypothesis"] is None:
        return (
            "lab hypothesis CLAIM -m MECHANISM"
            if found["value"] is not None
            else ("lab run --baseline --seeds 3")
        )
    if found["verdict"] in ("keep", "discard"):  # run again after its verdict, for another's sake
        return "lab wait" if found["verdict"] == "keep" else "lab context"
    if found["status"] == "failed":
        again = f"lab run {found['hypothesis']}"
        return (
            again
            if found["failure"] in SAYS_NOTHING
            else f"{again}  (or: lab result {name} -v crash)"
        )
    if verdict.suggest == "replicate":
        who = found["incumbent"]["experiment"] if verdict.target == "incumbent" else name
        return f"lab run {who} --seeds {verdict.more}"
    return f"lab result {name} -v {verdict.suggest}"


def as_text(found: Found) -> str:
    """Return the same as text, for agents and people who read rather than parse."""
    if found["status"] in ("queued", "running"):
        return _told_waiting(found)
    if found["status"] == "failed":
        return _told_failure(found)
    runs = [run for run in found["runs"] if run["value"] is not None]
    seeds = ", ".join(f"{num(run['value'])} (seed {run['seed']})" for run in runs)
    lines = [
        f"{found['experiment']} finished: {found['metric']} {num(found['value'])} over {len(runs)} "
        f"run{'s' * (len(runs) != 1)}: {seeds}",
        f"train {span(found['train_wall_s'])}, set-up {span(found['setup_s'])}, waited "
        f"{span(found['waited_s'])}; {found['profile']} on {found['platform']}",
    ]
    if found["incumbent"]:
        incumbent, error = found["incumbent"], num(found["se"])
        lines.append(
            f"incumbent {incumbent['experiment']} {num(incumbent['value'])} "
            f"({incumbent['runs']} runs); gain {num(found['gain'], sign=True)} ± {error}, "
            f"P(better) {num(found['p_better'])}, a keep needs {num(found['bar'])}"
        )
    if found["mechanism"]:
        seen = found["mechanism"]
        lines.append(f"mechanism {seen['outcome']} ({seen['source']}): {plain(seen['observable'])}")
    lines += _remarks(found)
    if found["suggest"]:
        lines.append(f"suggested: {found['suggest']} ({found['reason']}): {found['why']}")
    return "\n".join([*lines, f"next: {found['next']}"])


def _remarks(found: Found) -> list[str]:
    lines = []
    if found["constraints"]["broken"]:
        lines.append(f"broken: {', '.join(found['constraints']['broken'])}: cannot be kept")
    if found["flags"]:
        lines.append(f"flags: {', '.join(found['flags'])}")
    lines += [f"hint: {plain(hint)}" for hint in found["hints"]]
    if found["lines_changed"] is not None and found["hypothesis"]:
        lines.append(f"net lines: {found['lines_changed']:+d}")
    return lines


def _told_waiting(found: Found) -> str:
    where = "" if found["position"] is None else f", place {found['position']} in the queue"
    eta = "" if found["eta_s"] is None else f", about {span(found['eta_s'])} to go"
    return f"{found['experiment']} {found['status']}{where}{eta}\nnext: {found['next']}"


def _told_failure(found: Found) -> str:
    detail = found["detail"]
    place = f" at {detail['place']}" if detail.get("place") else ""
    lines = [f"{found['experiment']} failed: {found['failure'] or 'lost'}{place}"]
    for name in ("last", "says", "hint"):
        if detail.get(name):
            lines.append(f"  {plain(detail[name])}")
    if found["log"]:
        lines.append(f"  log: {found['log']}")
    return "\n".join([*lines, f"next: {found['next']}"])
