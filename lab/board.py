"""The board: what was kept, what it claims and what is truly to be expected, as JSON or text."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from .judge import expected_gain
from .notebook import Notebook, read
from .notebook.read import Found
from .text import num, shorten, span

MOST = 1000  # experiments on one board, newest first; `lab export` has all
LEAST_ROOM = 16  # characters that a claim keeps on the narrowest terminal


def board(book: Notebook, leaf: str, n: int = MOST) -> Found:
    """Return the JSON of `lab board` for one leaf."""
    rows = book.all(f"{read.ENTRY} where s.leaf = ? order by s.experiment desc limit ?", leaf, n)
    rows.reverse()
    named = next((row for row in reversed(rows) if row["metric"]), None)
    counts = read.counts(book, leaf)
    return {
        "leaf": leaf,
        "metric": named["metric"] if named else None,
        "direction": named["direction"] if named else None,
        "experiments": [_row(row) for row in rows],
        "claimed_gain": claimed_gain(rows),
        "expected_gain": expected(book, rows),
        "counts": counts,
        "truncated": counts["experiments"] > len(rows),
    }


def _row(row: sqlite3.Row) -> Found:
    return {
        "experiment": f"e{row['experiment']}",
        "claim": row["claim"],
        "value": row["value"],
        "gain": row["gain"],
        "verdict": row["verdict"],
        "failure": row["failure"],
        "commit": row["commit"],
        "seconds": row["seconds"],
        "status": row["status"],
        "campaign": row["campaign"],
        "mechanism_outcome": row["mechanism"],
        "runs": row["runs"],
        "claimed": bool(row["claimed"]),
        "imported": row["made"] == "import",
    }


def _kept(rows: Sequence[sqlite3.Row]) -> list[sqlite3.Row]:
    return [row for row in rows if row["verdict"] == "keep" and row["gain"] is not None]


def claimed_gain(rows: Sequence[sqlite3.Row]) -> float | None:
    """Return the sum of the gains that were kept, as they were measured when they were kept."""
    gains = [row["gain"] for row in _kept(rows)]
    return sum(gains) if gains else None


def expected(book: Notebook, rows: Sequence[sqlite3.Row]) -> float | None:
    """Return the gain to expect of what was kept, shrunk for the luck that selection collects."""
    judged = {
        row["experiment"]: book.one(
            "select gain, se, noise, runs from judgements where experiment = ? "
            "order by id desc limit 1",
            row["experiment"],
        )
        for row in _kept(rows)
    }
    return expected_gain_of(book, judged)


def expected_gain_of(book: Notebook, judged: dict[int, Any]) -> float | None:
    """Return the expected gain, or None where no kept change has a known noise."""
    return None


def board_text(found: Found, width: int = 80) -> str:
    """Return the board for a terminal of `width` columns, without colour."""
    counts = found["counts"]
    if not counts["experiments"]:
        return f"{found['leaf']}: nothing yet. Begin with: lab run --baseline --seeds 3"
    lines = [
        f"{found['leaf']}: {found['metric'] or 'no metric'} ({found['direction'] or '-'}), "
        f"{counts['experiments']} experiments, {counts['keep']} kept, {counts['discard']} "
        f"discarded, {counts['crash']} crashed",
        f"claimed gain {num(found['claimed_gain'], sign=True)}, expected "
        f"{num(found['expected_gain'], sign=True)}",
    ]
    if counts["overruled"]:
        lines.append(f"{counts['overruled']} kept against the suggestion")
    for row in found["experiments"]:
        verdict = row["verdict"] or row["status"]
        figures = f"{row['experiment']:>6} {verdict:<8} {num(row['value']):>10} "
        gain = num(row["gain"], sign=True) if row["gain"] is not None else ""
        figures += f"{gain:>10} {span(row['seconds']):>7} "
        room = max(LEAST_ROOM, width - len(figures) - 1)
        lines.append(figures + shorten(row["claim"] or "baseline", room))
    return "\n".join(line[: max(width, 40)] for line in lines)
