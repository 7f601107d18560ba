"""Data of kept, near-missed and rejected experiments on a page."""

import math
from collections.abc import Sequence

from .. import repo
from ..notebook import Notebook, ideas, ledger, report_queries
from ..notebook.marks import marks
from ..notebook.read import Found
from ..page import tree
from ..workspace import Workspace

MOST_KEPT = 100  # kept changes told at length, the newest
MOST_DIFF = 12_000  # characters of one change; `lab diff e34` has the rest
ALL_DIFFS = 600_000  # of one leaf, so that a page stays a file that can be sent
NEAR = 24  # near-misses shown
PAIRS = 3  # of them that are proposed together
AXES = 24
DEAD_ENDS = 72  # shown of all axes together, the most telling of each
AN_AXIS = 4  # of one axis at least


def kept(workspace: Workspace, book: Notebook, rows: Sequence[Found]) -> list[Found]:
    """Return the kept changes, the newest first, with their runs and their diffs."""
    kept = [row for row in rows if row["verdict"] == "keep" and not _is_start(row)]
    kept = kept[: -MOST_KEPT - 1 : -1]
    pairs = [(row["parent"], row["commit"]) for row in kept if row["parent"] and row["commit"]]
    try:
        changes = repo.diffs(workspace.place.main, pairs)
    except repo.GitFailed:
        changes = {}
    found, room = [], ALL_DIFFS
    for row in kept:
        diff = changes.get(row["commit"])
        shown = diff[: min(MOST_DIFF, room)] if diff else None
        room -= len(shown or "")
        number = row["experiment"]
        audited = ledger.audited_gain(book, number)
        found.append(
            row
            | ({"gain": audited[0], "se": audited[1], "p_better": None} if audited else {})
            | {
                "diff": shown or None,
                "cut": bool(diff) and len(diff or "") > len(shown or ""),
                "replicates": _replicates(book, number),
                "incumbent_runs": _replicates(book, row["incumbent"]) if row["incumbent"] else [],
                "lesson": ideas.lesson_of(book, number),
                "because": report_queries.because(book, number),
                "marks": marks(book, number),
            }
        )
    return found


def _is_start(row: Found) -> bool:
    """Return whether a kept experiment is a baseline, here or in an imported log."""
    return row["kind"] == "baseline" or (row["kind"] == "import" and row["gain"] is None)


def _replicates(book: Notebook, experiment: int) -> list[Found]:
    runs = report_queries.runs(book, experiment)
    return [
        {"seed": run["seed"], "value": run["value"]} for run in runs if run["value"] is not None
    ]


def near(rows: Sequence[Found], grown: tree.Tree) -> Found:
    """Return near-misses, the largest gain first, and pairs of them worth one experiment."""
    near = [row for row in rows if row["settled"] == "unsettled" and row["verdict"] == "discard"]
    near = sorted(near, key=lambda row: -(row["gain"] if row["gain"] is not None else -math.inf))
    good = [row for row in near if (row["gain"] or 0) > 0]
    pairs = _pairs(good[:NEAR], {_axes(row) for row in rows}, grown)
    return {"rows": near[:NEAR], "more": max(0, len(near) - NEAR), "pairs": pairs}


def _pairs(
    good: list[Found], tried: set[frozenset[str]], grown: tree.Tree
) -> list[tuple[Found, Found]]:
    """Return pairs that touch different axes and were not yet tried together.

    Those built on the best come first, since their gains were measured where the pair would be.
    """
    tip = grown.nodes[grown.path[-1]].lost if grown.path else []
    here = {row["experiment"] for row in tip}
    left = sorted(good, key=lambda row: row["experiment"] not in here)  # gains stay in order
    found: list[tuple[Found, Found]] = []
    while left and len(found) < PAIRS:
        one = left.pop(0)
        for two in left:
            both = _axes(one) | _axes(two)
            if not _axes(one) & _axes(two) and (not both or both not in tried):
                found.append((one, two))
                left.remove(two)
                break
    return found


def _axes(row: Found) -> frozenset[str]:
    """Return the axes an experiment touched; a combination's are joined by a plus sign."""
    return frozenset((row["axis"] or "").split("+")) - {""}


def dead_ends(book: Notebook, rows: Sequence[Found]) -> list[Found]:
    """Return what ran and lost by axis, the axis with the most first."""
    by_axis: dict[str, list[Found]] = {}
    for row in rows:
        if row["settled"] == "dead_end":
            by_axis.setdefault(row["axis"] or "", []).append(row)
    found = []
    most = max(AN_AXIS, DEAD_ENDS // max(1, len(by_axis)) // 2)
    for axis, lost in sorted(by_axis.items(), key=lambda pair: -len(pair[1]))[:AXES]:
        lost.sort(key=lambda row: (row["outcome"] != "refuted", -(row["gain"] or -math.inf)))
        shown = [row | {"lesson": ideas.lesson_of(book, row["experiment"])} for row in lost[:most]]
        kept = sum(row["verdict"] == "keep" and row["axis"] == (axis or None) for row in rows)
        found.append({"axis": axis, "tried": len(lost), "kept": kept, "rows": shown})
    return found


def failures(rows: Sequence[Found]) -> list[Found]:
    """Return how many experiments ended in each class of failure, with the newest ones."""
    classes: dict[str, list[int]] = {}
    for row in rows:
        if row["failure"] or row["verdict"] == "crash":
            classes.setdefault(row["failure"] or "crash", []).append(row["experiment"])
    ranked = sorted(classes.items(), key=lambda pair: -len(pair[1]))
    return [{"failure": name, "count": len(ids), "newest": ids[-8:][::-1]} for name, ids in ranked]
