"""Pruning against one's own ancestor: are winners killed, and how much time is saved?

    python benchmarks/bench_prune.py make --curves 240   # real trainings of pretrain smoke, stored
    python benchmarks/bench_prune.py replay              # the rule of `lab` over what is stored

`make` trains pretrain's smoke profile, one knob turned at a time, at seeds 0, 1 and 2, and appends
a line a run to `benchmarks/pretrain_curves.jsonl`: the change, the seed, the bits per byte and the
loss by share of the budget. What is there already is not made again.
"""

import argparse
import importlib
import json
import os
import random
import re
import runpy
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]
STORED = Path(__file__).with_name("pretrain_curves.jsonl")
SEEDS = (0, 1, 2)
BASE_SEEDS = 12  # of the recipe as it is: what luck alone does
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
            if not re.search(rf"^{name} = {re.escape(str(value))}\b", source, re.M):
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
    for name, value in changes():
        yield from ((f"{name} = {value}", seed) for seed in SEEDS)


def make(count: int, home: Path) -> None:
    """Train until so many runs are stored; `home` keeps what was prepared."""
    done = {(row["change"], row["seed"]) for row in stored()}
    folders = {"LAB_CACHE_DIR": str(home / "cache"), "LAB_HELD_OUT_DIR": str(home / "held-out")}
    os.environ |= {"LAB_PROFILE": "smoke", "OMP_NUM_THREADS": "1", **folders}
    sys.path.insert(0, str(ROOT / "pretrain"))
    _in_child(lambda: runpy.run_path(str(ROOT / "pretrain/prepare.py"), run_name="__main__"))
    import torch  # once: a child is a fork of this process and pays nothing for it

    torch.set_num_threads(1)
    for change, seed in wanted():
        if len(done) >= count:
            break
        if (change, seed) not in done:
            _in_child(lambda change=change, seed=seed: _one(home, change, seed))
            done.add((change, seed))


def _in_child(work: Any) -> None:
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        work()
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    sys.stdout.flush()
    os._exit(0)


def _one(home: Path, change: str, seed: int) -> None:
    """Train and measure one change, and store what came of it."""
    leaf = home / "leaf"
    shutil.rmtree(leaf, ignore_errors=True)
    shutil.copytree(ROOT / "pretrain", leaf, ignore=shutil.ignore_patterns("runs", "__pycache__"))
    if change:
        name, text = change.split(" = ")[0], (leaf / "train.py").read_text()
        (leaf / "train.py").write_text(re.sub(rf"^{name} = \S+", change, text, flags=re.M))
    run = home / "run"
    shutil.rmtree(run, ignore_errors=True)
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
    """Return the yardstick's number, the model asked in this process."""
    import math

    import torch

    evaluate, train, data = (importlib.import_module(n) for n in ("evaluate", "train", "data"))
    cache, held_out = (Path(os.environ[name]) for name in ("LAB_CACHE_DIR", "LAB_HELD_OUT_DIR"))
    meta = data.read_meta(cache) | json.loads((held_out / "held_out.json").read_text())
    rows = evaluate.held_out_rows(held_out, meta)
    score, vocab = train.load_model(run, torch.device("cpu")), meta["vocab_size"]
    batch = max(1, evaluate.BATCH_BYTES["cpu"] // (4 * meta["row_tokens"] * vocab))
    with torch.inference_mode():
        nats, _ = evaluate.total_nats(score, rows, vocab, min(batch, len(rows)))
    return float(nats / math.log(2) / meta["held_out_bytes"])


def stored() -> list[dict[str, Any]]:
    """Return the runs that are stored."""
    return [json.loads(line) for line in STORED.read_text().splitlines()] if STORED.exists() else []


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["make", "replay"])
    parser.add_argument("--curves", type=int, default=240, help="how many to have in all")
    parser.add_argument("--home", type=Path, help="where prepared data lie; else a new folder")
    asked = parser.parse_args()
    if asked.what == "make":
        make(asked.curves, asked.home or Path(tempfile.mkdtemp(prefix="bench-prune-")))


if __name__ == "__main__":
    main()
