"""Measure what a run costs besides its children: overhead, the hard limit, a crowd on one device.

    python benchmarks/bench_run.py                       # everything, some ten minutes
    python benchmarks/bench_run.py overhead --rounds 20  # a part of it
    python benchmarks/bench_run.py limit crowd

The children tell by themselves when they lived: each writes its process's start, from the kernel,
and its end. Overhead is the wall time of a whole `lab run` process less that, in a repository of
1,000 files with a notebook of 10,000 experiments; CPU seconds are those of `lab run`,
its supervisor and their gits, without the leaf's two commands.
"""

import argparse
import itertools
import json
import os
import random
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "benchmarks")]

import toy as toys  # noqa: E402
from bench_notebook import notebook  # noqa: E402

from lab.system import processes  # noqa: E402

PARTS = ("overhead", "limit", "crowd")
FILES, EXPERIMENTS = 1_000, 10_000
# Appended to the leaf's scripts: one line {"start", "end"} for each process, in epoch seconds.
TIMES = """

def _lived():
    import atexit, json, os, time
    ticks = float(open("/proc/self/stat").read().rpartition(")")[2].split()[19])
    age = float(open("/proc/uptime").read().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")
    start = time.time() - age
    where = os.path.join(os.environ["LAB_RUN_DIR"], "lived.log")
    def tell():
        cpu = sum(os.times()[:2])
        with open(where, "a") as out:
            out.write(json.dumps({"start": start, "end": time.time(), "cpu": cpu}) + "\\n")
    atexit.register(tell)
    return start
START = _lived()
"""
STUBBORN = """
    import signal, time
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    beat = open(run / f"beat-{os.getpid()}", "a", buffering=1)
    beat.write(f"{START}\\n")
    while True:
        beat.write(f"{time.time()}\\n")
        time.sleep(0.01)
"""


def _watched(text: str) -> str:
    """Return a script that also tells when its process lived."""
    head, found, tail = text.partition('\n\nif __name__ == "__main__":')
    return head + TIMES + (found + tail if found else "")


def _evaluate() -> str:
    return TIMES.lstrip() + toys.EVALUATE.partition('"""\n\n')[2]


def _repository(folder: Path, files: int, **leaf: str) -> toys.Toy:
    """Return a repository of so many files, its leaf's scripts telling when they lived."""
    toy = toys.make(folder)
    for number in range(files):
        path = toy.root / "library" / f"part{number % 20}" / f"file{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'"""Number {number}."""\n' + f"VALUE = {number}\n" * 60)
    toy.leaf(**{"train": _watched(toys.TRAIN), "evaluate": _evaluate(), **leaf})
    toy.commit("files and a leaf")
    return toy


def _edit(where: Path, number: int) -> None:
    text = toys.TRAIN.replace("SLOPE = 1.0", f"SLOPE = {0.5 - number * 1e-6}")
    (where / "train.py").write_text(_watched(text))


def _lives(home: Path, experiment: str) -> list[dict[str, float]]:
    """Return when each child of an experiment lived."""
    files = sorted((home / "runs" / experiment).glob("*/lived.log"))
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]


# -- Overhead -------------------------------------------------------------------


def overhead(folder: Path, rounds: int) -> None:
    """Print the wall and CPU time of `lab run` less its children's own."""
    toy = _repository(folder / "overhead", FILES)
    toy.env = {"LAB_HOME": str(notebook(toy, EXPERIMENTS, folder))}
    home = Path(toy.env["LAB_HOME"])
    toy.lab("run", "--baseline", "--seeds", "3", cwd=toy.root / "toy")
    campaign = toy.campaign()
    processes.become_subreaper()
    walls, spent = [], []
    for number in range(rounds):
        idea = toy.idea(f"idea {number}", cwd=campaign)
        _edit(campaign, number)
        began, before = time.perf_counter(), _cpu()
        found = toy.lab("run", idea, "--json", cwd=campaign).json
        wall = time.perf_counter() - began
        cpu = _cpu() - before
        lives = _lives(home, found["experiment"])
        walls.append(wall - sum(life["end"] - life["start"] for life in lives))
        spent.append(cpu - sum(life["cpu"] for life in lives))
        toy.lab("result", found["experiment"], "-v", "discard", cwd=campaign)
    print(f"lab run less its children: {FILES:,} files, {EXPERIMENTS:,} experiments, {rounds} runs")
    print(f"  wall: {_spread(walls)}\n  CPU: {_spread(spent)}", flush=True)


def _cpu() -> float:
    """Return the CPU seconds of all that ended below this process, once it is alone."""
    while True:
        try:
            os.waitpid(-1, 0)  # the supervisor, an orphan by now, came to this process
        except ChildProcessError:
            break
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _spread(values: list[float]) -> str:
    ranked = sorted(values)
    return (
        f"median {statistics.median(ranked):.3f} s, least {ranked[0]:.3f} s, "
        f"worst {ranked[-1]:.3f} s"
    )


# -- The hard limit -------------------------------------------------------------


def limit(folder: Path, rounds: int) -> None:
    """Print how long the last descendant outlived the hard limit: all ignore SIGTERM."""
    table = toys.LEAF.replace("timeout_s = 30", "timeout_s = 2")
    train = toys.TRAIN.replace('    print("trained")\n', STUBBORN)
    late = []
    for number in range(rounds):
        toy = _repository(folder / f"limit{number}", 0, toml=table, train=_watched(train))
        found = toy.lab("run", "--baseline", "--json", "--leaf", "toy", code=1).json
        (run,) = (toy.root / ".lab" / "runs" / found["experiment"]).glob("[0-9]*")
        beats = [path.read_text().splitlines() for path in run.glob("beat-*")]
        start = min(float(lines[0]) for lines in beats)
        late.append(max(float(lines[-1]) for lines in beats) - start - 2.0)
        assert len(beats) == 2, "both the child and its daemon must have lived"
    print(f"from the hard limit to the last sign of a descendant, {rounds} runs: {_spread(late)}")


# -- A crowd --------------------------------------------------------------------


def crowd(folder: Path, campaigns: int, runs: int) -> dict[str, Any]:
    """Print whether many campaigns on one CPU slot were recorded, one training at a time."""
    toy = _repository(folder / "crowd", 0)
    toy.lab("run", "--baseline", "--seeds", "3", cwd=toy.root / "toy")
    began = time.perf_counter()
    agents = [toy.campaign(f"agent{number}") for number in range(campaigns)]
    typed = [_Agent(toy, where, number, runs) for number, where in enumerate(agents)]
    while sum(agent.step() for agent in typed):
        time.sleep(0.02)
    found = checked(toy, campaigns * runs)
    wall = time.perf_counter() - began
    print(f"{campaigns} campaigns, one CPU slot, {runs} runs each: {found['records']} records,")
    print(f"  {found['overlaps']} overlaps among {found['lives']} lives of children,")
    print(f"  doctor: {found['doctor']}; {wall:.0f} s", flush=True)
    return found


class _Agent:
    """One campaign's agent, whose next command starts when the one before has ended."""

    def __init__(self, toy: toys.Toy, where: Path, number: int, runs: int) -> None:
        self.toy, self.where, self.number, self.left = toy, where, number, runs
        self.process: Any = None
        self.script = self._script()

    def _script(self) -> Any:
        """Yield the words of each command; receives what the one before printed."""
        draw = random.Random(self.number)
        for run in range(self.left):
            claim = f"idea {run} of agent {self.number}"
            idea = yield ["hypothesis", claim, "-m", "why not"]
            text = toys.TRAIN.replace("SLOPE = 1.0", f"SLOPE = {draw.uniform(0.1, 0.9)}")
            (self.where / "train.py").write_text(_watched(text))
            told = json.loads((yield ["run", idea.strip(), "--json"]))
            assert told["status"] == "finished", told
            yield ["result", told["experiment"], "-v", "discard"]

    def step(self) -> bool:
        """Go on if the present command has ended; return whether there is more to come."""
        if self.process is not None and self.process.poll() is None:
            return True
        said = None
        if self.process is not None:
            said, err = self.process.communicate()
            assert self.process.returncode == 0, (self.process.args, said, err)
        try:
            words = self.script.send(said)
        except StopIteration:
            self.process = None
            return False
        self.process = self.toy.start(*words, cwd=self.where)
        return True


def checked(toy: toys.Toy, runs: int) -> dict[str, Any]:
    """Return what became of a crowd: records, overlapping lives, and what `lab doctor` says."""
    home = toy.root / ".lab"
    rows = [row for row in toy.lab("log", "-n", "10000", "--json").json if row["hypothesis"]]
    done = [row for row in rows if row["status"] == "finished" and row["verdict"] == "discard"]
    lives = sorted(
        (life["start"], life["end"]) for row in done for life in _lives(home, row["experiment"])
    )
    pairs = itertools.pairwise(lives)
    # A start is known to a hundredth of a second, the kernel's clock tick.
    overlaps = sum(first[1] > second[0] + 0.011 for first, second in pairs)
    ok = toy.lab("doctor", "--json").json["ok"]
    assert len(done) == len(rows) == runs, (len(done), len(rows))
    return {"records": len(done), "lives": len(lives), "overlaps": overlaps, "doctor": ok}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="|".join(PARTS))
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--campaigns", type=int, default=8)
    parser.add_argument("--runs", type=int, default=10)
    args = parser.parse_args()
    parts = args.parts or PARTS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(os.path.realpath(name))
        if "overhead" in parts:
            overhead(folder, args.rounds)
        if "limit" in parts:
            limit(folder, min(args.rounds, 5))
        if "crowd" in parts:
            crowd(folder, args.campaigns, args.runs)


if __name__ == "__main__":
    main()
