"""Simulate the tuner's choices on made-up surfaces: is half of a bad knob's loss won back in time?

    python benchmarks/simulate_tuner.py                    # the knobs of pretrain, a minute
    python benchmarks/simulate_tuner.py --seeds 400

Proposals, moves and judgements are the real ones; only the training is replaced: each knob is a
parabola around a value near the committed one (from end to end 1, 3, 10 or 30 standard deviations
of a run), and the bad knob's is as steep as its loss says. For the real thing, on any leaf:
bench_tuner_recovery.py.
"""

import argparse
import random
import statistics
import sys
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from lab import leaf  # noqa: E402
from lab.agents import knobs  # noqa: E402
from lab.agents.history import PastTrial  # noqa: E402
from lab.agents.proposals import Proposer, position  # noqa: E402
from lab.judge import (  # noqa: E402
    Noise,
    Side,
    judge,
    stagnation,
)

# A knob, its bad value, and what that costs in standard deviations of a run; the first two as
# measured on pretrain (its notes.md), the others as a leaf might have them.
CASES = (
    *(("HEAD_LR", 0.0005, 38.0), ("LEARNING_RATE", 0.002, 5.0), ("LEARNING_RATE", 0.01, 5.0)),
    *(("BATCH_X", 4.0, 10.0), ("WARMDOWN", 0.2, 5.0), ("BETA2", 0.8, 5.0), ("WIDTH_X", 2.0, 10.0)),
)
HALF = 0.5
NOISE = Noise(1.0, 10)


class Surface:
    """A leaf without training: the loss is a sum of parabolas, one a knob, in deviations."""

    def __init__(self, seed: int, bad: str, value: Any, cost: float) -> None:
        one = leaf.read(ROOT, "pretrain")
        known = knobs.constants((one.folder / one.settings("gpu").mutable[0]).read_bytes())
        self.knobs = {name: knob for name, knob in one.knobs.items() if name in known}
        self.good = {name: known[name].value for name in self.knobs}
        self.chance = random.Random(seed)
        self.best = {
            n: min(1.0, max(0.0, self.at(n) + self.chance.gauss(0, 0.08))) for n in self.good
        }
        self.steep = {name: self.chance.choice([1.0, 3.0, 10.0, 30.0]) for name in self.good}
        self.best[bad] = self.at(bad)
        self.steep[bad] = cost / ((position(self.knobs[bad], value) or 0.0) - self.best[bad]) ** 2

    def at(self, name: str) -> float:
        return position(self.knobs[name], self.good[name]) or 0.0

    def loss(self, values: dict[str, Any]) -> float:
        places = {name: position(self.knobs[name], value) or 0.0 for name, value in values.items()}
        return sum(self.steep[n] * (places[n] - self.best[n]) ** 2 for n in places)

    def run(self, values: dict[str, Any]) -> float:
        return self.loss(values) + self.chance.gauss(0, NOISE.sd)


def campaign(seed: int, bad: str, value: Any, cost: float, most: int) -> int | None:
    """Return the experiment that won half back, or None when none of `most` did."""
    surface = Surface(seed, bad, value, cost)
    now = {**surface.good, bad: value}
    start, good = surface.loss(now), surface.loss(surface.good)
    incumbent = Side((), tuple(surface.run(now) for _ in range(3)))
    tried: list[PastTrial] = []
    for number in range(1, most + 1):
        move = due(tried, list(surface.knobs))
        if move is not None and move.kind == "stop":
            return None
        proposer = Proposer(surface.knobs, now, f"{seed}/{number}")
        changes = next(proposer.proposals(tried, move)).changes
        new = {**now, **{change.name: change.new for change in changes}}
        runs = [surface.run(new)]
        while (verdict := judge(runs, incumbent, NOISE, "minimize")).suggest == "replicate":
            if verdict.target == "incumbent":
                more = tuple(surface.run(now) for _ in range(verdict.more))
                incumbent = Side(incumbent.selecting, incumbent.fresh + more)
            else:
                runs += [surface.run(new) for _ in range(verdict.more)]
        near = verdict.suggest != "keep" and verdict.near_miss and (verdict.gain or 0) > 0
        tried.insert(0, PastTrial(number, changes, verdict.gain, verdict.suggest, near))
        if verdict.suggest == "keep":
            now, incumbent = new, Side(tuple(runs), ())
        if start - surface.loss(now) >= HALF * (start - good):
            return number
    return None


def due(tried: list[PastTrial], names: list[str]) -> stagnation.Move | None:
    """Return the move that is due, as the notebook would find it."""
    axes = Counter(change.name.lower() for one in tried for change in one.changes)
    verdicts = [one.verdict for one in tried]
    return stagnation.propose(
        verdicts.index("keep") if "keep" in verdicts else len(tried),
        axes=[{"axis": name, "tried": count} for name, count in axes.items()],
        near_misses=[f"e{one.experiment}" for one in tried if one.near_miss],
        kept=[f"e{one.experiment}" for one in tried if one.verdict == "keep"],
        knobs=names,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--experiments", type=int, default=15)
    args = parser.parse_args()
    for case in CASES:
        ends = [campaign(seed, *case, args.experiments) for seed in range(args.seeds)]
        won = [end for end in ends if end is not None]
        middle = f"at experiment {statistics.median(won):g} (median)" if won else "never"
        share = f"half won back in {len(won)} of {args.seeds} campaigns of {args.experiments}"
        print(f"{case[0]} = {case[1]}, {case[2]:g} sd lost: {share}, {middle}", flush=True)


if __name__ == "__main__":
    main()
