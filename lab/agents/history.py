"""The tuner's history: what earlier experiments turned and gave, read from the commits."""

import contextlib
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .. import repo
from ..errors import LabError
from ..leaf import Knob, knobs
from ..notebook import Notebook, campaigns, measurements, state
from ..tuner.trials import Change, PastTrial, turned_by
from ..workspace import Workspace

NEWEST = 400  # experiments told to a sampler: more changes no proposal and costs 1 ms each


class History:
    """The newest experiments of a leaf, each read from git once."""

    def __init__(self) -> None:
        self._changes: dict[int, tuple[Change, ...]] = {}
        self._programs: dict[str, tuple[dict[str, Any], str]] = {}  # by commit

    def read(
        self, workspace: Workspace, book: Notebook, turned: Mapping[str, Knob]
    ) -> list[PastTrial]:
        """Return the judged experiments that turned only these knobs, newest first."""
        rows = campaigns.tried(book, workspace.leaf_name, scope_of(workspace, book), NEWEST)
        fresh = [row for row in rows if row["id"] not in self._changes]
        self._load(workspace.place.top, workspace.mutable_paths, fresh, turned)
        return [
            PastTrial(
                experiment=row["id"],
                changes=changes,
                gain=row["gain"],
                verdict=row["verdict"],
                near_miss=row["kind"] == "unsettled" and (row["gain"] or 0) > 0,
            )
            for row in rows
            if (changes := self._changes[row["id"]])
        ]

    def _load(
        self, top: Path, paths: list[str], rows: Iterable[Any], turned: Mapping[str, Knob]
    ) -> None:
        """Read what each experiment changed against its parent."""
        rows = list(rows)
        wanted = [
            f"{row[which]}:{path}"
            for row in rows
            for which in ("commit", "parent")
            for path in paths
        ]
        files = repo.blobs(top, wanted)
        for row in rows:
            pairs = [
                (files[f"{row['parent']}:{path}"], files[f"{row['commit']}:{path}"])
                for path in paths
            ]
            self._changes[row["id"]] = turned_by(pairs, turned)

    def measured(
        self, workspace: Workspace, book: Notebook
    ) -> list[tuple[measurements.Tried, dict[str, Any], str]]:
        """Return the runs of the newest experiments, whoever made them, oldest first.

        With each the values of its program's knobs, and what the program is but for these.
        """
        runs = measurements.tried(book, scope_of(workspace, book), NEWEST)
        wanted = {run.commit for run in runs} - set(self._programs)
        self._look(workspace, sorted(wanted))
        return [(run, *self._programs[run.commit]) for run in runs]

    def _look(self, workspace: Workspace, commits: list[str]) -> None:
        """Read the knobs of programs: all of the leaf's, whichever are turned now."""
        paths, names = workspace.mutable_paths, list(workspace.leaf.knobs)
        files = repo.blobs(
            workspace.place.top, [f"{one}:{path}" for one in commits for path in paths]
        )
        for commit in commits:
            here = {path: files[f"{commit}:{path}"] or b"" for path in paths}
            self._programs[commit] = program(here, names)


def scope_of(workspace: Workspace, book: Notebook) -> int:
    """Return the number of the workspace's leaf, profile, platform and yardstick."""
    scope = workspace.scope
    return state.scope(book, scope.leaf, scope.profile, scope.platform, scope.yardstick)


def program(files: Mapping[str, bytes], names: list[str]) -> tuple[dict[str, Any], str]:
    """Return the values of constants in files, and an id of the files but for these.

    >>> one, other = ({"a.py": b"LR = %d\\nprint(LR)" % n} for n in (1, 2))
    >>> program(one, ["LR"])[0], program(one, ["LR"])[1] == program(other, ["LR"])[1]
    ({'LR': 1}, True)
    """
    values: dict[str, Any] = {}
    rest = hashlib.sha256()
    for path, data in sorted(files.items()):
        if path.endswith(".py"):
            with contextlib.suppress(LabError, ValueError):  # no Python: nothing of it is a knob
                known = knobs.constants(data, path)
                here = {name: known[name].value for name in names if name in known}
                values = here | values
                data = knobs.write(data, dict.fromkeys(here, 0), path)
        rest.update(f"{path} {len(data)} ".encode() + data)
    return values, rest.hexdigest()[:16]
