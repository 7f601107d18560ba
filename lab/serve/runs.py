"""Curves of experiments on their pages: a change's runs over its incumbent's, or several's."""

import sqlite3
from collections.abc import Sequence

from ..notebook import Notebook, lookup
from ..page import curves as drawn
from ..page import loss_curves
from ..page.curves import thinned
from ..page.html import Safe, join
from ..run import step_log
from ..system.home import Home
from ..text import shorten

MOST = 6  # curves; colours tell no more apart
POINTS = 160


def curves(book: Notebook, home: Home, wanted: Sequence[tuple[str, int, int]]) -> Safe:
    """Return runs of experiments over each other; `wanted` is name, number, how many at most.

    The newest of the first; of the others those at the same seeds before any.
    """
    logs: list[tuple[str, list[step_log.Step]]] = []
    seeds: set[int] = set()
    for name, number, most in wanted:
        runs = [run for run in lookup.runs(book, number) if run["started"]]
        chosen = sorted(runs, key=lambda run: run["seed"] in seeds)[-most:]
        seeds = seeds or {run["seed"] for run in chosen}
        for run in chosen:
            log = _log(home, run)
            if len(log) > 1 and len(logs) < MOST:
                logs.append((f"{name} seed {run['seed']}{_failed(run)}", log))
    series = next((name for _, log in logs for name in drawn.names(log)), None)
    if series is None:
        return join()
    named = [(name, thinned(step_log.points(log, series), POINTS)) for name, log in logs]
    named = [(name, points) for name, points in named if len(points) > 1]
    if not named:
        return join()
    return loss_curves.overlay(f"{shorten(series, 40)} by step", named)


def _log(home: Home, run: sqlite3.Row) -> list[step_log.Step]:
    return step_log.read(home.run(run["experiment"], run["id"]) / "steps.jsonl")


def _failed(run: sqlite3.Row) -> str:
    if run["status"] == "failed":
        return f" ({run['failure'] or 'failed'})"
    return "" if run["ended"] else " (running)"
