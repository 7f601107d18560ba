"""Measure sft, rl_grpo and prompt_opt: quality, noise, bad knobs, proposers, prepare, start.

    python benchmarks/bench_leaves.py                     # all, about 25 minutes on an idle core
    python benchmarks/bench_leaves.py quality --leaf sft --seeds 5
    python benchmarks/bench_leaves.py quality --leaf rl_grpo --set 'TRAINER="trl"'
    python benchmarks/bench_leaves.py bad | proposers | prepare | start

Every run is one thread in the `cpu` profile, whose budgets are CPU seconds. Prints a Markdown
table; data and artefacts go to a temporary folder.
"""

import argparse
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from shared import summary  # noqa: E402  (the repository's own, wherever this is started)

COMMAND = {"sft": "train.py", "rl_grpo": "train.py", "prompt_opt": "optimize.py"}
METRIC = {"sft": "eval_accuracy", "rl_grpo": "eval_reward_mean", "prompt_opt": "test_accuracy"}
WANTED = {
    "sft": ">= 0.90 in <= 20 s, spread <= 0.03",
    "rl_grpo": ">= 0.70 in <= 60 s, spread <= 0.04",
    "prompt_opt": ">= 0.90 within 2,500 calls, <= 60 s, in 4 of 5 seeds",
}
BAD = {
    "sft": ("LEARNING_RATE_X", "0.1"),
    "rl_grpo": ("LEARNING_RATE_X", "20.0"),
    "prompt_opt": ("MINIBATCH", "80"),
}


class Leaf:
    """A copy of a leaf with a cache of its own."""

    def __init__(self, name: str, home: Path) -> None:
        self.name, self.home, self.folder = name, home / name, home / name / name
        shutil.copytree(ROOT / name, self.folder, ignore=shutil.ignore_patterns("runs"))

    def environ(self, **told: str) -> dict[str, str]:
        """Return the environment a harness would give."""
        folders = {
            "LAB_RUN_DIR": str(self.home / "run"),
            "LAB_CACHE_DIR": str(self.home / "cache"),
        }
        return {**os.environ, "PYTHONPATH": str(ROOT), "LAB_PROFILE": "cpu", **folders, **told}

    def script(self, name: str, **told: str) -> dict[str, float]:
        """Run one of its scripts to its end; return its block."""
        done = subprocess.run(
            [sys.executable, name],
            cwd=self.folder,
            env=self.environ(**told),
            text=True,
            capture_output=True,
        )
        if done.returncode:
            raise SystemExit(f"{self.name}/{name} failed:\n{done.stderr}")
        return summary.parse(done.stdout)

    def run(self, seed: int) -> dict[str, float]:
        """Train and evaluate once; return both blocks."""
        told = {"LAB_SEED": str(seed)}
        return self.script(COMMAND[self.name], **told) | self.script("evaluate.py", **told)

    def set(self, constant: str, value: str) -> None:
        """Set a constant of the mutable file."""
        path = self.folder / COMMAND[self.name]
        text, count = re.subn(
            rf"^{constant} = [^#\n]*", f"{constant} = {value}  ", path.read_text(), flags=re.M
        )
        assert count == 1, constant
        path.write_text(text)


def cpu_of_children() -> float:
    """Return the CPU seconds of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def row(leaf: str, measure: str, value: str, wanted: str = "") -> None:
    """Print one line of the table."""
    print(f"| {leaf} | {measure} | {value} | {wanted} |", flush=True)


def bench_prepare(leaf: Leaf, seeds: int) -> None:
    """Time the first and the second preparation."""
    for measure, wanted in (("prepare", "<= 180 s, all three"), ("prepare again", "<= 2 s")):
        started, before = time.perf_counter(), cpu_of_children()
        leaf.script("prepare.py")
        spent = cpu_of_children() - before
        seconds = time.perf_counter() - started
        row(leaf.name, measure, f"{seconds:.1f} s ({spent:.1f} CPU s)", wanted)


def bench_start(leaf: Leaf, seeds: int) -> None:
    """Time from starting the process to its first step, and the CPU seconds outside the budget."""
    before = cpu_of_children()
    got = leaf.script(COMMAND[leaf.name], LAB_BUDGET_S="0.5")
    outside = cpu_of_children() - before - got["cpu_s"]
    value = f"{got['startup_s']:.1f} s ({outside:.1f} CPU s around the budget)"
    row(leaf.name, "start to first step", value, "<= 8 s")


def bench_quality(leaf: Leaf, seeds: int) -> None:
    """Run the default with several seeds."""
    runs = [leaf.run(seed) for seed in range(seeds)]
    values = [one[METRIC[leaf.name]] for one in runs]
    spread = statistics.stdev(values) if seeds > 1 else 0.0
    told = " ".join(f"{value:.4f}" for value in values)
    found = f"{statistics.mean(values):.4f}, spread {spread:.4f} ({told})"
    row(leaf.name, METRIC[leaf.name], found, WANTED[leaf.name])
    for name in ("num_steps", "task_calls", "train_s", "wall_s", "tokens_per_s", "eval_kl"):
        if name in runs[0]:
            row(leaf.name, name, " ".join(f"{one[name]:.4g}" for one in runs))


def bench_bad(leaf: Leaf, seeds: int) -> None:
    """Run a bad value of one knob."""
    knob, value = BAD[leaf.name]
    leaf.set(knob, value)
    row(leaf.name, f"{knob} = {value}", f"{leaf.run(0)[METRIC[leaf.name]]:.4f}", ">= 0.3 worse")


def bench_proposers(leaf: Leaf, seeds: int) -> None:
    """Compare the proposers of prompt_opt by calls; the blind one is what any other must beat."""
    if leaf.name != "prompt_opt":
        return
    for proposer in ("random", "rules"):
        for calls in ("1000", "2500"):
            leaf.set("PROPOSER", repr(proposer))
            path = leaf.folder / "leaf.toml"
            path.write_text(
                re.sub(r"^calls = 2500", f"calls = {calls}", path.read_text(), flags=re.M)
            )
            values = [leaf.run(seed)["test_accuracy"] for seed in range(seeds)]
            told = " ".join(f"{value:.3f}" for value in values)
            row(leaf.name, f"{proposer}, {calls} calls", told)
            path.write_text((ROOT / leaf.name / "leaf.toml").read_text())


BENCHES = {
    "prepare": bench_prepare,
    "start": bench_start,
    "quality": bench_quality,
    "proposers": bench_proposers,
    "bad": bench_bad,  # last: it spoils the copy
}


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="?", choices=[*BENCHES, "all"], default="all")
    parser.add_argument("--leaf", choices=[*COMMAND], action="append", help="default: all three")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--set", metavar="NAME=VALUE", help="a constant of the mutable file")
    asked = parser.parse_args()
    print("| leaf | measure | value | to reach |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as home:
        for name in asked.leaf or COMMAND:
            leaf = Leaf(name, Path(home))
            if asked.set:
                leaf.set(*asked.set.split("=", 1))
            if asked.what != "all" and asked.what != "prepare":
                leaf.script("prepare.py")
            for what, bench in BENCHES.items():
                if asked.what in (what, "all"):
                    bench(leaf, asked.seeds)


if __name__ == "__main__":
    main()
