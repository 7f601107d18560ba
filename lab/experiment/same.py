"""The same once more: an edit that was measured before is found by what it does."""

import sqlite3

from ..errors import RanBefore
from ..notebook import Notebook, lookup
from ..notebook.replicates import SAYS_NOTHING
from ..text import error, num
from ..workspace import Workspace

Ids = tuple[lookup.Key, str]  # by what the files as they are are found again, and what they do


def same_as(
    workspace: Workspace, book: Notebook, ids: Ids, incumbent: sqlite3.Row
) -> sqlite3.Row | None:
    """Return an experiment of these files whose runs say nothing; refuse one that does."""
    place, (key, _) = workspace.place, ids
    rows = lookup.same_contents(book, *ids) or _old_incumbent(workspace, book, ids, incumbent)
    for row in rows:
        silent = row["status"] == "failed" and row["failure"] in SAYS_NOTHING
        begun = row["runs"] or row["failure"] is not None or row["verdict"]
        if begun and not silent:
            raise _ran_before(book, key, row)
    mine = [
        row
        for row in rows
        if row["parent"] == place.head
        and row["contents"] == key[1]
        and row["campaign"] == place.campaign
        and row["commit"]
        and row["kind"] == "run"
    ]
    return mine[0] if mine else None


def _old_incumbent(
    workspace: Workspace, book: Notebook, ids: Ids, incumbent: sqlite3.Row
) -> list[sqlite3.Row]:
    """Return the incumbent where the edit does as it did, of which no record says what it does.

    One from before the notebook knew: its code is asked of git.
    """
    number = incumbent["experiment"]
    if lookup.experiment(book, number)["behaviour"] is not None:
        return []
    key, behaviour = workspace.key_and_behaviour(workspace.place.head)
    if behaviour != ids[1]:
        return []
    return [row for row in lookup.same_contents(book, key) if row["id"] == number]


def _ran_before(book: Notebook, key: lookup.Key, row: sqlite3.Row) -> RanBefore:
    """Return the refusal of what was measured already, with what came of it."""
    same = "program in other words"
    if row["code"] == key[2]:
        same = "code, comments aside"
    if row["contents"] == key[1]:
        same = "contents"
    number, outcome = row["id"], row["verdict"] or row["status"]
    told = f"{row['metric']} {num(row['value'])}" if row["value"] is not None else "no number"
    judged = lookup.last_judgement(book, number)
    if judged is not None and judged["gain"] is not None:
        told += f", gain {num(judged['gain'], sign=True)}"
        told += f" ± {error(judged['se'])}" if judged["se"] is not None else ""
    return RanBefore(
        f"e{number} ran the very same {same} ({outcome}): {told}.",
        f"Look at it: lab show e{number}; or run it anyway: --again",
    )
