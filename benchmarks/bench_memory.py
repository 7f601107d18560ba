"""What the notebook's memory is worth to an agent that has none of its own.

    python benchmarks/bench_memory.py yield --nights 8      # who reads `lab context` and `failures`
    python benchmarks/bench_memory.py long --ideas 100

A leaf of constants, each with four values whose worth is drawn by the night, and luck of one
deviation a run. An agent tries one value of one constant at a time, its favourites first (an
idea's weight is one by its rank: agents without memory propose the same again), and forgets
everything every six experiments, some sessions in the middle of one. *Reads*: it begins with what
`Next:` says and asks `lab failures` about each idea. *Blind*: it obeys refusals, and that is all.
Both follow the line that `lab` tells next. Nights are paired: the same worths, the same number of
ideas, each of which costs an agent its thinking, whether it is run or refused. Prints what the
branch truly gained, in deviations of a run, with the error of the mean difference; dead ends that
were tried again; what was left open; and how much of `lab`'s output was read, in tokens of four
characters.
"""

import argparse
import random
import re
import shlex
import statistics
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import toy as toys  # noqa: E402 (the tests' repository, reused)

VALUES = 4
SESSION = 6  # experiments after which everything is forgotten
CONSTANT = re.compile(r"^(K\d+) = ([\d.e+-]+)$", re.M)
CUT = 0.3  # share of sessions that end in the middle of an experiment
TRAIN = '''\
"""Constants to choose."""

import json
import os
from pathlib import Path

{constants}

if __name__ == "__main__":
    known = {{name: value for name, value in globals().items() if name.startswith("K")}}
    Path(os.environ["LAB_RUN_DIR"], "model.json").write_text(json.dumps(known))
'''
EVALUATE = '''\
"""What the constants are worth."""

import json
import os
import random
from pathlib import Path

WORTH = {worth}
known = json.loads(Path(os.environ["LAB_RUN_DIR"], "model.json").read_text())
true = -sum(WORTH[name][value] for name, value in known.items())
luck = random.Random(repr((os.environ["LAB_SEED"], sorted(known.items())))).gauss(0, 1)
print(f"---\\nloss: {{100 + true + luck!r}}\\n---")
'''


class Night:
    """A repository with one leaf of constants whose worth is known here alone."""

    def __init__(self, folder: Path, seed: int, constants: int) -> None:
        chance = random.Random(seed)
        names = [f"K{number}" for number in range(constants)]
        self.worths = {
            name: [0.0, *(chance.gauss(-1.0, 2.0) for _ in range(VALUES - 1))] for name in names
        }
        self.favourites = [(name, value) for name in names for value in range(VALUES)]
        chance.shuffle(self.favourites)
        self.begin(folder, names, "0", EVALUATE.format(worth=self.worths))

    def begin(self, folder: Path, names: list[str], value: str, evaluate: str) -> None:
        """Make the repository with its leaf, the baseline and the agent's worktree."""
        self.toy = toys.make(folder)
        self.toy.leaf(
            toml=toys.LEAF.partition("[knobs")[0],
            train=TRAIN.format(constants="\n".join(f"{name} = {value}" for name in names)),
            evaluate=evaluate,
        )
        self.toy.commit("constants to choose")
        self.toy.lab("run", "--baseline", "--seeds", "3", cwd=self.toy.root / "toy")
        self.where = self.toy.campaign("agent")

    def values(self, text: str | None = None) -> dict[str, float]:
        """Return the constants of a text, or as they stand in the file."""
        found = CONSTANT.findall(text or (self.where / "train.py").read_text())
        return {name: float(value) for name, value in found}

    def worth(self, name: str, value: float) -> float:
        """Return what a constant's value is truly worth, in deviations of a run."""
        return self.worths[name][int(value)]

    def gained(self) -> float:
        """Return what the branch's constants are truly worth, in deviations of a run."""
        text = self.toy.git("show", "HEAD:toy/train.py", cwd=self.where)
        return sum(self.worth(name, value) for name, value in self.values(text).items())


class Agent:
    """One that forgets; `reads` says whether it asks the notebook."""

    def __init__(self, night: Night, seed: int, reads: bool) -> None:
        self.night, self.reads, self.chance = night, reads, random.Random(seed)
        self.tokens: Counter[str] = Counter()  # read, by command
        self.tried: list[str] = []  # for the figures alone; the agent does not look at it
        self.again = self.ideas = 0

    def lab(self, *words: str) -> str:
        """Type a command; return what it says, with the hint of a refusal."""
        toy = self.night.toy
        typed = toy.lab if words[0] in ("run", "wait") else toy.here  # the others start no process
        done = typed(*words, cwd=self.night.where, code=None)
        self.tokens[words[0]] += len(done.out + done.err) // 4
        return f"{done.out}\n{done.err}".strip()

    def work(self, ideas: int) -> None:
        """Try so many ideas, in sessions that know nothing of each other."""
        while self.ideas < ideas:
            cut = self.chance.random() < CUT
            if self.reads:
                self.go_on()
            for number in range(SESSION):
                if self.ideas >= ideas:
                    return
                if not self.experiment(cut and number == SESSION - 1):
                    break
        if self.reads:
            self.go_on()

    def done(self) -> int:
        """Return how many experiments have run; a figure of the benchmark, not of the agent."""
        log = self.night.toy.here("log", "toy", "-n", "1000", "--json").json
        return sum(row["hypothesis"] is not None for row in log)

    def go_on(self) -> None:
        """Do what `Next:` says, as long as it is something of one's own that is open."""
        for _ in range(5):
            text = self.lab("context")
            several = re.search(r"^Next: (lab apply e[\de ]+--edit)", text, re.M)
            if several is not None:
                self.combine(several[1])
                continue
            said = re.search(r"^Next: (lab (?:result|wait|run h\d+)[^#]*)", text, re.M)
            if said is None:
                return
            words = shlex.split(said[1])[1:]
            open_one = re.search(rf"^  {words[-1]} not run: (K\d+) = ([\d.e+-]+)$", text, re.M)
            if open_one:
                self.write(open_one[1], float(open_one[2]))
            self.obey(self.lab(*words))

    def combine(self, command: str) -> None:
        """Try near misses together, as the context says."""
        if "next:" not in self.lab(*command.split()[1:]):
            return
        self.ideas += 1
        together = command.removeprefix("lab apply ").removesuffix(" --edit")
        made = self.lab("hypothesis", f"{together} together", "-m", "each a little above the level")
        self.obey(self.lab("run", made.splitlines()[0]))

    def experiment(self, cut: bool) -> bool:
        """Try one idea to its verdict; False where the session ends in the middle."""
        name, value = self.idea()
        self.ideas += 1
        claim = f"{name} = {value}"
        made = self.lab("hypothesis", claim, "-m", "drawn at random").splitlines()[0]
        if cut and self.chance.random() < 0.5:
            return False
        self.write(name, value)
        text = self.lab("run", made)
        if "finished:" not in text:
            self.obey(text)
            return True
        self.again += claim in self.dead_before()
        self.tried.append(claim)
        if cut:
            return False
        self.obey(text)
        return True

    def dead_before(self) -> set[str]:
        """Return the claims that were dead ends before; a figure, not seen by the agent."""
        found = self.night.toy.here("failures", "-n", "1000", "--tokens", "90000", "--json").json
        return {one["claim"] for one in found if one["kind"] == "dead_end"}

    def idea(self) -> tuple[str, int]:
        """Return a value that the file does not have, and that is no dead end if one asks."""
        now = self.night.values()
        drawn = {idea: self.chance.random() ** (1 + n) for n, idea in self.ranked()}
        ideas = sorted((one for one in drawn if now[one[0]] != one[1]), key=drawn.__getitem__)[::-1]
        for name, value in ideas:
            claim = f"{name} = {value}"
            asked = self.lab("failures", claim, "-n", "2") if self.reads else ""
            if not re.search(rf"dead end.*: {claim}$", asked, re.M):
                return name, value
        return ideas[0]

    def ranked(self) -> list[tuple[int, tuple[str, int]]]:
        """Return the ideas with their ranks, the favourite first."""
        return list(enumerate(self.night.favourites))

    def write(self, name: str, value: float) -> None:
        """Set a constant in the file."""
        path = self.night.where / "train.py"
        path.write_text(
            re.sub(rf"^{name} = .*$", f"{name} = {value:g}", path.read_text(), flags=re.M)
        )

    def obey(self, text: str) -> None:
        """Type the line that an answer ends with, until none is told."""
        for _ in range(6):
            said = re.findall(r"lab (?:result|wait|run) [eh]\d+(?: -v \w+| --seeds \d+)?", text)
            if not said or "belongs to" in text or "--keep-edits" in text:
                self.night.toy.git("checkout", "--", "toy/train.py", cwd=self.night.where.parent)
            if not said or "belongs to" in text:
                return
            text = self.lab(*shlex.split(said[-1])[1:])


def one_night(seed: int, ideas: int, constants: int, reads: bool) -> tuple[Agent, float]:
    """Let one agent work a night; return it with what its branch truly gained."""
    with tempfile.TemporaryDirectory() as folder:
        night = Night(Path(folder), seed, constants)
        agent = Agent(night, seed, reads)
        agent.work(ideas)
        left = night.toy.here("context", "--json", cwd=night.where).json["mine"]
        gained, runs = night.gained(), agent.done()
        kind = "reads" if reads else "blind"
        read = sum(agent.tokens.values())
        figures = [agent.ideas, runs, f"{gained:.2f}", agent.again, len(left), f"{read / runs:.0f}"]
        print("|", " | ".join(map(str, [seed, kind, *figures])), "|", flush=True)
        return agent, gained


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=["yield", "long"])
    parser.add_argument("--nights", type=int, default=8)
    parser.add_argument("--ideas", type=int, default=0, help="of each night")
    parser.add_argument("--constants", type=int, default=12, help="of the leaf")
    asked = parser.parse_args()
    names = (
        "night",
        "agent",
        "ideas",
        "run",
        "gained",
        "dead ends again",
        "left open",
        "tokens a run",
    )
    print(f"| {' | '.join(names)} |\n|{'---|' * len(names)}")
    if asked.what == "long":
        print(dict(one_night(0, asked.ideas or 100, 40, reads=True)[0].tokens))
        return
    apart = []
    for seed in range(asked.nights):
        gains = [
            one_night(seed, asked.ideas or 40, asked.constants, reads)[1] for reads in (True, False)
        ]
        apart.append(gains[0] - gains[1])
    if len(apart) > 1:
        error = statistics.stdev(apart) / len(apart) ** 0.5
        print(f"reads above blind: {statistics.mean(apart):.2f} ± {error:.2f}")


if __name__ == "__main__":
    main()
