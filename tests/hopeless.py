"""A toy leaf that ends hopeless runs early: its curve tells at once how far a slope is off."""

from pathlib import Path
from typing import Any

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


def pruning(folder: Path, toml: str = LEAF + PRUNE, train: str = TRAIN) -> Toy:
    """Return a repository whose leaf prunes."""
    toy = make(folder)
    toy.leaf(toml=toml, train=train)
    toy.commit("hopeless runs end early")
    return toy


def edited(where: Path, old: str, new: str) -> str:
    """Put another text into the campaign's file; return what it holds then."""
    file = where / "train.py"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    return file.read_text()


def tried(toy: Toy, where: Path, slope: float, *words: str, code: int | None = None) -> Any:
    """Run another slope for an idea of its own; return what `lab run` says."""
    edited(where, "SLOPE = 1.0", f"SLOPE = {slope}")
    idea = toy.idea(f"a slope of {slope}", cwd=where)
    return toy.lab("run", idea, "--json", *words, cwd=where, code=code).json
