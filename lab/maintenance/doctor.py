"""`lab doctor`: versions and paths, stray sandboxes."""

import importlib.metadata
import os
import platform
import sqlite3
import sys
from typing import Any

from .. import __version__, repo
from ..confine import methods
from ..errors import LabError
from ..notebook import Notebook, runs
from ..workspace import Workspace

PACKAGES = (
    *("click", "sqlite-utils", "rich", "optuna", "matplotlib", "torch", "modal"),
    *("tensorboard", "trackio", "wandb"),
)


def versions(workspace: Workspace, book: Notebook) -> dict[str, Any]:
    """Return what a bug report needs: versions, paths, journal mode, schema."""
    return {
        "lab": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "git": repo.git("version", cwd=workspace.place.top).removeprefix("git version "),
        "sqlite": sqlite3.sqlite_version,
        "system": platform.platform(),
        "notebook": str(book.path),
        "schema": book.db.execute("pragma user_version").fetchone()[0],
        "journal": book.db.execute("pragma journal_mode").fetchone()[0],
        "home": str(workspace.place.home),
        "worktree": str(workspace.place.top),
        "campaign": workspace.place.campaign,
        "devices": _devices(),
        "confinement": methods.best().as_text(),
        "packages": {name: _installed(name) for name in PACKAGES},
    }


def _devices() -> list[str]:
    """Return the accelerators, or what keeps them from being listed."""
    from .. import slots

    try:
        return [str(one) for one in slots.accelerators(os.environ)]
    except LabError as error:
        return [error.message]


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def stray_sandboxes(book: Notebook, end: bool) -> list[str]:
    """Return a line for each sandbox that no open run owns; with `end`, end them instead.

    Only asked of a notebook that has rented one, so that nobody else needs a network.
    """
    if not runs.ever_remote(book):
        return []
    from ..runner import modal

    try:
        stray = modal.orphans(runs.remote(book))
    except (LabError, OSError) as error:
        return [f"the sandboxes could not be listed: {error}"]
    if end:
        for one in stray:
            one.terminate()
        return []
    return [f"sandbox {one.object_id} is alive and no run owns it" for one in stray]
