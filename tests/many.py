"""A large synthetic notebook: every experiment measured, judged and given a verdict, in one scope.

The hard case for anything that walks a leaf's history: one leaf, one profile, platform and
yardstick, ideas made of the field's most common words.
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from toy import Toy

from lab import repo

Row = dict[str, Any]
AT = "2026-01-01T00:00:00.000Z"
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


def write(toy: Toy, size: int, file: Path) -> int:
    """Write the records of `size` experiments as our own JSON Lines; return how many lines."""
    with file.open("w") as out:
        return sum(bool(out.write(json.dumps(row) + "\n")) for row in records(toy, size))


def records(toy: Toy, size: int) -> Iterator[Row]:
    """Yield the records of `size` experiments in the toy's own scope, a table at a time."""
    now = toy.lab("context", "--json", cwd=toy.root / "toy").json
    scope = {name: now[name] for name in ("leaf", "profile", "platform", "yardstick")}
    head = repo.ref(toy.root, "HEAD")
    assert head is not None
    contents = repo.contents_id(repo.tree_blobs(toy.root, head, ["toy/train.py"]))
    names = [f"{i:07d}" for i in range(1, size)]
    yield from map(_idea, names)
    common = {**scope, "metric": "loss", "direction": "minimize", "at": AT}
    first = {"uid": "base", "kind": "baseline", "commit": head, "contents": contents}
    yield {"table": "experiments", **first, **common}
    for i in names:
        known = {"commit": f"{i}{'0' * 33}", "parent": head, "contents": f"c{i}"}
        who = {"hypothesis": f"h{i}", "campaign": f"toy/agent{int(i) % 8}", "incumbent": "base"}
        yield {"table": "experiments", "uid": f"e{i}", "kind": "run", **common, **known, **who}
    for seed in range(3):
        yield _run("base", seed, 4.0 + 0.01 * seed)
    for i in names:
        yield _run(f"e{i}", 0, 4.0 - _gain(i))
    yield from map(_judged, names)
    yield from map(_verdict, names)
    for i in names[::100]:
        where = {"leaf": "toy", "by": "ada", "at": AT}
        yield {"table": "lessons", "uid": f"l{i}", "text": f"{_claim(i)}: not worth it", **where}
    for i in names[::100]:
        yield {"table": "evidence", "lesson": f"l{i}", "experiment": f"e{i}"}


def _gain(name: str) -> float:
    return random.Random(f"gain {name}").gauss(0, 0.05)


def _claim(name: str) -> str:
    r = random.Random(name)
    low, high = r.random(), r.random()
    change = f"{r.choice(GROUPS)} {r.choice(KNOBS)} from {low:.3f} to {high:.3f}"
    return f"{change} and {r.choice(KNOBS)} as in try {name}"


def _idea(name: str) -> Row:
    r = random.Random(f"why {name}")
    words = {"claim": _claim(name), "mechanism": r.choice(REASONS), "axis": r.choice(KNOBS)}
    who = {"leaf": "toy", "campaign": f"toy/agent{int(name) % 8}", "at": AT}
    return {"table": "hypotheses", "uid": f"h{name}", **words, **who}


def _run(experiment: str, seed: int, value: float) -> Row:
    done = {"started": AT, "ended": AT, "status": "finished", "seconds": 300.0, "value": value}
    known = {"uid": f"r{experiment}-{seed}", "experiment": experiment, "seed": seed, "at": AT}
    return {"table": "runs", **known, **done}


def _judged(name: str) -> Row:
    gain = _gain(name)
    suggest = "keep" if gain > 0.12 else "discard"
    known = {"uid": f"j{name}", "experiment": f"e{name}", "incumbent": "base", "at": AT, "runs": 1}
    why = {"gain": gain, "se": 0.01, "noise": 0.01, "suggest": suggest, "reason": "worse"}
    return {"table": "judgements", **known, **why, "near_miss": int(0 < gain < 0.02)}


def _verdict(name: str) -> Row:
    gain, r = _gain(name), random.Random(f"verdict {name}")
    verdict = "keep" if gain > 0.12 else r.choice(("discard", "discard", "discard", "crash"))
    told = {"theory_revision": f"{r.choice(KNOBS)} matters less here"} if r.random() < 0.2 else {}
    known = {"uid": f"v{name}", "experiment": f"e{name}", "verdict": verdict, "gain": gain}
    return {"table": "results", **known, **told, "by": "ada", "at": AT}
