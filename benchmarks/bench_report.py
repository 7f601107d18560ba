"""Measure the report: seconds and bytes at several sizes, whole and since the last hundred.

    python benchmarks/bench_report.py                      # 1,000, 5,000 and 100,000 experiments
    python benchmarks/bench_report.py --sizes 1000

The notebooks are those of bench_notebook.py, one leaf, one scope, every experiment judged, but that
an experiment was made every five minutes. Times are of whole processes, the best of three, since
nothing makes a process quicker than it is.
"""

import argparse
import json
import re
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "benchmarks"))

import bench_notebook  # noqa: E402
import many  # noqa: E402
import toy as toys  # noqa: E402

ROUNDS = 3
TARGETS = "a page of 1,000 in 5 s and 3 MB; --since on 100,000 in 5 s"


def main() -> None:
    """Print a line for each size and each way of asking."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 5000, 100_000])
    sizes = parser.parse_args().sizes
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        toy = toys.make(folder)
        homes = {size: notebook(toy, size, folder) for size in sizes}
        print(f"\ntargets: {TARGETS}\n")
        print(f"{'call':<26} {'size':>9} {'wall s':>7} {'CPU s':>6} {'MB':>6}")
        for size, home in homes.items():
            for words in ([], ["--since", f"e{size - 99}"], ["--markdown"]):
                report(toy, home, size, words, folder / "report")


def notebook(toy: toys.Toy, size: int, folder: Path) -> Path:
    """Return the home of a notebook with `size` experiments, one every five minutes."""
    home, file = folder / f"home-{size}", folder / "records.jsonl"
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with file.open("w") as out:
        for row in many.records(toy, size):
            if "at" in row:
                place = int("".join(re.findall(r"\d{7}", row["uid"])) or 0)
                at = start + timedelta(minutes=5 * place)
                row["at"] = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            out.write(json.dumps(row) + "\n")
    bench_notebook.timed(toy, home, ["import", str(file)])
    return home


def report(toy: toys.Toy, home: Path, size: int, words: list[str], file: Path) -> None:
    """Print how long one report takes and how large it is."""
    command = ["report", *words, "-o", str(file)]
    took = [bench_notebook.timed(toy, home, command)[:2] for _ in range(ROUNDS)]
    wall, cpu = min(took)
    megabytes = file.stat().st_size / 1e6
    print(
        f"{' '.join(['report', *words]):<26} {size:>9,} {wall:>7.2f} {cpu:>6.2f} {megabytes:>6.2f}"
    )


if __name__ == "__main__":
    main()
