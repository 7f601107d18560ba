"""Which constraints a run broke: the leaf's own, and `budget` by the harness's clocks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..leaf.model import Settings
from ..notebook.pace import CHILDREN, LOADED
from ..runner import Outcome

# CPU seconds for one of the CPU clock: the same step took 44 ms in a quiet hour and 142 ms in the
# busiest (docs/benchmarks.md), and training leaves most of `startup_s` unused.
MOST_BUSY = 3.0
OWN_CPU = 1.15  # times the baseline's CPU seconds, by a clock of steps: a quiet machine's luck
CHILDREN_BUSY = 2.0  # ... and by the CPU clock, which does not see what a script's children use
# Two programs in turn beside the same neighbour: what comes and goes between two of their runs.
IN_TURN_BUSY = 1.5
EVALUATE = 2.0  # times what the baseline's yardstick took: a larger model may be slower to score
START = 1.5  # times what the baseline used before its clock began, where a CPU does the training
# Beside each, a share of the budget, for which there is no reason. At least three times what looks
# each 0.1 s make of a blink (16 runs: 0 to 0.075 s), at most what imports from a cold disk take.
SLACK, LEAST_SLACK_S, MOST_SLACK_S = 0.05, 0.25, 1.0
OUTSIDE = 0.25  # of the budget, what is used before the clock and while scoring may grow by in all
# A clock is looked at between two steps: beside the slack, training may be late by one of its own
# steps, of which four or more fill any budget that a loss comes down in.
LONGEST_STEP = 0.25
END = 2.0  # times what the baseline took after its last step: a larger model is slower to write
SLOWEST_DISK = 0.05  # of the budget, beside it, where seconds count and not a CPU's
WHAT = {
    "cpu_s": "its own CPU",
    "start_cpu_s": "before its clock began",
    "end_s": "after its last step",
    "end_cpu_s": "after its last step",
}


@dataclass(frozen=True)
class Began:
    """The experiment at the start of a branch, and the seconds that its runs took."""

    name: str
    took: Mapping[str, float]


def constraints(settings: Settings, metrics: Mapping[str, float]) -> list[str]:
    """Return the leaf's constraints that do not hold, or of which nothing was reported."""
    broken = [rule.text for rule in settings.constraints if rule.holds(metrics) is False]
    missing = [rule for rule in settings.constraints if rule.holds(metrics) is None]
    return broken + [f"{rule.text} (not reported)" for rule in missing]


def by_clock(settings: Settings, trained: Outcome) -> list[str]:
    """Return by how much training went beyond its budget, by the clock that counts."""
    spent = {"wall": trained.seconds, "cpu": trained.cpu_s}.get(settings.clock)
    busy = MOST_BUSY if settings.clock == "cpu" else 1.0
    allowed = settings.budget_s * busy + settings.startup_s
    if spent is None or spent <= allowed:
        return []
    return [f"budget ({spent:.1f} s of {allowed:g} s)"]


def slack_s(settings: Settings) -> float:
    """Return the seconds by which what is measured may differ for no reason."""
    return min(MOST_SLACK_S, max(LEAST_SLACK_S, SLACK * settings.budget_s))


def longer(settings: Settings, took: Mapping[str, Any], began: Began) -> list[str]:
    """Return by how much training went on for longer than it was given, as its step log says.

    A log that told more of the baseline already counts something else: there that is the measure.
    """
    what, name = ("steps", "steps") if settings.clock == "steps" else ("its clock", "clock_s")
    given = _given(settings, took)
    mine, theirs = took.get(name), began.took.get(name)
    if given is None or theirs is None:
        return []
    if mine is None and took.get("steps") is not None:
        return []  # its log tells steps without their seconds; the harness's own limits hold it
    if mine is None:
        return [f"budget (no step log tells {what}; {began.name} has one)"]
    allowed = given if theirs <= given else theirs * (1 + SLACK)
    return [f"budget ({what} {mine:g} of {allowed:g})"] if mine > allowed else []


def _given(settings: Settings, took: Mapping[str, Any]) -> float | None:
    """Return the most steps, or seconds of its clock, that a training of this budget has."""
    if settings.clock == "steps":
        steps = settings.data.get("steps")
        return steps * (1 + SLACK) + 1 if isinstance(steps, int | float) else None
    a_step = (took.get("clock_s") or 0.0) / max(1.0, took.get("steps") or 0.0)
    late = min(a_step, LONGEST_STEP * settings.budget_s)
    return settings.budget_s + slack_s(settings) + late


def beyond(settings: Settings, took: Mapping[str, Any], began: Began) -> list[str]:
    """Return what a run took far more of than where its branch began: no clock counts it.

    A number of steps buys as much as a step is worth, what is computed before the clock begins is
    free, and an evaluation could train on. Against the incumbent each keep would allow the next one
    more.
    """
    busy = (took.get("delayed") or 0.0) > LOADED
    scored = "eval_s" if settings.needs == "gpu" else "eval_cpu_s"
    limits = {scored: MOST_BUSY if busy else EVALUATE}
    if settings.needs != "gpu":  # there it is the compiler's
        limits["start_cpu_s"] = MOST_BUSY if busy else START
    limits["end_s" if settings.needs == "gpu" else "end_cpu_s"] = MOST_BUSY if busy else END
    if settings.clock == "steps":
        limits["cpu_s"] = MOST_BUSY if busy else OWN_CPU
    if settings.clock == "cpu":
        limits["cpu_s"] = CHILDREN_BUSY if busy else CHILDREN
    found = []
    if "start_cpu_s" in limits and "start_cpu_s" in began.took and "start_cpu_s" not in took:
        found.append(f"budget (no step log tells when its clock began; {began.name} has one)")
    for name, times in limits.items():
        mine, theirs = took.get(name), began.took.get(name)
        slack = slack_s(settings)
        if name == "end_s":
            slack = max(slack, SLOWEST_DISK * settings.budget_s)
        if mine is not None and theirs is not None and mine > times * theirs + slack:
            what = WHAT.get(name, "evaluate")
            found.append(f"budget ({what} {mine:.1f} s, {began.name} {theirs:.1f} s)")
    return found + _outside(settings, took, began, MOST_BUSY if busy else 1.0)


def in_turn(
    settings: Settings, ours: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]]
) -> str | None:
    """Return by how much one side of an audit used more CPU than the other, on the same machine.

    Under load a run alone is allowed three times what its baseline used, since a neighbour makes
    seconds dearer; run in turn, both sides have that neighbour.
    """
    if settings.needs == "gpu" or settings.clock == "wall":
        return None
    names = ("cpu_s", "start_cpu_s", "end_cpu_s", "eval_cpu_s")
    limit = OWN_CPU if settings.clock == "steps" else CHILDREN
    busy = any((one.get("delayed") or 0.0) > LOADED for one in (*ours, *theirs))
    for name in names:
        mine, others = ([one[name] for one in side if name in one] for side in (ours, theirs))
        if not mine or not others:
            continue
        used, than = sum(mine) / len(mine), sum(others) / len(others)
        times = max(limit, IN_TURN_BUSY) if busy else limit
        if name != "cpu_s":
            times = max(times, EVALUATE)
        if used > times * than + slack_s(settings):
            what = WHAT.get(name, "evaluate")
            return f"{what} {used:.1f} s a run beside {than:.1f} s in turn with it"
    return None


def _outside(settings: Settings, took: Mapping[str, Any], began: Began, busy: float) -> list[str]:
    """Return by how much what no clock counts grew in all: before training, after it, scoring."""
    names = {"start_cpu_s", "end_cpu_s", "eval_cpu_s"} & took.keys() & began.took.keys()
    if settings.needs == "gpu" or not names >= {"start_cpu_s", "eval_cpu_s"}:
        return []
    mine, theirs = (sum(seconds[name] for name in names) for seconds in (took, began.took))
    if mine <= busy * theirs + OUTSIDE * settings.budget_s + slack_s(settings):
        return []
    return [f"budget (outside of its clock {mine:.1f} s, {began.name} {theirs:.1f} s)"]
