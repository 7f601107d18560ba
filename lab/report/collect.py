"""Data of a report, plain; how it looks is decided elsewhere."""

import json
from collections.abc import Sequence
from typing import Any, cast

from .. import __version__
from .. import leaf as leaves
from ..campaign.lock import is_alive
from ..errors import LabError
from ..experiment import samples
from ..judge import Policy
from ..notebook import (
    Notebook,
    history,
    ideas,
    ledger,
    measurements,
    read,
    report_queries,
    runs,
)
from ..notebook.history import Point
from ..notebook.read import Found
from ..page import curves, tree
from ..system import left
from ..views import board, sealed
from ..workspace import Workspace
from . import outcomes
from .since import Window

MOST = 5000  # experiments of one leaf on a page, the newest
LESSONS = 60
SAMPLES = 2  # of the best, the worst and the rest, each
LOOKED_AT = 60  # newest experiments whose step logs may be drawn


def collect(workspace: Workspace, book: Notebook, names: Sequence[str], window: Window) -> Found:
    """Return everything the page shows."""
    found = [leaf_report(workspace, book, name, window) for name in names]
    return {
        "title": workspace.place.main.name.removesuffix(".git"),
        "made": book.stamp(),
        "version": __version__,
        "since": window.at,
        "asked": window.asked,
        "leaves": found,
    }


def leaf_report(workspace: Workspace, book: Notebook, name: str, window: Window) -> Found:
    """Return what is told of one leaf."""
    leaf = leaf_of(workspace, name)
    policy = policy_of(leaf)
    first = window.first.experiments if window.asked else 0
    rows = labelled(book, report_queries.rows(book, name, first, MOST))
    scope = history.newest_scope(book, name)
    best = best_of(book, name, scope, policy)
    grown = tree.grow(
        rows, best["experiment"] if best else None, lambda e: report_queries.row(book, e)
    )
    points = _points(rows, scope)
    ours = [row for row in rows if row["kind"] != "import"] or rows
    named = next((row for row in [*reversed(ours), best] if row and row["metric"]), None)
    start = _level(book, name, scope, rows)
    return {
        "leaf": name,
        "purpose": leaf.purpose if leaf else None,
        "metric": named["metric"] if named else (leaf.metric if leaf else None),
        "direction": named["direction"] if named else (leaf.direction if leaf else None),
        "scope": dict(scope) if scope else None,
        "noise": noise_of(book, scope),
        "counts": read.counts(book, name),
        "since": _since(workspace, book, name, scope, window, best, policy),
        "best": best,
        "rows": rows,
        "older": read.counts(book, name)["experiments"] - len(rows),
        "points": points,
        "level": start["value"] if start else None,
        "tree": grown,
        "kept": outcomes.kept(workspace, book, rows),
        "near": outcomes.near(rows, grown),
        "dead_ends": outcomes.dead_ends(book, rows),
        "failures": outcomes.failures(rows),
        "curves": _curves(workspace, book, name, best),
        "samples": _samples(workspace, book, name, best),
        "lessons": ideas.lessons(book, name, LESSONS),
        "repeat": _repeat(book, best, rows),
        "sealed": sealed.lines(book, name) if workspace.is_persons else [],
    }


# -- The leaf ------------------------------------------------------------------


def leaf_of(workspace: Workspace, name: str) -> leaves.Leaf | None:
    try:
        return leaves.read(workspace.place.top, name)
    except LabError:
        return None  # known to the notebook alone


def labelled(book: Notebook, rows: list[Found]) -> list[Found]:
    """Say of experiments that they had a warm start, or were imported where others were not."""
    warm = runs.warm(book, (row["experiment"] for row in rows))
    rows = [
        row | {"claim": f"warm start: {row['claim']}"} if row["experiment"] in warm else row
        for row in rows
    ]
    if all(row["kind"] == "import" for row in rows):
        return rows
    words = {True: "imported: {}", False: "{}"}
    return [
        row | {"claim": words[row["kind"] == "import"].format(row["claim"])}
        if row["claim"]
        else row
        for row in rows
    ]


def _level(book: Notebook, name: str, scope: Any, rows: Sequence[Found]) -> Any:
    """Return the best before the first experiment on the page."""
    if not scope or not rows:
        return None
    first = report_queries.firsts(book, rows[0]["experiment"], book.stamp())
    return report_queries.best_before(book, scope["id"], name, first)


def policy_of(leaf: leaves.Leaf | None) -> Policy:
    try:
        return Policy.from_table(leaf.judge) if leaf else Policy()
    except ValueError:
        return Policy()


def noise_of(book: Notebook, scope: Any) -> float | None:
    noise = measurements.noise(book, scope["id"]) if scope else None
    return noise.sd if noise else None


def best_of(book: Notebook, name: str, scope: Any, policy: Policy) -> Found | None:
    """Return the best of the newest scope: measured, or as reported where nothing was."""
    if scope is None:
        return None
    best = ledger.best(book, scope["id"], policy)
    if best is not None:
        whole = report_queries.row(book, best.row["experiment"])
        return {**whole, "value": best.value, "runs": best.runs}
    row = report_queries.best_before(book, scope["id"], name)
    return report_queries.row(book, row["experiment"]) if row else None


def _points(rows: Sequence[Found], scope: Any) -> list[Point]:
    """Return the experiments that may be compared with the newest result."""
    points = [cast(Point, row) for row in rows if scope and row["scope"] == scope["id"]]
    return board.as_reported(points)


# -- Since you left ------------------------------------------------------------


def _since(
    workspace: Workspace,
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
    first = window.first.experiments
    mine = [row for row in won if row["experiment"] >= first and row["kind"] != "import"]
    stands = board.standing(book, mine, policy, first)
    moved = [dict(one) for one in report_queries.campaigns(book, name, first)]
    for one in moved:
        one["alive"] = is_alive(workspace.place.home, one["name"])
    return {
        **report_queries.made(book, name, first),
        **report_queries.spent(book, name, window.first),
        "then": then,
        "now": best,
        "confirmed_gain": stands.confirmed_gain if stands else None,
        "provisional_gain": stands.provisional_gain if stands else None,
        "campaigns": moved,
    }


def _then(book: Notebook, name: str, scope: Any, window: Window) -> Found | None:
    """Return the best before the window; without any, where the window's work began."""
    if scope is None:
        return None
    row = report_queries.best_before(book, scope["id"], name, window.first)
    first = report_queries.first_kept(book, scope["id"], name) if row is None else None
    found = row or first
    return dict(found) | {"first": row is None} if found else None


# -- What runs left on the disk -------------------------------------------------


def _curves(workspace: Workspace, book: Notebook, name: str, best: Found | None) -> Found | None:
    first = best["experiment"] if best else None
    runs = report_queries.newest_runs(book, name, LOOKED_AT)
    if first is not None and not any(run["experiment"] == first for run in runs):
        runs = report_queries.runs(book, first)[::-1] + runs
    return curves.curves(workspace.place.home, runs, first)


def _samples(workspace: Workspace, book: Notebook, name: str, best: Found | None) -> Found | None:
    """Return samples of the best experiment, or of the newest that left any."""
    first = report_queries.runs(book, best["experiment"])[::-1] if best else []
    for run in [*first, *report_queries.newest_runs(book, name, LOOKED_AT)]:
        path = workspace.place.home.run(run["experiment"], run["id"])
        if left.is_file(path / "samples.jsonl"):
            try:
                file = path / "samples.jsonl"
                return samples.pick(file, run["experiment"], run["seed"], SAMPLES)
            except LabError:
                continue  # the file is there and empty
    return None


def _repeat(book: Notebook, best: Found | None, rows: Sequence[Found]) -> Found | None:
    """Return what it takes to measure the best again: commit, seeds, device, versions."""
    if best is None:
        return None
    runs = [
        run for run in report_queries.runs(book, best["experiment"]) if run["value"] is not None
    ]
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
