"""Whether a script ignored its seed: what it left, beside what another seed's run left.

Two seeds may give the very same score by chance where it counts things: 194 of 200 right. So equal
scores alone prove nothing, and times that differ prove nothing either. What tells is how training
went, then the artefact, and the score only where neither says anything.
"""

import filecmp
import json
import math
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..judge import is_count
from ..system import left

MOST = 10_000_000  # bytes of a step log: its beginning tells, and no log fills the memory
ENDS = (0.0, 1.0, 100.0)  # of a share, also in per cent
ENOUGH = 4  # numbers of a training, each rounded, that no chance makes the same at two seeds
LIGHT = {"steps.jsonl", "samples.jsonl"}  # what a run leaves for people, beside its *.log
LEARNING = re.compile("loss|reward|grad|score|acc|error|entropy|nll|ppl|perplexity|bpb|kl")
MACHINE = {  # words in the name of a number that the machine makes, and not the script
    *("s", "ms", "sec", "secs", "second", "seconds", "minutes", "hours", "time", "wall", "elapsed"),
    *("mb", "gb", "mib", "gib", "mem", "memory", "rss", "mfu", "throughput", "speed", "latency"),
}


@dataclass(frozen=True)
class Left:
    """What one run left: its folder, the artefacts in it, and both of its summary blocks."""

    folder: Path
    artefacts: frozenset[str]
    claimed: Mapping[str, float]  # by training
    measured: Mapping[str, float]  # by the yardstick


def artefacts(folder: Path) -> frozenset[str]:
    """Return the names of the files that a training left for its yardstick."""
    return frozenset(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
        if path.suffix not in (".log", ".lock") and path.name not in LIGHT
    )


def copied(folder: Path, into: Path) -> bool:
    """Copy what a run left for its yardstick, no log, no sample, no link; was there anything?"""
    names = sorted(artefacts(folder))
    for name in names:
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        with left.opened(folder / name) as source, (into / name).open("wb") as target:
            shutil.copyfileobj(source, target)
    return bool(names)


def ignored(metric: str, mine: Left, other: Left) -> bool:
    """Return whether two seeds did the very same; what cannot be read proves nothing."""
    if _scores(metric, mine.measured) != _scores(metric, other.measured):
        return False
    if mine.measured[metric] in ENDS and is_count(mine.measured[metric]):
        return False  # a share that can go no further: every luck ends there
    try:
        for alike in (_same_learning(metric, mine, other), _same_files(mine, other)):
            if alike is not None:
                return alike
    except OSError:
        return False
    return not is_count(mine.measured[metric])


def _same_learning(metric: str, mine: Left, other: Left) -> bool | None:
    """Return whether both were trained alike; None where too little was logged to tell."""
    known = _learning(metric, other)
    pairs = [(value, known[key]) for key, value in _learning(metric, mine).items() if key in known]
    if any(one != another for one, another in pairs):
        return False
    values = {value for value, _ in pairs}
    return True if len(values) >= ENOUGH or not all(map(is_count, values)) else None


def _scores(metric: str, measured: Mapping[str, float]) -> dict[str, float]:
    """Return what was measured of the result, without what the machine makes of it."""
    words = {name: set(re.split(r"[\W_]+", name.lower())) for name in measured}
    machine = {name for name in measured if name != metric and words[name] & MACHINE}
    return {name: value for name, value in measured.items() if name not in machine}


def _learning(metric: str, run: Left) -> dict[tuple[object, str], float]:
    """Return how training went: losses and the like, by step, and those it printed last."""
    rows: list[tuple[object, Mapping[str, object]]] = [("last", run.claimed)]
    rows += [(row.get("step"), row) for row in _steps(run.folder / "steps.jsonl")]
    return {
        (step, name): value
        for step, row in rows
        if isinstance(step, str | int | float)
        for name, value in row.items()
        if isinstance(value, float) and math.isfinite(value)
        if name == metric or LEARNING.search(name.lower())
    }


def _steps(path: Path) -> Iterator[dict[str, object]]:
    """Yield the rows of a step log, whatever a script wrote there."""
    if not left.is_file(path):
        return
    with left.opened(path) as log:
        lines = log.read(MOST).splitlines()
    for line in lines:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict):
            yield row


def _same_files(mine: Left, other: Left) -> bool | None:
    """Return whether the artefacts are the same, byte for byte; None where there is none."""
    there = artefacts(other.folder)
    if not mine.artefacts or not there:
        return None
    both = mine.artefacts & there
    return bool(both) and all(
        filecmp.cmp(mine.folder / name, other.folder / name, shallow=False) for name in both
    )
