"""Commits, refs and branches: moved without losing anything."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

from .command import GitFailed, git, git_dir, identity
from .contents import tree_blobs


def under_way(top: Path) -> str | None:
    """Return the name of a merge, rebase or the like that waits to be finished."""
    folder = git_dir(top)
    for name, word in (
        *(("MERGE_HEAD", "merge"), ("rebase-merge", "rebase"), ("rebase-apply", "rebase")),
        *(("CHERRY_PICK_HEAD", "cherry-pick"), ("REVERT_HEAD", "revert")),
    ):
        if (folder / name).exists():
            return word
    return None


def commit_only(top: Path, message: str, paths: Sequence[str], new: Sequence[str] = ()) -> str:
    """Commit exactly `paths` as they are in the files; hooks and signing stay out of it.

    `new` are those of them that git does not know yet, perhaps because it ignores them.
    """
    if new:
        git("add", "--intent-to-add", "--force", "--", *new, cwd=top)
    words = (
        *("commit", "--quiet", "--only", "--no-verify", "--no-gpg-sign"),
        *("--cleanup=verbatim", "--file=-"),
    )
    text = message.replace("\0", " ")
    try:
        git(*words, "--", *paths, cwd=top, text=text)
    except GitFailed as error:
        if "identity" not in str(error) and "tell me who you are" not in str(error):
            raise
        git(*words, "--", *paths, cwd=top, text=text, env=identity(top))
    return git("rev-parse", "HEAD", cwd=top)


def keep_ref(top: Path, name: str, commit: str) -> None:
    """Keep a commit reachable as refs/lab/NAME. A ref that exists is never moved.

    Where another notebook used the name already (refs fetched from a second clone, a notebook
    begun anew), the commit is kept beside it as refs/lab/NAME-COMMIT.
    """
    for free in (name, f"{name}-{commit[:12]}"):
        try:
            git("update-ref", f"refs/lab/{free}", commit, "", cwd=top)  # "": only if it is new
            return
        except GitFailed:
            there = ref(top, f"refs/lab/{free}")
            if there == commit:
                return
            if there is None or free != name:
                raise


def ref(cwd: Path, name: str) -> str | None:
    """Return the commit that a name stands for, or None."""
    try:
        return git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}", cwd=cwd)
    except GitFailed:
        return None


def parent(cwd: Path, commit: str) -> str | None:
    """Return a commit's first parent."""
    return ref(cwd, f"{commit}^")


def is_ancestor(cwd: Path, commit: str, of: str) -> bool:
    """Return whether a commit is `of`, or one that it was built on."""
    try:
        git("merge-base", "--is-ancestor", commit, of, cwd=cwd)
    except GitFailed:
        return False
    return True


def back_to(top: Path, branch: str, commit: str, expect: str) -> bool:
    """Put branch and index at `commit` while files keep their edits; False when it moved on."""
    if ref(top, f"refs/heads/{branch}") != expect:
        return False
    head = git("rev-parse", "--symbolic-full-name", "HEAD", cwd=top)
    if head != f"refs/heads/{branch}":
        return False
    git("reset", "--quiet", "--mixed", commit, cwd=top, env={"GIT_REFLOG_ACTION": "lab"})
    return True


def move_to(top: Path, commit: str) -> None:
    """Put branch, index and files at a commit; git refuses where that would lose an edit.

    What git remembers of the files is renewed before: it takes one that was written again with the
    same bytes, or lost its mode, for an edit.
    """
    with contextlib.suppress(GitFailed):  # it also fails where something really was edited
        git("-c", "core.fileMode=false", "update-index", "-q", "--refresh", cwd=top)
    git("-c", "core.fileMode=false", "reset", "--quiet", "--keep", commit, cwd=top)


def last_but(top: Path, commit: str, path: str) -> str:
    """Return the newest commit, from this one back, that changed anything but one file."""
    all_but = ("--", ":/", f":(exclude,top){path}")
    found = git("log", "-1", "--format=%H", "--first-parent", commit, *all_but, cwd=top)
    return found.strip() or commit


def restore(top: Path, commit: str, paths: Sequence[str]) -> None:
    """Put files and index back to what a commit holds; a file it does not have goes."""
    there = tree_blobs(top, commit, paths)
    for path in paths:
        if path in there:
            git("checkout", "--quiet", commit, "--", path, cwd=top)
        else:
            (top / path).unlink(missing_ok=True)
