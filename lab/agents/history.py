"""The tuner's history: which knobs earlier experiments turned, and what it gave."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import repo
from ..errors import LabError
from ..leaf import Knob, knobs
from ..notebook import Notebook, campaigns, state
from ..workspace import Workspace

NEWEST = 400  # experiments told to Optuna: more changes no suggestion and costs 1 ms each


@dataclass(frozen=True)
class Change:
    """One knob, from a value to another."""

    name: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"{self.name} {knobs.literal(self.old)} -> {knobs.literal(self.new)}"


@dataclass(frozen=True)
class PastTrial:
    """One judged experiment that turned knobs and changed nothing else."""

    experiment: int
    changes: tuple[Change, ...]
    gain: float | None  # positive is better; None when there is no number
    verdict: str
    near_miss: bool


class History:
    """The newest experiments of a leaf, each read from git once."""

    def __init__(self) -> None:
        self._changes: dict[int, tuple[Change, ...]] = {}

    def read(
        self, workspace: Workspace, book: Notebook, turned: Mapping[str, Knob]
    ) -> list[PastTrial]:
        """Return the judged experiments that turned only these knobs, newest first."""
        scope = workspace.scope
        number = state.scope(book, scope.leaf, scope.profile, scope.platform, scope.yardstick)
        rows = campaigns.tried(book, scope.leaf, number, NEWEST)
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
            self._changes[row["id"]] = _changes(pairs, turned)


def _changes(
    pairs: Iterable[tuple[bytes | None, bytes | None]], turned: Mapping[str, Knob]
) -> tuple[Change, ...]:
    """Return the knobs that differ; () when anything else does too."""
    found: list[Change] = []
    for old, new in pairs:
        if old == new:
            continue
        one = difference(old, new, turned) if old is not None and new is not None else ()
        if not one:
            return ()
        found += one
    return tuple(found)


def difference(old: bytes, new: bytes, turned: Mapping[str, Knob]) -> tuple[Change, ...]:
    """Return the knobs by which two files differ; () when they differ in anything else.

    A number written another way (`1e-2` for `0.01`) counts as the same.
    """
    try:
        before, after = knobs.constants(old), knobs.constants(new)
        changed = {
            name: after[name].value
            for name in turned
            if name in before and name in after and before[name].value != after[name].value
        }
        same = knobs.write(old, changed) == knobs.write(new, changed)
    except (LabError, ValueError):
        return ()
    if not same:
        return ()
    return tuple(Change(name, before[name].value, value) for name, value in changed.items())
