"""Four campaigns, one device: are turns even, and how long is the device idle between runs?

    python benchmarks/bench_queue.py --runs 200 --seconds 1
    python benchmarks/bench_queue.py --runs 24 --seconds 5

Real `lab run`, real supervisors. The leaf's own scripts write down when they began and ended;
between the end of one run's `evaluate` and the beginning of the next run's `train` the device
is idle.
"""

import argparse
import itertools
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import toy as toys

CAMPAIGNS = ("ada", "bob", "cy", "dee")
STAMP = """
import json, os, time
began = time.time()
{body}
with open({log!r}, "a") as file:
    name = os.environ["LAB_EXPERIMENT"]
    file.write(json.dumps([name, {what!r}, began, time.time()]) + "\\n")
"""
MODEL = 'open(os.environ["LAB_RUN_DIR"] + "/m", "w").write(os.environ["LAB_SEED"]); time.sleep({s})'
SCORE = 'print("---\\nloss: " + open(os.environ["LAB_RUN_DIR"] + "/m").read() + ".5\\n---")'


def campaigns(toy: toys.Toy) -> list[str]:
    """Make one experiment a campaign, each measured once; return their ids."""
    toy.lab("run", "--baseline", "--leaf", "toy")
    found = []
    for number, name in enumerate(CAMPAIGNS):
        where = toy.campaign(name)
        train = where / "train.py"
        train.write_text(train.read_text() + f"# {number}\n")
        idea = toy.idea(f"idea of {name}", cwd=where)
        found.append(toy.lab("run", idea, "--json", cwd=where).json["experiment"])
    return found


def main() -> None:
    """Queue `--runs` runs of `--seconds` and print how they followed each other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=1.0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        toy, log = toys.make(Path(folder)), Path(folder) / "log"
        train = STAMP.format(body=MODEL.format(s=args.seconds), log=str(log), what="train")
        score = STAMP.format(body=SCORE, log=str(log), what="evaluate")
        table = toys.LEAF.replace("timeout_s = 30", "timeout_s = 300")
        toy.leaf(train=train, evaluate=score, toml=table)
        toy.commit("a leaf that holds its device for a while")
        names = campaigns(toy)
        log.unlink()
        each = args.runs // len(names)
        for name in names:
            toy.lab("run", name, "--seeds", str(min(each, 100)), "--detach", code=5)
        for name in names:
            toy.lab("wait", name)
        report(log, names, args.seconds)


def report(log: Path, names: list[str], seconds: float) -> None:
    """Print idle share, mean gap, overlaps and how far apart the turns ever were."""
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    starts = sorted(row for row in rows if row[1] == "train")
    runs = sorted(starts, key=lambda row: row[2])
    ends = sorted(row[3] for row in rows if row[1] == "evaluate")
    gaps = [after[2] - end for after, end in zip(runs[1:], ends, strict=False)]
    whole = ends[-1] - runs[0][2]
    overlaps = sum(gap < 0 for gap in gaps)
    print(f"{len(runs)} runs of {seconds:g} s, {len(names)} campaigns, one CPU slot")
    print(f"overlapping runs: {overlaps}")
    mean = 1e3 * sum(gaps) / len(gaps)
    print(f"device idle: {100 * sum(gaps) / whole:.2f} % (mean gap {mean:.0f} ms)")
    print(f"turns apart at most: {apart(runs, names)}")


def apart(runs: list[list[object]], names: list[str]) -> int:
    """Return the largest lead one campaign ever had over another while all had runs left."""
    seen: Counter[object] = Counter()
    each, worst = Counter(row[0] for row in runs), 0
    for row in itertools.takewhile(lambda row: seen[row[0]] < each[row[0]], runs):
        seen[row[0]] += 1
        if all(seen[name] < each[name] for name in names):
            worst = max(worst, max(seen.values()) - min(seen[name] for name in names))
    return worst


if __name__ == "__main__":
    main()
