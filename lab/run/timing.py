"""`lab timing`: where the time of a run went, beside its incumbent's at the same seed."""

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from ..documents.trainings import Spent, Timing
from ..errors import NotFound
from ..notebook import Notebook, lookup, pace, runs
from ..notebook.replicates import Run, one_a_seed
from ..system.home import Home
from . import step_log
from .watch import last_step

Found = Mapping[str, Any]


def beside(book: Notebook, home: Home, mine: sqlite3.Row, theirs: sqlite3.Row | None) -> Timing:
    """Return where the time of two runs went: of equal seeds where there are any."""
    ours = _ended(book, mine)
    others = _ended(book, theirs) if theirs is not None else {}
    if not ours:
        raise NotFound(
            f"e{mine['id']} has no run here that ended.",
            f"See how it stands: lab show e{mine['id']}",
        )
    seed = next((seed for seed in ours if seed in others), min(ours))
    other = others.get(seed) or next(iter(others.values()), None)
    return {
        "experiment": f"e{mine['id']}",
        "against": f"e{theirs['id']}" if theirs is not None else None,
        "mine": _spent(book, home, ours[seed]),
        "theirs": _spent(book, home, other) if other is not None else None,
        "pace": _pace(book, mine["id"], theirs["id"] if theirs is not None else None),
    }


def _ended(book: Notebook, row: sqlite3.Row) -> dict[int, Run]:
    """Return an experiment's runs that trained to some end, one a seed."""
    made = [run for run in lookup.runs(book, row["id"]) if run["ended"] and run["train_wall_s"]]
    return one_a_seed(made)


def _pace(book: Notebook, number: int, against: int | None) -> str | None:
    """Return what is said of the pace, beside the incumbent's alone."""
    if against is None or against != lookup.experiment(book, number)["incumbent"]:
        return None
    return pace.mark(book, number)


def _spent(book: Notebook, home: Home, run: Run) -> Spent:
    machine = {**json.loads(run["machine"] or "{}"), "seed": run["seed"]}
    said = runs.printed(book, run["id"], "train")
    startup, trained = _startup_s(machine, said), run["train_wall_s"]
    stages = {
        "setup_s": run["setup_s"],
        "startup_s": startup,
        "steps_s": trained - startup if startup is not None else trained,
        "evaluation_s": machine.get("eval_s"),
    }
    known = sum(seconds for seconds in stages.values() if seconds is not None)
    rest = max(0.0, run["seconds"] - known) if run["seconds"] is not None else None
    wall_per_cpu, steps_per_cpu = _rates(machine, said)
    return {
        "experiment": f"e{run['experiment']}",
        "run": run["id"],
        "seed": run["seed"],
        "setup_s": stages["setup_s"],
        "startup_s": startup,
        "steps_s": stages["steps_s"],
        "evaluation_s": stages["evaluation_s"],
        "rest_s": rest,
        "seconds": run["seconds"],
        "waited_s": run["waited_s"],
        "cpu_s": machine.get("cpu_s"),
        "steps": _steps(home, run),
        "steps_per_cpu_s": steps_per_cpu,
        "steps_per_s": steps_per_cpu / wall_per_cpu if steps_per_cpu and wall_per_cpu else None,
        "wall_per_cpu_s": wall_per_cpu,
        "delayed": machine.get("delayed"),
    }


def _startup_s(machine: Found, said: Mapping[str, float]) -> float | None:
    """Return when the first step began: as the harness saw, else as the training says."""
    seen = machine.get("pace") or {}
    first, last = seen.get("first"), seen.get("last")
    if not first:
        return said.get("startup_s")
    since: float = first.get("clock_s", 0.0)  # seconds of its clock since the first step
    rate: float = 1.0
    if seen["clock"] == "cpu" and last and last.get("clock_s", 0.0) > since:
        rate = (last["wall_s"] - first["wall_s"]) / (last["clock_s"] - since)
    noted: float = first["wall_s"]
    return max(0.0, min(noted, noted - since * rate))


def _rates(machine: Found, said: Mapping[str, float]) -> tuple[float | None, float | None]:
    """Return wall seconds and steps for a CPU second: as seen, else as the training says."""
    seen = pace.of(machine)
    if seen is not None:
        return seen.wall_per_cpu, seen.steps_per_cpu
    steps, cpu_s, wall_s = (said.get(name) for name in ("num_steps", "cpu_s", "wall_s"))
    if not cpu_s or cpu_s < 0:
        return None, None
    return (wall_s / cpu_s if wall_s else None), (steps / cpu_s if steps else None)


def _steps(home: Home, run: Run) -> float | None:
    """Return the last step that a run logged."""
    row = last_step(home.run(run["experiment"], run["id"]) / "steps.jsonl")
    step = row.get("step") if row else None
    return float(step) if step_log.finite(step) else None
