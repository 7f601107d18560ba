"""`lab apply e13 e14 --edit`: the changes of several experiments together in the files."""

import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path

from .. import repo
from ..documents.experiments import Edited
from ..errors import Refused
from ..notebook import Notebook, lookup, record
from ..workspace import Workspace
from . import branches, merge

NAMED = 5  # names in one line of a refusal: more is read in `lab diff`
Data = bytes | None  # of a file; None where there is none


def edit(workspace: Workspace, book: Notebook, rows: Sequence[sqlite3.Row]) -> Edited:
    """Put what experiments changed, kept or not, uncommitted into the files: all of it or nothing.

    Which ones were put together is recorded with the contents that came of it.
    """
    _one_leaf(rows)
    for row in rows:
        branches.check_applicable(workspace, row)
    place = workspace.place
    with branches.side_checkout(place) as side:
        files = _Merged(side, rows).files
    for path, data in files.items():
        _write(place.top / path, data)
    if len(rows) > 1:
        note(workspace, book, [row["id"] for row in rows])
    names = [f"e{row['id']}" for row in rows]
    found: Edited = {"experiments": names, "edited": sorted(files), "commits": []}
    return {"experiment": names[0], **found} if len(names) == 1 else found


def _one_leaf(rows: Sequence[sqlite3.Row]) -> None:
    other = next((row for row in rows if row["leaf"] != rows[0]["leaf"]), None)
    if other is not None:
        raise Refused(
            f"e{rows[0]['id']} belongs to {rows[0]['leaf']}, e{other['id']} to {other['leaf']}.",
            "Put experiments of one leaf together: lab log",
        )


def note(workspace: Workspace, book: Notebook, parts: Sequence[int]) -> None:
    """Record which experiments make up the contents that the files have now."""
    first = lookup.experiment(book, parts[0])
    leaf, profile = first["leaf"], first["profile"]
    paths = Workspace(workspace.cwd, leaf=leaf, profile=profile).mutable_paths
    place = workspace.place
    record.combination(
        book,
        leaf=leaf,
        campaign=place.campaign,
        parent=str(place.head),
        contents=repo.contents_id(repo.worktree_blobs(place.top, paths)),
        parts=parts,
    )


def _write(path: Path, data: Data) -> None:
    """Write or remove a file of the checkout; a link in its place goes, what it leads to stays."""
    if path.is_symlink():
        path.unlink()
    if data is None:
        path.unlink(missing_ok=True)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


class _Merged:
    """HEAD's files with the changes of several experiments, one after the other."""

    def __init__(self, side: Path, rows: Sequence[sqlite3.Row]) -> None:
        self.side, self.rows = side, rows
        self.files: dict[str, Data] = {}
        self.by: dict[tuple[str, str], list[str]] = {}  # who changed a name of a file
        self.torn: dict[str, dict[str, list[str]]] = {}  # names by experiment and whom it meets
        for row in rows:
            self._take(row)
        if self.torn:
            raise self._refused()

    def _take(self, row: sqlite3.Row) -> None:
        paths, name = branches.changed_paths(self.side, row), f"e{row['id']}"
        self.files = {path: _data(self.side / path) for path in paths} | self.files
        before, after = (self._at(row[when], paths) for when in ("parent", "commit"))
        for path in paths:
            change = (before[path], after[path])
            taken = {part for where, part in self.by if where == path}
            try:
                self.files[path] = _merge(path, change[0], self.files[path], change[1], taken)
            except merge.Conflict as conflict:
                self._note(path, name, conflict.names)
            for part in _names(path, *change):
                self.by.setdefault((path, part), []).append(name)

    def _at(self, commit: str, paths: Sequence[str]) -> dict[str, Data]:
        """Return files as a checkout of a commit has them."""
        repo.restore(self.side, commit, paths)
        return {path: _data(self.side / path) for path in paths}

    def _note(self, path: str, name: str, parts: Sequence[str]) -> None:
        """Note what conflicts, and with which experiments; with none of them, it is the branch."""
        for part in parts:
            whole = [one for (where, _), ones in self.by.items() if where == path for one in ones]
            others = whole if part == path else self.by.get((path, part), [])
            for other in dict.fromkeys(others or ["this branch"]):
                self.torn.setdefault(name, {}).setdefault(other, []).append(part)

    def _refused(self) -> Refused:
        """Say which names conflict between which experiments, and which one to leave out."""
        said = [
            f"{name} conflicts with {other} in {', '.join(parts[:NAMED])}"
            for name, others in self.torn.items()
            for other, parts in others.items()
        ]
        rest = [f"e{row['id']}" for row in self.rows if f"e{row['id']}" not in self.torn]
        hint = f"See what it changed: lab diff {next(iter(self.torn))}"
        if rest:
            hint = f"Leave {', '.join(self.torn)} out: lab apply {' '.join(rest)} --edit"
        return Refused(f"{'; '.join(said)}; nothing was changed.", hint)


def _data(path: Path) -> Data:
    return path.read_bytes() if path.is_file() else None


def _merge(path: str, before: Data, now: Data, after: Data, taken: Collection[str]) -> Data:
    """Return `now` with the change from `before` to `after`; raises merge.Conflict.

    A name that an experiment changed is `taken`; what only the branch changed meanwhile is not.
    """
    if now == before:
        return after
    if after in (before, now):
        return now
    if before is None or now is None or after is None:
        raise merge.Conflict([path])
    if path.endswith(".py"):
        try:
            texts = (before.decode(), now.decode(), after.decode())
            return merge.python(*texts, _merge_text, taken).encode()
        except (merge.Unreadable, UnicodeDecodeError):
            pass  # then it is merged by lines, as any text
    found = repo.merge_lines(before, now, after)
    if found is None:
        raise merge.Conflict([path])
    return found


def _merge_text(before: str, now: str, after: str) -> str | None:
    found = repo.merge_lines(before.encode(), now.encode(), after.encode())
    return None if found is None else found.decode()


def _names(path: str, before: Data, after: Data) -> set[str]:
    """Return what a change is known by: names in a Python file, the path of any other."""
    if before is None or after is None or not path.endswith(".py"):
        return {path}
    try:
        return merge.changed(before.decode(), after.decode())
    except (merge.Unreadable, UnicodeDecodeError):
        return {path}
