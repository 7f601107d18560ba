"""Worktrees of campaigns and of `lab apply`: made, found again after a move, taken away."""

import contextlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..errors import Refused
from .command import GitFailed, git


def branch_of(main: Path, campaign: str) -> str:
    """Return the branch for a new campaign: lab/LEAF/NAME, or lab-LEAF-NAME.

    The latter where git cannot have the former, since a branch called `lab` or `lab/LEAF` is
    there, or branches below it. What git takes in no branch's name becomes a dash.
    """
    name = _branch(campaign)
    above = [f"refs/heads/{parent}" for parent in _above(name)]
    listing = git("for-each-ref", "--format=%(refname)", "refs/heads/lab", cwd=main)
    stand_in_the_way = any(
        ref in above or ref.startswith(f"refs/heads/{name}/") for ref in listing.splitlines()
    )
    return name.replace("/", "-") if stand_in_the_way else name


def branch_there(main: Path, campaign: str) -> str | None:
    """Return the branch that a campaign's worktree must have had."""
    name = _branch(campaign)
    for free in (name, name.replace("/", "-")):
        with contextlib.suppress(GitFailed):
            git("rev-parse", "--verify", "--quiet", f"refs/heads/{free}", cwd=main)
            return free
    return None


def _branch(campaign: str) -> str:
    return "lab/" + re.sub(r"[^\w./+=@-]+", "-", campaign)


def _above(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


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
    for path, of in _registered(main):
        if (path == folder or of == f"refs/heads/{branch}") and not path.exists():
            git("worktree", "remove", "--force", "--force", str(path), cwd=main)


def _registered(main: Path) -> list[tuple[Path, str]]:
    """Return (folder, branch's ref) of every worktree that git knows."""
    listing = git("worktree", "list", "--porcelain", "-z", cwd=main)
    found = []
    for part in listing.split("\0\0"):
        words = dict(line.partition(" ")[::2] for line in part.strip("\0").split("\0"))
        if "worktree" in words:
            found.append((Path(words["worktree"]), words.get("branch", "")))
    return found


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
