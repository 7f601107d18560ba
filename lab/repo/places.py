"""Paths: this checkout, the main one, and the notebook's folder."""

import os
import pwd
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import Environment, NotFound
from ..system.home import Home
from . import worktrees
from .command import GitFailed, git


@dataclass(frozen=True)
class Place:
    """Where a command was typed: this checkout, the main one, and the notebook's folder."""

    main: Path  # top of the main checkout, or the bare repository
    top: Path  # top of the checkout one stands in
    home: Home  # the `.lab` folder
    branch: str | None  # None on a detached HEAD
    head: str | None  # None before the first commit

    @property
    def campaign(self) -> str | None:
        """Return `LEAF/NAME` inside a campaign's worktree, by where it lies."""
        return self.home.campaign_at(self.top)

    @property
    def notebook(self) -> Path:
        """Return the notebook's file."""
        return self.home.notebook

    @property
    def who(self) -> str:
        """Return who is at work: the campaign, else the person."""
        return self.campaign or person()


def person() -> str:
    """Return the user's name."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def place(cwd: Path) -> Place:
    """Find the checkout that holds `cwd`, its main checkout and the notebook's folder."""
    _find_again(Path(os.path.realpath(cwd)))
    try:
        checkouts = worktrees.checkouts(cwd)
    except GitFailed as error:
        if "not a git repository" in str(error):
            raise NotFound(
                f"{cwd} is in no git repository.", "Go to one, or make one: git init"
            ) from None
        raise Environment(f"git: {error.first}", "Look with: git status") from None
    main, here = checkouts[0], Path(os.path.realpath(cwd))
    if ".git" in main.path.parts and not main.bare:  # a submodule is told by its git folder
        main = checkouts[0] = replace(main, path=_submodule(main.path))
    inside = [one for one in checkouts if one.path == here or one.path in here.parents]
    mine = max(inside, key=lambda one: len(one.path.parts), default=None)
    if mine is None:
        raise NotFound(f"{cwd} is in no checkout.", f"Go to one: cd {main.path}")
    return Place(main.path, mine.path, _home(main.path), mine.branch, mine.head)


def _find_again(cwd: Path) -> None:
    """Repair the links of a campaign's worktree that was moved, or copied, with its repository."""
    top = next((one for one in (cwd, *cwd.parents) if (one / ".git").exists()), None)
    if top is None or not (top / ".git").is_file():
        return
    at = top / Path((top / ".git").read_text().removeprefix("gitdir:").strip())
    home = Home.around(top)
    main = home.path.parent if home else top
    if home is not None and (main / ".git").is_dir():
        own = os.path.realpath(main / ".git" / "worktrees")
        if os.path.realpath(at.parent) != own or not at.is_dir():
            campaign = home.campaign_at(top)
            branch = worktrees.branch_there(main, campaign) if campaign else None
            worktrees.repair(main, top, branch)
    elif at.is_absolute() and not at.exists() and at.parent.name == "worktrees":
        raise Environment(
            f"{top} is a worktree of {at.parents[2]}, which is not there any more.",
            f"Where it is now, type: git worktree repair {top}",
        )


def _submodule(folder: Path) -> Path:
    """Return the checkout of the submodule whose git folder this is."""
    try:
        at = git("--git-dir", str(folder), "config", "core.worktree", cwd=folder)
    except GitFailed:
        return folder
    return Path(os.path.realpath(folder / at))


def _home(main: Path) -> Home:
    chosen = os.environ.get("LAB_HOME")
    return Home(Path(os.path.realpath(chosen)) if chosen else main / ".lab")


def make_home(where: Place) -> None:
    """Make the notebook's folder and let git ignore it, without touching a tracked file."""
    if not os.environ.get("LAB_HOME"):
        _ignore_home(where)
    where.home.path.mkdir(parents=True, exist_ok=True)


def _ignore_home(where: Place) -> None:
    try:
        common = git("rev-parse", "--path-format=absolute", "--git-common-dir", cwd=where.main)
    except GitFailed:
        return
    exclude = Path(common) / "info" / "exclude"
    exclude.parent.mkdir(exist_ok=True)
    lines = exclude.read_text().splitlines() if exclude.exists() else []
    if "/.lab/" not in lines:
        with exclude.open("a") as file:
            file.write(("\n" if lines and lines[-1] else "") + "/.lab/\n")
