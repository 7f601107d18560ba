"""Simulated nights of research, judged by the real `lab.judge`: how much luck is kept?

    python benchmarks/simulate_nights.py                         # the table of docs/benchmarks.md
    python benchmarks/simulate_nights.py --nights 50 --only nulls --set keep=0.95
    python benchmarks/simulate_nights.py --nulls 100 --effects 2,2,4 --tails t3 --drift 1

Every run is its idea's true value plus noise of standard deviation 1, so all effects, gains and
drifts are in units of the noise, and positive is better. A night is a chain: a kept idea becomes
the incumbent, is measured with fresh seeds, and the next idea builds on it. Noise is pooled over
all replicates so far, as the notebook does. Runs an idea count the candidate's replicates and the
incumbent's fresh runs, but not the first baseline.

Columns: false keeps a night (ideas of no effect or a loss), runs an idea, then a night's true gain
beside the claimed one, the expected one, and what was expected before the last keep was measured
afresh.
"""

import argparse
import math
import random
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from lab.judge import Kept, Policy, Side, claimed_gain, expected_gain, judge, mean, pool

IDEAS = 125  # as many as autoresearch's night of 8 March tried


@dataclass(frozen=True)
class Night:
    """What a night is made of."""

    name: str
    nulls: int = IDEAS  # ideas of no effect
    effects: tuple[float, ...] = ()  # ideas of these true effects, at random places
    gains: int = 0  # ideas whose effect is drawn from an exponential of mean 2 ...
    harms: int = 0  # ... and as many whose loss is
    baseline: int = 5  # seeds of the baseline
    tails: str = "normal"
    drift: float = 0.0  # by how much the machine's numbers wander upwards over the night
    shorter: bool = False  # every idea removes lines
    naive: bool = False  # no judge: keep a single run that beats the best single run so far

    def ideas(self, rng: random.Random) -> list[float]:
        """Return the true effects of one night's ideas, shuffled."""
        drawn = [rng.expovariate(0.5) for _ in range(self.gains + self.harms)]
        signed = [-e if i < self.harms else e for i, e in enumerate(drawn)]
        ideas = [*self.effects, *signed, *[0.0] * self.nulls]
        rng.shuffle(ideas)
        return ideas


# Table of docs/benchmarks.md. The first three are the targets; the rest shows where they end.
NIGHTS = [
    Night("nulls"),
    Night("one 3 among them", effects=(3,)),
    Night("one 5 among them", effects=(5,)),
    Night("ten of 2", effects=(2,) * 10),
    Night("mixed", nulls=35, gains=20, harms=70),
    Night("2 baseline seeds", effects=(3, 5), baseline=2),
    Night("3 baseline seeds", effects=(3, 5), baseline=3),
    Night("10 baseline seeds", effects=(3, 5), baseline=10),
    Night("heavy tails", effects=(3, 5), tails="t3"),
    Night("skewed", effects=(3, 5), tails="skewed"),
    Night("drift +1", effects=(3, 5), drift=1.0),
    Night("drift -1", effects=(3, 5), drift=-1.0),
    Night("all remove lines", effects=(-1, -2, -3, 3), shorter=True),
    Night("no judge: nulls", naive=True),
    Night("no judge: mixed", nulls=35, gains=20, harms=70, naive=True),
]


def noise_of(tails: str, rng: random.Random) -> float:
    """Draw noise of mean 0 and standard deviation 1."""
    if tails == "t3":  # a chi-square of 3 is gamma(1.5, 2); variance of t3 is 3
        return rng.gauss(0, 1) / math.sqrt(rng.gammavariate(1.5, 2) / 3) / math.sqrt(3)
    if tails == "skewed":  # now and then a run goes much worse
        return 1 - rng.expovariate(1)
    return rng.gauss(0, 1)


@dataclass
class Experiment:
    """One content of the file: its true value and the runs made of it."""

    truth: float
    selecting: list[float] = field(default_factory=list)
    fresh: list[float] = field(default_factory=list)

    @property
    def side(self) -> Side:
        return Side(tuple(self.selecting), tuple(self.fresh))


@dataclass
class Tally:
    """What one night came to."""

    effects: list[float]
    kept: list[float] = field(default_factory=list)  # true effects of the ideas kept
    runs: int = 0
    true: float = 0.0
    claimed: float = 0.0
    expected: float = 0.0
    early: float = 0.0  # expected before the last keep was measured afresh


class Lab:
    """One night's machine, notebook and agent, following every suggestion."""

    def __init__(self, night: Night, policy: Policy, rng: random.Random):
        self.night, self.policy, self.rng = night, policy, rng
        self.tally = Tally(night.ideas(rng))
        self.experiments: list[Experiment] = []
        self.incumbent = self.add(Experiment(0.0))
        self.run(self.incumbent, self.incumbent.fresh, night.baseline)
        self.tally.runs = 0
        self.chain: list[tuple[Kept, Experiment, Experiment]] = []
        self.looks = 0

    def add(self, experiment: Experiment) -> Experiment:
        self.experiments.append(experiment)
        return experiment

    def run(self, experiment: Experiment, into: list[float], times: int) -> None:
        """Measure `experiment` so often, on a machine that drifts through the night."""
        for _ in range(times):
            done = self.tally.runs / len(self.tally.effects)
            luck = noise_of(self.night.tails, self.rng) + self.night.drift * done
            into.append(experiment.truth + luck)
            self.tally.runs += 1

    def spend(self) -> Tally:
        """Try every idea of the night and add up."""
        for effect in self.tally.effects:
            self.looks += 1
            candidate = self.add(Experiment(self.incumbent.truth + effect))
            kept = self.judged(candidate)
            if kept is None:
                continue
            self.tally.kept.append(effect)
            self.chain.append((kept, self.incumbent, candidate))
            self.incumbent, self.looks = candidate, 0
            self.run(candidate, candidate.fresh, self.policy.fresh_runs)
        return self.added_up()

    def judged(self, candidate: Experiment) -> Kept | None:
        """Run and replicate as suggested; return the keep, if it came to one."""
        self.run(candidate, candidate.selecting, 1)
        while True:
            noise = pool(e.selecting + e.fresh for e in self.experiments)
            verdict = judge(
                candidate.selecting,
                self.incumbent.side,
                noise,
                "maximize",
                policy=self.policy,
                lines_changed=-1 if self.night.shorter else 1,
            )
            if verdict.suggest == "keep":
                return Kept(verdict.gain or 0.0, verdict.se or 0.0, self.looks)
            if verdict.suggest != "replicate":
                return None
            if verdict.target == "incumbent":
                self.run(self.incumbent, self.incumbent.fresh, verdict.more)
            else:
                self.run(candidate, candidate.selecting, verdict.more)

    def added_up(self) -> Tally:
        """Work out what the board would show at the end of the night."""
        tally, measured = self.tally, []
        for kept, parent, child in self.chain:
            fresh = mean(child.fresh) - mean(parent.side.record(self.policy))
            measured.append(replace(kept, fresh=fresh))
        tally.true = self.incumbent.truth
        tally.claimed = claimed_gain(measured)
        tally.expected = expected_gain(measured)
        tally.early = expected_gain([*measured[:-1], *(kept for kept, *_ in self.chain[-1:])])
        return tally


class Naive(Lab):
    """The same night without a judge: one run each, and whatever beats the best number stays."""

    def __init__(self, night: Night, policy: Policy, rng: random.Random):
        super().__init__(replace(night, baseline=1), policy, rng)

    def spend(self) -> Tally:
        best, chain = self.incumbent.fresh[0], []
        for effect in self.tally.effects:
            self.looks += 1
            candidate = self.add(Experiment(self.incumbent.truth + effect))
            self.run(candidate, candidate.selecting, 1)
            value = candidate.selecting[0]
            if value > best:
                chain.append(Kept(value - best, math.sqrt(2), self.looks))
                self.tally.kept.append(effect)
                self.incumbent, self.looks, best = candidate, 0, value
        self.tally.true, self.tally.claimed = self.incumbent.truth, claimed_gain(chain)
        self.tally.expected = self.tally.early = expected_gain(chain)
        return self.tally


def nights(night: Night, count: int, policy: Policy, seed: int) -> Iterator[Tally]:
    """Yield one tally a night; night i is the same whatever the number of nights."""
    for i in range(count):
        rng = random.Random(f"{seed}/{night.name}/{i}")
        yield (Naive if night.naive else Lab)(night, policy, rng).spend()


def share_kept(tallies: list[Tally], effects: tuple[float, ...]) -> str:
    """Return how many of each fixed true effect were kept, as '3: 93.2%'."""
    parts = []
    for effect in sorted(set(effects)):
        tried = sum(t.effects.count(effect) for t in tallies)
        parts.append(f"{effect:g}: {sum(t.kept.count(effect) for t in tallies) / tried:.1%}")
    return ", ".join(parts) or "-"


def row(night: Night, tallies: list[Tally]) -> str:
    """Return one line of the table."""
    count = len(tallies)
    false = [sum(e <= 0 for e in t.kept) for t in tallies]
    error = math.sqrt(sum((f - sum(false) / count) ** 2 for f in false)) / count
    runs = sum(t.runs / len(t.effects) for t in tallies) / count
    true, claimed, expected, early = (
        sum(getattr(t, name) for t in tallies) / count
        for name in ("true", "claimed", "expected", "early")
    )
    return (
        f"| {night.name:18} | {sum(false) / count:5.2f} ± {error:.2f} | {runs:5.2f} "
        f"| {share_kept(tallies, night.effects):36} "
        f"| {true:6.2f} | {claimed:7.2f} | {expected:8.2f} | {early:6.2f} |"
    )


HEAD = (
    f"| {'night':18} | {'false keeps':12} | runs  | {'kept of each true effect':36} "
    "| true   | claimed | expected | early  |\n|---|---|---|---|---|---|---|---|"
)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nights", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="the one row of the table to make")
    parser.add_argument("--set", action="append", default=[], metavar="keep=0.95", help="policy")
    parser.add_argument("--nulls", type=int, help="a night of your own: ideas of no effect")
    parser.add_argument("--effects", default="", help="its true effects in noise, as 2,2,4")
    parser.add_argument("--baseline", type=int, default=5, help="its baseline seeds")
    parser.add_argument("--tails", choices=["normal", "t3", "skewed"], default="normal")
    parser.add_argument("--drift", type=float, default=0.0, help="over the night, in noise")
    return parser.parse_args()


def main() -> None:
    args = options()
    policy = Policy.from_table(tomllib.loads("\n".join(args.set)))
    chosen = [n for n in NIGHTS if args.only in (None, n.name)]
    if args.nulls is not None or args.effects:
        effects = tuple(float(e) for e in args.effects.split(",") if e)
        nulls = IDEAS if args.nulls is None else args.nulls
        chosen = [Night("of your own", nulls, effects, 0, 0, args.baseline, args.tails, args.drift)]
    if not chosen:
        raise SystemExit(f"no night {args.only!r}; there are: {', '.join(n.name for n in NIGHTS)}")
    started = time.process_time()
    print(f"{args.nights} nights each, seed {args.seed}, {policy}\n\n{HEAD}", flush=True)
    for night in chosen:
        print(row(night, list(nights(night, args.nights, policy, args.seed))), flush=True)
    print(f"\n{time.process_time() - started:.0f} CPU seconds")


if __name__ == "__main__":
    main()
