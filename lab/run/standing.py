"""The JSON and text of `lab run` and `lab wait`: how an experiment stands, and what to do next."""

import dataclasses
import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from .. import judge as judging
from .. import slots
from ..documents.action import Action
from ..documents.experiments import Begun, Detail, Judged, Reference, Replicate, Stage, Standing
from ..notebook import Notebook, campaigns, ledger, lookup, measurements, read, waves
from ..notebook.marks import marks
from ..notebook.replicates import PRUNED, SAYS_NOTHING
from ..text import num, plain, plural, span, to_go
from ..views.experiment_text import uncounted
from ..views.gain_text import equal_seeds_text, gain_text
from ..views.mechanism_text import mechanism_text
from .assessment import (
    BASELINE_SEEDS,
    Assessment,
    Moved,
    assess,
    audit_due,
    paired,
    policy_for,
)

ATTEMPTS = 2  # at an idea; whoever has failed twice at its code seldom mends it by a third
MOVED = 0.5  # noises that a level must move before two gains are told; three seeds move it as far
SOME_S = 1.0  # of set-up or waiting: less is not worth a word
FAR = (
    "a keep needs {}, which no number reaches: what is left is less than the luck of a run. Only "
    "what makes runs steadier helps, kept by a reason (--because); or it is done: audit, and end"
)


@dataclass(frozen=True)
class _Known:
    """What the notebook says of an experiment beside its assessment."""

    state: sqlite3.Row
    runs: list[sqlite3.Row]
    detail: Detail
    judgement: judging.Judgement
    stands: ledger.Ledger | None
    audit: bool  # whether one is due
    attempts: int  # of its campaign at its idea that failed by their own fault
    is_given_up: bool  # whether somebody gave the verdict of a crash, and not its supervisor

    @property
    def last(self) -> dict[str, Any]:
        """Its newest run; empty without any."""
        return dict(self.runs[-1]) if self.runs else {}


def _known(
    book: Notebook, experiment: sqlite3.Row, policy: judging.Policy, standing: Assessment
) -> _Known:
    number, runs = experiment["id"], lookup.runs(book, experiment["id"])
    state, judgement = lookup.state(book, number), standing.judgement
    if state["status"] == PRUNED:
        judgement = judging.pruned(json.loads(runs[-1]["detail"])["last"])
    elif state["verdict"] in ("keep", "discard"):
        judgement = _as_judged(book, number, judgement)
    tip = number if state["verdict"] == "keep" else experiment["incumbent"]
    stands = ledger.of(book, tip, standing.noise, policy) if tip is not None else None
    whose = (experiment["campaign"], experiment["leaf"])
    audit = stands is not None and audit_due(book, *whose, stands, standing.noise, policy)
    detail: Detail = json.loads(runs[-1]["detail"]) if runs and runs[-1]["detail"] else {}
    attempts = lookup.failed_attempts(book, experiment["hypothesis"], experiment["campaign"])
    given_up = state["verdict"] == "crash" and not campaigns.judged_by_supervisor(book, number)
    return _Known(state, runs, detail, judgement, stands, audit, attempts, given_up)


def as_json(
    book: Notebook,
    experiment: sqlite3.Row,
    policy: judging.Policy,
    queued: slots.Entry | None = None,
    curve: str | None = None,
) -> Standing:
    """Return the JSON of `lab run` and `lab wait` for one experiment.

    `queued` is its place in the queue, `curve` its training beside its incumbent's in a line.
    """
    number = experiment["id"]
    standing = assess(book, experiment, policy)
    known = _known(book, experiment, policy, standing)
    state, verdict, stands, last = known.state, known.judgement, known.stands, known.last
    judged = state["status"] in ("finished", "failed", PRUNED) and experiment["kind"] == "run"
    hints = _hints(book, known, standing, experiment) if judged else known.detail.get("hints", [])
    begun = _begun(book, experiment, known, standing)
    return {
        **_judged(begun, verdict if judged else None),
        "noise": standing.noise.sd if standing.noise else None,
        "gain_status": ledger.gain_status(book, state, policy),
        "confirmed_gain": stands.confirmed_gain if stands else None,
        "provisional_gain": stands.provisional_gain if stands else None,
        "pairs": paired(standing.pairs),
        "equal_seeds": measurements.at_equal_seeds(book, experiment),
        "mechanism": standing.mechanism,
        "constraints": {"broken": list(standing.broken)},
        "flags": sorted({flag for run in known.runs for flag in json.loads(run["flags"] or "[]")}),
        "marks": marks(book, number),
        "hints": hints,
        "lines_changed": experiment["lines_changed"],
        "log": last.get("log"),
        "seconds": state["seconds"],
        "cost_usd": _cost(known.runs),
        "position": queued.position if queued else None,
        "eta_s": queued.eta_s if queued else None,
        "next": _of_change(book, number, state, policy)
        or _of_wave(book, number, verdict)
        or _next(experiment, state, verdict, known),
        "verdict": state["verdict"],
        "detail": known.detail,
        "hopeless": json.loads(last.get("hopeless") or "null"),
        "train_wall_s": last.get("train_wall_s"),
        "setup_s": last.get("setup_s"),
        "waited_s": last.get("waited_s"),
        "curve": curve,
    }


def _begun(book: Notebook, experiment: sqlite3.Row, known: _Known, standing: Assessment) -> Begun:
    """Return what was run and what it measured."""
    state, last = known.state, known.last
    counting = measurements.counting(book, experiment["id"])
    return {
        "experiment": f"e{experiment['id']}",
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
        "runs": [_run(run, run["id"] in counting) for run in known.runs],
        "metrics": measurements.run_metrics(book, last["id"]) if last else {},
        "incumbent": standing.incumbent,
    }


def _judged(begun: Begun, verdict: judging.Judgement | None) -> Judged:
    """Return the same with the figures of a judgement; None is none yet."""
    return {
        **begun,
        "gain": verdict.gain if verdict else None,
        "se": verdict.se if verdict else None,
        "p_better": verdict.p_better if verdict else None,
        "level": verdict.level if verdict else None,
        "suggest": verdict.suggest if verdict else None,
        "reason": verdict.reason if verdict else None,
        "why": verdict.why if verdict else None,
        "bar": verdict.bar if verdict else None,
    }


def _as_judged(book: Notebook, number: int, now: judging.Judgement) -> judging.Judgement:
    """Return the judgement as it was recorded: what is measured later changes no verdict's gain."""
    row = lookup.last_judgement(book, number)
    if row is None:
        return now
    figures = ("gain", "se", "noise", "p_better", "level", "suggest", "reason", "why")
    return dataclasses.replace(now, **{name: row[name] for name in figures})


def _hints(
    book: Notebook, known: _Known, standing: Assessment, experiment: sqlite3.Row
) -> list[str]:
    found = list(known.detail.get("hints", []))
    if standing.moved:
        found.append(_elsewhere(standing.moved, experiment["incumbent"]))
    judgement = known.judgement
    if lookup.judged_alike(book, experiment, judgement.noise):
        return found  # what follows was told then, and the context tells it
    unlike = None
    if known.stands is not None and standing.noise is not None:
        unlike = ledger.unlike(book, known.stands, standing.noise)
    if unlike is not None:
        found.append(
            f"the noise is of a program {unlike:.0f} noises worse, and P(better) knows no other: "
            f"lab run e{experiment['incumbent']} --seeds 3 tells this one's, or an audit"
        )
    values = [run["value"] for run in known.runs if run["value"] is not None]
    if judging.out_of_reach(judgement.bar, values, experiment["direction"]):
        found.append(FAR.format(num(judgement.bar)))
    return found


def _elsewhere(moved: Moved, incumbent: int) -> str:
    """Return in words what a run on another machine than its incumbent's is worth."""
    if moved.sd is None:
        return (
            f"measured on another machine than e{incumbent}, and what that moves is unknown: "
            f"lab run e{incumbent} --seeds {BASELINE_SEEDS} here tells it"
        )
    return f"measured on another machine than e{incumbent}: {num(moved.sd)} of the noise is that"


def _cost(runs: list[sqlite3.Row]) -> float | None:
    known = [run["cost_usd"] for run in runs if run["cost_usd"] is not None]
    return sum(known) if known else None


def confined(machine: str | None) -> str | None:
    """Return how a run was confined, by what is recorded of its machine."""
    found = json.loads(machine or "{}").get("confined")
    return None if found is None else str(found)


def _run(run: sqlite3.Row, counts: bool) -> Replicate:
    return {
        "run": run["id"],
        "seed": run["seed"],
        "value": run["value"],
        "load": json.loads(run["machine"] or "{}").get("delayed"),
        "seconds": run["seconds"],
        "device": run["device"],
        "confined": confined(run["machine"]),
        "status": _stage(run),
        "failure": run["failure"],
        "counts": counts,
    }


def _stage(run: sqlite3.Row) -> Stage:
    if run["failure"] == PRUNED:  # as its record has it, a run that gave no number has failed
        return "pruned"
    return run["status"] or ("running" if run["started"] else "queued")


def _of_change(
    book: Notebook, number: int, state: sqlite3.Row, policy: judging.Policy
) -> Action | None:
    """Return what is next for the change that this experiment was measured again for."""
    if state["status"] != "finished" or state["verdict"] not in ("keep", None):
        return None
    change = read.waiting_on(book, number, book.who)
    if change is None:
        return None
    return as_json(book, lookup.experiment(book, change), policy)["next"]


def _of_wave(book: Notebook, number: int, verdict: judging.Judgement) -> Action | None:
    """Return for whom a change waits that may be the best of its wave."""
    wave = waves.of(book, number)
    if verdict.suggest != "keep" or not wave.under_way or wave.kept is not None:
        return None
    return Action("wait", experiment=wave.under_way[0])


def _next(
    experiment: sqlite3.Row, state: sqlite3.Row, verdict: judging.Judgement, known: _Known
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
    if state["verdict"] in ("keep", "discard") and known.audit:
        return Action("audit")
    if state["verdict"] in ("keep", "discard"):
        return Action("look")
    if state["status"] == "failed":
        crash = Action("judge", experiment=number, verdict="crash")
        if experiment["wave"]:  # its edit is not in the file any more
            return Action("edit", experiment=number, otherwise=crash)
        if state["failure"] in SAYS_NOTHING:
            return Action("run", hypothesis=idea)
        if state["failure"] == "stopped":  # that seed is failed, and running it again mends nothing
            return crash
        if known.attempts >= ATTEMPTS:
            return Action("look") if known.is_given_up else crash
        return Action("run", hypothesis=idea, otherwise=crash)
    if verdict.suggest == "replicate":
        who = experiment["incumbent"] if verdict.target == "incumbent" else number
        return Action("replicate", experiment=who, seeds=verdict.more)
    return Action("judge", experiment=number, verdict=verdict.suggest)


def following(book: Notebook, experiment: int) -> Action:
    """Return what to type next for an experiment."""
    row = lookup.experiment(book, experiment)
    return as_json(book, row, policy_for(book, experiment))["next"]


def gain_by_now(book: Notebook, experiment: sqlite3.Row) -> str | None:
    """Return what a gain is by now, in a clause, where its incumbent's level has moved since."""
    then = lookup.last_judgement(book, experiment["id"])
    now = assess(book, experiment, policy_for(book, experiment["id"])).judgement
    if then is None or then["gain"] is None or then["level"] is None:
        return None
    if now.level is None or now.noise is None:
        return None
    if now.gain is None or lookup.state(book, experiment["id"])["gain"] != then["gain"]:
        return None  # an audit measured it since
    if ledger.is_audited(book, experiment["id"]):
        return None
    up = judging.SIGN[experiment["direction"]] * (now.level - then["level"])
    if abs(up) <= MOVED * now.noise:
        return None
    return (
        f"{num(then['gain'] - up, sign=True)} by e{experiment['incumbent']}'s level as it is now, "
        f"{num(now.level)} (it was {num(then['level'])})"
    )


def beforehand(book: Notebook, experiment: sqlite3.Row) -> str | None:
    """Return what more seeds of an experiment must reach, where its first did not reach the bar."""
    needs = assess(book, experiment, policy_for(book, experiment["id"])).judgement.steeper
    if not needs:
        return None
    name = f"e{experiment['id']}"
    return (
        f"with more seeds a keep of {name} needs {needs:g} noises: its first did not reach the bar"
    )


def as_text(found: Standing) -> str:
    """Return the same as text, for agents and people who read rather than parse."""
    if found["status"] in ("queued", "running"):
        return _told_waiting(found)
    if found["status"] == PRUNED:
        return _told_pruned(found)
    if found["status"] == "failed":
        return _told_failure(found)
    lines = [
        f"{found['experiment']} finished: {found['metric']} {num(found['value'])} {_over(found)}; "
        f"{_took(found)}"
    ]
    if found["incumbent"]:
        lines.append(_against(found, found["incumbent"]))
    if found["curve"]:
        lines.append(f"curve: {found['curve']}")
    if found["mechanism"]:
        lines.append(mechanism_text(found["mechanism"]))
    lines += _remarks(found)
    if found["suggest"]:
        said = f"suggested: {found['suggest']} ({found['reason']}): {found['why']}"
        agreed = found["verdict"] in (None, found["suggest"])  # later runs take back no verdict
        judged = [f"judged {found['verdict']}"] if found["verdict"] else []
        lines.append("; ".join([*judged, *([said] if agreed else [])]))
    if found["gain_status"]:
        lines.append(status_words(found["gain_status"]))
    return "\n".join([*lines, f"next: {found['next']}"])


def _took(found: Standing) -> str:
    """Return where the time of the newest run went, as far as it is worth a word."""
    parts = {"set-up": found["setup_s"], "waited": found["waited_s"]}
    told = [f"{name} {span(spent)}" for name, spent in parts.items() if (spent or 0.0) >= SOME_S]
    where = [] if found["incumbent"] else [f"{found['profile']} on {found['platform']}"]
    return ", ".join([f"train {span(found['train_wall_s'])}", *told, *where])


def _against(found: Standing, incumbent: Reference) -> str:
    """Return the incumbent, what there was to beat, and by how much it was."""
    value, level = num(incumbent["value"]), num(found["level"])
    luck = f", level {level}" if level != value else ""
    parts = [
        f"against {incumbent['experiment']} {value} ({plural(incumbent['runs'], 'run')}){luck}",
        gain_text(found["gain"], found["se"], found["p_better"]),
        equal_seeds_text(found["equal_seeds"]),
        f"a keep needs {num(found['bar'])}" if found["bar"] is not None else "",
    ]
    return "; ".join(filter(None, parts))


def _over(found: Standing) -> str:
    """Return the runs that a mean is over, and the others with the reason why it is not."""
    runs = [run for run in found["runs"] if run["value"] is not None]
    counted = [run for run in runs if run["counts"]]
    others = [
        f"{_seed(run)} {uncounted(run['seed'], counted)}" for run in runs if run not in counted
    ]
    rest = f"; not over {', '.join(others)}" if others else ""
    if len(counted) == 1:
        return f"(seed {counted[0]['seed']}){rest}"
    return f"over {plural(len(counted), 'run')}: {', '.join(map(_seed, counted))}{rest}"


def _seed(run: Replicate) -> str:
    return f"{num(run['value'])} (seed {run['seed']})"


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
    lost = found["suggest"] == "discard" and found["reason"] == "worse"  # measured well enough
    for mark in found["marks"]:
        told = mark.partition(": measure both in turn")[0] if lost else mark
        lines.append(f"bear in mind: {told}")
    if found["flags"]:
        lines.append(f"flags: {', '.join(found['flags'])}")
    lines += [f"hint: {plain(hint)}" for hint in found["hints"]]
    if found["lines_changed"] and found["hypothesis"]:
        lines.append(f"net statements: {found['lines_changed']:+d}")
    return lines


def _told_waiting(found: Standing) -> str:
    where = "" if found["position"] is None else f", place {found['position']} in the queue"
    stands = f"{found['experiment']} {found['status']}{where}{to_go(found['eta_s'])}"
    return f"{stands}\nnext: {found['next']}"


def _told_pruned(found: Standing) -> str:
    name, idea = found["experiment"], found["hypothesis"]
    lines = [
        f"{name} pruned: {plain(found['why'] or '')}",
        f"judged {found['verdict']}; branch and file are as before it, where nobody edited them",
        f"to its end all the same: lab run {name}; a change like it: lab run {idea} --no-prune",
    ]
    lines += [f"curve: {found['curve']}"] if found["curve"] else []
    return "\n".join([*lines, f"next: {found['next']}"])


def _told_failure(found: Standing) -> str:
    detail = found["detail"]
    place = f" at {detail['place']}" if detail.get("place") else ""
    lines = [f"{found['experiment']} failed: {found['failure'] or 'lost'}{place}"]
    said = (detail.get("last"), detail.get("says"), detail.get("hint"))
    lines += [f"  {plain(words)}" for words in said if words]
    if found["log"]:
        lines.append(f"  log: {detail.get('log') or found['log']}")
    if found["curve"]:
        lines.append(f"curve: {found['curve']}")
    return "\n".join([*lines, f"next: {found['next']}"])
