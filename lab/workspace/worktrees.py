"""`lab worktree`: a campaign's checkout and branch, made under the notebook's folder."""

import contextlib
import re
import sqlite3
from pathlib import Path

from .. import leaf as leaves
from .. import repo
from ..errors import LabError, NotFound, Refused, Usage
from ..notebook import Notebook, ledger, lookup, number, record, state
from ..repo import checkout_lock
from ..run.assessment import policy_of
from . import Workspace

EXPERIMENT = re.compile(r"[eE]\d+")
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
    """Make the worktree and its branch, note the campaign, return the leaf's path in it.

    A campaign that is there already goes on where it stands.
    """
    check_name(name)
    place, leaf = workspace.place, workspace.leaf
    campaign = f"{leaf.name}/{name}"
    folder = place.home.worktree(campaign)
    with checkout_lock.locked(place.home, campaign):
        known = lookup.campaign(book, campaign)
        if known is not None:
            _again(workspace, known, start)
            return folder / leaf.prefix
        branch = repo.branch_of(place.main, campaign)
        if folder.exists():
            base = _made_before(place.main, folder, branch)
            _check_source(workspace, book, base)
        else:
            base = resolve(workspace, book, start)
            _check_start(workspace, base, branch)
            _check_kept(book, base, start)
            if start != "best" and not EXPERIMENT.fullmatch(start or ""):
                _check_source(workspace, book, base)
            repo.add_worktree(place.main, folder, branch, base)
        record.tip(book, campaign, base)
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


def _again(workspace: Workspace, row: sqlite3.Row, start: str | None) -> None:
    """Go on with a campaign that was made before; its worktree is made again if it is gone."""
    if start is not None:
        raise Refused(
            f"there is a campaign {row['name']} already; it goes on from its own branch.",
            f"Leave --from out, then: lab move {start}; or choose another name",
        )
    find_again(workspace.place, row)


def find_again(place: repo.Place, row: sqlite3.Row) -> Path:
    """Return a campaign's worktree (its top): as it is, repaired after a move, or made again.

    It is where the notebook is now, wherever that was when the campaign began.
    """
    folder = place.home.worktree(row["name"])
    if not (folder / ".git").exists():
        _make_again(place, row, folder)
    elif not repo.repair(place.main, folder, row["branch"]):
        raise Refused(f"{folder} is in the way.", f"Move it away: mv {folder} {folder}.old")
    return folder


def _make_again(place: repo.Place, row: sqlite3.Row, folder: Path) -> None:
    """Make a worktree that is gone from its campaign's branch."""
    if folder.exists() and any(folder.iterdir()):
        raise Refused(f"{folder} is in the way.", f"Move it away: mv {folder} {folder}.old")
    if repo.ref(place.main, f"refs/heads/{row['branch']}") is None:
        short = row["name"].rpartition("/")[2]
        raise Refused(
            f"the worktree of {row['name']} is gone, and its branch {row['branch']} with it.",
            f"Choose another name, such as {short}-2.",
        )
    repo.add_worktree(place.main, folder, row["branch"])


def _made_before(main: Path, folder: Path, branch: str) -> str:
    """Return the commit of a worktree whose maker was killed before it could note it.

    What git had not written yet is written; nobody can have edited anything there.
    """
    with contextlib.suppress(LabError, repo.GitFailed):
        repo.repair(main, folder, branch)
        place = repo.place(folder)
        if place.top == folder and place.branch == branch and place.head is not None:
            _complete(folder)
            if not repo.status(folder):
                return place.head
    raise Refused(
        f"{folder} is in the way.",
        f"Remove it: git worktree remove -f -f {folder}; git branch -D {branch}",
    )


def _complete(folder: Path) -> None:
    """Finish a checkout that was cut off: write what is missing, and unlock it."""
    repo.remove_dead_indexes(folder)
    states = repo.status(folder)
    if states and all(state.strip() == "D" for state, _ in states):
        repo.git("reset", "--quiet", "--hard", cwd=folder)
    with contextlib.suppress(repo.GitFailed):  # it is locked only while it is being made
        repo.git("worktree", "unlock", str(folder), cwd=folder)


def _check_start(workspace: Workspace, base: str, branch: str) -> None:
    """Refuse a branch that is there already, and a commit without the leaf."""
    if repo.ref(workspace.place.main, f"refs/heads/{branch}") is not None:
        raise Refused(f"there is a branch {branch} already.", "Choose another name.")
    table = f"{workspace.leaf.prefix}leaf.toml"
    if not repo.tree_blobs(workspace.place.main, base, [table]):
        raise Refused(f"{table} is not committed at {base[:12]}.", "Commit the leaf: git commit")


def _check_kept(book: Notebook, base: str, start: str | None) -> None:
    """Refuse to start from what was not kept: every gain would be told against a bad start."""
    row = lookup.at_commit(book, base) if start is not None else None
    if row is not None and row["kind"] == "run" and row["verdict"] != "keep":
        raise Refused(
            f"e{row['id']} was not kept ({row['verdict'] or 'no verdict yet'}); a campaign starts "
            "from what was.",
            "Start from the best, --from best, and put its edit into the file there: "
            f"lab apply e{row['id']} --edit",
        )


def _check_source(workspace: Workspace, book: Notebook, base: str) -> None:
    """Refuse to start from what an agent may have made: other frozen files, code nobody measured.

    A person may, from the main checkout: whoever types it there says so.
    """
    place = workspace.place
    if workspace.is_persons:
        return
    head = repo.ref(place.main, "HEAD")
    if head is None or head == base:
        return
    frozen = leaves.frozen_paths(workspace.leaf, workspace.settings)
    changed = [
        path
        for path in repo.changed_between(place.main, head, base)
        if any(leaves.within(path, one) for one in frozen) and not path.endswith(".md")
    ]
    wrong = f"{changed[0]} is not what the main checkout has" if changed else None
    key = workspace.key(base)
    if wrong is None and key[1:3] != workspace.key(head)[1:3] and not lookup.is_known(book, key):
        wrong = "nobody measured what it holds"
    if wrong is not None:
        raise Refused(
            f"a campaign cannot start from {base[:12]}: {wrong}.",
            f"Start from the best or an experiment: --from best; a person may, in: cd {place.main}",
        )


def need_here(top: Path, row: sqlite3.Row) -> None:
    """Refuse an experiment whose commit, or the one it was built on, another repository has.

    Fetched refs get a name of their own: e34 is another experiment here.
    """
    for commit in (row["commit"], row["parent"] if row["kind"] == "run" else None):
        if commit is not None and repo.ref(top, commit) is None:
            raise Refused(
                f"the commit of e{row['id']} is not in this repository.",
                "Fetch it from where it is: git fetch REMOTE 'refs/lab/*:refs/lab-from/REMOTE/*'",
            )


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
        best = ledger.best(book, key, policy_of(workspace.leaf.judge))
        if best is None or best.row["commit"] is None:
            raise NotFound(
                f"{scope.leaf} has no best yet.", "Measure one: lab run --baseline --seeds 3"
            )
        need_here(workspace.place.main, book.need(f"e{best.row['experiment']}", "e"))
        return str(best.row["commit"])
    if EXPERIMENT.fullmatch(start):
        row = book.need(start, "e")
        if row["commit"] is None:
            raise Refused(f"e{number(start, 'e')} has no commit.", "Choose another: lab log")
        need_here(workspace.place.main, row)
        return str(row["commit"])
    if start.startswith("-"):
        raise Usage(f"{start!r} is no revision.", "Type: --from best, --from e34 or --from main")
    found = repo.ref(top, start)
    if found is None:
        raise NotFound(f"git knows no revision {start!r}.", "Type: --from best or --from e34")
    return found
