"""Environments: the packages that runs had, each lock recorded once and named by its hash."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ..documents.experiments import Environment
from . import Notebook

FIRST = ("torch", "numpy")  # told by name; of the others how many there are


def record(book: Notebook, found: Mapping[str, Any]) -> str:
    """Record an environment unless it is known; return its name, a hash over all that is told.

    `found` has python, cuda, driver (None where there is none), and packages: versions by name.
    """
    told = {name: found.get(name) for name in ("python", "cuda", "driver", "packages")}
    lock = json.dumps(told, sort_keys=True)
    name = hashlib.sha256(lock.encode()).hexdigest()[:12]
    if book.one("select 1 from environments where uid = ?", name) is None:
        packages = json.dumps(told["packages"], sort_keys=True)
        book.insert("environments", **{**told, "uid": name, "packages": packages})
    return name


def packages(book: Notebook, name: str | None) -> dict[str, str] | None:
    """Return every version of an environment by its name; None where none was recorded."""
    row = book.one("select * from environments where uid = ?", name)
    if row is None:
        return None
    apart = {name: row[name] for name in ("python", "cuda", "driver") if row[name]}
    return {**apart, **json.loads(row["packages"])}


def of_runs(book: Notebook, runs: Iterable[Mapping[str, Any]]) -> list[Environment]:
    """Return the environments of some runs, in the order in which they came up."""
    names = dict.fromkeys(run["environment"] for run in runs if run["environment"])
    return [_told(book, name) for name in names]


def _told(book: Notebook, name: str) -> Environment:
    row = book.all("select * from environments where uid = ?", name)[0]
    known = json.loads(row["packages"])
    return {
        "environment": name,
        "python": row["python"],
        "torch": known.get(FIRST[0]),
        "numpy": known.get(FIRST[1]),
        "cuda": row["cuda"],
        "driver": row["driver"],
        "packages": len(known),
    }
