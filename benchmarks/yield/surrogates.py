"""Closed loops: the tuner's real proposals on a made-up surface, each answered by what came of it.

A surface is a leaf without training. Those of `Parabolas` have the knobs of `pretrain`, the loss a
sum of parabolas, one a knob, around a value near the committed one (from end to end 1, 3, 10 or 30
deviations of a run), and some knobs set wrong at the start; those of `Made` have fifteen knobs with
interactions and a cliff. Proposals and moves are `lab`'s; the rule is the night's.
"""

import functools
import random
import zlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from nights import Idea, Ideas

from lab import leaf
from lab.judge import stagnation
from lab.leaf import Knob, knobs
from lab.tuner import thompson
from lab.tuner.coordinates import position
from lab.tuner.one_knob import Proposer
from lab.tuner.space import Space
from lab.tuner.surface import Known
from lab.tuner.trials import Change, PastTrial

ROOT = Path(__file__).resolve().parents[2]
NEAR = 0.08  # of a knob's range: how far its best value lies from the committed one
STEEP = (1.0, 3.0, 10.0, 30.0)  # deviations of a run, from end to end
KNOBS = 15  # of a made surface
BENDS = 2.0, 200.0  # deviations of a run for a whole range, from its best value
TO_WIN = 6.0  # deviations of a run, where a start is near the best
CLIFF = 60.0  # deviations of a run that a step too far costs


class Surface(Protocol):
    """What a leaf's metric would do: knobs, where they stand, and the loss of their values."""

    knobs: Mapping[str, Knob]
    start: dict[str, Any]

    def loss(self, values: Mapping[str, Any]) -> float:
        """Return the true loss, in deviations of one run."""


@functools.cache
def turnable() -> tuple[dict[str, Knob], dict[str, Any]]:
    """Return the knobs of `pretrain` and their committed values."""
    one = leaf.read(ROOT, "pretrain")
    known = knobs.constants((one.folder / one.settings("gpu").mutable[0]).read_bytes())
    turned = {name: knob for name, knob in one.knobs.items() if name in known}
    return turned, {name: known[name].value for name in turned}


class Parabolas:
    """A sum of parabolas over the knobs of `pretrain`, in deviations of one run."""

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

    def loss(self, values: Mapping[str, Any]) -> float:
        return sum(
            self.steep[name] * (self.at(name, value) - self.best[name]) ** 2
            for name, value in values.items()
        )


class Made:
    """Fifteen knobs from 0 to 1; how the loss rises about the best values is the surface's kind."""

    def __init__(self, chance: random.Random, kind: str, near: bool) -> None:
        rng = np.random.default_rng(chance.randrange(2**32))
        self.kind, names = kind, [f"K{n}" for n in range(KNOBS)]
        self.knobs = {name: Knob(name, "float", 0.0, 1.0, False, (), "") for name in names}
        self.bend = np.exp(rng.uniform(*np.log(BENDS), KNOBS))
        self.best = rng.uniform(0.2, 0.8, KNOBS)
        self.bowl = self._bowl(rng)
        self.side = rng.choice([-1, 1], KNOBS)
        self.edge = min(0.97, self.best[0] + 0.25)  # of the first knob, where the cliff is
        start = rng.uniform(0.0, 1.0, KNOBS)
        start[0] = min(start[0], self.edge - 0.05)
        share = self._nearer(start) if near else 1.0
        place = self.best + share * (start - self.best)
        self.start = dict(zip(names, (float(at) for at in place), strict=True))

    def _bowl(self, rng: np.random.Generator) -> Any:
        """Return the quadratic form: a fifth of the pairs of knobs act together."""
        linked = np.tril(rng.uniform(-0.4, 0.4, (KNOBS, KNOBS)), -1)
        linked *= rng.random(linked.shape) < 0.2
        values, axes = np.linalg.eigh(linked + linked.T + np.eye(KNOBS))
        bowl = (axes * np.maximum(values, 0.1)) @ axes.T
        own = np.sqrt(np.diag(bowl))
        return bowl / np.outer(own, own) * np.sqrt(np.outer(self.bend, self.bend))

    def _nearer(self, start: Any) -> float:
        """Return the share of the way from the best at which TO_WIN is to be won."""
        low, high = 0.0, 1.0
        for _ in range(40):
            middle = (low + high) / 2
            far = self._at(self.best + middle * (start - self.best)) > TO_WIN
            low, high = (low, middle) if far else (middle, high)
        return low

    def loss(self, values: Mapping[str, Any]) -> float:
        return self._at(np.array([values[name] for name in self.knobs]))

    def _at(self, place: Any) -> float:
        off = place - self.best
        own = self.bend * off**2
        if self.kind == "steep on one side":
            return float((own * np.where(off * self.side > 0, 4, 1)).sum())
        if self.kind == "plateau":
            return float(np.minimum(own, 4 + 0.1 * own).sum())
        if self.kind == "power 1.2":
            return float(0.4 * (self.bend * np.abs(off) ** 1.2).sum())
        loss = float(off @ self.bowl @ off)
        if self.kind == "ripples":
            waves = 1 - np.cos(8 * np.pi * off)
            return loss + float((np.sqrt(self.bend / 20) * waves).sum())
        return loss + CLIFF * float(place[0] > self.edge)


class Loop(Ideas):
    """The tuner on a surface: what it proposes follows from what was measured and judged."""

    def __init__(self, chance: random.Random, surface: Surface, sampler: str = "model") -> None:
        self.surface, self.sampler = surface, sampler
        self.now = self.confirmed = dict(surface.start)
        self.seed, self.tried = chance.randrange(10**9), list[PastTrial]()
        self.changes: dict[Idea, tuple[Change, ...]] = {}
        self.space, self.known = Space(surface.knobs), list[Known]()

    def __next__(self) -> Idea:
        """Return the tuner's next proposal by what it truly gains."""
        seed = f"{self.seed}/{len(self.tried)}"
        changes = self.by_model(seed) if self.sampler == "model" else self.by_knob(seed)
        new = self.now | {change.name: change.new for change in changes}
        gain = self.surface.loss(self.now) - self.surface.loss(new)
        idea = Idea(gain, "+".join(change.name for change in changes))
        self.changes[idea] = changes
        return idea

    def by_model(self, seed: str) -> tuple[Change, ...]:
        tip = self.space.place(self.now)
        assert tip is not None
        belief = thompson.believed(self.space, tip, self.known, noise=1.0)
        chance = np.random.default_rng(zlib.crc32(seed.encode()))
        while True:
            values = thompson.proposed(belief, chance).values
            if values:
                return tuple(Change(name, self.now[name], new) for name, new in values.items())

    def by_knob(self, seed: str) -> tuple[Change, ...]:
        move = due(self.tried, list(self.surface.knobs))
        if move is not None and move.kind == "stop":
            raise StopIteration
        proposer = Proposer(self.surface.knobs, self.now, seed)
        return next(proposer.proposals(self.tried, move)).changes

    def measured(self, ideas: list[Idea], values: Mapping[int, float]) -> None:
        new = {change.name: change.new for idea in ideas for change in self.changes[idea]}
        self.note(self.now | new, values)

    def note(self, at: Mapping[str, Any], values: Mapping[int, float]) -> None:
        """Remember what runs at some values of the knobs gave."""
        place, number = self.space.place(at), len(self.known)
        assert place is not None
        self.known += [Known(number, place, "", seed, value) for seed, value in values.items()]

    def judged(self, ideas: list[Idea], gain: float, kept: bool, bagged: bool) -> None:
        """Learn what became of ideas that were run, several of them at once from a bag."""
        changes = tuple(change for idea in ideas for change in self.changes[idea])
        verdict, number = "keep" if kept else "discard", len(self.tried) + 1
        self.tried.insert(0, PastTrial(number, changes, gain, verdict, bagged))
        if kept:
            self.now = self.now | {change.name: change.new for change in changes}

    def audited(self, tip: Mapping[int, float], base: Mapping[int, float], back: bool) -> None:
        """Go back to what was confirmed, or confirm what stands there."""
        self.note(self.now, tip)
        self.note(self.confirmed, base)
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
