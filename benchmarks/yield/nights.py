"""Simulated nights: where ideas come from, and what a machine adds to their values.

Effects are in standard deviations of one run, positive is better. The distributions were fitted to
the published night autoresearch `mar8` (126 runs, one H100), whose share of good ideas is hardly
identified: hence several. `thousandths` of bits per byte become deviations by the noise of a night.
"""

import csv
import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

MAR8 = Path(__file__).parents[2] / "tests" / "data" / "autoresearch-h100-mar8.tsv"
CALMED = 15.0  # deviations of the start
NOISES = (0.4, 0.7, 1.3)  # thousandths of bits per byte: what the fit allows, below and above


@dataclass(frozen=True)
class Mixture:
    """Good and harmful ideas are lognormal, the rest nearly nothing; in thousandths."""

    good: float  # share of ideas
    median: float
    harmful: float
    loss: float
    spread: float = 1.4  # deviation of the logarithm
    largest: float = 12.0

    def draw(self, rng: random.Random) -> float:
        """Return one effect."""
        kind = rng.random()
        if kind < self.good:
            return min(self.largest, self.median * math.exp(rng.gauss(0, self.spread)))
        if kind < self.good + self.harmful:
            return -min(100.0, self.loss * math.exp(rng.gauss(0, 1.0)))
        return rng.uniform(-0.1, 0.1)


SIX = {
    "fit18": Mixture(0.18, 0.53, 0.12, 3.5),
    "fit10": Mixture(0.10, 0.95, 0.12, 3.5),
    "fit50": Mixture(0.50, 0.19, 0.12, 3.5),
    "harm": Mixture(0.18, 0.53, 0.70, 1.0),
    "late": Mixture(0.15, 0.40, 0.60, 1.0, spread=0.6),
    "rare": Mixture(0.04, 0.53, 0.12, 3.5),
}


class Idea(float):
    """What an idea truly gains, in deviations of one run; with the place that it touches."""

    place: str

    def __new__(cls, gain: float, place: str = "") -> "Idea":
        self = super().__new__(cls, gain)
        self.place = place
        return self

    __hash__ = object.__hash__
    __eq__ = object.__eq__


class Ideas(Iterator[Idea]):
    """The ideas of a night, one after the other, told what became of each."""

    def __init__(self, draw: Callable[[random.Random], float], rng: random.Random, most: int):
        self.draw, self.rng, self.left = draw, rng, most

    def __next__(self) -> Idea:
        if not self.left:
            raise StopIteration
        self.left -= 1
        return Idea(self.draw(self.rng), f"place {self.left}")

    def measured(self, ideas: list[Idea], values: Mapping[int, float]) -> None:
        """Hear what runs of ideas on top of the tip gave, by seed; of the tip itself without."""

    def judged(self, ideas: list[Idea], gain: float, kept: bool, bagged: bool) -> None:
        """Hear the verdict on ideas that were run at once, and their measured gain."""

    def audited(self, tip: Mapping[int, float], base: Mapping[int, float], back: bool) -> None:
        """Hear what an audit measured, and whether the branch went back."""


@dataclass(frozen=True)
class Night:
    """What a night is made of."""

    name: str
    draw: Callable[[random.Random], float]  # the effect of one idea, in deviations
    wrong: int = 0  # knobs that are set wrong: the tuner proposes, on a surface
    every: int = 1  # of so many nights one is played, where its proposals are slow
    runs: int = 125  # in all, the baseline's and every audit's among them
    ideas: int = 10**6
    tails: str = "normal"
    drift: float = 0.0  # by how much numbers wander upwards over the night
    jump: float = 0.0  # and jump at a random moment, as on another host
    load: bool = False  # half of the variance is a neighbour's load that comes and goes slowly
    rho: float = 0.0  # correlation of two programs' luck at the same seed
    wild: float = 1.0  # how much noisier than the start every change is
    calm: float = 1.0  # noise by the start's, once the branch has gained CALMED
    collapse: float = 0.0  # share of runs that end ten deviations worse
    step: float = 0.0  # the metric comes in steps of this size, as a count of right items
    ceiling: float = math.inf  # above the start, where the metric ends
    fixed: bool = False  # a seed changes nothing: each program has its own luck, once


@dataclass
class Result:
    """What one night came to, in deviations of one run."""

    true: float = 0.0  # of the branch, above the start
    claimed: float = 0.0
    ideas: int = 0
    kept: int = 0
    false: int = 0  # claims of a change, or of a chain, that is no gain


def noise_of(tails: str, rng: random.Random) -> float:
    """Draw noise of mean 0 and standard deviation 1."""
    if tails == "t3":  # a chi-square of 3 is gamma(1.5, 2); variance of t3 is 3
        return rng.gauss(0, 1) / math.sqrt(rng.gammavariate(1.5, 2) / 3) / math.sqrt(3)
    return rng.gauss(0, 1)


@dataclass
class Machine:
    """One night's machine: it measures, and counts the runs."""

    night: Night
    rng: random.Random
    done: int = 0
    busy: float = 0.0
    seeds: dict[int, float] = field(default_factory=dict)
    programs: dict[float, float] = field(default_factory=dict)  # by their true value

    def __post_init__(self) -> None:
        self.jumps_at = self.rng.uniform(0.1, 0.9) * self.night.runs

    @property
    def host(self) -> int:
        """Which computer the last run was on; whoever runs can see it."""
        return int(bool(self.night.jump) and self.done - 1 > self.jumps_at)

    @property
    def left(self) -> int:
        return self.night.runs - self.done

    def run(self, truth: float, seed: int) -> float:
        """Return what one run of a program of this true value gives."""
        night, rho = self.night, self.night.rho
        if seed not in self.seeds:
            self.seeds[seed] = self.rng.gauss(0, 1)
        own = noise_of(night.tails, self.rng)
        luck = math.sqrt(1 - rho) * own + math.sqrt(rho) * self.seeds[seed]
        if night.load:
            self.busy = 0.9 * self.busy + math.sqrt(1 - 0.81) * self.rng.gauss(0, 1)
            luck = (luck + self.busy) / math.sqrt(2)
        luck *= night.wild if truth else 1.0
        luck *= 1 - (1 - night.calm) * min(1.0, max(0.0, truth / CALMED))
        luck -= 10 * (self.rng.random() < night.collapse)
        if night.fixed:
            luck = self.programs.setdefault(truth, luck)
        moved = night.drift * self.done / night.runs + night.jump * (self.done > self.jumps_at)
        self.done += 1
        value = min(night.ceiling, truth + luck + moved)
        return round(value / night.step) * night.step if night.step else value


def of(mixture: Mixture, noise: float) -> Callable[[random.Random], float]:
    """Return the draw of a mixture in deviations of `noise` thousandths."""
    return lambda rng: mixture.draw(rng) / noise


def replayed(log: Path, noise: float) -> Callable[[random.Random], float]:
    """Return the draw of ideas of a published night, resampled, in deviations of one run.

    What each of its 125 ideas gave above the best before it is taken for true: `val_bpb`, lower is
    better, in deviations of `noise` thousandths.
    """
    best, effects = math.inf, []
    with log.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            value = float(row["val_bpb"])
            if value and math.isfinite(best):
                effects.append(1000 * (best - value) / noise)
            if row["status"] == "keep":
                best = value
    return lambda rng: rng.choice(effects)


def scenarios() -> list[Night]:
    """Return every night of the table."""
    six = [Night(f"{name} {noise}", of(m, noise)) for name, m in SIX.items() for noise in NOISES]
    late, fit18 = of(SIX["late"], 0.7), of(SIX["fit18"], 0.7)
    return [
        *six,
        Night("replayed mar8", replayed(MAR8, 0.7)),
        Night("all small", lambda rng: rng.gauss(-0.5, 0.5)),
        Night("normal(-1, 1)", lambda rng: rng.gauss(-1, 1)),
        Night("normal(-2, 2)", lambda rng: rng.gauss(-2, 2)),
        Night("nulls", lambda rng: 0.0),
        Night("nulls, t3", lambda rng: 0.0, tails="t3"),
        Night("nulls, load", lambda rng: 0.0, load=True),
        Night("nulls, drift 3", lambda rng: 0.0, drift=3.0),
        Night("nulls, drift -3", lambda rng: 0.0, drift=-3.0),
        Night("nulls, jump 6", lambda rng: 0.0, jump=6.0),
        Night("late, pairs 0.8", late, rho=0.8),
        Night("fit18, pairs 0.8", fit18, rho=0.8),
        Night("fit18, wild changes", fit18, wild=2.0),
        Night("fit18, calmer", fit18, calm=0.3),
        Night("fit18, collapses", fit18, collapse=0.05),
        Night("fit18, steps of 1", fit18, step=1.0),
        Night("fit18, ceiling 10", fit18, ceiling=10.0),
        Night("fit18, fixed luck", fit18, fixed=True),
        Night("nulls, fixed luck", lambda rng: rng.gauss(0, 1e-9), fixed=True),
        Night("tuner, 1 knob wrong", late, wrong=1, every=10),
        Night("tuner, 4 knobs wrong", late, wrong=4, every=10),
        Night("fit18, 30 runs", fit18, runs=30),
        Night("fit18, 20 ideas", fit18, ideas=20),
    ]
