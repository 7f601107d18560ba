"""One real change under the rules, many times over: its runs are measured once and dealt anew.

    python benchmarks/yield/relabel.py pretrain --good HASH_X=2.0 --data steps=250
    python benchmarks/yield/relabel.py rl_grpo --bad LEARNING_RATE=3e-6 --seeds 10

In a clone of this repository `lab run` measures what stands there with as many seeds, then the
change with the same ones: `--good` is tried on what is committed; `--bad` is committed first, and
the change puts it back. Each relabeling shuffles which of these seeds come first (equal ones on
both sides, as they were) and lets the rule that `lab` follows, and the one before it, judge the
change on a baseline of three: is it kept, after how many runs, and does an audit confirm it?
"""

import argparse
import ast
import json
import random
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from before import before
from nights import Idea, Ideas, Night
from rules import Playing, Rule

from lab import leaf as leaves
from lab.judge import SIGN
from lab.leaf import knobs  # writes a constant as the tuner does

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "benchmarks"))

import bench_knob  # noqa: E402 (the same way to a clone and its mutable file)
import toy as toys  # noqa: E402 (the tests' repository, reused)

Values = dict[int, float]  # by seed


@dataclass
class Stored:
    """A machine that deals out runs measured before: 0 is what stands there, 1 the change."""

    sides: tuple[Values, Values]
    rng: random.Random
    done: int = 0
    left: int = 10**6
    host: int = 0
    night: Night = field(default_factory=lambda: Night("stored", lambda _: 1.0))
    dealt: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.order = self.rng.sample(sorted(self.sides[0]), len(self.sides[0]))

    def run(self, truth: float, seed: int) -> float:
        """Return one run's value; a rule's new seed is the next of the shuffled ones."""
        self.done += 1
        place = self.dealt.setdefault(seed, len(self.dealt)) % len(self.order)
        return self.sides[bool(truth)][self.order[place]]


def measured(args: argparse.Namespace) -> tuple[Values, Values, str]:
    """Run what stands there and the change; return both by seed, and the metric's direction."""
    with tempfile.TemporaryDirectory() as folder:
        toy = toys.Toy(Path(folder) / "clone", env={"LAB_PROFILE": args.profile}, patience_s=3600)
        toys.subprocess.run(["git", "clone", "-q", str(ROOT), str(toy.root)], check=True)
        name = bench_knob.mutable(toy, args.leaf)
        script, table = toy.root / args.leaf / name, toy.root / args.leaf / "leaf.toml"
        for key, value in map(setting, args.data):
            shorter(table, args.profile, key, value)
        text = good = script.read_text()
        if args.bad:
            text = knobs.write(good.encode(), dict([setting(args.bad)]), name).decode()
        else:
            good = knobs.write(good.encode(), dict([setting(args.good)]), name).decode()
        script.write_text(text)
        toy.git("commit", "-qam", "where it starts", "--allow-empty")
        seeds = ("--seeds", str(args.seeds))
        base = toy.lab("run", "--baseline", *seeds, "--leaf", args.leaf, "--json").json
        where = toy.campaign("change", args.leaf)
        (where / name).write_text(good)
        idea = toy.idea("the change", cwd=where)
        change = toy.lab("run", idea, *seeds, "--json", cwd=where).json
        direction = leaves.read(toy.root, args.leaf).settings(args.profile).direction
        toy.lab("stop", "--all", code=None)
    both = [{run["seed"]: run["value"] for run in found["runs"]} for found in (base, change)]
    return both[0], both[1], direction


def dealt(path: str) -> tuple[Values, Values, str]:
    """Return the values that an earlier call printed on its first line."""
    found = json.loads(Path(path).read_text().splitlines()[0])
    sides = (
        {int(seed): value for seed, value in found[name].items()} for name in ("base", "change")
    )
    return next(sides), next(sides), found["direction"]


def shorter(table: Path, profile: str, key: str, value: Any) -> None:
    """Set a key of a profile's data in leaf.toml."""
    head, mark, tail = table.read_text().partition(f"[profiles.{profile}.data]\n")
    lines = tail.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith(f"{key} ="))
    lines[at] = f"{key} = {value}"
    table.write_text(head + mark + "\n".join(lines) + "\n")


def setting(words: str) -> tuple[str, Any]:
    """Read NAME=VALUE."""
    name, _, value = words.partition("=")
    return name, ast.literal_eval(value)


def one_idea() -> Ideas:
    """Return the change as a night's only idea."""
    return Ideas(lambda _: 1.0, random.Random(0), 1)


def audited(machine: Stored, known: bool) -> tuple[bool, int, bool]:
    """Return whether today's rule keeps the change, after how many runs, and confirms it."""
    night = Playing(Rule(), machine, one_idea())
    if known:  # an earlier audit of the same scope told how much luck two programs share
        seeds = range(200, 203)
        tip, base = night.run(1.0, seeds), night.run(0.0, seeds)
        night.sides.append((tip, base))
        night.groups += [list(tip.values()), list(base.values())]
    before_it = machine.done
    night.tried([Idea(1.0)])
    runs = machine.done - before_it
    if night.result.kept:
        night.audit()
    return bool(night.result.kept), runs, night.result.claimed > 0


def replicated(machine: Stored) -> tuple[bool, int, bool]:
    """Return the same of the rule before, which confirms what it keeps."""
    result = before(machine, one_idea())
    return bool(result.kept), machine.done - 3, bool(result.kept)


def main() -> None:
    """Print what was measured, and a line for each rule."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("leaf")
    parser.add_argument("--profile", default="smoke")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--bad", metavar="NAME=VALUE")
    which.add_argument("--good", metavar="NAME=VALUE")
    parser.add_argument("--data", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--values", metavar="FILE", help="deal those that an earlier call printed")
    parser.add_argument("--relabelings", type=int, default=300)
    args = parser.parse_args()
    if args.values:
        base, change, direction = dealt(args.values)
    else:
        base, change, direction = measured(args)
        print(json.dumps({"base": base, "change": change, "direction": direction}))
    seeds = sorted(base.keys() & change.keys())
    sign = SIGN[direction]
    sides = tuple({seed: sign * one[seed] for seed in seeds} for one in (base, change))
    gains = [sides[1][seed] - sides[0][seed] for seed in seeds]
    spread = statistics.stdev(sides[0].values()), statistics.stdev(gains)
    print(f"{args.leaf} ({args.profile}{''.join(f', {one}' for one in args.data)}), ", end="")
    print(f"{args.bad or args.good}: {statistics.mean(base.values()):.5g} to ", end="")
    print(f"{statistics.mean(change.values()):.5g}; deviation of a run {spread[0]:.2g}, ", end="")
    print(f"of a difference at equal seeds {spread[1]:.2g}; {len(seeds)} seeds")
    print(f"| rule | kept | runs | confirmed | of {args.relabelings} relabelings |")
    for name, rule in {
        "before": replicated,
        "audited, pairs unknown": lambda machine: audited(machine, known=False),
        "audited, pairs known": lambda machine: audited(machine, known=True),
    }.items():
        found = [
            rule(Stored(sides, random.Random(number)))  # type: ignore[arg-type]
            for number in range(args.relabelings)
        ]
        kept, runs, confirmed = (statistics.mean(values) for values in zip(*found, strict=True))
        print(f"| {name} | {kept:.1%} | {runs:.1f} | {confirmed:.1%} |", flush=True)


if __name__ == "__main__":
    main()
