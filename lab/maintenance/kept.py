"""What the record says is kept beside the notebook: a commit's ref, a run's folder."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from .. import repo
from ..notebook import Notebook, runs
from ..run import kept_logs
from ..workspace import Workspace


def faults(workspace: Workspace, book: Notebook) -> Iterator[str]:
    """Yield a sentence for each of them that is gone; `lab gc` takes neither."""
    for name, commit in _without_ref(workspace, book):
        there = repo.ref(workspace.place.main, commit) is not None
        words = "git may soon lose" if there else "this repository no longer has"
        yield f"refs/lab/{name} is gone, and {words} what {name} ran ({commit[:12]})"
    for name, number, folder in _without_folder(workspace, book):
        yield f"{name}: the folder of its run {number} is gone, with its log: {folder}"
    for name, number, log in _other_logs(workspace, book):
        yield f"{name}: {log} of its run {number} is not what it was when the run ended"


def mend(workspace: Workspace, book: Notebook) -> None:
    """Make refs again; note what is lost for good, which is no problem any more then."""
    main = workspace.place.main
    lost = [(name, f"run {number}") for name, number, _ in _without_folder(workspace, book)]
    lost += [(name, f"{log} {number}") for name, number, log in _other_logs(workspace, book)]
    for name, commit in _without_ref(workspace, book):
        if repo.ref(main, commit) is not None:
            repo.keep_ref(main, name, commit)
        else:
            lost.append((name, runs.COMMIT))
    with book.write():
        for name, what in lost:
            book.event(runs.GONE, name, what)


def _without_ref(workspace: Workspace, book: Notebook) -> list[tuple[str, str]]:
    """Return the experiments that ran here and whose commit nothing below refs/lab keeps."""
    words = ("for-each-ref", "--format=%(objectname)", "refs/lab/")
    kept = set(repo.git(*words, cwd=workspace.place.main).split())
    known = runs.known_gone(book)
    found = {f"e{run['experiment']}": run["commit"] for run in _ours(workspace, book)}
    return [
        (name, commit)
        for name, commit in found.items()
        if commit and commit not in kept and (name, runs.COMMIT) not in known
    ]


def _without_folder(workspace: Workspace, book: Notebook) -> list[tuple[str, int, Path]]:
    """Return the runs whose folder is not there: experiment, run, folder."""
    home, known = workspace.place.home, runs.known_gone(book)
    found = []
    for run in _ours(workspace, book):
        name, folder = f"e{run['experiment']}", home.run(run["experiment"], run["id"])
        if not folder.is_dir() and (name, f"run {run['id']}") not in known:
            found.append((name, run["id"], folder))
    return found


def _other_logs(workspace: Workspace, book: Notebook) -> list[tuple[str, int, str]]:
    """Return the logs that are gone or were written to since: experiment, run, log."""
    home, known = workspace.place.home, runs.known_gone(book)
    found = []
    for run in _ours(workspace, book):
        folder = home.run(run["experiment"], run["id"])
        before = json.loads(run["logs"] or "{}") if folder.is_dir() else {}
        name = f"e{run['experiment']}"
        found += [(name, run["id"], log) for log in kept_logs.changed(folder, before)]
    return [one for one in found if (one[0], f"{one[2]} {one[1]}") not in known]


def _ours(workspace: Workspace, book: Notebook) -> list[sqlite3.Row]:
    return runs.made_here(book, f"{workspace.place.home.path}/")
