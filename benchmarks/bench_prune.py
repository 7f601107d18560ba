"""Pruning against one's own ancestor: are winners killed, and how much time is saved?

    python benchmarks/bench_prune.py make --curves 240   # real trainings of pretrain smoke, stored
    python benchmarks/bench_prune.py replay              # the rule of `lab` over what is stored
    python benchmarks/bench_prune.py simulate --nights 60    # over the yield bench's nights

`make` trains pretrain's smoke profile (60 steps), one knob turned at a time at seeds 0 to 2, and
appends a line a run to `benchmarks/pretrain_curves.jsonl`: the change, the seed, the bits per byte
and the loss by share of the budget. What is there already is not made again.
"""

import argparse
import functools
import importlib
import itertools
import json
import math
import os
import random
import re
import runpy
import shutil
import statistics
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.judge import Noise, correlation, pool, prune
from lab.runner.pruning import Bar, Pruning, Rungs, value_at

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]
STORED = Path(__file__).with_name("pretrain_curves.jsonl")
SEEDS = (0, 1, 2)
BASE_SEEDS = 12  # of the recipe as it is: what luck alone does
ROWS = 12  # of the held-out ones, about two in five: the same for all
OFTEN = "LOG_EVERY = 1"  # a rung's tenth of sixty steps has six values then, as longer runs have
DEAR = {"BATCH_X": 1.0, "WIDTH_X": 1.5, "DEPTH_PLUS": 1}  # values beyond take twice the time
DRAWN = 1  # seed of the draw of changes, so that a second `make` goes on with the first's


# -- make: real trainings -------------------------------------------------------


def changes() -> Iterator[tuple[str, Any]]:
    """Yield one knob's other value at a time, drawn as somebody without knowledge would."""
    table = tomllib.loads((ROOT / "pretrain/leaf.toml").read_text())["knobs"]
    source = (ROOT / "pretrain/train.py").read_text()
    draw = random.Random(DRAWN)
    while True:
        names = list(table)
        draw.shuffle(names)
        for name in names:
            value = _drawn(draw, table[name])
            dear = value > DEAR.get(name, math.inf)
            if not dear and not re.search(rf"^{name} = {re.escape(str(value))}\b", source, re.M):
                yield name, value


def _drawn(draw: random.Random, knob: dict[str, Any]) -> Any:
    if "choices" in knob:
        return draw.choice(knob["choices"])
    low, high = knob["low"], knob["high"]
    if isinstance(low, int):
        return draw.randint(low, high)
    if knob.get("log"):
        return float(f"{low * (high / low) ** draw.random():.3g}")
    return float(f"{draw.uniform(low, high):.3g}")


def wanted() -> Iterator[tuple[str, int]]:
    """Yield the runs to make, in their order: the recipe's own first."""
    yield from (("", seed) for seed in range(BASE_SEEDS))
    drawn = set[str]()
    for change in (f"{name} = {value}" for name, value in changes()):
        yield from ((change, seed) for seed in SEEDS if change not in drawn)
        drawn.add(change)


def make(count: int, home: Path, workers: int) -> None:
    """Train until so many runs are stored; `home` keeps what was prepared."""
    done = {(row["change"], row["seed"]) for row in stored()}
    folders = {"LAB_CACHE_DIR": str(home / "cache"), "LAB_HELD_OUT_DIR": str(home / "held-out")}
    os.environ |= {"LAB_PROFILE": "smoke", "OMP_NUM_THREADS": "1", **folders}
    sys.path.insert(0, str(ROOT / "pretrain"))
    prepare = str(ROOT / "pretrain/prepare.py")
    os.waitpid(_child(lambda: runpy.run_path(prepare, run_name="__main__")), 0)
    import torch  # once: a child is a fork of this process and pays nothing for it

    torch.set_num_threads(1)
    todo = (one for one in wanted() if one not in done)
    for number, (change, seed) in enumerate(itertools.islice(todo, max(0, count - len(done)))):
        if number >= workers:
            os.wait()
        _child(lambda change=change, seed=seed, n=number: _one(home / f"{n}", change, seed))
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


def _child(work: Any) -> int:
    """Do work in a fork of this process; return its id."""
    child = os.fork()
    if child:
        return child
    try:
        work()
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    sys.stdout.flush()
    os._exit(0)


def _one(home: Path, change: str, seed: int) -> None:
    """Train and measure one change, and store what came of it."""
    leaf, run = home / "leaf", home / "run"
    shutil.copytree(ROOT / "pretrain", leaf, ignore=shutil.ignore_patterns("runs", "__pycache__"))
    text = (leaf / "train.py").read_text()
    for line in filter(None, (change, OFTEN)):
        text = re.sub(rf"^{line.split(' = ')[0]} = \S+", line, text, flags=re.M)
    (leaf / "train.py").write_text(text)
    run.mkdir()
    os.environ |= {"LAB_SEED": str(seed), "LAB_RUN_DIR": str(run)}
    sys.path[sys.path.index(str(ROOT / "pretrain"))] = str(leaf)
    os.chdir(leaf)
    try:
        runpy.run_path("train.py", run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise
    _store(change, seed, run)
    shutil.rmtree(home)


def _store(change: str, seed: int, run: Path) -> None:
    """Measure what was trained as the yardstick does, and append a line."""
    rows = [json.loads(line) for line in (run / "steps.jsonl").read_text().splitlines()]
    row = {
        "change": change,
        "seed": seed,
        "value": round(_bits_per_byte(run), 6),
        "curve": [[round(one["step"] / 60, 4), round(one["loss"], 5)] for one in rows],
    }
    with STORED.open("a") as file:
        file.write(json.dumps(row) + "\n")
    print(row["change"] or "as it is", seed, row["value"], flush=True)


def _bits_per_byte(run: Path) -> float:
    """Return the yardstick's number, of its first rows, the model asked in this process."""
    import torch

    evaluate, train, data = (importlib.import_module(n) for n in ("evaluate", "train", "data"))
    cache, held_out = (Path(os.environ[name]) for name in ("LAB_CACHE_DIR", "LAB_HELD_OUT_DIR"))
    meta = data.read_meta(cache) | json.loads((held_out / "held_out.json").read_text())
    rows = evaluate.held_out_rows(held_out, meta)[:ROWS]
    score, vocab = train.load_model(run, torch.device("cpu")), meta["vocab_size"]
    batch, nats = max(1, evaluate.BATCH_BYTES["cpu"] // (4 * meta["row_tokens"] * vocab)), 0.0
    with torch.inference_mode():
        for some in rows.split(batch):
            said, targets = score(some[:, :-1].contiguous()), some[:, 1:]
            picked = said.gather(-1, targets.unsqueeze(-1)).squeeze(-1).double()
            nats -= float((picked * (targets != evaluate.BOS_ID)).sum())
    share = len(rows) * meta["row_tokens"] / meta["held_out_tokens"]  # of the bytes, about
    return float(nats / math.log(2) / (share * meta["held_out_bytes"]))


def stored() -> list[dict[str, Any]]:
    """Return the runs that are stored."""
    return [json.loads(line) for line in STORED.read_text().splitlines()] if STORED.exists() else []


# -- replay: the rule of `lab` over them ---------------------------------------

LATER = 12  # curves of the recipe that a night knows in the end, by audits; it begins with three
NOISES = (1.5, 2.0, 3.0)


@dataclass
class Count:
    """What became of the runs of one setting."""

    winners: int = 0
    killed: int = 0
    losers: int = 0
    caught: int = 0
    saved: float = 0.0  # runs' worth of time

    def add(self, wins: bool, rung: float | None) -> None:
        """Count one run and the rung at which it was hopeless."""
        self.winners, self.losers = self.winners + wins, self.losers + (not wins)
        if rung is not None:
            self.killed, self.caught = self.killed + wins, self.caught + (not wins)
            self.saved += (1 - rung) * (1 - 1 / prune.EVERY)

    def row(self, name: str) -> str:
        """Return a line of the table."""
        share = self.caught / self.losers if self.losers else math.nan
        time = self.saved / (self.winners + self.losers)
        above = upper(self.killed, self.winners)
        killed = f"{self.killed} of {self.winners}, at most {above:.1%}"
        return f"| {name} | {killed} | {share:.0%} of {self.losers} | {time:.0%} |"


def upper(hits: int, of: int, sure: float = 0.95) -> float:
    """Return the one-sided upper bound of a share (Clopper & Pearson 1934), by bisection."""
    low, high = hits / of if of else 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        terms = (math.comb(of, k) * middle**k * (1 - middle) ** (of - k) for k in range(hits + 1))
        low, high = (middle, high) if sum(terms) > 1 - sure else (low, middle)
    return high


Runs = dict[int, dict[str, Any]]  # of one program, by seed


def replay() -> None:
    """Print what pruning would have done to the stored runs."""
    programs: dict[str, Runs] = {}
    for row in stored():
        programs.setdefault(row["change"], {})[row["seed"]] = row
    base, rules = programs.pop(""), _rules()
    tried = {
        name: runs for name, runs in programs.items() if not rules.spares([name.split(" ")[0]])
    }
    noise = statistics.stdev(run["value"] for run in base.values())
    runs = sum(map(len, tried.values()))
    print(
        f"{len(stored())} curves; {runs} runs of {len(tried)} changes that `never_if` lets through;"
    )
    print(f"noise of a run {noise:.4f}; a winner is a run a noise better, at equal seed\n")
    print(
        "| bar, curves known | winners killed, 95 % | losers caught | time saved |\n"
        "|---|---|---|---|"
    )
    for noises, known in itertools.product(NOISES, (3, LATER)):
        bars = _bars(rules, base, known, noises, tried if known > 3 else {})
        for who, incumbents in (("the recipe", {"": base}), ("each other", tried)):
            counts = _counted(tried, incumbents, bars, noise)
            print(counts.row(f"{noises:g} noises, {known} curves, against {who}"), flush=True)


def _rules() -> prune.Rules:
    table = tomllib.loads((ROOT / "pretrain/leaf.toml").read_text())
    return prune.Rules.from_table(table["prune"], table["metric"], table["direction"])


def _bars(
    rules: prune.Rules, base: Runs, known: int, noises: float, sides: dict[str, Runs]
) -> dict[float, tuple[Noise, float]]:
    """Return the luck and the bar of each rung, by what a night knows: `sides` at equal seeds."""
    found = {}
    for rung in rules.rungs:
        at = functools.partial(_values, rung=rung)
        noise = pool([list(at(base).values())[:known]])
        # As many pairs as a night has audits of a kept change, each of three seeds.
        pairs = correlation([(at(one), at(base)) for one in list(sides.values())[:AUDITS]], noise)
        luck = prune.of_difference(noise, pairs)
        if luck:
            found[rung] = luck, prune.bar(noises, luck.df)
    return found


AUDITS = 4


def _values(runs: Runs, rung: float) -> dict[int, float]:
    found = {seed: value_at(run["curve"], rung) for seed, run in runs.items()}
    return {seed: value for seed, value in found.items() if value is not None}


def _counted(
    tried: dict[str, Runs],
    incumbents: dict[str, Runs],
    bars: dict[float, tuple[Noise, float]],
    noise: float,
) -> Count:
    """Hold every run against every incumbent's of the same seed."""
    count = Count()
    for (name, runs), (other, theirs) in itertools.product(tried.items(), incumbents.items()):
        for seed in runs.keys() & theirs.keys() if name != other else ():
            wins = theirs[seed]["value"] - runs[seed]["value"] > noise
            count.add(wins, _hopeless(runs[seed]["curve"], theirs[seed]["curve"], bars))
    return count


def _hopeless(mine: Any, theirs: Any, bars: dict[float, tuple[Noise, float]]) -> float | None:
    """Return the rung at which `lab`'s own watch would have ended a run."""
    there = [
        Bar(rung, value, luck.sd, luck.df, bar)
        for rung, (luck, bar) in bars.items()
        if (value := value_at(theirs, rung)) is not None
    ]
    watch = Rungs(Pruning("loss", "at", 1.0, 1.0, "e1", 1, False, tuple(there)))
    for at, loss in mine:
        watch.add({"at": at, "loss": loss})
    return watch.hopeless["rung"] if watch.hopeless else None


# -- simulate: the nights of the yield bench --------------------------------------


def simulate(nights: int, only: str, baseline: int) -> None:
    """Print what pruning does in simulated nights, whose curves are as noisy as public ones."""
    sys.path.insert(0, str(ROOT / "benchmarks/yield"))
    import nights as made
    import rules
    from pruned import Pruning as Night

    rules.BASELINE = baseline
    print("| night | winners killed, 95 % | time saved |\n|---|---|---|")
    total = [0, 0, 0.0, 0]
    kinds = [one for one in made.scenarios() if one.name.startswith(only)] if only else []
    for one in kinds or made.scenarios()[:18]:
        found = [0, 0, 0.0, 0]
        for number in range(nights):
            ideas = made.Ideas(one.draw, random.Random(f"{one.name} {number}"), one.ideas)
            night = Night(rules.Rule(), made.Machine(one, random.Random(number)), ideas)
            night.spend()
            ended = (night.killed, night.won + night.killed, night.saved, one.runs)
            found = [a + b for a, b in zip(found, ended, strict=True)]
        total = [a + b for a, b in zip(total, found, strict=True)]
        print(_simulated(one.name, *found), flush=True)
    print(_simulated("all", *total))


def _simulated(name: str, killed: int, winners: int, saved: float, runs: int) -> str:
    above = upper(killed, winners)
    return f"| {name} | {killed} of {winners}, at most {above:.2%} | {saved / runs:.0%} |"


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["make", "replay", "simulate"])
    parser.add_argument("--nights", type=int, default=60, help="of each kind")
    parser.add_argument("--curves", type=int, default=240, help="how many to have in all")
    parser.add_argument("--only", default="", help="nights whose name begins so, else eighteen")
    parser.add_argument("--baseline", type=int, default=3, help="seeds that a night begins with")
    parser.add_argument("--workers", type=int, default=2, help="trainings at a time")
    parser.add_argument("--home", type=Path, help="where prepared data lie; else a new folder")
    asked = parser.parse_args()
    if asked.what == "replay":
        replay()
    elif asked.what == "simulate":
        simulate(asked.nights, asked.only, asked.baseline)
    else:
        home = asked.home or Path(tempfile.mkdtemp(prefix="bench-prune-"))
        make(asked.curves, home, asked.workers)


if __name__ == "__main__":
    main()
