"""`lab import` of other tools' logs: a `results.tsv`, or a PraxLab `experiments.db`.

Real logs are messy: written by agents over nights, edited by hand, cut off by a full disk. So a
line is either a row or a `Problem` that names it, never an exception; only a file that is no such
log at all is refused. Nothing here writes, neither to the notebook nor beside the file.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from ..errors import Environment, NotFound, Usage
from . import praxlab, table
from .rows import ImportedRow, Problem

__all__ = ["ImportedRow", "Kind", "Problem", "kind", "read"]

Kind = Literal["tsv", "praxlab-db", "labtree-jsonl"]

HEAD_BYTES = 65_536  # what is looked at to say what a file is


def kind(path: Path) -> Kind:
    """Say what kind of log `path` is, by its contents; Usage if it is none."""
    head = _head(path)
    if head.startswith(b"SQLite format 3\0"):
        return "praxlab-db"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"{"):
        return "labtree-jsonl"
    if b"\t" in text and b"\0" not in text:
        return "tsv"
    raise Usage(
        f"{path} is no experiment log: no tabs, no SQLite database, no JSON lines.", table.HINT
    )


def read(path: Path) -> Iterator[ImportedRow | Problem]:
    """Yield a row for each experiment in the log, and a problem for each line that is none."""
    what = kind(path)
    if what == "praxlab-db":
        yield from praxlab.read(path)
    elif what == "tsv":
        yield from table.read(path)
    else:
        why = f"{path} is our own export, not another tool's log."
        raise Usage(why, f"Type: lab import {path}")


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
