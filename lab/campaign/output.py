"""`lab output`: what a campaign or a run prints, to its end or as it comes."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..errors import NotFound
from ..notebook import Notebook, lookup
from ..run import watch
from ..system import left, masking
from ..system.home import Home
from ..text import num
from ..workspace import Workspace
from . import lock

LOOK_S = 0.2
STEP_EVERY_S = 1.0  # a training may log a thousand steps a second; nobody reads them
PIECE = 1 << 16


def printed(workspace: Workspace, book: Notebook, what: str, on: bool) -> Iterator[str]:
    """Yield what `what` has printed, secrets masked; with `on` also what comes, of every seed."""
    masker = masking.Masker()
    for piece in _raw(workspace, book, what, on):
        if whole := masker.feed(piece):
            yield whole
    if rest := masker.rest():
        yield rest


def _raw(workspace: Workspace, book: Notebook, what: str, on: bool) -> Iterator[str]:
    home = workspace.place.home
    if what[:1].lower() != "e" or not what[1:].isdigit():
        name = lookup.named(book, what, "See what there is: lab status")[0]
        return follow(lock.log_of(home, name), on, lambda: lock.is_alive(home, name))
    number = book.need(what, "e")["id"]
    job = lookup.open_job(book, number)
    if on and job is not None:
        return _trainings(home, book, number, job["id"])
    runs = [run for run in lookup.runs(book, number) if run["log"] or not run["ended"]]
    folder = home.run(number, runs[-1]["id"]) if runs else home.experiment(number)
    return follow(folder / "run.log", False, lambda: False)


# -- An experiment at work --------------------------------------------------------


def _trainings(home: Home, book: Notebook, number: int, job: int) -> Iterator[str]:
    """Yield what each run of an experiment's job prints, one after the other, to the last seed."""
    shown, is_open = set[int](), True
    while is_open:
        is_open = lookup.open_job(book, number) is not None
        for run in lookup.runs(book, number):
            begun = run["started"] or run["ended"]
            if run["job"] == job and run["id"] not in shown and begun:
                shown.add(run["id"])
                yield from _training(home, book, number, run)
        time.sleep(LOOK_S if is_open else 0)


def _training(home: Home, book: Notebook, number: int, run: sqlite3.Row) -> Iterator[str]:
    """Yield one run's output and, between it, its newest steps, until its record is closed."""
    folder, offset, shown_at = home.run(number, run["id"]), 0, 0.0
    step: dict[str, Any] | None = None
    yield f"e{number} seed {run['seed']}:\n"
    while True:
        now = next(one for one in lookup.runs(book, number) if one["id"] == run["id"])
        new = b"".join(_new(folder / "run.log", offset))
        whole = new if now["ended"] else new[: new.rfind(b"\n") + 1]
        offset += len(whole)
        if whole:
            yield whole.decode(errors="replace").removesuffix("\n") + "\n"
        newest = watch.last_step(folder / "steps.jsonl")
        due = now["ended"] or time.monotonic() - shown_at >= STEP_EVERY_S
        if newest and newest != step and due:
            step, shown_at = newest, time.monotonic()
            yield f"{', '.join(watch.step_words(newest, None))}\n"
        if now["ended"]:
            break
        time.sleep(LOOK_S)
    outcome = num(now["value"]) if now["value"] is not None else now["failure"] or now["status"]
    yield f"e{number} seed {run['seed']}: {outcome}\n"


def _new(path: Path, offset: int) -> Iterator[bytes]:
    """Yield what a file holds from `offset` on; nothing without it."""
    if not left.is_file(path):
        return
    with left.opened(path) as file:
        file.seek(offset)
        while piece := file.read(PIECE):
            yield piece


# -- One file ---------------------------------------------------------------------


def follow(path: Path, follow: bool, more: Callable[[], bool]) -> Iterator[str]:
    """Yield what the file holds, and what comes while `follow` and more may come."""
    if not left.is_file(path) and not (follow and more()):
        raise NotFound(f"{path} is not there: nothing was printed yet.", "Look with: lab status")
    offset, last = 0, False
    while True:
        alive = follow and more()
        for piece in _new(path, offset):
            offset += len(piece)
            yield piece.decode(errors="replace")
        if not alive:
            if last or not follow:
                return
            last = True  # one more look for what was printed in between
        time.sleep(LOOK_S if follow else 0)
