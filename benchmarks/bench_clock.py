"""Measure the CPU clock: what a neighbour who comes and goes does to the number of steps.

    python benchmarks/bench_clock.py              # eight seeds three ways, about 20 minutes
    python benchmarks/bench_clock.py --seeds 0    # the second part alone

pretrain's demo profile, the same seeds in turns: by CPU seconds as they are, by the CPU clock, and
by as many steps as the clock's first run did. Beside it one or two processes at a time multiply
matrices or copy memory for some seconds and rest for some. Then without neighbour: what an idle run
takes, and how many steps are left to a model whose step costs more. Prints Markdown tables.
"""

import argparse
import contextlib
import math
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from shared import reference, summary  # noqa: E402  (the repository's own, from anywhere)

NEIGHBOUR = """
import sys, time, numpy as np
until, a = time.time() + float(sys.argv[2]), np.random.rand(300, 300)
b, c = np.ones(8 << 20), np.ones(8 << 20)
while time.time() < until:
    if sys.argv[1] == "memory": b[:] = c
    else: a = a @ a; a /= a.max()
"""
COMES_AND_GOES = """
import random, subprocess, sys, time
draw = random.Random(0)
while True:
    for_s, both = draw.uniform(1, 6), [draw.choice(["memory", "core"]) for _ in range(2)]
    for one in [subprocess.Popen([sys.executable, "-c", sys.argv[1], kind, str(for_s)])
                for kind in both[: draw.choice([1, 1, 2])]]:
        one.wait()
    time.sleep(draw.uniform(0, 6))
"""
CHARGED = "self._meter.read() if self._meter else self.wall_s"
UNWEIGHED = 'self.cpu_s if self.mode == "cpu" else self.wall_s'  # how it was before
DEARER = (("BATCH_X", "4.0"), ("WIDTH_X", "1.5"), ("WIDTH_X", "2.0"))


def copied(home: Path, name: str, path: str, old: str, new: str) -> Path:
    """Return a copy of the leaf and of what it shares, with one file edited."""
    tree = home / name
    for part in ("shared", "pretrain"):
        shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns("runs"))
    edited, times = re.subn(old, new, (tree / path).read_text(), flags=re.M)
    assert times == 1, f"{path} has {times} times {old}"
    (tree / path).write_text(edited)
    return tree


def measured(tree: Path, home: Path, seed: int = 0, **told: str) -> dict[str, float]:
    """Train and evaluate once; return both blocks."""
    folders = {"LAB_RUN_DIR": str(home / "run"), "LAB_CACHE_DIR": str(home / "cache")}
    here = {"PYTHONPATH": str(tree), "LAB_PROFILE": "demo", "LAB_SEED": str(seed)}
    found: dict[str, float] = {}
    for script in ("train.py", "evaluate.py"):
        done = subprocess.run(
            [sys.executable, script],
            cwd=tree / "pretrain",
            env={**os.environ, **folders, **here, **told},
            text=True,
            capture_output=True,
        )
        if done.returncode:
            raise SystemExit(f"{script} failed:\n{done.stderr}")
        found |= summary.parse(done.stdout)
    return found


@contextlib.contextmanager
def neighbour() -> Iterator[None]:
    """Have a neighbour who comes and goes, always at the same times."""
    threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", COMES_AND_GOES, NEIGHBOUR]
    with subprocess.Popen(command, env={**os.environ, **threads}) as process:
        try:
            yield
        finally:
            process.kill()


def busy(trees: dict[str, Path], home: Path, seeds: int) -> dict[str, list[dict[str, float]]]:
    """Return what each way measured beside the neighbour, in turns that change their order."""
    found: dict[str, list[dict[str, float]]] = {"CPU clock": [], "CPU seconds": [], "steps": []}
    for seed in range(seeds):
        ways = list(found)
        random.Random(seed).shuffle(ways)
        for way in ways if seed else found:  # at first the clock, which sets the steps
            told = {}
            if way == "steps":
                steps = int(found["CPU clock"][0]["num_steps"])
                told = {"LAB_CLOCK": "steps", "LAB_DATA": demo_data(steps)}
            found[way].append(measured(trees.get(way, ROOT), home, seed, **told))
            print(seed, way, {n: found[way][-1][n] for n in ("num_steps", "val_bpb", "cpu_s")},
                  file=sys.stderr)  # fmt: skip
    return found


def demo_data(steps: int) -> str:
    """Return the demo profile's data with a number of steps."""
    from shared import run

    told = run.from_toml(run.read_toml(ROOT / "pretrain/leaf.toml"), "demo")
    return told["LAB_DATA"].replace("{", f'{{"steps": {steps}, ', 1)


def spread(values: list[float]) -> float:
    """Return the standard deviation."""
    return statistics.stdev(values)


def show_busy(found: dict[str, list[dict[str, float]]]) -> None:
    """Print the table of spreads."""
    print("\n| budget by | steps | sd of log steps | val_bpb | sd | CPU seconds |")
    print("|---|---|---|---|---|---|")
    for way, runs in found.items():
        steps, bits, cpu = ([run[n] for run in runs] for n in ("num_steps", "val_bpb", "cpu_s"))
        print(
            f"| {way} | {min(steps):.0f} to {max(steps):.0f} "
            f"| {spread([math.log(n) for n in steps]):.4f} | {statistics.fmean(bits):.4f} "
            f"| {spread(bits):.4f} | {min(cpu):.1f} to {max(cpu):.1f} |"
        )


def show_idle(runs: dict[str, dict[str, float]]) -> None:
    """Print what runs without neighbour took, and what a dearer step leaves of the steps."""
    print(
        "\n| change | CPU ms a step | steps | CPU seconds | wall seconds |\n|---|---|---|---|---|"
    )
    for name, run in runs.items():
        steps, cpu_s = run["num_steps"], run["cpu_s"]
        print(f"| {name} | {1000 * cpu_s / steps:.0f} | {steps:.0f} | {cpu_s:.1f} |", end="")
        print(f" {run['wall_s']:.1f} |", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=8)
    seeds = parser.parse_args().seeds
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        told = {**os.environ, "LAB_RUN_DIR": f"{home}/run", "LAB_CACHE_DIR": f"{home}/cache"}
        told |= {"PYTHONPATH": str(ROOT), "LAB_PROFILE": "demo"}
        subprocess.run([sys.executable, "prepare.py"], cwd=ROOT / "pretrain", env=told, check=True)
        os.environ[reference.TOLD] = str(reference.Loop().usual_s())  # once, as `lab` does
        before = copied(home, "before", "shared/clock.py", re.escape(CHARGED), UNWEIGHED)
        idle = {"none": measured(ROOT, home)}
        for name, value in DEARER:
            edit = (rf"^{name} = \S+", f"{name} = {value}")
            tree = copied(home, f"{name}{value}", "pretrain/train.py", *edit)
            idle[f"{name} = {value}"] = measured(tree, home)
        idle["none, again"] = measured(ROOT, home)
        show_idle(idle)
        if seeds:
            with neighbour():
                found = busy({"CPU seconds": before}, home, seeds)
            show_busy(found)


if __name__ == "__main__":
    main()
