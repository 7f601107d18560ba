"""Closed loops: the tuner's real proposals on a made-up surface, each answered by what came of it.

A surface is a leaf without training: the knobs of `pretrain`, the loss a sum of parabolas, one a
knob, around a value near the committed one (from end to end 1, 3, 10 or 30 deviations of a run).
Some knobs are set wrong at the start. Proposals and moves are `lab.agents`'; the rule is the
night's.
"""

import functools
import random
from collections import Counter
from pathlib import Path
from typing import Any

from nights import Idea, Ideas

from lab import leaf
from lab.agents.history import Change, PastTrial
from lab.agents.proposals import Proposer, position
from lab.judge import stagnation
from lab.leaf import knobs

ROOT = Path(__file__).resolve().parents[2]
NEAR = 0.08  # of a knob's range: how far its best value lies from the committed one
STEEP = (1.0, 3.0, 10.0, 30.0)  # deviations of a run, from end to end


@functools.cache
def turnable() -> tuple[dict[str, leaf.Knob], dict[str, Any]]:
    """Return the knobs of `pretrain` and their committed values."""
    one = leaf.read(ROOT, "pretrain")
    known = knobs.constants((one.folder / one.settings("gpu").mutable[0]).read_bytes())
    turned = {name: knob for name, knob in one.knobs.items() if name in known}
    return turned, {name: known[name].value for name in turned}


class Surface:
    """A sum of parabolas over knobs, in deviations of one run."""

    def __init__(self, chance: random.Random, wrong: int) -> None:
        self.knobs, self.good = turnable()
        self.best = {
            name: min(1.0, max(0.0, self.at(name, value) + chance.gauss(0, NEAR)))
            for name, value in self.good.items()
        }
        self.steep = {name: chance.choice(STEEP) for name in self.good}
        ranged = [name for name in self.good if self.knobs[name].low is not None]
        self.start = dict(self.good)
        for name in chance.sample(sorted(ranged), wrong):
            knob = self.knobs[name]
            self.start[name] = knob.low if self.best[name] > 0.5 else knob.high

    def at(self, name: str, value: Any) -> float:
        return position(self.knobs[name], value) or 0.0

    def loss(self, values: dict[str, Any]) -> float:
        return sum(
            self.steep[name] * (self.at(name, value) - self.best[name]) ** 2
            for name, value in values.items()
        )


class Loop(Ideas):
    """The tuner on a surface: what it proposes follows from what was judged."""

    def __init__(self, chance: random.Random, wrong: int) -> None:
        self.surface = Surface(chance, wrong)
        self.now = self.confirmed = dict(self.surface.start)
        self.seed, self.tried = chance.randrange(10**9), list[PastTrial]()
        self.changes: dict[Idea, tuple[Change, ...]] = {}

    def __next__(self) -> Idea:
        """Return the tuner's next proposal by what it truly gains."""
        move = due(self.tried, list(self.surface.knobs))
        if move is not None and move.kind == "stop":
            raise StopIteration
        proposer = Proposer(self.surface.knobs, self.now, f"{self.seed}/{len(self.tried)}")
        changes = next(proposer.proposals(self.tried, move)).changes
        new = self.now | {change.name: change.new for change in changes}
        gain = self.surface.loss(self.now) - self.surface.loss(new)
        idea = Idea(gain, "+".join(change.name for change in changes))
        self.changes[idea] = changes
        return idea

    def judged(self, ideas: list[Idea], gain: float, kept: bool, bagged: bool) -> None:
        """Learn what became of ideas that were run, several of them at once from a bag."""
        changes = tuple(change for idea in ideas for change in self.changes[idea])
        verdict, number = "keep" if kept else "discard", len(self.tried) + 1
        self.tried.insert(0, PastTrial(number, changes, gain, verdict, bagged))
        if kept:
            self.now = self.now | {change.name: change.new for change in changes}

    def audited(self, back: bool) -> None:
        """Go back to what was confirmed, or confirm what stands there."""
        if back:
            self.now = self.confirmed
        self.confirmed = self.now


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
