"""What is mirrored of a run beside its steps, from the notebook and the commit: no sealed value."""

import contextlib
import itertools
import json
import sqlite3
from pathlib import Path
from typing import Any

from .. import leaf as leaves
from .. import repo
from ..errors import LabError
from ..leaf import live
from ..notebook import Notebook, lookup, runs
from ..system.config import Mirror
from ..system.home import Home
from ..text import shorten
from . import Run, Scalars

LONGEST = 1000  # characters of a text: all that is told of a run fits into a pipe at once
VALUE = 100  # of a constant that is no number
MOST = 100  # numbers, and constants, of a run
OF_EXPERIMENT = ("leaf", "kind", "campaign", "profile", "platform", "metric", "direction", "commit")
OF_IDEA = ("claim", "mechanism", "observe")
JUDGED = ("gain", "se", "p_better")


def of_run(book: Notebook, home: Home, mirror: Mirror, run: int) -> Run:
    """Return a run by its number."""
    row = runs.row(book, run)
    experiment = lookup.experiment(book, row["experiment"])
    number, seed = experiment["id"], row["seed"]
    same = [one["id"] for one in lookup.runs(book, number) if one["seed"] == seed]
    again = same.index(run) + 1
    seeds = f"seed{seed}" if again == 1 else f"seed{seed}-{again}"
    place = [part for part in (experiment["leaf"], f"e{number}", seeds) if part != "."]
    return Run(
        project=mirror.project,
        name="/".join(place),
        id=f"e{number}-{seed}-{row['uid'][:12]}",
        group=f"e{number}",
        config={**_program(book, experiment), **_known(book, experiment), "seed": seed},
        folder=str(mirror.folder),
        steps=str(home.run(number, run) / "steps.jsonl"),
    )


def _known(book: Notebook, experiment: sqlite3.Row) -> dict[str, Any]:
    """Return what the notebook knows of an experiment and its idea."""
    found: dict[str, Any] = {"experiment": f"e{experiment['id']}"}
    idea = lookup.hypothesis(book, experiment["hypothesis"])
    rows = [(experiment, OF_EXPERIMENT), *([(idea, OF_IDEA)] if idea else [])]
    found |= {name: row[name] for row, names in rows for name in names if row[name] is not None}
    if idea:
        found["hypothesis"] = f"h{idea['id']}"
    if experiment["incumbent"]:
        found["incumbent"] = f"e{experiment['incumbent']}"
    return {k: shorten(v, LONGEST) if isinstance(v, str) else v for k, v in found.items()}


def _program(book: Notebook, experiment: sqlite3.Row) -> dict[str, Any]:
    """Return the constants of the mutable files at the experiment's commit, by their names."""
    job = lookup.first_job(book, experiment["id"])
    main = json.loads(job["restore"] or "{}").get("main") if job else None
    if main is None or experiment["commit"] is None:
        return {}
    with contextlib.suppress(LabError, OSError, repo.GitFailed):
        values = live.constants(_files(Path(main), experiment))
        told = itertools.islice(values.items(), MOST)
        return {name: _short(value) for name, value in told}
    return {}


def _files(main: Path, experiment: sqlite3.Row) -> dict[str, bytes]:
    commit, prefix = experiment["commit"], f"{experiment['leaf']}/".removeprefix("./")
    table = f"{commit}:{prefix}leaf.toml"
    text = (repo.blobs(main, [table])[table] or b"").decode("utf-8", "replace")
    settings = leaves.read(main, experiment["leaf"], text).settings(experiment["profile"])
    names = [f"{commit}:{prefix}{name}" for name in settings.mutable]
    return {name: data for name, data in repo.blobs(main, names).items() if data}


def _short(value: object) -> bool | int | float | str:
    return value if isinstance(value, bool | int | float) else shorten(str(value), VALUE)


def of_end(book: Notebook, run: int) -> dict[str, Any]:
    """Return what came of a run that has ended: `values`, `texts` and whether it `failed`."""
    row = runs.row(book, run)
    metric = lookup.experiment(book, row["experiment"])["metric"]
    measured, claimed = (runs.printed(book, run, source) for source in ("evaluate", "train"))
    values = {f"result/{name}": value for name, value in _first(measured, metric).items()}
    values |= {f"claimed/{name}": value for name, value in _first(claimed, metric).items()}
    texts = {"status": row["failure"] or row["status"] or "interrupted"}
    if row["status"] == "finished":
        numbers, words = _judged(book, row["experiment"])
        values, texts = values | numbers, texts | words
    return {"values": values, "texts": texts, "failed": row["status"] != "finished"}


def of_verdict(book: Notebook, run: int) -> dict[str, Any]:
    """Return the newest verdict on a run's experiment, as `of_end` does; numbers were told."""
    end = of_end(book, run)
    row = lookup.last_result(book, runs.row(book, run)["experiment"])
    told = {name: row[name] for name in ("verdict", "because") if row and row[name]}
    words = {name: shorten(said, LONGEST) for name, said in told.items()}
    return {"values": {}, "texts": end["texts"] | words, "failed": end["failed"]}


def _judged(book: Notebook, experiment: int) -> tuple[Scalars, dict[str, str]]:
    row = lookup.last_judgement(book, experiment)
    if row is None:
        return {}, {}
    values = {f"result/{name}": row[name] for name in JUDGED if row[name] is not None}
    return values, {"suggested": row["suggest"]}


def _first(found: Scalars, metric: str | None) -> Scalars:
    """Return the first numbers of many, the deciding one before all."""
    rows = sorted(found.items(), key=lambda row: row[0] != metric)
    return dict(rows[:MOST])
