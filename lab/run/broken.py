"""Broken: the constraints of a leaf, its budget and its yardstick, held against one run."""

import sqlite3
from collections.abc import Mapping
from typing import Any

from ..leaf import Settings
from ..notebook import Notebook, ledger, lookup, runs
from ..runner import Outcome
from . import budget


def by(
    book: Notebook,
    experiment: sqlite3.Row,
    settings: Settings,
    outcome: Outcome,
    machine: Mapping[str, Any],
    metrics: Mapping[str, float],
) -> list[str]:
    """Return what a run broke, each in words; its limits are told by where its branch began."""
    incumbent = experiment["incumbent"]
    first = ledger.chain(book, incumbent)[-1] if incumbent is not None else None
    began = budget.Began(f"e{first}", runs.took(book, first))
    return [
        *budget.constraints(settings, metrics),
        *budget.by_clock(settings, outcome),
        *_written_otherwise(book, experiment, first, machine.get("frozen")),
        *budget.longer(settings, machine, began),
        *budget.beyond(settings, machine, began),
    ]


def _written_otherwise(
    book: Notebook, experiment: sqlite3.Row, first: int | None, ours: str | None
) -> list[str]:
    """Return that git wrote other frozen files here than for where the branch began."""
    if first is None or lookup.experiment(book, first)["yardstick"] != experiment["yardstick"]:
        return []
    theirs = {one.get("frozen") for one in runs.machines(book, first)} - {None}
    if not theirs or ours in (None, *theirs):
        return []
    return [f"yardstick (git wrote other frozen files than for e{first}: filters, or its PATH)"]
