"""Worktrees of campaigns and of `lab apply`: made, found again after a move, taken away."""

import contextlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import Refused
from .command import GitFailed, git
from .history import ref


@dataclass(frozen=True)
class Checkout:
    """One checkout of a repository, as git lists it."""

    path: Path
    bare: bool
    branch: str | None  # None on a detached HEAD
    head: str | None  # None before the first commit


def checkouts(cwd: Path) -> list[Checkout]:
    """Return every checkout of the repository at `cwd`, the main one first."""
    listing = git("worktree", "list", "--porcelain", "-z", cwd=cwd)
    return [_checkout(part) for part in listing.split("\0\0") if part.strip("\0")]


def _checkout(part: str) -> Checkout:
    words = dict(line.partition(" ")[::2] for line in part.strip("\0").split("\0"))
    branch = words["branch"].removeprefix("refs/heads/") if "branch" in words else None
    head = words.get("HEAD")
    none_yet = head is None or set(head) == {"0"}
    return Checkout(Path(words["worktree"]), "bare" in words, branch, None if none_yet else head)


def branch_of(main: Path, campaign: str) -> str:
    """Return the branch for a new campaign: lab/LEAF/NAME, or lab-LEAF-NAME.

    The latter where git cannot have the former, since a branch called `lab` or `lab/LEAF` is
    there, or branches below it. What git takes in no branch's name becomes a dash.
    """
    name = _branch(campaign)
    above = [f"refs/heads/{parent}" for parent in PurePosixPath(name).parents]
    listing = git("for-each-ref", "--format=%(refname)", "refs/heads/lab", cwd=main)
    stand_in_the_way = any(
        one in above or one.startswith(f"refs/heads/{name}/") for one in listing.splitlines()
    )
    return name.replace("/", "-") if stand_in_the_way else name


def branch_there(main: Path, campaign: str) -> str | None:
    """Return the branch that a campaign's worktree must have had."""
    name = _branch(campaign)
    names = (name, name.replace("/", "-"))
    return next((free for free in names if ref(main, f"refs/heads/{free}")), None)


def _branch(campaign: str) -> str:
    return "lab/" + re.sub(r"[^\w./+=@-]+", "-", campaign)


def add_worktree(main: Path, folder: Path, branch: str, start: str | None = None) -> None:
    """Make a worktree with a new branch, without `start` on a branch that is there; or say why not.

    Nothing stays behind of one that failed: neither its folder nor its branch.
    """
    _forget(main, folder, branch)
    folder.parent.mkdir(parents=True, exist_ok=True)
    what = (str(folder), branch) if start is None else ("-b", branch, str(folder), start)
    try:
        git("worktree", "add", "--quiet", *what, cwd=main)
    except GitFailed as error:
        remove_worktree(main, folder)
        if start is not None:
            with contextlib.suppress(GitFailed):
                git("update-ref", "-d", f"refs/heads/{branch}", start, cwd=main)
        raise Refused(
            f"git: {error.first}", f"Mend that, then again; by hand: git worktree add {folder}.try"
        ) from None


def _forget(main: Path, folder: Path, branch: str) -> None:
    """Let git forget worktrees of this place or branch whose folder is gone."""
    for one in checkouts(main):
        if (one.path == folder or one.branch == branch) and not one.path.exists():
            git("worktree", "remove", "--force", "--force", str(one.path), cwd=main)


def remove_worktree(main: Path, folder: Path) -> None:
    """Take a worktree away, whatever state it is in; git knows nothing of it afterwards."""
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(GitFailed):  # it was not known, or never came to be
        git("worktree", "remove", "--force", "--force", str(folder), cwd=main)


@contextlib.contextmanager
def side_checkout(main: Path, folder: Path, commit: str) -> Iterator[Path]:
    """Check a commit out beside, for as long as it is needed."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        git("worktree", "add", "--quiet", "--detach", str(folder), commit, cwd=main)
        yield folder
    finally:
        remove_worktree(main, folder)


def repair(main: Path, folder: Path, branch: str | None = None) -> bool:
    """Let a worktree and its repository find each other again after a move; say whether they do.

    Not `git worktree repair`: in a copy of a repository it turns the original's links around.
    With `branch`, a worktree that git has forgotten is made known again, its files as they are.
    """
    link = folder / ".git"
    if not link.is_file():
        return False
    said = Path(link.read_text().removeprefix("gitdir:").strip())
    common = Path(git("rev-parse", "--path-format=absolute", "--git-common-dir", cwd=main))
    own = common / "worktrees" / said.name
    if (own / "HEAD").is_file():
        _link(own, folder)
        return True
    if branch is None:
        return False
    _known_again(main, folder, branch)
    return True


def _link(own: Path, folder: Path) -> None:
    """Write both ends of the link between a worktree and git's folder for it, where they differ."""
    for path, text in (
        (folder / ".git", f"gitdir: {own}\n"),
        (own / "gitdir", f"{folder / '.git'}\n"),
    ):
        if not path.is_file() or path.read_text() != text:
            path.write_text(text)


def _known_again(main: Path, folder: Path, branch: str) -> None:
    beside = folder.with_name(f"{folder.name}.again")
    _forget(main, folder, branch)
    try:
        git("worktree", "add", "--quiet", "--no-checkout", str(beside), branch, cwd=main)
        own = Path((beside / ".git").read_text().removeprefix("gitdir:").strip())
        _link(own, folder)
    except GitFailed as error:
        raise Refused(f"git: {error.first}", f"Look at it: git -C {main} worktree list") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    git("reset", "--quiet", "--mixed", cwd=folder)
