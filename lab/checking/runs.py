"""Smoke runs of what is committed: on a CPU, without network, within limits, twice."""

import json
import os

from .. import slots
from ..run import pruning, step_log
from ..text import num, plural, span
from . import offline
from .case import PROFILE, Case, why_failed
from .facts import DEAR_S
from .finding import Broken, Noted, Unproven

SEEDS = 2  # the fewest that can differ
AMPLE = 1e3  # steps of a smoke run's log beyond which nobody reads it


def smoke(case: Case) -> str:
    """The smoke profile runs, its block names the metric, and it tries no network."""
    case.able()
    if case.networked:
        _allow_network(case)
    case.evidence["cut_off"] = _how_cut_off(case)
    ran = case.run("--baseline", "--seeds", str(SEEDS), runs=SEEDS)
    found, hosts = ran.found, offline.tried(case.clone.network_log, case.clone.home)
    reached = f"it tried the network: {', '.join(hosts[:3])}" if hosts else ""
    if not found:
        raise Broken(f"lab run --baseline: {ran.refusal}", "Type it yourself, with --profile smoke")
    if found["status"] != "finished":
        why = why_failed(found)
        if reached and case.networked:
            raise Unproven(f"needs the network ({reached})")
        raise Broken(f"{reached}; {why}" if reached else why, _advice(found, reached))
    if reached and not case.networked:
        raise Broken(
            f"{reached}, and went on without it; behind a wall that drops packets it would hang",
            "Use nothing but what the leaf brings along in its smoke profile",
        )
    if found["constraints"]["broken"]:
        broken = ", ".join(found["constraints"]["broken"])
        raise Broken(f"it breaks its own limits: {broken}", "Raise the limit or lower the cost")
    case.baseline = found
    return _said(case)


def _allow_network(case: Case) -> None:
    """Let a profile that says it needs the network have it, where there is one."""
    if not offline.routed():
        raise Unproven("needs the network")
    offline.allow(case.clone.root, case.clone.network_log)
    case.clone.commit("the network is allowed")


def _how_cut_off(case: Case) -> str:
    if case.networked:
        return "with network, as the profile says"
    if offline.wrapper():
        return "no network: a namespace of its own, and every try is noted"
    return "no network for Python code: every try is refused and noted"


def _advice(found: dict[str, object], reached: str) -> str:
    if reached:
        return f"The {PROFILE} profile must bring along what it needs: network = false"
    if found.get("failure") == "no_metric":
        return "evaluate must print the block last: shared.summary.report({metric: value})"
    detail = found.get("detail")
    hint = detail.get("hint") if isinstance(detail, dict) else ""
    return str(hint or f"See it: LAB_PROFILE={PROFILE} python train.py")


def _said(case: Case) -> str:
    found = case.baseline
    seconds = [run["seconds"] for run in found["runs"]]
    slowest = max(seconds)
    said = (
        f"{found['metric']} {num(found['value'])} in {span(slowest)} a run on {found['platform']}; "
        f"{case.evidence['cut_off']}"
    )
    case.evidence["seconds"] = slowest
    if slowest > DEAR_S:
        return Noted(f"{said}; above {span(DEAR_S)}, which every pull request will wait for")
    if case.settings.needs == "gpu" and slots.accelerators(os.environ):
        return Noted(f"{said}; {PROFILE} needs a GPU, so CI can prove little of it")
    return said


def seeds(case: Case) -> str:
    """Two seeds give two numbers, unless the leaf says it is deterministic."""
    values = [run["value"] for run in case.baseline["runs"] if run["value"] is not None]
    if len(values) < SEEDS:
        raise Broken(f"only {len(values)} of {SEEDS} seeds gave a number: no spread can be told")
    apart, declared = abs(values[0] - values[1]), case.settings.deterministic
    if declared and apart:
        raise Broken(
            f"leaf.toml says deterministic, and seeds 0 and 1 are {num(apart)} apart",
            "Take deterministic = true out of leaf.toml",
        )
    if declared:
        return f"both seeds give {num(values[0])}, as deterministic = true says"
    if "seed_ignored" in case.baseline["flags"] or not apart:
        raise Broken(
            f"seeds 0 and 1 both give {num(values[0])}: that is no proof of no noise, the seed or "
            "the result may never reach the number",
            "Draw from LAB_SEED (run.here(__file__).seed), or say deterministic = true",
        )
    case.evidence["spread"] = apart
    return f"seed 0 {num(values[0])}, seed 1 {num(values[1])}, {num(apart)} apart"


def traces(case: Case) -> str:
    """A run leaves a step log that says how it went, and an artefact for its yardstick."""
    log = case.run_dir(case.baseline) / "steps.jsonl"
    rows = []
    for line in log.read_text(errors="replace").splitlines() if log.is_file() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            raise Broken(
                "a line of steps.jsonl is not JSON", "Write it with shared.steps"
            ) from None
    logged = any(isinstance(row, dict) and "step" in row for row in rows)
    if not logged and case.settings.is_self_reported:
        return Noted("no steps.jsonl in LAB_RUN_DIR: nobody sees how a run went, only its end")
    if not logged:
        raise Broken(
            "training left no steps.jsonl in LAB_RUN_DIR: nobody could see how it went",
            "with steps.StepLog(here.dir) as log: log.log(step, elapsed_s, loss=loss)",
        )
    if told := pruning.unlogged(case.leaf.prune, step_log.read(log)):
        raise Broken(*told.split(": ", 1))
    case.evidence["steps"] = len(rows)
    said = f"{plural(len(rows), 'line')} of steps.jsonl"
    samples = (case.run_dir(case.baseline) / "samples.jsonl").is_file()
    said += ", samples.jsonl" if samples else ""
    return Noted(f"{said}; log less often") if len(rows) > AMPLE else said
