"""The incumbent: the kept or baseline experiment whose code is the code that stands here."""

import sqlite3

from .. import repo
from ..notebook import Notebook, lookup, read
from . import Workspace


def find_incumbent(
    workspace: Workspace, book: Notebook, commit: str | None = None
) -> sqlite3.Row | None:
    """Return the incumbent for what is built on `commit` (HEAD), within the workspace's scope.

    It has the very same mutable contents, comments aside: whatever was committed or applied since
    changes nothing, or is measured first. Of several the one kept on the way to `commit` counts,
    then a baseline, which nobody chose for its luck, then what another campaign kept.
    """
    start = commit or _settled(workspace, book)
    if start is None:
        return None
    top = workspace.place.top
    rows = read.incumbents(book, workspace.key(start))
    if len(rows) < 2:
        return rows[0] if rows else None

    def rank(row: sqlite3.Row) -> tuple[int, int]:
        if row["made"] == "baseline":
            return 1, -row["experiment"]
        mine = row["commit"] and repo.is_ancestor(top, row["commit"], start)
        return 0 if mine else 2, -row["experiment"]

    return min(rows, key=rank)


def _settled(workspace: Workspace, book: Notebook) -> str | None:
    """Return HEAD, or what it was built on while it is an experiment that nobody has kept."""
    place = workspace.place
    row = lookup.made_in(book, place.head, place.campaign)
    return place.head if row is None or row["verdict"] == "keep" else row["parent"]
