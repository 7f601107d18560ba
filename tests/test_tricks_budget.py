"""Tricks with the budget, played through the CLI: longer, before, after, and in another unit."""

import json
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
from test_tricks import BURN, run
from toy import LEAF, TRAIN, Toy

from lab.notebook import pace

# Training by its own clock for as long as it was told, in steps of a hundredth of a second.
TIMED = """\
    read = time.process_time if os.environ["LAB_CLOCK"] == "cpu" else time.perf_counter
    budget = float(os.environ["LAB_BUDGET_S"]) * MORE
    steps = json.loads(os.environ["LAB_DATA"]).get("steps", 10**9) * MORE
    began, step = read(), 0
    with (run / "steps.jsonl").open("w", buffering=1) as log:
        while read() - began < budget and step < steps:
            step += 1
            until = time.process_time() + STEP_S
            while time.process_time() < until:
                pass
            row = {"step": step, "elapsed_s": round(read() - began, 3), "loss": 1 / step}
            log.write(json.dumps(row) + "\\n")
"""
CLOCKED = re.sub(r"    with .run . .steps.jsonl.*?\n.*?\n", lambda _: TIMED, TRAIN).replace(
    "import random\n", "import random\nimport time\n"
)
CLOCKED = CLOCKED.replace("NOISE = 0.01\n", "NOISE = 0.01\nMORE = 1\nSTEP_S = 0.01\n")


def clocked(toy: Toy, clock: str, train: str = CLOCKED) -> Path:
    """Return a campaign on a leaf of a short budget by one of the clocks, its baseline measured."""
    toml = LEAF.replace("budget_s = 5", f'budget_s = 1\nclock = "{clock}"')
    toml += "\n[data]\nsteps = 20\n" if clock == "steps" else ""
    toy.leaf(toml=toml, train=train)
    toy.commit(f"a {clock} clock")
    found = run(toy, toy.root / "toy", "--baseline", "--seeds", "2")
    assert found["constraints"] == {"broken": []}
    return toy.campaign()


def tried(toy: Toy, campaign: Path, *edits: tuple[str, str], train: str = CLOCKED) -> str:
    """Run an edit that also makes the number better; return which constraints it broke."""
    for old, new in (("SLOPE = 1.0", "SLOPE = 2.0"), *edits):
        assert old in train
        train = train.replace(old, new)
    (campaign / "train.py").write_text(train)
    constraints: Any = run(toy, campaign)["constraints"]
    return ", ".join(constraints["broken"])


@pytest.mark.parametrize("clock", ["wall", "cpu", "steps"])
def test_a_training_of_several_budgets_breaks_it_as_its_step_log_says(toy: Toy, clock: str) -> None:
    campaign = clocked(toy, clock)
    said = tried(toy, campaign, ("MORE = 1", "MORE = 3"), ("STEP_S = 0.01", "STEP_S = 0.003"))
    told = re.search(r"budget \((?:its clock|steps) ([\d.]+) of ([\d.]+)\)", said)
    assert told, said
    assert float(told[1]) > 2 * float(told[2])


@pytest.mark.parametrize("clock", ["wall", "cpu", "steps"])
def test_a_long_last_step_breaks_nothing(toy: Toy, clock: str) -> None:
    campaign = clocked(toy, clock)
    longer = "0.01" if clock == "steps" else "0.15"
    evaluates = '    (run / "model.json")', '    time.sleep(0.5)\n    (run / "model.json")'
    assert tried(toy, campaign, ("STEP_S = 0.01", f"STEP_S = {longer}"), evaluates) == ""


def test_a_log_that_counts_something_else_is_held_to_its_baseline(toy: Toy) -> None:
    tokens = CLOCKED.replace('{"step": step,', '{"step": step * 64,')
    campaign = clocked(toy, "steps", tokens)
    assert tried(toy, campaign, train=tokens) == ""
    toy.here("result", "e2", "-v", "discard", cwd=campaign)
    said = tried(toy, campaign, ("MORE = 1", "MORE = 2"), train=tokens)
    assert "budget (steps 2560 of 1344)" in said


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="steps are found through /proc")
def test_a_wall_clock_that_is_told_too_slow_is_read_on_ours(toy: Toy) -> None:
    campaign = clocked(toy, "wall")
    slow = "round(read() - began, 3)", "round((read() - began) / 4, 3)"
    assert "budget (its clock" in tried(toy, campaign, ("MORE = 1", "MORE = 4"), slow)


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="CPU seconds are found through /proc")
@pytest.mark.parametrize("clock", ["wall", "cpu"])
def test_training_on_after_the_clock_has_ended_breaks_the_budget(toy: Toy, clock: str) -> None:
    """Within what the start-up allowance and the CPU seconds of a busy machine leave."""
    saved = '    (run / "model.json")'
    campaign = clocked(toy, clock)
    burn = textwrap.indent(BURN.format(2.0), "    ")
    assert "after its last step" in tried(toy, campaign, (saved, burn + saved))


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="CPU seconds are found through /proc")
def test_a_log_of_every_tenth_step_breaks_nothing(toy: Toy) -> None:
    campaign = clocked(toy, "wall")
    write = '            log.write(json.dumps(row) + "\\n")\n'
    assert tried(toy, campaign, (write, f"            if step % 10 == 1:\n    {write}")) == ""


def test_no_second_of_slack_for_a_budget_of_one(toy: Toy) -> None:
    campaign = clocked(toy, "wall")
    burn = textwrap.indent(BURN.format(0.8), "    ")
    before = "    random.seed(", f"{burn}    random.seed("
    assert "before its clock began" in tried(toy, campaign, before)


def test_work_outside_of_the_clock_is_bounded_in_all(toy: Toy) -> None:
    """Before the clock and while scoring, each within what it alone may."""
    heavy = CLOCKED.replace("import time\n", f"import time\n\n{BURN.format('HEAVY')}", 1)
    heavy = heavy.replace("import time\n\n", "import time\n\nHEAVY = 1.5\n", 1)
    evaluate = "import os\nimport train\n" + Path(toy.root / "toy/evaluate.py").read_text()
    toy.leaf(toml=LEAF.replace("budget_s = 5", "budget_s = 1"), train=heavy, evaluate=evaluate)
    toy.commit("slow imports")
    run(toy, toy.root / "toy", "--baseline", "--seeds", "2")
    campaign = toy.campaign()
    said = tried(toy, campaign, ("HEAVY = 1.5", "HEAVY = 2.1"), train=heavy)
    runs = toy.here("show", "e2", "--json").json["runs"]
    if any((json.loads(run["machine"])["delayed"] or 0.0) > pace.LOADED for run in runs):
        pytest.skip("beside a neighbour the same work takes up to three times its CPU seconds")
    assert "outside of its clock" in said
    assert "before its clock" not in said
