"""Readiness of a leaf: the five conditions of a good loop, with what was seen."""

from ..text import num, plural, span
from .case import Case
from .facts import profiles_said
from .finding import Finding, Readiness

CONDITIONS = {
    "a score without a person": ("smoke", "same", "missing", "foreign", "changed", "planted"),
    "fast and cheap rounds": ("smoke",),
    "bounded to its files": ("files", "imports", "frozen"),
    "cheap to fail": ("missing", "planted", "nothing"),
    "leaves traces": ("traces", "seeds"),
}


def readiness(case: Case, findings: list[Finding]) -> list[Readiness]:
    """Return the five conditions in order."""
    states = {one.check: one.state for one in findings}
    told = _evidence(case)
    return [
        Readiness(condition, _ready([states.get(name, "skipped") for name in names]), said)
        for (condition, names), said in zip(CONDITIONS.items(), told, strict=True)
    ]


def _ready(states: list[str]) -> bool | None:
    """Return False when a part failed, None when one was not proven, else True."""
    if "failed" in states:
        return False
    return None if {"unproven", "skipped"} & set(states) else True


def _evidence(case: Case) -> list[str]:
    """Return what was seen of each condition; what was not is said to be so."""
    seen, base = case.evidence, case.baseline
    if not base:
        return ["nothing ran here"] * len(CONDITIONS)
    refused = len(seen.get("refused", []))
    whose = "its own word" if case.settings.is_self_reported else "a process of its own"
    moved = f", moved to {num(case.planted['value'])} by a bad change" if case.planted else ""
    spread = num(seen["spread"]) if "spread" in seen else "no difference"
    return [
        f"{base['metric']} {num(base['value'])} by {whose}{moved}; {refused} of 2 "
        "false artefacts refused",
        f"{span(seen['seconds'])} a smoke run; budgets: {profiles_said(case)}",
        f"may change {', '.join(case.settings.mutable)}; "
        f"{plural(seen.get('frozen', 0), 'edit')} of frozen files refused",
        f"hard limit {span(case.settings.timeout_s)}; {_cheap(case)}",
        f"{plural(seen.get('steps', 0), 'line')} of step log, {spread} between two seeds, "
        "every change a commit",
    ]


def _cheap(case: Case) -> str:
    bad = case.planted.get("change")
    return f"{bad} cost {span(case.planted['seconds'])} and was dropped" if bad else "none dropped"
