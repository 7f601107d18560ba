"""`lab samples`: completions that a run left; the best, the worst, some at random."""

import json
import random
from pathlib import Path
from typing import Any

from ..errors import NotFound
from ..system import left
from ..text import num, shorten

AT_MOST = 50_000  # lines read of one file; a run writes a few thousand


def pick(path: Path, experiment: int, n: int) -> dict[str, Any]:
    """Return the `n` best, worst and random samples of a run's samples.jsonl, by reward."""
    rows = _read(path, experiment)
    ranked = sorted(rows, key=_worth, reverse=True)
    drawn = random.Random(experiment).sample(rows, min(n, len(rows)))
    return {
        "experiment": f"e{experiment}",
        "total": len(rows),
        "best": ranked[:n],
        "worst": ranked[::-1][:n],
        "random": drawn,
    }


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
    lines = [f"{found['experiment']}: {found['total']} samples"]
    for kind in ("best", "worst", "random"):
        lines.append(f"{kind}:")
        for row in found[kind]:
            mark = "" if "reward" not in row else f"[{num(row['reward'])}] "
            lines.append(f"  {mark}{shorten(str(row.get('prompt', '')), 200)}")
            lines.append(f"    -> {shorten(str(row.get('completion', '')), 300)}")
    return "\n".join(lines)
