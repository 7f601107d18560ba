"""Measure how well and how fast ideas are found again: recall@5, then seconds at three sizes.

    python benchmarks/bench_recall.py                    # recall, then 1,000 / 100,000 / 1,000,000
    python benchmarks/bench_recall.py --sizes 1000       # smaller
    python benchmarks/bench_recall.py --misses           # also print the questions that failed

The synthetic notebooks are the hard kind: every idea is made of the field's most common words, so
each word of a question is held by a large share of all rows.
"""

import argparse
import csv
import json
import random
import sqlite3
import sys
import tempfile
import time
from functools import lru_cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab.notebook import Notebook, search
from lab.search import concepts

DATA = Path(__file__).resolve().parents[1] / "tests" / "data"
QUESTIONS = (
    "recall.jsonl",
    *(
        f"recall/{which}.jsonl"
        for which in ("first", "second", "third", "fourth", "fifth", "sixth")
    ),
)
QUERIES = (
    "lower the learning rate",  # every word in a large share of the rows
    "keep weight decay constant during training",
    "wider FFN",
    "sliding window of one sixth of the context",
    "batch size learning rate warmup depth width weight decay embedding attention init seed",
    "quaternion spline manifold",  # words no row holds
    "the of to and with",  # nothing but quiet words
    "learning rate " * 80_000,  # 1.1 MB
)
GROUPS = ("embedding", "matrix", "scalar", "unembedding", "muon", "adam", "attention", "mlp")
KNOBS = (
    *("lr", "learning rate", "weight decay", "wd", "warmup", "warmdown", "init scale", "beta2"),
    *("momentum", "softcap", "depth", "width", "batch size", "window", "rope base", "seed"),
)
REASONS = (
    "because gradients are noisy",
    "so that fewer steps are wasted",
    "to tame the early phase",
    "since the optimum moves with width",
    "as the loss curve is flat late in training",
)


def experiments(path: Path) -> list[dict[str, str]]:
    """Read one results.tsv as plain rows."""
    with path.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def notebook(paths: list[Path]) -> tuple[sqlite3.Connection, dict[int, str]]:
    """Index every row of `paths`; return the index and each idea's text."""
    db, texts = Notebook(":memory:").db, {}
    for row in (row for path in paths for row in experiments(path)):
        texts[len(texts) + 1] = row["description"]
        failed = row["status"] in ("discard", "crash")
        search.put(db, len(texts), claim=row["description"], leaf="demo", failed=failed)
    return db, texts


def found(db: sqlite3.Connection, texts: dict[int, str], question: dict) -> bool:
    """Say whether a right answer is among the first five failures."""
    hits = search.search(db, question["query"], leaf="demo", failed=True, limit=5)
    return any(texts[idea] in question["hits"] for idea, _ in hits)


def report_recall(misses: bool) -> None:
    """Print recall@5 of each set of questions, each notebook alone and all of them together."""
    for name in QUESTIONS:
        questions = [json.loads(line) for line in (DATA / name).read_text().splitlines()]
        every = sorted(DATA.glob("*.tsv") if name == "recall.jsonl" else DATA.rglob("*.tsv"))
        for title, alone in (("each alone", True), ("all together", False)):
            places = [[DATA / one["notebook"]] if alone else every for one in questions]
            asked = zip(questions, places, strict=True)
            missed = [one for one, paths in asked if not right(one, paths)]
            total, good = len(questions), len(questions) - len(missed)
            share = f"{good}/{total} = {good / total:.3f}"
            print(f"recall@5, {name:20} {title:12} {share}   (to reach: 0.85, each alone)")
            for question in missed if misses else ():
                print(f"  missed: {question['query']} ({question['notebook']})")


@lru_cache
def indexed(paths: tuple[Path, ...]) -> tuple[sqlite3.Connection, dict[int, str]]:
    """Return the notebook of `paths`, made once."""
    return notebook(list(paths))


def right(question: dict, paths: list[Path]) -> bool:
    """Ask one question."""
    return found(*indexed(tuple(paths)), question)


def idea(dice: random.Random) -> tuple[str, str]:
    """Make up a claim and a mechanism out of common words."""
    group, knob, why = (dice.choice(part) for part in (GROUPS, KNOBS, REASONS))
    low = dice.randint(1, 99) / 100
    return f"{group} {knob} {low} to {low * 2:.2f}", f"raising {knob} helps {group} {why}"


def fill(db: sqlite3.Connection, size: int) -> float:
    """Index `size` ideas of three leaves, two thirds of them failed; return the seconds."""
    dice = random.Random(0)
    started = time.process_time()
    db.execute("begin")
    for number in range(1, size + 1):
        claim, mechanism = idea(dice)
        leaf = "tiny" if number % (size // 10) == 0 else ("sft", "pretrain")[number % 2]
        search.put(db, number, claim=claim, mechanism=mechanism, leaf=leaf, failed=number % 3 > 0)
    db.execute("commit")
    return time.process_time() - started


def report_speed(size: int) -> None:
    """Print the time of every query on a notebook of `size` ideas, on disk."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "notebook.db"
        db = Notebook(path).db
        seconds = fill(db, size)
        print(f"\n{size:,} ideas: indexed in {seconds:.1f} s, {path.stat().st_size / 1e6:.0f} MB")
        for text in QUERIES:
            times = []
            for leaf, failed in (("pretrain", True), ("tiny", True), (None, False)):
                started = time.process_time()
                search.search(db, text, leaf=leaf, failed=failed)
                times.append(f"{1e3 * (time.process_time() - started):7.1f}")
            started = time.process_time()
            search.near_duplicates(db, text, leaf="pretrain")
            times.append(f"{1e3 * (time.process_time() - started):7.1f}")
            print(" ".join(times), f"ms  {text[:60]}")
        db.close()


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="*", default=[1_000, 100_000, 1_000_000])
    parser.add_argument("--misses", action="store_true", help="print the questions that failed")
    options = parser.parse_args()
    started = time.process_time()
    concepts.lexicon()
    print(f"vocabulary compiled in {1e3 * (time.process_time() - started):.1f} ms")
    if DATA.is_dir():
        report_recall(options.misses)
    else:
        print(f"no {DATA}: recall is not measured")
    print("\ncolumns: failures of one leaf | of a leaf of ten ideas | all ideas | near-duplicates")
    for size in options.sizes:
        report_speed(size)


if __name__ == "__main__":
    main()
