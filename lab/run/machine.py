"""The machine of a run: what is recorded of it, and what the reference loop takes there."""

import json
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared import reference
from shared import run as child

from ..runner import Moment, Outcome
from ..slots import Device, driver
from ..system import left, processes, tree_time
from ..system.tree_time import LOOK_S
from .stages import KERNELS, locked

FASTEST = 2.0  # seconds of the CPU clock in a CPU second: its unit is a core's that is shared


def record(device: Device) -> dict[str, Any]:
    """Return which computer this is, since which start of it, and what of it is used."""
    known = {"host": os.uname().nodename, "boot": processes.boot(), "device": device.name}
    version = driver() if device.kind == "gpu" else None
    return known | ({"driver": version} if version else {})


def load(outcome: Outcome, before: int | None) -> dict[str, float]:
    """Return what a training used, and how much it waited for others; `before` is the pressure."""
    found = {"cpu_s": outcome.cpu_s}
    if outcome.start_cpu_s is not None:
        found["start_cpu_s"] = round(outcome.start_cpu_s, 3)
    if outcome.delayed is not None:
        found["delayed"] = round(outcome.delayed, 3)
    after = tree_time.pressure_us()
    if before is not None and after is not None and outcome.seconds > 0:
        found["pressure"] = round(min(1.0, (after - before) / 1e6 / outcome.seconds), 3)
    return found


def kernels(scratch: Path | None) -> int | None:
    """Return how many files of compiled kernels are kept; None where a run keeps none."""
    if scratch is None:
        return None
    folders = [scratch / name for name in KERNELS.values()]
    return sum(len(files) for folder in folders for _, _, files in os.walk(folder))


def compiled(before: int | None, after: int | None) -> dict[str, str]:
    """Return whether a training found its kernels compiled; nothing where it had none."""
    if before is None or not after:
        return {}
    return {"kernels": "hit" if after == before else "miss"}


def pace(outcome: Outcome, clock: str, budget_s: float) -> dict[str, Any]:
    """Return by which clock a training counts, its first and last moment, and what came after."""
    seen = {"first": outcome.first, "last": outcome.last}
    known = {name: _rounded(moment) for name, moment in seen.items() if moment}
    ended = _ended(_rounded(outcome.reached or {}), outcome, clock)
    told = {"pace": {"clock": clock, **known}} if known else {}
    return told | ended | _after(outcome, clock, budget_s)


def _ended(reached: Moment, outcome: Outcome, clock: str) -> dict[str, float]:
    """Return the last step, and the seconds that training took by its own clock.

    A wall clock is ours as well: what passed between the first and the last step that were seen.
    One that tells far more seconds than there were is another clock, and not believed.
    """
    found = {"steps": reached["step"]} if "step" in reached else {}
    if "clock_s" not in reached:
        return found
    told, first, last = reached["clock_s"], outcome.first, outcome.last
    if clock == "wall" and first and last:
        told = max(told, first.get("clock_s", 0.0) + last["wall_s"] - first["wall_s"])
    most = FASTEST * max(outcome.seconds, outcome.cpu_s)
    return found | ({"clock_s": round(told, 3)} if told <= most else {})


def _after(outcome: Outcome, clock: str, budget_s: float) -> dict[str, float]:
    """Return the seconds, and CPU seconds, of a training after its step log grew for the last time.

    What was left of its budget then is not counted: a log may tell every tenth step. It is worth
    as much as what passed until then, or after it where the log grew only once.
    """
    first, last = outcome.first, outcome.last or outcome.first
    if clock == "steps" or not first or not last or "clock_s" not in last:
        return {}
    rest_s, rest_cpu_s = outcome.seconds - last["wall_s"], outcome.cpu_s - last["cpu_s"]
    trained = last["clock_s"] - first.get("clock_s", 0.0)
    if trained > 0:
        wall_s, cpu_s = ((last[name] - first[name]) / trained for name in ("wall_s", "cpu_s"))
    else:
        wall_s, cpu_s = 1.0, 1.0 if clock == "cpu" else rest_cpu_s / max(rest_s, LOOK_S)
    left = max(0.0, budget_s - last["clock_s"])
    found = {"end_s": rest_s - left * wall_s, "end_cpu_s": rest_cpu_s - left * cpu_s}
    return {name: round(max(0.0, seconds), 3) for name, seconds in found.items()}


def _rounded(moment: Moment) -> Moment:
    return {name: round(value, 3) for name, value in moment.items()}


def versions(run_dir: Path, python: str) -> dict[str, str]:
    """Return what the leaf's interpreter said of itself as it began, or this one where it is ours.

    A leaf that does without `shared.run` and has a Python of its own says nothing.
    """
    try:
        said = json.loads(left.text(run_dir / child.VERSIONS))
    except (ValueError, RecursionError):
        return child.versions() if python == sys.executable else {}
    known = said.items() if isinstance(said, dict) else ()
    return {name: str(version)[:80] for name, version in known if name in child.TOLD_OF}


def reference_s(kept: Path, stop: Callable[[], bool], known: float | None = None) -> float:
    """Return what the reference loop takes here, as the first of a leaf's runs measured it.

    All of them count in that unit, so that a moment in which it was measured badly makes every run
    longer or shorter and none of them luckier. `known` is that unit as the records have it: the
    file is anybody's to write.
    """
    if known is not None:
        return known
    with locked(kept.with_name(f"{kept.name}.lock"), stop):
        try:
            found = float(kept.read_text())
        except (OSError, ValueError):
            found = reference.Loop().usual_s()
            new = kept.with_name(f"{kept.name}.new")
            new.write_text(f"{found:.9f}")
            new.replace(kept)
    return found


def ours() -> dict[str, str]:
    """Return the versions of our own interpreter and system."""
    system = os.uname()  # platform.platform() starts a process to ask
    return {
        "python": platform.python_version(),
        "system": f"{system.sysname}-{system.release}-{system.machine}",
    }
