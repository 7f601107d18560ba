"""The move that is due, made from what the files are now: no dead constant, no impossible one."""

import re
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from .. import repo
from ..documents.leaves import Axis
from ..judge import stagnation
from ..leaf import live
from ..notebook import Notebook, read
from ..workspace import Workspace

MANY = 5  # near misses, and kept changes, that are looked at for a move
Files = dict[str, bytes]  # the mutable ones, by path

_SENTENCE = re.compile(r"(?<=[.;])\s+|\n\s*\n|\n\s*(?:[-*]|\d+\.)\s")
_FLAT = re.compile(
    r"(?<!not )\b(?:forgiv(?:es|ing)|flat|insensitive|makes no difference|hardly matters|"
    r"does not matter|no effect)\b",
    re.IGNORECASE,
)


def due(
    workspace: Workspace, book: Notebook, since: int, axes: Sequence[Axis]
) -> stagnation.Move | None:
    """Return the move that is due here; nothing is read from git while the search is not stuck."""
    head, leaf = workspace.place.head, workspace.leaf_name
    same = read.same_in_a_row(book, leaf, workspace.place.campaign)
    if (move := stagnation.unreached(same)) is not None:
        return move
    if since < stagnation.STALE or head is None:
        return None
    top, present = workspace.place.top, _present(workspace)
    alive = live.constants(present)
    turned = read.turned(book, leaf)
    near, kept = read.near_misses(book, leaf, MANY), read.kept(book, leaf, MANY, least=True)
    return stagnation.propose(
        since,
        axes=[row for row in axes if not _is_gone(row["axis"], turned, alive, present)],
        near_misses=[f"e{row['experiment']}" for row in fitting(workspace, near)[:2]],
        kept=[f"e{row['experiment']}" for row in kept if _merged(top, row, present, undo=True)],
        knobs=_fresh(workspace, alive, {*turned, *(row["axis"] for row in axes)}),
    )


def fitting(workspace: Workspace, rows: Iterable[sqlite3.Row]) -> list[sqlite3.Row]:
    """Return the experiments whose changes go into the files as they are, one on top of the other.

    What a later keep rewrote has no place any more for what was tried on the program before.
    """
    top, files = workspace.place.top, _present(workspace)
    found: list[sqlite3.Row] = []
    for row in rows:
        merged = _merged(top, row, files)
        if merged is not None:
            files = merged
            found.append(row)
    return found


def _present(workspace: Workspace) -> Files:
    """Return the mutable files as they are committed."""
    head, paths = workspace.place.head, workspace.mutable_paths
    there = repo.blobs(workspace.place.top, [f"{head}:{path}" for path in paths])
    return {name.partition(":")[2]: data for name, data in there.items() if data is not None}


def _fresh(workspace: Workspace, alive: dict[str, object], tried: Collection[str]) -> list[str]:
    """Return constants that are read, were never tried and are not called flat, tunable first.

    An experiment's axis is the constant in small letters.
    """
    tunable = [name for name in workspace.leaf.knobs if name in alive]
    numbers = [name for name, value in alive.items() if type(value) in (int, float)]
    flat, seen = flat_levers(workspace.program(), alive), {name.lower() for name in tried}
    names = dict.fromkeys([*tunable, *numbers])
    return [name for name in names if name not in flat and name.lower() not in seen]


def flat_levers(program: str, names: Iterable[str]) -> set[str]:
    """Return the constants that a program.md calls flat.

    A sentence is read that names the constant as the code does and says that it forgives, is flat
    or insensitive, or makes no difference. Whatever is said otherwise, or of a lever in other
    words, is not understood: the agent reads the page itself.

    >>> page = "`EMBED_LR` forgives: 0.03 costs 0.006. `HEAD_LR` does not."
    >>> flat_levers(page, ["EMBED_LR", "HEAD_LR"])
    {'EMBED_LR'}
    """
    said = [sentence for sentence in _SENTENCE.split(program) if _FLAT.search(sentence)]
    return {
        name
        for name in names
        if any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", sentence) for sentence in said)
    }


def _is_gone(axis: str, turned: Collection[str], alive: Collection[str], present: Files) -> bool:
    """Return whether an axis is a constant that nothing reads any more, or that is not there."""
    constants = {name.lower() for name in {*turned, *live.all_constants(present)}}
    return axis.lower() in constants - {name.lower() for name in alive}


def _merged(top: Path, row: sqlite3.Row, files: Files, *, undo: bool = False) -> Files | None:
    """Return the files with an experiment's change put in, or taken out; None where it cannot be.

    Git must merge it by lines, it must make a difference, and no name may be left that is read
    and not defined any more: what was built on a change since cannot do without it.
    """
    old, new = (row["commit"], row["parent"]) if undo else (row["parent"], row["commit"])
    blobs = repo.blobs(top, [f"{commit}:{path}" for path in files for commit in (old, new)])
    found = dict(files)
    for path, ours in files.items():
        before, after = blobs[f"{old}:{path}"], blobs[f"{new}:{path}"]
        if before == after:
            continue
        if before is None or after is None:
            return None
        merged = repo.merge_lines(before, ours, after)
        if merged is None or (path.endswith(".py") and live.missing(ours, merged)):
            return None
        found[path] = merged
    return found if found != files else None
