"""Measure the loop: its own time between two runs, and what kills at random instants leave.

    python benchmarks/bench_loop.py                       # everything, some ten minutes
    python benchmarks/bench_loop.py gap --experiments 20  # a part of it
    python benchmarks/bench_loop.py kills --times 50 --seed 3

`gap`: a tuner's campaign on a leaf whose notebook holds 10,000 judged experiments, the newest of
them with commits that turned its knobs. Its own time goes from the end of a run's job to the start
of the next run's supervisor; what that then does (start, export, queue) is told apart, and so
is Optuna's share. `kills`: SIGKILL to `lab loop` at random instants, the same command again each
time, until it ends by its limit; then nothing may be lost, nothing counted twice, nobody left over.
"""

import argparse
import contextlib
import io
import itertools
import json
import math
import os
import random
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import many  # noqa: E402
import toy as toys  # noqa: E402

PARTS = ("gap", "kills")
SIZE = 10_000
WANTED = 6  # experiments of each loop that is killed
WITH_COMMITS = 450  # more than the tuner reads back


# -- The loop's own time ---------------------------------------------------------


def full(folder: Path, size: int) -> toys.Toy:
    """Return a toy repository whose notebook holds `size` experiments."""
    toy = toys.make(folder)
    commits = turned(toy, WITH_COMMITS)
    file = folder / "records.jsonl"
    many.write(toy, size, file)
    first = size - len(commits)
    lines = []
    for line in file.read_text().splitlines():
        row = json.loads(line)
        number = int(row["uid"][1:]) if row.get("kind") == "run" else 0
        if number >= first:
            row["commit"] = commits[number - first]
        lines.append(json.dumps(row))
    file.write_text("\n".join(lines) + "\n")
    toy.lab("import", str(file))
    return toy


def turned(toy: toys.Toy, count: int) -> list[str]:
    """Make commits that each turn one knob of the leaf; return their names."""
    head, marks = toy.git("rev-parse", "HEAD"), toy.root.parent / "marks"
    parts = []
    for n in range(count):
        name, old = ("SLOPE", "1.0") if n % 2 else ("NOISE", "0.01")
        new = 0.5 + n / count if n % 2 else 0.001 + 0.002 * n / count  # most of the range is left
        text = toys.TRAIN.replace(f"{name} = {old}", f"{name} = {new:.6g}")
        parts += [f"commit refs/heads/made{n}", f"mark :{n + 1}"]
        parts += [
            "committer ada <ada@example.org> 1767225600 +0000",
            "data 4",
            f"turn\nfrom {head}",
        ]
        parts += ["M 644 inline toy/train.py", f"data {len(text.encode())}", text]
    subprocess.run(
        ["git", "fast-import", "--quiet", f"--export-marks={marks}"],
        cwd=toy.root,
        input="\n".join(parts) + "\n",
        text=True,
        check=True,
    )
    found = dict(line.split() for line in marks.read_text().splitlines())
    return [found[f":{n + 1}"] for n in range(count)]


class Clock:
    """Seconds that Optuna took, call by call."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.cpu: list[float] = []

    def timed(self, ask: Any) -> Any:
        def wrapped(*words: Any) -> Iterator[Any]:
            self.seconds.append(0.0)
            self.cpu.append(0.0)
            values = ask(*words)
            while True:
                began, cpu = time.perf_counter(), time.process_time()
                value = next(values, None)
                self.seconds[-1] += time.perf_counter() - began
                self.cpu[-1] += time.process_time() - cpu
                if value is None:
                    return
                yield value

        return wrapped


def gap(folder: Path, experiments: int, size: int) -> None:
    """Run a tuner's campaign in this process and read its gaps from the notebook."""
    from lab.agents import proposals
    from lab.agents.work import work
    from lab.campaign.loop import Limits
    from lab.workspace import Workspace

    toy, clock = full(folder, size), Clock()
    os.environ.update(toy.environ(PYTHONWARNINGS=""))
    os.environ.pop("LAB_HOME", None)
    proposals.ask = clock.timed(proposals.ask)
    began, cpu = time.perf_counter(), time.process_time()
    with contextlib.redirect_stderr(io.StringIO()):
        found = work(Workspace(toy.root / "toy"), "tuner", Limits(experiments=experiments))
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"notebook of {size:,} experiments; from a run's end:")
    for what, own, until_run in gaps(toy):
        show(f"{what}: the loop's own time, to the next supervisor's start", own)
        show(f"{what}: to the next run's start (supervisor, export, queue)", until_run)
    show("Optuna, a proposal", clock.seconds)
    show("Optuna, a proposal, CPU", clock.cpu)
    print(
        f"a campaign of {found['experiments']}: {wall:.0f} s wall, {cpu:.1f} s CPU of its own, "
        f"{children.ru_utime + children.ru_stime:.1f} s of its git (supervisors not counted)"
    )


def gaps(toy: toys.Toy) -> Iterator[tuple[str, list[float], list[float]]]:
    """Yield seconds from a job's end to the next supervisor and run, for each kind of next job."""
    with contextlib.closing(sqlite3.connect(toy.root / ".lab/notebook.db")) as db:
        rows = db.execute(
            "select j.experiment, j.ended, j.keeper, "
            "(select min(started) from runs where job = j.id), "
            "exists (select 1 from jobs o where o.experiment = j.experiment and o.id < j.id) "
            "or exists (select 1 from experiments e where e.id = j.experiment "
            "and e.hypothesis is null) from jobs j where j.keeper is not null order by j.id"
        ).fetchall()
    for what, again in (("a new experiment", 0), ("a replicate", 1)):
        pairs = [(old, new) for old, new in itertools.pairwise(rows) if new[4] == again]
        if pairs:
            own = [born(new[2]) - epoch(old[1]) for old, new in pairs]
            yield what, own, [epoch(new[3]) - epoch(old[1]) for old, new in pairs]


def epoch(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()


def born(identity: str) -> float:
    """Return when a process started, from its id in the notebook, in epoch seconds."""
    ticks = int(identity.split(":")[1]) / os.sysconf("SC_CLK_TCK")
    up = float(Path("/proc/uptime").read_text().split()[0])
    return time.time() - up + ticks


def show(what: str, seconds: list[float]) -> None:
    ranked = sorted(seconds)
    most = ranked[math.ceil(0.95 * (len(ranked) - 1))]
    median = statistics.median(ranked)
    figures = f"median {median:.3f} s, 95 % {most:.3f} s, most {ranked[-1]:.3f} s"
    print(f"  {what}: {figures} ({len(ranked)})")


# -- Kills -------------------------------------------------------------------------


def kills(folder: Path, times: int, seed: int) -> None:
    """Kill loops until `times` kills have landed, each loop typed again until it ends by itself."""
    chance, landed, broken = random.Random(seed), 0, 0
    for number in itertools.count():
        toy = toys.make(folder / str(number))
        before, landed = landed, killed(toy, chance, landed, times)
        breaches = list(look(toy, WANTED))
        for line in breaches:
            print(f"  BREACH: {line}")
        print(f"loop {number}: {landed - before} kills; {as_text(toy)}", flush=True)
        broken += len(breaches)
        if landed >= times:
            break
    print(f"kills: {landed} in {number + 1} loops of {WANTED} experiments, {broken} breaches")
    if broken:
        raise SystemExit(1)


def killed(toy: toys.Toy, chance: random.Random, landed: int, times: int) -> int:
    """Type `lab loop` and kill it until it ends by itself; return how many kills landed by then."""
    while True:
        process = toy.start("loop", "toy", "--agent", "tuner", "--experiments", str(WANTED))
        try:
            limit = chance.uniform(0.1, 3.0) if landed < times else 600
            out, err = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            landed += 1
            continue
        if process.returncode != 0:
            raise SystemExit(f"after {landed} kills: {out}{err}")
        return landed


def look(toy: toys.Toy, wanted: int) -> Iterator[str]:
    """Yield what is not as it should be after loops for `wanted` experiments in all."""
    with contextlib.closing(sqlite3.connect(toy.root / ".lab/notebook.db")) as db:

        def one(query: str) -> Any:
            return db.execute(query).fetchone()[0]

        mine = "from state where hypothesis is not null and ifnull(failure, '') not in "
        judged = one(f"select count(*) {mine} ('lost', 'interrupted', 'infra')")
        if judged != wanted:
            yield f"{judged} experiments were judged, not {wanted}"
        if one("select count(*) from state where verdict is null"):
            yield "an experiment has no verdict"
        if one("select count(*) from jobs where ended is null"):
            yield "a job is open"
        if one("select count(*) from pending"):
            yield "a hypothesis was never run"
        twice = "select count(*) from (select 1 from results where job is null group by experiment"
        if one(f"{twice} having count(*) > 1)"):
            yield "an experiment was judged twice"
        contents = "select count(*) - count(distinct contents) from experiments where id in ("
        if one(f"{contents}select experiment {mine} ('lost', 'interrupted', 'infra'))"):
            yield "the same contents ran twice"
    if toy.git("status", "--porcelain", cwd=toy.root / ".lab/worktrees/toy/tuner"):
        yield "the worktree is not clean"
    if not toy.lab("doctor", "--json", code=None).json["ok"]:
        yield "lab doctor is not content"
    left = subprocess.run(["pgrep", "-f", str(toy.root)], capture_output=True, text=True).stdout
    if left.split():
        yield f"processes are left: {left.split()}"


def as_text(toy: toys.Toy) -> str:
    """Return what the notebook holds in the end."""
    with contextlib.closing(sqlite3.connect(toy.root / ".lab/notebook.db")) as db:
        rows = db.execute(
            "select coalesce(failure, verdict), count(*) from state where hypothesis is not null "
            "group by 1 order by 1"
        ).fetchall()
    return ", ".join(f"{count} {name}" for name, count in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="|".join(PARTS))
    parser.add_argument("--experiments", type=int, default=12, help="of the campaign for `gap`")
    parser.add_argument("--size", type=int, default=SIZE)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(os.path.realpath(name))
        for part in args.parts or PARTS:
            if part == "gap":
                gap(folder / part, args.experiments, args.size)
            elif part == "kills":
                kills(folder / part, args.times, args.seed)
            else:
                parser.error(f"no part {part!r}; there are {', '.join(PARTS)}")


if __name__ == "__main__":
    main()
