"""What memory is worth where an idea comes back reworded, with another value each time.

    python benchmarks/bench_forgetful.py --nights 8
    python benchmarks/bench_forgetful.py --nights 8 --habit 0.5    # less set in its ways
    python benchmarks/bench_forgetful.py --nights 200 --by-rule    # without a repository

`bench_memory.py` has four values a constant, so that `lab run` refuses what was tried and the agent
without memory learns of it for nothing. Here a constant has any value: four in ten do nothing,
three are as they should be, three have room in one direction. An agent thinks of a constant, a
direction and a step; the n-th of its favourites comes to its mind n ** -habit times as often as
the first, in every session anew. It remembers what it tried since the session began, and forgets
everything every six experiments. Nobody refuses 1.9 where 2.1 was tried.

*Reads*: it begins with what `Next:` says, and drops an idea when the lines beside its new
hypothesis tell that the same constant went the same way and lost. *Blind*: it obeys refusals and
`next:`, and that is all. A night is the time of so many trainings: one for each training, a tenth
for each idea thought of, dropped or not. Nights are paired: the same constants and favourites.
Prints what the branch truly gained, in deviations of a run.
"""

import argparse
import math
import random
import re
import statistics
import tempfile
from pathlib import Path

import bench_memory as memory

from lab import judge as judging

THOUGHT = 0.1  # of a training's time: half a minute beside five
STEPS = (0.5, 1.5)  # doublings that an agent turns a constant by
KINDS = ("flat", "flat", "flat", "flat", "tuned", "tuned", "tuned", "room", "room", "room")
EVALUATE = '''\
"""What the constants are worth."""

import json
import math
import os
import random
from pathlib import Path

CURVES = {curves}
known = json.loads(Path(os.environ["LAB_RUN_DIR"], "model.json").read_text())
true = 0.0
for name, value in known.items():
    bend, peak = CURVES[name]
    true += max(-6.0, bend * (peak**2 - (math.log2(value) - peak) ** 2))
luck = random.Random(repr((os.environ["LAB_SEED"], sorted(known.items())))).gauss(0, 1)
print(f"---\\nloss: {{100 - true + luck!r}}\\n---")
'''
NEAR = re.compile(r"^near(, the other way)?: h\d+ e\d+ \(discard, gain -.*?\): (K\d+) = ", re.M)


class World:
    """Constants with curves: worth as a parabola over doublings of 1, in deviations of a run."""

    def __init__(self, seed: int, constants: int) -> None:
        chance = random.Random(seed)
        names = [f"K{number}" for number in range(constants)]
        self.curves = {name: _curve(chance.choice(KINDS), chance) for name in names}
        self.favourites = [(name, way) for name in names for way in (-1, 1)]
        chance.shuffle(self.favourites)

    def worth(self, name: str, value: float) -> float:
        """Return what a constant's value is truly worth."""
        bend, peak = self.curves[name]
        return max(-6.0, bend * (peak**2 - (math.log2(value) - peak) ** 2))

    def thought(
        self, chance: random.Random, habit: float, session: set[tuple[str, int]]
    ) -> tuple[str, int, float]:
        """Return a constant, a direction not tried in this session, and a step by doublings."""
        drawn = {
            idea: chance.expovariate((1 + rank) ** -habit)
            for rank, idea in enumerate(self.favourites)
            if idea not in session
        }
        name, way = min(drawn, key=drawn.__getitem__)
        session.add((name, way))
        return name, way, chance.uniform(*STEPS)


class Levers(memory.Night):
    """A repository whose one leaf has such constants."""

    def __init__(self, folder: Path, seed: int, constants: int) -> None:
        self.world = World(seed, constants)
        evaluate = EVALUATE.format(curves=self.world.curves)
        self.begin(folder, list(self.world.curves), "1.0", evaluate)

    def worth(self, name: str, value: float) -> float:
        """Return what a constant's value is truly worth."""
        return self.world.worth(name, value)


def _curve(kind: str, chance: random.Random) -> tuple[float, float]:
    """Return bend and peak of a parabola over doublings; a flat one has no bend."""
    if kind == "flat":
        return 0.0, 0.0
    if kind == "tuned":
        return chance.uniform(1.0, 3.0), 0.0
    peak = chance.choice((-1, 1)) * chance.uniform(0.7, 2.0)
    return (1.0 + abs(chance.gauss(0.0, 3.0))) / peak**2, peak


class Forgetful(memory.Agent):
    """One that thinks of the same again, reworded and with another value."""

    def __init__(self, night: Levers, seed: int, reads: bool, habit: float) -> None:
        super().__init__(night, seed, reads)
        self.habit, self.session = habit, set[tuple[str, int]]()
        self.trained = self.dropped = 0

    def spent(self) -> float:
        """Return how much of the night is over, in trainings."""
        return self.trained + THOUGHT * self.ideas

    def night_long(self, trainings: float) -> None:
        """Try ideas until the night is over, in sessions that know nothing of each other."""
        while self.spent() < trainings:
            self.session, cut = set(), self.chance.random() < memory.CUT
            if self.reads:
                self.go_on()
            for number in range(memory.SESSION):
                if self.spent() >= trainings:
                    break
                if not self.try_one(cut and number == memory.SESSION - 1):
                    break
        if self.reads:
            self.go_on()

    def try_one(self, cut: bool) -> bool:
        """Try one idea to its verdict; False where the session ends in the middle."""
        name, value, made = self.proposed()
        self.write(name, value)
        text = self.lab("run", made)
        self.trained += "finished:" in text
        if not cut:
            self.obey(text)
        return not cut

    def proposed(self) -> tuple[str, float, str]:
        """Think of ideas until one is worth a training; return it with its hypothesis."""
        while True:
            name, way, step = self.night.world.thought(self.chance, self.habit, self.session)
            value = float(f"{self.night.values()[name] * 2 ** (way * step):.2g}")
            self.ideas += 1
            told = self.lab("hypothesis", f"{name} = {value:g}", "-m", "it may help")
            made = next(line for line in told.splitlines() if re.fullmatch(r"h\d+", line))
            if not (self.reads and self.has_lost(told, name)):
                return name, value, made
            self.dropped += 1
            self.lab("drop", made)

    def has_lost(self, told: str, name: str) -> bool:
        """Return whether the lines say that this constant went this way and lost."""
        return any(not other and constant == name for other, constant in NEAR.findall(told))


def by_rule(seed: int, reads: bool, asked: argparse.Namespace) -> float:
    """Let one agent work a night in its head: judged by the same rule, without a repository.

    No session ends in the middle, nothing goes into a bag; the rest is as above.
    """
    world, chance = World(seed, asked.constants), random.Random(seed)
    values = dict.fromkeys(world.curves, 1.0)
    luck, session = random.Random(seed), set[tuple[str, int]]()
    incumbent = judging.Record({}, {at: luck.gauss(0, 1) for at in range(3)})
    noise = judging.Noise(statistics.stdev(incumbent.fresh.values()), 2)
    lost, spent, tried = set[tuple[str, int]](), 0.0, 0
    while spent < asked.trainings:
        name, way, step = world.thought(chance, asked.habit, session)
        spent += THOUGHT
        if reads and (name, way) in lost:
            continue
        spent, tried = spent + 1, tried + 1
        new = values | {name: values[name] * 2 ** (way * step)}
        gained = sum(world.worth(*one) for one in new.items()) + luck.gauss(0, 1)
        verdict = judging.judge({0: gained}, incumbent, noise, "maximize")
        if verdict.suggest == "keep":
            values, incumbent = new, judging.Record({0: gained}, {})
        elif (verdict.gain or 0.0) < 0:
            lost.add((name, way))
        session = session if tried % memory.SESSION else set()
    return sum(world.worth(*one) for one in values.items())


def one_night(seed: int, reads: bool, asked: argparse.Namespace) -> float:
    """Let one agent work a night; print a row, return what its branch truly gained."""
    with tempfile.TemporaryDirectory() as folder:
        night = Levers(Path(folder), seed, asked.constants)
        agent = Forgetful(night, seed, reads, asked.habit)
        agent.night_long(asked.trainings)
        gained, read = night.gained(), sum(agent.tokens.values())
        row = [seed, "reads" if reads else "blind", agent.trained, agent.ideas, agent.dropped]
        row += [f"{gained:.2f}", f"{read / agent.trained:.0f}"]
        print("|", " | ".join(map(str, row)), "|", flush=True)
        return gained


def main() -> None:
    """Run the nights, each with both agents."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nights", type=int, default=8)
    parser.add_argument("--first", type=int, default=0, help="the first night's seed")
    parser.add_argument("--trainings", type=float, default=40.0, help="of each night, in time")
    parser.add_argument("--constants", type=int, default=30, help="of the leaf")
    parser.add_argument("--habit", type=float, default=1.0, help="how much favourites come back")
    parser.add_argument("--by-rule", action="store_true", help="in its head: no command is typed")
    asked = parser.parse_args()
    names = ("night", "agent", "trained", "ideas", "dropped", "gained", "tokens a training")
    if not asked.by_rule:
        print(f"| {' | '.join(names)} |\n|{'---|' * len(names)}")
    night = by_rule if asked.by_rule else one_night
    seeds = range(asked.first, asked.first + asked.nights)
    apart = [night(seed, True, asked) - night(seed, False, asked) for seed in seeds]
    if len(apart) > 1:
        error = statistics.stdev(apart) / len(apart) ** 0.5
        print(f"reads above blind: {statistics.mean(apart):.2f} ± {error:.2f}")


if __name__ == "__main__":
    main()
