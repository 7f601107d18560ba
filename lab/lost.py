"""What a killed process left behind: found by the next command, ended, recorded, put back."""

import contextlib
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from . import processes, repo
from .notebook import Notebook, record
from .slots import locks

INDEX_TRIES = 20  # the agent's own git may hold the index for a moment
INDEX_PAUSE_S = 0.1


def lock_path(home: Path, uid: str) -> Path:
    """Return the lock that says whether a job's keeper, or whoever is about to start it, lives."""
    return home / "locks" / f"{uid}.lock"


def take_lock(home: Path, uid: str) -> int:
    """Make and hold a job's lock before the job is written down; return its descriptor."""
    path = lock_path(home, uid)
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = locks.open_lock(path)
    locks.try_lock(fd)
    return fd


def sweep(book: Notebook, place: repo.Place) -> None:
    """Close every job whose keeper is gone, and say so on standard error."""
    for job in book.all("select * from jobs where ended is null order by id"):
        path = lock_path(place.home, job["uid"])
        if path.exists() and locks.is_held(path):
            continue
        with _alone(place.home):
            still = book.one("select 1 from jobs where id = ? and ended is null", job["id"])
            if still:
                _close(book, place, job)


@contextlib.contextmanager
def _alone(home: Path) -> Any:
    """Let one process at a time clean up."""
    path = home / "locks" / "sweep.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = locks.open_lock(path)
    try:
        while not locks.try_lock(fd):
            time.sleep(0.02)
        yield
    finally:
        os.close(fd)


def _close(book: Notebook, place: repo.Place, job: sqlite3.Row) -> None:
    """End what is left of a lost job, record the truth and put the branch back."""
    experiment = book.all("select * from experiments where id = ?", job["experiment"])[0]
    number = experiment["id"]
    if job["keeper"]:
        processes.end_group(job["keeper"])
    runs = book.all("select * from runs where job = ? and ended is null", job["id"])
    for run in runs:
        processes.end_by_run_dir(place.home / "runs" / f"e{number}" / str(run["id"]))
    for run in runs:
        record.run_ended(book, number, run["id"], status="failed", failure="lost")
    restore = json.loads(job["restore"] or "{}")
    experiment = _adopt_commit(book, experiment, restore)
    finished = book.one("select 1 from runs where experiment = ? and status = 'finished'", number)
    with book.write():
        record.job_ended(book, job["id"], "lost")
        if finished is None:
            record.result(book, experiment, "crash", job=job["id"])
    if finished is None:
        put_back(experiment, restore)
    _remove_exports(book, place.home)
    lock_path(place.home, job["uid"]).unlink(missing_ok=True)
    click.echo(
        f"e{number} was lost: its keeper ended without a record. Run it again: "
        + (
            f"lab run h{experiment['hypothesis']}"
            if experiment["hypothesis"]
            else f"lab run e{number}"
        ),
        err=True,
    )


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
    return book.all("select * from experiments where id = ?", experiment["id"])[0]


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


def put_back(experiment: sqlite3.Row, restore: Mapping[str, Any]) -> None:
    """Put branch and index at the parent after a run without a metric; the edit stays in the file.

    Does nothing when the branch has moved on, or when the run made no commit of its own.
    """
    if "branch" not in restore or not Path(restore["top"]).is_dir():
        return
    top = Path(restore["top"])
    commit = experiment["commit"] or _made(experiment, restore)
    for _ in range(INDEX_TRIES):
        try:
            if commit is None:  # the starter died before its commit: the index may hold the add
                repo.git("reset", "--quiet", "--mixed", cwd=top)
            elif repo.back_to(top, restore["branch"], restore["parent"], commit):
                repo.git("update-ref", "refs/worktree/lab-tip", restore["parent"], cwd=top)
            return
        except repo.GitFailed as error:
            if "index.lock" not in str(error):
                raise
            _remove_stale(top)
            time.sleep(INDEX_PAUSE_S)


def _remove_stale(top: Path) -> None:
    """Remove an index lock that a killed git left: one that nobody has touched for a while."""
    path = Path(
        repo.git("rev-parse", "--path-format=absolute", "--git-path", "index.lock", cwd=top)
    )
    with contextlib.suppress(FileNotFoundError):
        if time.time() - path.stat().st_mtime > INDEX_PAUSE_S * INDEX_TRIES / 2:
            path.unlink()


def _remove_exports(book: Notebook, home: Path) -> None:
    """Remove exports that nobody uses any more, once nothing is in flight."""
    if book.one("select 1 from jobs where ended is null") is None:
        shutil.rmtree(home / "exports", ignore_errors=True)
