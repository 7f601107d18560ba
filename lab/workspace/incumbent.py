"""The incumbent: the nearest kept or baseline experiment among a commit's ancestors."""

import sqlite3

from .. import repo
from ..notebook import Notebook, read
from . import Workspace


def find_incumbent(
    workspace: Workspace, book: Notebook, commit: str | None = None
) -> sqlite3.Row | None:
    """Return the incumbent for what is built on `commit` (HEAD), within the workspace's scope.

    A kept experiment counts where its commit is an ancestor; a baseline wherever an ancestor has
    the same mutable contents.
    """
    start = commit or workspace.place.head
    if start is None:
        return None
    line = repo.ancestors(workspace.place.top, start, workspace.mutable_paths)
    nearest = {sha: place for place, sha in enumerate(line)}
    by_contents: dict[str, int] = {}
    for place, contents in enumerate(line.values()):
        by_contents.setdefault(contents, place)
    scope = workspace.scope
    rows = read.incumbents(
        book, list(by_contents), scope.leaf, scope.profile, scope.platform, scope.yardstick
    )
    ranked = []
    for row in rows:
        baseline = row["made"] == "baseline"
        found = nearest.get(row["commit"], by_contents[row["contents"]] if baseline else None)
        if found is not None:
            ranked.append((found, baseline, -row["experiment"], row))
    return min(ranked, key=lambda one: one[:3])[3] if ranked else None
