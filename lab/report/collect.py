"""What a report shows, collected as plain data; how it looks is decided elsewhere."""

import math
from collections.abc import Sequence
from typing import Any

from .. import __version__, board, repo, samples
from .. import leaf as leaves
from ..campaign import is_alive
from ..desk import Desk
from ..errors import LabError
from ..judge import Policy
from ..notebook import Notebook, history, morning, read
from ..notebook.read import Found
from . import curves, tree
from .window import Window

MOST = 5000  # experiments of one leaf on a page, the newest
MOST_KEPT = 100  # kept changes told at length, the newest
MOST_DIFF = 12_000  # characters of one change; `lab diff e34` has the rest
ALL_DIFFS = 600_000  # of one leaf, so that a page stays a file that can be sent
NEAR = 24  # near-misses shown
PAIRS = 3  # of them that are proposed together
AXES = 24
DEAD_ENDS = 72  # shown of all axes together, the most telling of each
AN_AXIS = 4  # of one axis at least
LESSONS = 60
SAMPLES = 2  # of the best, the worst and the rest, each
LOOKED_AT = 60  # newest experiments whose step logs may be drawn


def collect(desk: Desk, book: Notebook, names: Sequence[str], window: Window) -> Found:
    """Return everything the page shows."""
    found = [leaf_report(desk, book, name, window) for name in names]
    return {
        "title": desk.place.main.name.removesuffix(".git"),
        "made": book.stamp(),
        "version": __version__,
        "since": window.at,
        "asked": window.asked,
        "leaves": found,
    }


def leaf_report(desk: Desk, book: Notebook, name: str, window: Window) -> Found:
    """Return what is told of one leaf."""
    leaf = _leaf(desk, name)
    policy = _policy(leaf)
    rows = morning.rows(book, name, window.at if window.asked else "", MOST)
    scope = history.newest_scope(book, name)
    best = _best(book, name, scope)
    grown = tree.grow(rows, best["experiment"] if best else None, lambda e: morning.row(book, e))
    rows = sorted({row["experiment"]: row for row in rows}.values(), key=lambda r: r["experiment"])
    points = _points(rows, scope)
    named = next((row for row in reversed(rows) if row["metric"]), None)
    start = morning.best_before(book, scope["id"], name, rows[0]["at"]) if scope and rows else None
    return {
        "leaf": name,
        "purpose": leaf.purpose if leaf else None,
        "metric": named["metric"] if named else (leaf.metric if leaf else None),
        "direction": named["direction"] if named else (leaf.direction if leaf else None),
        "scope": dict(scope) if scope else None,
        "noise": _noise(book, scope),
        "counts": read.counts(book, name),
        "since": _since(desk, book, name, scope, window, best, policy),
        "best": best,
        "rows": rows,
        "older": read.counts(book, name)["experiments"] - len(rows),
        "points": points,
        "level": start["value"] if start and window.asked else None,
        "tree": grown,
        "kept": _kept(desk, book, rows),
        "near": _near(rows, grown),
        "dead_ends": _dead_ends(book, rows),
        "failures": _failures(rows),
        "curves": _curves(desk, book, name, best),
        "samples": _samples(desk, book, name, best),
        "lessons": read.lessons(book, name, LESSONS),
        "repeat": _repeat(book, best, rows),
    }


# -- The leaf ------------------------------------------------------------------


def _leaf(desk: Desk, name: str) -> leaves.Leaf | None:
    try:
        return leaves.read(desk.place.top, name)
    except LabError:
        return None  # known to the notebook alone


def _policy(leaf: leaves.Leaf | None) -> Policy:
    try:
        return Policy.from_table(leaf.judge) if leaf else Policy()
    except ValueError:
        return Policy()


def _noise(book: Notebook, scope: Any) -> float | None:
    noise = read.noise(book, scope["id"]) if scope else None
    return noise.sd if noise else None


def _best(book: Notebook, name: str, scope: Any) -> Found | None:
    """Return the best of the newest scope: measured, or as reported where nothing was."""
    if scope is None:
        return None
    row = morning.best_before(book, scope["id"], name, "9")
    return morning.row(book, row["experiment"]) if row else None


def _points(rows: Sequence[Found], scope: Any) -> list[Found]:
    """Return the experiments that may be compared with the newest result."""
    return board.as_reported([row for row in rows if scope and row["scope"] == scope["id"]])


# -- Since you left ------------------------------------------------------------


def _since(
    desk: Desk,
    book: Notebook,
    name: str,
    scope: Any,
    window: Window,
    best: Found | None,
    policy: Policy,
) -> Found:
    """Return what came of the window: best then and now, gains, counts, campaigns, cost."""
    then = _then(book, name, scope, window)
    won = board.chain(history.keeps(book, name))
    mine = [row for row in won if morning.row(book, row["experiment"])["at"] >= window.at]
    before = max((r["experiment"] for r in won if r not in mine), default=0)
    moved = [dict(one) for one in morning.campaigns(book, name, window.at)]
    for one in moved:
        one["alive"] = is_alive(desk.place.home, one["name"])
    return {
        **morning.made(book, name, window.at),
        **morning.spent(book, name, window.at),
        "then": then,
        "now": best,
        "claimed_gain": math.fsum(row["gain"] for row in mine) if mine else None,
        "expected_gain": board.expected(book, mine, policy, before) if mine else None,
        "campaigns": moved,
    }


def _then(book: Notebook, name: str, scope: Any, window: Window) -> Found | None:
    """Return the best before the window; without any, where the window's work began."""
    if scope is None:
        return None
    row = morning.best_before(book, scope["id"], name, window.at)
    first = morning.first_kept(book, scope["id"], name) if row is None else None
    found = row or first
    return dict(found) | {"first": row is None} if found else None


# -- What was kept, what nearly was, what was not --------------------------------


def _kept(desk: Desk, book: Notebook, rows: Sequence[Found]) -> list[Found]:
    """Return the kept changes, the newest first, with their runs and their diffs."""
    kept = [row for row in rows if row["verdict"] == "keep" and not _is_start(row)]
    kept = kept[: -MOST_KEPT - 1 : -1]
    pairs = [(row["parent"], row["commit"]) for row in kept if row["parent"] and row["commit"]]
    try:
        changes = repo.diffs(desk.place.main, pairs)
    except repo.GitFailed:
        changes = {}
    found, room = [], ALL_DIFFS
    for row in kept:
        diff = changes.get(row["commit"])
        shown = diff[: min(MOST_DIFF, room)] if diff else None
        room -= len(shown or "")
        number = row["experiment"]
        found.append(
            row
            | {
                "diff": shown or None,
                "cut": bool(diff) and len(diff or "") > len(shown or ""),
                "replicates": _replicates(book, number),
                "rival": _replicates(book, row["incumbent"]) if row["incumbent"] else [],
                "lesson": read.lesson_of(book, number),
                "because": morning.because(book, number),
            }
        )
    return found


def _is_start(row: Found) -> bool:
    """Return whether a kept experiment is a baseline, here or in an imported log."""
    return row["kind"] == "baseline" or (row["kind"] == "import" and row["gain"] is None)


def _replicates(book: Notebook, experiment: int) -> list[Found]:
    runs = morning.runs(book, experiment)
    return [
        {"seed": run["seed"], "value": run["value"]} for run in runs if run["value"] is not None
    ]


def _near(rows: Sequence[Found], grown: tree.Tree) -> Found:
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


def _dead_ends(book: Notebook, rows: Sequence[Found]) -> list[Found]:
    """Return what ran and lost by axis, the axis with the most first."""
    by_axis: dict[str, list[Found]] = {}
    for row in rows:
        if row["settled"] == "dead_end":
            by_axis.setdefault(row["axis"] or "", []).append(row)
    found = []
    most = max(AN_AXIS, DEAD_ENDS // max(1, len(by_axis)) // 2)
    for axis, lost in sorted(by_axis.items(), key=lambda pair: -len(pair[1]))[:AXES]:
        lost.sort(key=lambda row: (row["outcome"] != "refuted", -(row["gain"] or -math.inf)))
        shown = [row | {"lesson": read.lesson_of(book, row["experiment"])} for row in lost[:most]]
        kept = sum(row["verdict"] == "keep" and row["axis"] == (axis or None) for row in rows)
        found.append({"axis": axis, "tried": len(lost), "kept": kept, "rows": shown})
    return found


def _failures(rows: Sequence[Found]) -> list[Found]:
    """Return how many experiments ended in each class of failure, with the newest ones."""
    classes: dict[str, list[int]] = {}
    for row in rows:
        if row["failure"] or row["verdict"] == "crash":
            classes.setdefault(row["failure"] or "crash", []).append(row["experiment"])
    ranked = sorted(classes.items(), key=lambda pair: -len(pair[1]))
    return [{"failure": name, "count": len(ids), "newest": ids[-8:][::-1]} for name, ids in ranked]


# -- What runs left on the disk -------------------------------------------------


def _curves(desk: Desk, book: Notebook, name: str, best: Found | None) -> Found | None:
    first = best["experiment"] if best else None
    runs = morning.newest_runs(book, name, LOOKED_AT)
    if first is not None and not any(run["experiment"] == first for run in runs):
        runs = morning.runs(book, first)[::-1] + runs
    return curves.curves(desk.place.home, runs, first)


def _samples(desk: Desk, book: Notebook, name: str, best: Found | None) -> Found | None:
    """Return samples of the best experiment, or of the newest that left any."""
    first = morning.runs(book, best["experiment"])[::-1] if best else []
    for run in [*first, *morning.newest_runs(book, name, LOOKED_AT)]:
        path = desk.place.home / "runs" / f"e{run['experiment']}" / str(run["id"])
        if (path / "samples.jsonl").is_file():
            try:
                return samples.pick(path / "samples.jsonl", run["experiment"], SAMPLES)
            except LabError:
                continue  # the file is there and empty
    return None


def _repeat(book: Notebook, best: Found | None, rows: Sequence[Found]) -> Found | None:
    """Return what it takes to measure the best again: commit, seeds, device, versions."""
    import json

    if best is None:
        return None
    runs = [run for run in morning.runs(book, best["experiment"]) if run["value"] is not None]
    versions = json.loads(runs[-1]["versions"] or "{}") if runs else {}
    return {
        "experiment": best["experiment"],
        "commit": best["commit"],
        "seeds": [run["seed"] for run in runs],
        "device": runs[-1]["device"] if runs else None,
        "versions": versions if isinstance(versions, dict) else {},
        "profile": best["profile"],
        "platform": best["platform"],
        "yardstick": best["yardstick"],
        "kind": best["kind"],
    }
