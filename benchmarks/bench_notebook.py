"""Measure the notebook: time and tokens at three sizes, a crowd of writers, killed writers, size.

    python benchmarks/bench_notebook.py                              # everything, half an hour
    python benchmarks/bench_notebook.py speed --sizes 1000 100000    # a part of it
    python benchmarks/bench_notebook.py crowd kills install

The synthetic notebooks are imported as our own JSON Lines, which is timed too. Every experiment has
a hypothesis, a measured run, a judgement and a verdict, all in one leaf and one scope: the case
where anything that walks a leaf's history would show. Times are of whole processes, taken in
turns, and medians; CPU seconds (user and system) are what a busy machine does not change.
"""

import argparse
import os
import random
import resource
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "tests"))

import many  # noqa: E402
import toy as toys  # noqa: E402

PARTS = ("speed", "crowd", "kills", "install")
QUESTION = "lower the learning rate of the embedding"
BARE = [sys.executable, "-c", "import sqlite3"]
CALLS = {
    "context": ["context"],
    "context --json": ["context", "--json"],
    "failures": ["failures"],
    "failures --json": ["failures", "--json"],
    "failures TEXT": ["failures", QUESTION],
    "failures TEXT --json": ["failures", QUESTION, "--json"],
    "context --for TEXT": ["context", "--for", QUESTION],
    "log": ["log"],
    "board": ["board"],
}
BUDGET = {"context": 1500, "failures": 800}


# -- Synthetic notebooks --------------------------------------------------------


def notebook(toy: toys.Toy, size: int, folder: Path) -> Path:
    """Return the home of a notebook of `size` experiments, imported and timed if it is new."""
    home = folder / f"home-{size}"
    if (home / "notebook.db").exists():
        return home
    file = folder / "records.jsonl"
    lines = many.write(toy, size, file)
    part = folder / f"part-{size}"
    wall, cpu, _ = timed(toy, part, ["import", str(file)])
    file.unlink()
    part.rename(home)
    megabytes = (home / "notebook.db").stat().st_size / 1e6
    print(f"import: {size:,} experiments, {lines:,} lines: {wall:.1f} s wall, {cpu:.1f} s CPU,")
    print(f"        {megabytes:,.0f} MB, {1e6 * wall / lines:.0f} us a line", flush=True)
    return home


# -- Time and tokens ------------------------------------------------------------


def timed(toy: toys.Toy, home: Path | None, words: list[str]) -> tuple[float, float, str]:
    """Run `lab WORDS`, or the bare interpreter; return wall and CPU seconds and the output."""
    command = [sys.executable, "-P", "-m", "lab", *words] if home else BARE
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        command,
        cwd=toy.root / "toy",
        env=toy.environ(LAB_HOME=str(home or "")) | {"PYTHONWARNINGS": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, sum(after[:2]) - sum(before[:2]), done.stdout


def speed(toy: toys.Toy, sizes: list[int], folder: Path, rounds: int) -> None:
    """Print wall and CPU milliseconds of each call at each size, against the smallest and bare."""
    homes = {size: notebook(toy, size, folder) for size in sizes}
    times: dict[tuple[str, int], list[tuple[float, float]]] = {}
    said: dict[tuple[str, int], str] = {}
    for _ in range(rounds):
        for name, words in CALLS.items():
            times.setdefault(("bare", 0), []).append(timed(toy, None, [])[:2])
            for size, home in homes.items():
                wall, cpu, said[name, size] = timed(toy, home, words)
                times.setdefault((name, size), []).append((wall, cpu))
    bare = _middle(times["bare", 0])
    print(
        f"\nbare python -c 'import sqlite3': {1e3 * bare[0]:.0f} ms wall, {1e3 * bare[1]:.0f} CPU"
    )
    print(
        f"{'call':<21} {'size':>9} {'wall ms':>8} {'CPU ms':>7} {'/bare':>6} {'/least':>6} tokens"
    )
    for (name, size), measured in times.items():
        if not size:
            continue
        wall, cpu = _middle(measured)
        least = _middle(times[name, sizes[0]])
        tokens = len(said[name, size]) / 4
        budget = BUDGET.get(name.split()[0])
        over = "" if budget is None or tokens <= budget else " OVER"
        ratios = f"{cpu / bare[1]:>6.1f} {cpu / least[1]:>6.2f}"
        figures = f"{1e3 * wall:>8.0f} {1e3 * cpu:>7.0f} {ratios} {tokens:.0f}{over}"
        print(f"{name:<21} {size:>9,} {figures}")


def _middle(measured: list[tuple[float, float]]) -> tuple[float, float]:
    walls, cpus = zip(*measured, strict=True)
    return statistics.median(walls), statistics.median(cpus)


# -- Many writers, and writers that are killed -----------------------------------


def crowd(folder: Path, processes: int, writes: int) -> None:
    """Print how a crowd fares that makes one new notebook and writes to it at once."""
    toy = toys.make(folder / "crowd")
    script = folder / "writer.py"
    script.write_text(WRITER)
    start = time.perf_counter()
    crowd = [_writer(toy, script, f"writer{i}", writes) for i in range(processes)]
    said = [one.communicate()[0].split() for one in crowd]
    failed = sum(one.returncode != 0 for one in crowd)
    ids = sorted(int(word[1:]) for words in said for word in words)
    whole = ids == list(range(1, processes * writes + 1))
    seconds = time.perf_counter() - start
    print(f"\ncrowd: {processes} processes x {writes} writes in {seconds:.1f} s: {failed} failed,")
    print(f"       {len(ids)} ids, gap-free: {whole}; doctor: {_health(toy)}")


WRITER = """
import sys
from pathlib import Path
from lab.workspace import Workspace
from lab.notebook import record

for i in range(int(sys.argv[2])):
    workspace = Workspace(Path.cwd(), leaf="toy")
    with workspace.open(write=True) as book:
        claim = f"{sys.argv[1]} try {i}"
        made = record.hypothesis(book, leaf="toy", claim=claim, mechanism="because")
    print(f"h{made}", flush=True)
"""


def _writer(toy: toys.Toy, script: Path, name: str, writes: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, str(script), name, str(writes)],
        cwd=toy.root,
        env=toy.environ(PYTHONPATH=str(ROOT)),
        stdout=subprocess.PIPE,
        text=True,
    )


def kills(folder: Path, times: int) -> None:
    """Kill writers at random instants; print whether all they had acknowledged is there.

    Four write at a time; one in five is killed while it starts, the others while they write.
    """
    toy = toys.make(folder / "kills")
    script = folder / "writer.py"
    script.write_text(WRITER)
    draw = random.Random(7)
    with ThreadPoolExecutor(2) as pool:
        said = list(
            pool.map(lambda i: _killed(toy, script, i, draw.uniform(0.0, 0.3)), range(times))
        )
    told = {word for words in said for word in words}
    with sqlite3.connect(toy.root / ".lab" / "notebook.db") as db:
        there = {f"h{row[0]}" for row in db.execute("select id from hypotheses")}
    db.close()
    lost = len(told - there)
    print(
        f"\nkills: {times} SIGKILLs, {len(told)} acknowledged writes, {lost} lost; {_health(toy)}"
    )


def _killed(toy: toys.Toy, script: Path, number: int, seconds: float) -> list[str]:
    writer = _writer(toy, script, f"writer{number}", 10_000)
    assert writer.stdout
    first = writer.stdout.readline() if number % 5 else ""
    time.sleep(seconds)
    writer.send_signal(signal.SIGKILL)
    out = first + writer.communicate()[0]
    return out[: out.rfind("\n") + 1].split()


def _health(toy: toys.Toy) -> str:
    answer = toy.lab("doctor", "--json", cwd=toy.root / "toy", code=None)
    return "ok" if answer.json["ok"] else f"{len(answer.json['problems'])} problems"


# -- Size -------------------------------------------------------------------------


def install(folder: Path) -> None:
    """Print how much a base installation adds to an empty environment."""
    env = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", env], check=True)
    before = _size(env)
    source = folder / "source"
    keep = shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, source, ignore=keep)
    subprocess.run([env / "bin" / "pip", "install", "--quiet", source], check=True)
    print(f"\ninstall: {(_size(env) - before) / 1e6:.1f} MB beyond an empty environment")


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=PARTS, help="default: all")
    parser.add_argument("--sizes", nargs="*", type=int, default=[1_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--writers", type=int, nargs=2, default=(64, 20), metavar=("N", "EACH"))
    parser.add_argument("--times", type=int, default=1_000, help="how many writers are killed")
    parser.add_argument("--keep", type=Path, help="a folder where synthetic notebooks stay")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = args.keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        for part in args.parts or PARTS:
            if part == "speed":
                shutil.rmtree(folder / "repo", ignore_errors=True)
                speed(toys.make(folder), args.sizes, folder, args.rounds)
            elif part == "crowd":
                crowd(Path(name), *args.writers)
            elif part == "kills":
                kills(Path(name), args.times)
            else:
                install(Path(name))


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as users run it: compiled once
    os.environ.pop("LAB_HOME", None)
    main()
