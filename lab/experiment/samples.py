"""`lab samples`: completions that a run left; the best, the worst, some at random."""

import json
import random
from pathlib import Path
from typing import Any

from ..errors import NotFound
from ..system import left
from ..text import num, plural, shorten

TOLD = ("answer", "trace")  # what would have been right, and how the program came to its own
WIDTH = 100  # characters of a sample that is told in one line
PROMPT, LONGEST = 200, 300  # characters shown of a prompt, and of what it led to
AT_MOST = 50_000  # lines read of one file; a run writes a few thousand


def pick(path: Path, experiment: int, seed: int | None, n: int) -> dict[str, Any]:
    """Return the `n` best and worst samples of a run's samples.jsonl by reward, and random ones.

    Where samples say which are right, the best are right, unless none is; the worst are wrong.
    Where they do not, the best are of the upper half.
    """
    ranked = sorted(_read(path, experiment), key=_worth, reverse=True)
    right = [row for row in ranked if _is_right(row, ranked[0])]
    wrong = [row for row in ranked[::-1] if not _is_right(row, ranked[0])]
    upper = ranked[: (len(ranked) + 1) // 2]
    best = (right if _tells(ranked[0]) else upper)[:n] or ranked[:1]
    worst = [row for row in wrong if not any(row is one for one in best)][:n]
    shown = {id(row) for row in (*best, *worst)}
    rest = [row for row in ranked if id(row) not in shown]
    return {
        "experiment": f"e{experiment}",
        "seed": seed,
        "total": len(ranked),
        "right": len(right) if _tells(ranked[0]) else None,
        "best": best,
        "worst": worst,
        "random": random.Random(experiment).sample(rest, min(n, len(rest))),
    }


def _tells(row: dict[str, Any]) -> bool:
    """Return whether samples say that they are right or wrong."""
    return isinstance(row.get("correct"), bool | int)


def _is_right(row: dict[str, Any], best: dict[str, Any]) -> bool:
    """Return whether a sample is right, or where that is not said as good as the best one."""
    return bool(row["correct"]) if _tells(row) else _worth(row) >= _worth(best)


def _read(path: Path, experiment: int) -> list[dict[str, Any]]:
    rows = []
    if left.is_file(path):
        with left.opened(path) as file:
            for _, line in zip(range(AT_MOST), file, strict=False):
                try:
                    row = json.loads(line)
                except ValueError:
                    continue  # the last line of a run that was cut off
                if isinstance(row, dict):
                    rows.append(row)
    if not rows:
        raise NotFound(
            f"e{experiment} left no samples.", f"See what it left: lab show e{experiment}"
        )
    return rows


def _worth(row: dict[str, Any]) -> float:
    for name in ("reward", "correct"):
        value = row.get(name)
        if isinstance(value, bool | int | float):
            return float(value)
    return 0.0


def as_text(found: dict[str, Any]) -> str:
    """Return the samples as text."""
    seed = "" if found["seed"] is None else f" seed {found['seed']}"
    right = "" if found["right"] is None else f", {found['right']} right"
    lines = [f"{found['experiment']}{seed}: {plural(found['total'], 'sample')}{right}"]
    for kind in ("best", "worst", "random"):
        lines.append(f"{kind}:" if found[kind] else f"{kind}: none")
        for row in found[kind]:
            lines += _sample(row)
    return "\n".join(lines)


def _sample(row: dict[str, Any]) -> list[str]:
    """Return a sample in a line where it is short; its answer where that was not what was said."""
    mark = "" if "reward" not in row else f"[{num(row['reward'])}] "
    asked = f"  {mark}{_cut(row.get('prompt', ''), PROMPT)}"
    said = f"-> {_cut(row.get('completion', ''), LONGEST)}".rstrip()
    told = [name for name in TOLD if row.get(name) and row[name] != row.get("completion")]
    more = [f"{name}: {_cut(row[name], LONGEST)}" for name in told]
    line = "; ".join([f"{asked} {said}", *more])
    return [line] if len(line) <= WIDTH else [asked, *(f"    {part}" for part in (said, *more))]


def _cut(words: Any, limit: int) -> str:
    """Return a text within a limit, and how much there is of it where that is more."""
    text = str(words)
    more = f" (of {len(text):,} characters: --json)" if len(text) > limit else ""
    return shorten(text, limit) + more
