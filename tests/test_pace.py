"""Pace: a run is told apart by how quick its machine was, and by what that can have done to it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nights
import pytest
from nights import Idea
from toy import TRAIN, Quick, Toy

# Steps of fixed work for some CPU seconds, each logged as it ends.
WORKS = TRAIN.replace(
    """    with (run / "steps.jsonl").open("w") as log:
        log.write(json.dumps({"step": 1, "elapsed_s": 0.1, "loss": 1.0}) + "\\n")
""",
    """    began, step = time.perf_counter(), 0
    with (run / "steps.jsonl").open("w", buffering=1) as log:
        while time.process_time() < 3:
            step += 1
            sum(range(WORK))
            row = {"step": step, "elapsed_s": time.perf_counter() - began, "loss": 1 / step}
            log.write(json.dumps(row) + "\\n")
""",
).replace("import random\n", "import random\nimport time\n")
WORKS = WORKS.replace("NOISE = 0.01\n", "NOISE = 0.01\nWORK = 200_000\n")
IN_TURN = ": measure both in turn: lab run e1 --seeds 1, lab run e2 --seeds 1"
ASKS = f"; unless the change explains it{IN_TURN}"


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="CPU seconds are found through /proc")
def test_dearer_steps_on_a_wall_clock_are_told_wherever_the_run_is(toy: Toy) -> None:
    toml = (toy.root / "toy/leaf.toml").read_text()
    toml = toml.replace("budget_s = 5", "budget_s = 120").replace(
        "timeout_s = 30", "timeout_s = 150"
    )
    toy.leaf(toml=toml, train=WORKS)
    toy.commit("a leaf that works")
    toy.lab("run", "--baseline", cwd=toy.root / "toy")
    where = toy.campaign()
    (where / "train.py").write_text(WORKS.replace("WORK = 200_000", "WORK = 1_000_000"))
    found = toy.lab("run", toy.idea(cwd=where), "--json", cwd=where).json
    (told,) = (mark for mark in found["marks"] if mark.startswith("pace: "))
    assert 0.1 < float(told.split()[1]) < 0.4  # a fifth, on a machine that has other work
    assert told.endswith(IN_TURN)
    for command in ("wait", "show"):
        assert f"\nbear in mind: {told}\n" in toy.here(command, "e2", cwd=where).out
    assert f"  e2 h1 finished: raise the slope\n    {told}\n" in toy.here("context", cwd=where).out
    toy.lab("run", "e1", "--seeds", "1", cwd=where)  # as one is told to
    toy.lab("run", "e2", "--seeds", "1", cwd=where)
    toy.here("result", "e2", "-v", "keep", "--because", "a test", cwd=where)
    assert "measure both in turn: lab audit\n" in toy.here("context", cwd=where).out


def night(
    toy: Quick, clock: str, took: Sequence[dict[str, float]], idea: Idea, *more: dict[str, Any]
) -> list[str]:
    """Import a baseline and an idea whose runs had these machines; return the idea's marks."""
    records = [*nights.records([idea], "toy", baseline=True), *more]
    for row in (row for row in records if row["table"] == "runs"):
        row["machine"] = json.dumps(machine(clock, took[row["experiment"] == "toy-base"]))
    tables = (*nights.TABLES, "audits")
    records.sort(key=lambda row: tables.index(row["table"]))
    file = toy.root.parent / "night.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in records))
    toy.lab("import", str(file))
    found: list[str] = toy.lab("show", "e2", "--json").json["marks"]
    return found


def machine(clock: str, took: dict[str, float]) -> dict[str, Any]:
    """Return what a run's record says where its 100 steps took these seconds."""
    known = {"cpu_s": 10.0, "wall_s": 10.0, "clock_s": 9.0, **took}
    delayed, all_cpu_s = known.pop("delayed", 0.0), known.pop("all_cpu_s", 10.0)
    first = dict.fromkeys(("step", *known), 1.0)
    last = {"step": 101.0, **{name: 1.0 + seconds for name, seconds in known.items()}}
    pace = {"clock": clock, "first": first, "last": last}
    return {"delayed": delayed, "cpu_s": all_cpu_s, "pace": pace}


DEAR = {"cpu_s": 12.5, "wall_s": 12.5}  # 0.8 of the steps for a CPU second
BUSIER = {"wall_s": 20.0, "delayed": 0.5}
BUSY = {"wall_s": 15.0, "delayed": 0.3}
OTHER_LOAD = "measured under another load"
LOAD = [f"{OTHER_LOAD} (30% of its time waiting for a core, its incumbent e1 0%)"]
WALL = "1.50 of e1's wall seconds per CPU second"
STEPS = "pace: 0.80 of e1's steps per CPU second"
ALLOWED = (
    f"{STEPS}, and its reference loop was as much slower (the machine, or what the change leaves "
    "of the caches): the CPU clock allowed for it"
)
TOLD = {
    "under the same load": (
        *("cpu", {"wall_s": 15.0, "delayed": 0.3}, {"wall_s": 15.0, "delayed": 0.25}),
        [],
    ),
    "alike": ("wall", {"cpu_s": 10.4, "wall_s": 10.8}, []),
    "dearer or slower": ("wall", DEAR, [f"{STEPS} (dearer steps or a slower machine){ASKS}"]),
    "cheaper or quicker": (
        *("wall", {"cpu_s": 8.0, "wall_s": 8.0}),
        [f"pace: 1.25 of e1's steps per CPU second (cheaper steps or a quicker machine){ASKS}"],
    ),
    "busier": (
        *("wall", BUSY),
        [f"pace: {WALL} (waiting for a core 30% of its time, e1 0%){IN_TURN}"],
    ),
    "waiting of its own": (
        *("wall", {"wall_s": 15.0}),
        [f"pace: {WALL} (no neighbour: it waited for a core as long as e1){IN_TURN}"],
    ),
    "busier, where both are": (
        *("wall", {"wall_s": 22.4, "delayed": 0.55}, {"wall_s": 20.0, "delayed": 0.50}),
        [f"pace: 1.12 {WALL[5:]} (waiting for a core 55% of its time, e1 50%){IN_TURN}"],
    ),
    "both": (
        *("wall", {**DEAR, "wall_s": 18.75, "delayed": 0.3}),
        [f"{STEPS} and {WALL} (waiting for a core 30% of its time, e1 0%){IN_TURN}"],
    ),
    "too short to tell": ("wall", {"cpu_s": 1.9, "wall_s": 9.0}, []),
    "dearer, by the loop": (
        *("cpu", {**DEAR, "clock_s": 11.25}),
        [f"{STEPS}, from dearer steps: the reference loop saw no slower machine"],
    ),
    "slower, by the loop": (
        *("cpu", DEAR),
        [ALLOWED],
    ),
    "a clock without the loop": (
        *("cpu", {**DEAR, "clock_s": 12.5}),
        [f"{STEPS} (dearer steps or a slower machine){ASKS}"],
    ),
    "busier, which the CPU clock does not charge": ("cpu", BUSY, LOAD),
    "with children, which load let through": (
        *("cpu", {**BUSY, "all_cpu_s": 18.0}, {"delayed": 0.2}),
        [
            f"{OTHER_LOAD} (30% of its time waiting for a core, its incumbent e1 20%, and "
            "it used 1.8 times the CPU seconds of e1)"
        ],
    ),
    "dearer and busier, and steps are the budget": (
        *("steps", {**DEAR, **BUSY}),
        [f"{STEPS} (dearer steps or a slower machine){ASKS}"],
    ),
    "cheaper, and steps are the budget": ("steps", BUSY, []),
    "a quieter machine than the incumbent's, by the CPU clock": (
        *("cpu", {"cpu_s": 12.5, "wall_s": 13.9, "delayed": 0.1}, BUSIER),
        [
            f"{OTHER_LOAD} (10% of its time waiting for a core, its incumbent e1 50%)",
            ALLOWED,
        ],
    ),
    "more at once by the CPU clock": (
        *("cpu", {**DEAR, "wall_s": 8.75}),
        [f"{STEPS}: it keeps more cores busy at once (0.70 of its wall seconds for a CPU second)"],
    ),
}


@pytest.mark.parametrize("name", TOLD)
def test_what_a_pace_can_come_of_is_told_by_its_clock(quick: Quick, name: str) -> None:
    clock, mine, *theirs, said = TOLD[name]
    assert night(quick, clock, (mine, *theirs, {})[:2], Idea(verdict=None)) == said


def test_what_was_kept_is_audited_and_once_it_was_nothing_is_asked(quick: Quick) -> None:
    kept = Idea(gain=0.5, verdict="keep")
    (told,) = night(quick, "wall", (DEAR, {}), kept)
    assert told.endswith(": measure both in turn: lab audit")
    sides = {"tip": "toy-1", "base": "toy-base", "campaign": "toy/ada", "leaf": "toy", "by": "ada"}
    times = {"at": nights.stamp(nights.START), "ended": nights.stamp(nights.START)}
    audit = {
        "table": "audits",
        "uid": "a-1",
        "seeds": "[7]",
        "conclusion": "open",
        **sides,
        **times,
    }
    (told,) = night(quick, "wall", (DEAR, {}), kept, audit)
    assert told == f"{STEPS} (dearer steps or a slower machine)"


def test_runs_of_before_have_no_pace(quick: Quick) -> None:
    nights.write(quick, [Idea(verdict=None)])
    assert quick.lab("show", "e2", "--json").json["marks"] == []
