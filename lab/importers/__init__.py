"""`lab import` of other tools' logs: tables, JSON Lines, a PraxLab `experiments.db`.

Real logs are messy: written by agents over nights, edited by hand, cut off by a full disk. So a
line is either a row or a `Problem` that names it, never an exception; only a file that is no such
log at all is refused. Nothing here writes, neither to the notebook nor beside the file.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import Environment, NotFound, Usage
from . import choice, jsonl, praxlab, table, text
from .rows import ImportedRow, Problem, Said, Taken, Wish

__all__ = ["ImportedRow", "Kind", "Log", "Problem", "Taken", "Wish", "kind", "load", "read"]

Kind = Literal["tsv", "praxlab-db", "labtree-jsonl", "jsonl"]

HEAD_BYTES = 65_536  # what is looked at to say what a file is


@dataclass(frozen=True)
class Log:
    """What a file holds: its rows, oldest first, what is wrong with lines, and what was taken."""

    rows: list[ImportedRow]
    problems: list[Problem]
    taken: list[Taken]


def kind(path: Path) -> Kind:
    """Say what kind of log `path` is, by its contents; Usage if it is none."""
    head = _head(path)
    if head.startswith(b"SQLite format 3\0"):
        return "praxlab-db"
    raw, code = text.unmarked(head)
    words = raw.decode(code, "replace").replace("\0", "").lstrip()
    if words.startswith(("{", "[{")) or re.match(r"\[\s*\{", words):
        return "labtree-jsonl" if _is_ours(words) else "jsonl"
    if re.search("[\t,;|]", words):
        return "tsv"
    raise Usage(
        f"{path} is no experiment log: no tabs, no SQLite database, no JSON lines.", table.HINT
    )


def _is_ours(words: str) -> bool:
    """Say whether JSON Lines are an export of ours: the first object that can be read says so."""
    for line in words.split("\n"):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        return isinstance(row, dict) and "table" in row
    return not words.startswith("[") and "\n" not in words.strip()


def load(path: Path, wish: Wish | None = None) -> Log:
    """Read a log whole; `wish` is what is known of its metric and direction beforehand."""
    what, said = kind(path), Said()
    if what == "labtree-jsonl":
        why = f"{path} is our own export, not another tool's log."
        raise Usage(why, f"Type: lab import {path}")
    if what == "praxlab-db":
        found = list(praxlab.read(path))
    else:
        found = list((jsonl if what == "jsonl" else table).read(path, said))
    rows = [one for one in found if isinstance(one, ImportedRow)]
    problems = [one for one in found if isinstance(one, Problem)]
    rows, more, taken = choice.choose(rows, said, wish or Wish())
    return Log(rows, sorted([*problems, *more], key=lambda one: one.line), taken)


def read(path: Path, wish: Wish | None = None) -> Iterator[ImportedRow | Problem]:
    """Yield a row for each experiment in the log, and a problem for each line that is none."""
    log = load(path, wish)
    found: list[ImportedRow | Problem] = [*log.problems, *log.rows]
    yield from sorted(found, key=lambda one: one.line)


def _head(path: Path) -> bytes:
    """Return the start of the file, or say why it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except FileNotFoundError as reason:
        raise NotFound(f"there is no file {path}.", "Check the path.") from reason
    except OSError as reason:
        why = f"{path} cannot be read: {reason.strerror}."
        raise Environment(why, "Give a file you may read.") from reason
