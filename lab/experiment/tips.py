"""Tips: where a campaign's branch stands is moved here; notes.md comes along."""

from pathlib import Path

from .. import repo
from ..notebook import Notebook, lookup, record
from ..workspace import Workspace


def put(workspace: Workspace, book: Notebook, target: str, message: str) -> str:
    """Put the branch at a commit, notes.md as it is; return the head it left, which a ref keeps."""
    place, notes = workspace.place, workspace.notes_path
    top, left = place.top, str(place.head)
    kept_notes = _data(top / notes)
    repo.keep_ref(top, f"left/{place.campaign}/{left[:12]}", left)
    _set_notes_aside(top, notes)
    moved = False
    try:
        repo.move_to(top, target)
        moved = True
    finally:
        if kept_notes is not None and kept_notes != _data(top / notes):
            (top / notes).write_bytes(kept_notes)
            if moved:
                commit_notes(top, notes, message)
    record.tip(book, place.campaign, repo.ref(top, "HEAD"))
    return left


def put_under(workspace: Workspace, book: Notebook, target: str) -> None:
    """Put the branch at a commit under files that stay as they are; a ref keeps what it left."""
    place, left = workspace.place, str(workspace.place.head)
    assert place.branch is not None
    repo.keep_ref(place.top, f"left/{place.campaign}/{left[:12]}", left)
    repo.back_to(place.top, place.branch, target, left)
    record.tip(book, place.campaign, repo.ref(place.top, "HEAD"))


def put_back(workspace: Workspace, book: Notebook, experiment: int) -> None:
    """Put branch and files at the parent of an experiment at work: the next is edited meanwhile."""
    row = lookup.experiment(book, experiment)
    del workspace.place  # the branch is at the experiment's commit
    top, paths = workspace.place.top, workspace.mutable_paths
    if repo.worktree_blobs(top, paths) != repo.tree_blobs(top, row["commit"], paths):
        return  # edited already: it stays the tip, and is waited for
    repo.move_to(top, row["parent"])
    record.tip(book, row["campaign"], row["parent"])
    del workspace.place


def commit_notes(top: Path, notes: str, message: str) -> bool:
    """Commit notes.md by itself when it changed."""
    states = [state for state, path in repo.status(top) if path == notes]
    if not states:
        return False
    repo.commit_only(top, message, [notes], new=[notes] if "??" in states else [])
    return True


def _set_notes_aside(top: Path, notes: str) -> None:
    """Put notes.md back to what is committed, so that git lets the branch move."""
    if repo.show_file(top, "HEAD", notes) is not None:
        repo.git("checkout", "--quiet", "HEAD", "--", notes, cwd=top)
    else:
        (top / notes).unlink(missing_ok=True)


def _data(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
