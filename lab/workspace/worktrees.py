"""`lab worktree`: a campaign's checkout and branch, made under the notebook's folder."""

import contextlib
import re
from pathlib import Path

from .. import repo
from ..errors import LabError, NotFound, Refused, Usage
from ..notebook import Notebook, lookup, number, read, record, state
from ..repo import checkout_lock
from . import Workspace

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


def check_name(name: str) -> None:
    """Refuse a name that a path or a branch could misread."""
    if not NAME.fullmatch(name) or ".." in name or name.endswith((".lock", ".")):
        raise Usage(
            f"{name!r} is no name for a campaign.", "Letters, digits, '.', '_' and '-': ada-2"
        )


def make(
    workspace: Workspace, book: Notebook, name: str, start: str | None, agent: str | None = None
) -> Path:
    """Make the worktree and its branch, note the campaign, return the leaf's path in it."""
    check_name(name)
    place, leaf = workspace.place, workspace.leaf
    campaign = f"{leaf.name}/{name}"
    folder, branch = place.home.worktree(campaign), repo.branch_of(campaign)
    with checkout_lock.locked(place.home, campaign):
        if lookup.campaign(book, campaign):
            raise Refused(
                f"there is a campaign {campaign} already.",
                f"Go to it: cd {folder / leaf.prefix}; or choose another name",
            )
        if folder.exists():
            base = _made_before(folder, branch)
        else:
            base = resolve(workspace, book, start)
            _check_start(workspace, base, branch)
            folder.parent.mkdir(parents=True, exist_ok=True)
            repo.add_worktree(place.main, folder, branch, base)
        repo.mark_tip(folder)
        record.campaign(
            book,
            name=campaign,
            leaf=leaf.name,
            branch=branch,
            worktree=str(folder),
            base=base,
            agent=agent,
        )
    return folder / leaf.prefix


def _made_before(folder: Path, branch: str) -> str:
    """Return the commit of a worktree whose maker was killed before it could note it."""
    with contextlib.suppress(LabError, repo.GitFailed):
        place = repo.place(folder)
        whole = place.top == folder and place.branch == branch and not repo.status(folder)
        if whole and place.head is not None:
            return place.head
    raise Refused(
        f"{folder} is in the way.",
        f"Remove it: git worktree remove --force {folder}; git branch -D {branch}",
    )


def _check_start(workspace: Workspace, base: str, branch: str) -> None:
    """Refuse a branch that is there already, and a commit without the leaf."""
    if repo.ref(workspace.place.main, f"refs/heads/{branch}") is not None:
        raise Refused(f"there is a branch {branch} already.", "Choose another name.")
    table = f"{workspace.leaf.prefix}leaf.toml"
    if not repo.tree_blobs(workspace.place.main, base, [table]):
        raise Refused(f"{table} is not committed at {base[:12]}.", "Commit the leaf: git commit")


def resolve(workspace: Workspace, book: Notebook, start: str | None) -> str:
    """Return the commit that `best`, `e34` or a git revision stands for; HEAD without one."""
    top = workspace.place.top
    if start is None:
        head = workspace.place.head or repo.ref(workspace.place.main, "HEAD")
        if head is None:
            raise Refused("there is no commit to start from.", "Make one: git commit")
        return head
    if start == "best":
        scope = workspace.scope
        key = state.scope(book, scope.leaf, scope.profile, scope.platform, scope.yardstick)
        best = read.best(book, key)
        if best is None or best["commit"] is None:
            raise NotFound(
                f"{scope.leaf} has no best yet.", "Measure one: lab run --baseline --seeds 3"
            )
        return str(best["commit"])
    if re.fullmatch(r"[eE]\d+", start):
        row = book.need(start, "e")
        if row["commit"] is None:
            raise Refused(f"e{number(start, 'e')} has no commit.", "Choose another: lab log")
        return str(row["commit"])
    if start.startswith("-"):
        raise Usage(f"{start!r} is no revision.", "Type: --from best, --from e34 or --from main")
    found = repo.ref(top, start)
    if found is None:
        raise NotFound(f"git knows no revision {start!r}.", "Type: --from best or --from e34")
    return found
