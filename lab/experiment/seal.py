"""`lab apply` and the sealed set: what it says of a change, or have it measured now."""

import sqlite3

from ..errors import LabError
from ..notebook import Notebook, lookup, sealed
from ..system import left
from ..text import num
from ..workspace import Workspace
from .start import Trial
from .verdicts import is_heavy


def said(workspace: Workspace, book: Notebook, row: sqlite3.Row) -> str | None:
    """Return what the sealed set says of a change, measuring what is left of it; None without one.

    Nothing is trained for it: where no run's artefact is here, there is no number.
    """
    own = Workspace(workspace.cwd, leaf=row["leaf"], profile=row["profile"])
    name = f"e{row['id']}"
    try:
        if not own.settings.sealed:
            return None
        known = sealed.of_experiment(book, row["id"])
        if known:
            return f"by the sealed set {name} has {', '.join(map(num, known))}: lab board"
        run = _left(own, book, row)
        if run is None:
            return f"the sealed set says nothing of {name}: no run of it is left here to measure"
        Trial(own, book, None).seal(row, run)
    except LabError as error:  # the change is on the branch, whatever is missing for this
        return f"the sealed set says nothing of {name}: {error.message}"
    return f"the sealed set measures {name} now; then: lab board"


def _left(workspace: Workspace, book: Notebook, row: sqlite3.Row) -> int | None:
    """Return the newest finished run whose artefact is here, if it can be measured here."""
    scope, home = workspace.scope, workspace.place.home
    if (row["platform"], row["yardstick"]) != (scope.platform, scope.yardstick):
        return None
    for run in reversed(lookup.runs(book, row["id"])):
        files = left.files(home.run(row["id"], run["id"]), home.path)
        if run["status"] == "finished" and any(is_heavy(name) for name, _ in files):
            return int(run["id"])
    return None
