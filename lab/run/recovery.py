"""Crash recovery: close jobs whose supervisor was killed; end orphans, restore the branch."""

import contextlib
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from .. import repo
from ..errors import LabError
from ..notebook import Notebook, lookup, record, runs
from ..notebook.replicates import PRUNED, SAYS_NOTHING
from ..repo import checkout_lock
from ..system import locks, processes
from ..system.home import Home
from . import exports, mirroring
from .spawn import spawn_supervisor
from .stages import SEALED, WARM

SUPERVISORS = 3  # that may take over one job; more would mean that it is the job which kills them


def lock_path(home: Home, uid: str) -> Path:
    """Return the lock that a job's supervisor, or whoever is about to start it, holds."""
    return home.lock(uid)


def take_lock(home: Home, uid: str) -> int:
    """Make and hold a job's lock before the job is written down; return its descriptor."""
    path = lock_path(home, uid)
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = locks.open_lock(path)
    locks.try_lock(fd)
    return fd


def recover(book: Notebook, place: repo.Place) -> None:
    """Close every job whose supervisor is gone, say so on standard error, clear up."""
    for job in lookup.open_jobs(book):
        path = lock_path(place.home, job["uid"])
        if path.exists() and locks.is_held(path):
            continue
        with _exclusive(place.home):
            if lookup.is_open(book, job["id"]) and not _taken_over(book, place, job):
                _close(book, place, job)
    remove_exports(book, place.home)  # of a supervisor that was killed after its last word


@contextlib.contextmanager
def _exclusive(home: Home) -> Any:
    """Let one process at a time clean up."""
    path = home.lock("sweep")
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = locks.open_lock(path)
    try:
        while not locks.try_lock(fd):
            time.sleep(0.02)
        yield
    finally:
        os.close(fd)


def _taken_over(book: Notebook, place: repo.Place, job: sqlite3.Row) -> bool:
    """Start a new supervisor for a job whose run goes on in a sandbox without its own."""
    rented = [run for run in runs.of_job(book, job["id"]) if run["remote_id"] and not run["ended"]]
    if not rented or runs.restarts(book, job["id"]) >= SUPERVISORS:
        return False
    lock = take_lock(place.home, job["uid"])
    try:
        spawn_supervisor(place.home, job["id"], lock)
    finally:
        os.close(lock)
    click.echo(f"e{job['experiment']}: another supervisor goes on with its sandbox", err=True)
    return True


def _close(book: Notebook, place: repo.Place, job: sqlite3.Row) -> None:
    """End what is left of a lost job, put the branch back and record the truth.

    The record comes last: whoever is killed in here leaves the job open, for the next to close.
    """
    experiment = lookup.experiment(book, job["experiment"])
    number = experiment["id"]
    if job["keeper"]:
        processes.end_group(job["keeper"])
    left = [run for run in runs.of_job(book, job["id"]) if run["ended"] is None]
    _end(place.home, number, left)
    restore = json.loads(job["restore"] or "{}")
    finished = lookup.has_number(book, number)
    try:
        experiment = _adopt_commit(book, experiment, restore)
        if not finished:
            restore_branch(place.home, experiment, restore, verdict(book, number))
    except (repo.GitFailed, LabError) as error:  # nobody can be kept waiting for a broken checkout
        said = f"e{number}: {restore['top']} could not be put back: {error}"
        click.echo(f"{said}\nLook with: git -C {restore['top']} status", err=True)
    with book.write():
        for run in left:
            record.run_ended(book, number, run["id"], status="failed", failure="lost")
        record.job_ended(book, job["id"], "lost")
        if not finished:
            record.result(book, experiment, verdict(book, number), job=job["id"])
    if not finished:
        mirroring.verdict(place.home, number)
    lock_path(place.home, job["uid"]).unlink(missing_ok=True)
    click.echo(_message(book, experiment, finished), err=True)


def _end(home: Home, number: int, left: Sequence[sqlite3.Row]) -> None:
    """End the processes of unfinished runs; remove what was copied for a moment."""
    copies = [path for path in home.runs_of(number) if path.suffix in (SEALED, WARM)]
    for folder in (*(home.run(number, run["id"]) for run in left), *copies):
        processes.end_by_run_dir(folder)
    for folder in copies:
        shutil.rmtree(folder, ignore_errors=True)


def _message(book: Notebook, experiment: sqlite3.Row, finished: bool) -> str:
    """Return a line on what became of an experiment whose supervisor is gone."""
    name, idea = f"e{experiment['id']}", experiment["hypothesis"]
    if finished:
        return f"{name}: its supervisor ended early; what was measured is recorded: lab wait {name}"
    state = lookup.state(book, experiment["id"])
    if state["failure"] not in SAYS_NOTHING:
        return f"{name} failed ({state['failure']}) before its supervisor ended: lab wait {name}"
    again = f"lab run h{idea}" if idea else f"lab run {name}"
    return f"{name} was lost: its supervisor ended without a record. Run it again: {again}"


def _adopt_commit(
    book: Notebook, experiment: sqlite3.Row, restore: Mapping[str, Any]
) -> sqlite3.Row:
    """Find the commit of an experiment whose starter died right after making it."""
    if experiment["commit"] is not None or "top" not in restore:
        return experiment
    head = _made(experiment, restore)
    if head is None:
        return experiment
    repo.keep_ref(Path(restore["top"]), f"e{experiment['id']}", head)
    with book.write():
        book.fill("experiments", experiment["id"], commit=head)
    return lookup.experiment(book, experiment["id"])


def _made(experiment: sqlite3.Row, restore: Mapping[str, Any]) -> str | None:
    """Return the branch's head when it is the commit made for this experiment."""
    top = Path(restore["top"])
    if not top.is_dir():
        return None
    head = repo.ref(top, f"refs/heads/{restore['branch']}")
    if head is None or repo.parent(top, head) != restore["parent"]:
        return None
    subject = repo.git("log", "-1", "--format=%s", head, cwd=top)
    return head if subject.startswith(f"e{experiment['id']}: ") else None


def verdict(book: Notebook, experiment: int) -> str:
    """Return what an experiment without a metric is: a crash, or discarded where it was pruned."""
    made = lookup.runs(book, experiment)
    return "discard" if made and made[-1]["failure"] == PRUNED else "crash"


def restore_branch(
    home: Home, experiment: sqlite3.Row, restore: Mapping[str, Any], verdict: str = "crash"
) -> None:
    """Put branch and index at the parent after a run without a metric.

    The edit of a crash stays in the file, to be mended; that of a discard goes, unless it was
    edited since. Does nothing when the branch has moved on, or the run made no commit of its own.
    """
    if "branch" not in restore or not Path(restore["top"]).is_dir():
        return
    top = Path(restore["top"])
    with checkout_lock.locked(home, experiment["campaign"]):
        repo.remove_dead_indexes(top)
        commit = experiment["commit"] or _made(experiment, restore)
        if commit is None:  # the starter died before its commit: the index may hold the add
            repo.git("reset", "--quiet", "--mixed", cwd=top)
        else:
            back = repo.back_to(top, restore["branch"], restore["parent"], commit)
            if back and verdict == "discard":
                _put_back(top, restore["parent"], commit)


def _put_back(top: Path, parent: str, commit: str) -> None:
    """Put the files that a commit changed back to its parent, unless they were edited since."""
    paths = repo.git("diff", "--name-only", "-z", parent, commit, cwd=top).split("\0")
    paths = [path for path in paths if path]
    if repo.worktree_blobs(top, paths) == repo.tree_blobs(top, commit, paths):
        repo.restore(top, parent, paths)


def remove_exports(book: Notebook, home: Home) -> None:
    """Remove the exports of every job that is closed, also of those whose supervisor was killed."""
    for job, folder in home.exported_jobs():
        if job is None or not lookup.is_open(book, job):
            exports.remove(folder)
