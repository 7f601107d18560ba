"""`lab check`: every check of one leaf, in an order in which each can rely on the last."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ..errors import LabError
from . import changes, facts, imports, runs, second_set, yardstick
from .case import Case
from .clone import Clone
from .finding import Broken, Finding, Noted, Report, State, Unproven
from .readiness import readiness

Check = Callable[[Case], str]
# Each check with those it cannot do without.
CHECKS: dict[str, tuple[Check, tuple[str, ...]]] = {
    "table": (facts.table, ()),
    "files": (facts.files, ("table",)),
    "imports": (imports.check, ("table",)),
    "smoke": (runs.smoke, ("table", "files", "imports")),
    "seeds": (runs.seeds, ("smoke",)),
    "traces": (runs.traces, ("smoke",)),
    "sealed": (second_set.check, ("smoke",)),
    "nothing": (changes.nothing, ("smoke",)),
    "repeat": (changes.repeat, ("nothing",)),
    "planted": (changes.planted, ("smoke",)),
    "frozen": (changes.frozen, ("smoke",)),
    "split": (yardstick.split, ("smoke",)),
    "same": (yardstick.same, ("split",)),
    "missing": (yardstick.missing, ("same",)),
    "foreign": (yardstick.foreign, ("same",)),
    "changed": (yardstick.changed, ("same", "planted")),
}
Say = Callable[[Finding], None]


def prove(top: Path, name: str, say: Say, keep: Path | None = None) -> Report:
    """Prove one leaf in a temporary clone of the checkout `top`, telling each finding as it comes.

    With `keep` the clone is made there and stays.
    """
    if keep is not None:
        keep.mkdir(parents=True)
        return _proved(top, name, say, keep)
    with tempfile.TemporaryDirectory(prefix="lab-check-", ignore_cleanup_errors=True) as base:
        return _proved(top, name, say, Path(base).resolve())


def _proved(top: Path, name: str, say: Say, base: Path) -> Report:
    started, report = time.monotonic(), Report(name)
    clone = Clone(top, base)
    case = Case(clone, name, top)
    try:
        for check in CHECKS:
            finding = _found(case, check, report.findings)
            report.findings.append(finding)
            if finding.state not in ("unproven", "skipped"):
                say(finding)
    finally:
        clone.stop()
    report.readiness = readiness(case, report.findings)
    report.figures = _figures(case)
    report.seconds = time.monotonic() - started
    return report


def _found(case: Case, check: str, before: list[Finding]) -> Finding:
    """Do one check, unless what it stands on fell."""
    run, needs = CHECKS[check]
    for one in before:
        if one.check in needs and one.state == "unproven":
            return Finding(check, "unproven", one.said)
        if one.check == "split" and one.state == "noted" and check != "split":
            return Finding(check, "unproven", yardstick.NOBODYS)
        if one.check in needs and one.state in ("failed", "skipped"):
            return Finding(check, "skipped", f"needs {one.check}")
    started, hint, state = time.monotonic(), "", "ok"
    try:
        said = run(case)
        state = "noted" if isinstance(said, Noted) else "ok"
    except Unproven as lack:
        said, state = str(lack), "unproven"
    except Broken as fault:
        said, hint, state = fault.said, fault.hint, "failed"
    except LabError as error:
        said, hint, state = error.message, error.hint, "failed"
    said = str(said).replace(f"{case.clone.base}/", "")
    return Finding(check, _state(state), said, hint, round(time.monotonic() - started, 2))


def _state(word: str) -> State:
    states: dict[str, State] = {"ok": "ok", "noted": "noted", "unproven": "unproven"}
    return states.get(word, "failed")


def _figures(case: Case) -> dict[str, object]:
    """Return what was measured, for a pull request to carry."""
    if not case.baseline:
        return {}
    base = case.baseline
    return {
        "metric": base["metric"],
        "direction": case.leaf.direction,
        "platform": base["platform"],
        "yardstick": base["yardstick"],
        "values": [run["value"] for run in base["runs"]],
        "seconds": [run["seconds"] for run in base["runs"]],
        "planted": {"change": case.planted.get("change"), "value": case.planted.get("value")},
        "network": case.evidence.get("cut_off"),
    }
