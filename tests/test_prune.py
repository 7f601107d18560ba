"""Pruning: a run that is hopeless beside its incumbent's curve ends early, and is discarded."""

import json
from pathlib import Path

import pytest
from toy import LEAF, Toy, make

PRUNE = """
[prune]
metric = "train_loss"
rungs = [0.5, 0.75]
never_if = ["WARM*", "schedule"]
"""
# Ten steps of a tenth of the budget each: a curve that falls to (SLOPE - 3)^2, with a seed's luck.
TRAIN = '''\
"""Fit a line, and tell how it goes."""

import json
import os
import random
import time
from pathlib import Path

SLOPE = 1.0  # the truth is 3
WARMUP = 0.1
NOISE = 0.01


def schedule(at):
    return 1 - at


def main():
    seed = int(os.environ["LAB_SEED"])
    luck, batch = random.Random(seed), random.Random(seed + 100)
    run = Path(os.environ["LAB_RUN_DIR"])
    w = SLOPE + luck.gauss(0, NOISE)
    with (run / "steps.jsonl").open("w", buffering=1) as log:
        for step in range(11):
            loss = (w - 3) ** 2 + 5 * schedule(step / 10) + batch.gauss(0, 0.02)
            row = {"step": step, "elapsed_s": step / 2, "train_loss": loss}
            log.write(json.dumps(row) + "\\n")
            time.sleep(float(os.environ.get("PAUSE", 0.05)))
    (run / "model.json").write_text(json.dumps({"w": w}))
    print("trained")


if __name__ == "__main__":
    main()
'''


@pytest.fixture(scope="module")
def pruned(tmp_path_factory) -> tuple[Toy, Path]:
    """Return a repository where an idea was run that is hopeless from the start, and its folder."""
    toy = make(tmp_path_factory.mktemp("pruned"))
    toy.leaf(toml=LEAF + PRUNE, train=TRAIN)
    toy.commit("it is pruned")
    toy.lab("run", "--baseline", "--seeds", "4", cwd=toy.root / "toy")
    return toy, toy.campaign()


def edit(where: Path, old: str, new: str) -> None:
    """Put another text into the campaign's file."""
    text = (where / "train.py").read_text()
    assert old in text
    (where / "train.py").write_text(text.replace(old, new))


def tried(toy: Toy, where: Path, claim: str, *words: str, code: int | None = 1):
    """Write an idea down and run what stands in the file; return what `lab run` says."""
    idea = toy.idea(claim, cwd=where)
    return toy.lab("run", idea, "--json", *words, cwd=where, code=code).json


def test_a_hopeless_run_is_ended_at_its_rung(pruned):
    toy, where = pruned
    edit(where, "SLOPE = 1.0", "SLOPE = -1.0")
    found = tried(toy, where, "a slope the other way")
    print(json.dumps(found, indent=1))
    print(toy.lab("wait", found["experiment"], cwd=where, code=1).out)
    print(toy.lab("show", found["experiment"], cwd=where).out)
    print(toy.lab("log", cwd=where).out)
    print(toy.lab("board", cwd=where).out)
    print(toy.lab("context", cwd=where).out)
    print(toy.lab("failures", "slope", cwd=where).out)
    assert found["status"] == "pruned"
