"""Measure what `[mirror]` costs a run: the same training with each target and with none, in turn.

    python benchmarks/bench_mirror.py                  # some fifteen minutes
    python benchmarks/bench_mirror.py --rounds 3 --work 4

The training does a fixed amount of work and logs a step every 50 ms of it. Told are the wall
seconds of `lab run`, those of the training and its CPU seconds as recorded, what all else used
(`lab`, supervisor, yardstick, mirror) and how long the mirror went on afterwards; medians of all
rounds, and beside each the median of its differences from `none` of the same round.
"""

import argparse
import contextlib
import json
import os
import resource
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import toy as toys  # noqa: E402

from lab.system import processes  # noqa: E402

TARGETS = ("none", "tensorboard", "trackio", "wandb", "all")
WORK = """\
    with (run / "steps.jsonl").open("w", buffering=1) as log:
        for step in range(1, 20 * {work} + 1):
            until = time.thread_time() + 0.05
            while time.thread_time() < until:
                sum(range(1000))
            row = {{"step": step, "elapsed_s": step / 20, "loss": 1 / step, "lr": 0.1, "norm": 1.0}}
            log.write(json.dumps(row) + "\\n")
    print("""
COLUMNS = ("lab run, s", "training, s", "its CPU s", "all else, CPU s", "after it, s")


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--work", type=int, default=6, help="CPU seconds of a training")
    args = parser.parse_args()
    processes.become_subreaper()  # so that what a run leaves behind is collected, and counted, here
    with tempfile.TemporaryDirectory() as folder:
        toy = made(Path(folder), args.work)
        found: dict[str, list[tuple[float, ...]]] = {name: [] for name in TARGETS}
        for number in range(args.rounds):
            at = number % len(TARGETS)
            for name in (*TARGETS[at:], *TARGETS[:at]):
                found[name].append(once(toy, name))
    print(f"load {os.getloadavg()[0]:.1f}; medians, and of differences from none\n")
    print(f"{'':<12}", *(f"{name:>22}" for name in COLUMNS))
    for name in TARGETS:
        cells = []
        for column in range(len(COLUMNS)):
            mine, none = ([row[column] for row in found[which]] for which in (name, "none"))
            apart = statistics.median(a - b for a, b in zip(mine, none, strict=True))
            cells.append(f"{statistics.median(mine):>13.2f} ({apart:+.2f})")
        print(f"{name:<12}", *(f"{cell:>22}" for cell in cells))


def made(folder: Path, work: int) -> toys.Toy:
    """Return a repository whose baseline was measured once."""
    toy = toys.make(folder)
    train = toys.TRAIN.replace("import random", "import random\nimport time")
    toy.leaf(
        toml=toys.LEAF.replace("timeout_s = 30", "timeout_s = 600"),
        train=train.replace("    print(", WORK.format(work=work)),
    )
    toy.commit("work")
    toy.lab("run", "--baseline", cwd=toy.root / "toy")
    return toy


def once(toy: toys.Toy, name: str) -> tuple[float, ...]:
    """Run another seed with a target; return the COLUMNS."""
    to = [] if name == "none" else [name] if name != "all" else list(TARGETS[1:-1])
    (toy.root / ".lab/config.toml").write_text(f"[mirror]\nto = {json.dumps(to)}\n")
    collect()
    before, began = used(), time.monotonic()
    toy.lab("run", "e1", cwd=toy.root / "toy")
    took = time.monotonic() - began
    collect()
    after = time.monotonic() - began - took
    with contextlib.closing(sqlite3.connect(toy.root / ".lab/notebook.db")) as db:
        query = "select train_wall_s, machine from runs order by id desc limit 1"
        wall_s, machine = db.execute(query).fetchone()
    cpu_s = json.loads(machine)["cpu_s"]
    return took, wall_s, cpu_s, used() - before - cpu_s, after


def collect() -> None:
    """Wait until nothing of a run is left."""
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def used() -> float:
    """Return the CPU seconds of all that was collected so far."""
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


if __name__ == "__main__":
    main()
