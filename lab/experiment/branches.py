"""`lab move`, `lab apply`: reset a campaign to an experiment; cherry-pick kept changes."""

import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from shlex import quote

from .. import repo
from ..errors import NotYet, Refused
from ..notebook import Notebook, details, ledger, lookup, read, record
from ..notebook.read import Found
from ..run import standing
from ..run.assessment import policy_for
from ..system import locks
from ..system.home import Home
from ..text import error, fenced, markdown, num, plural
from ..workspace import Workspace, worktrees
from . import tips

# -- lab move -------------------------------------------------------------------


def move(workspace: Workspace, book: Notebook, where: str) -> Found:
    """Put this campaign's branch at a kept experiment; notes.md comes along, nothing is lost."""
    place = workspace.place
    if (
        place.campaign is None
        or place.branch != lookup.branch(book, place.campaign)
        or place.head is None
    ):
        raise Refused(
            "this is no campaign's worktree.",
            "Make one there: "
            f'cd "$(lab worktree {quote(workspace.leaf_name)} NAME --from {where})"',
        )
    no_audit(place.home, place.campaign)
    settled(workspace, book)
    target = worktrees.resolve(workspace, book, where)
    row = _experiment_at(workspace, book, target, where)
    edited = edits(workspace)
    if edited:
        raise Refused(
            f"{', '.join(path for _, path in edited)} has edits that a move would lose.",
            f"Run them as an experiment first, or undo them: {workspace.undo(edited)}",
        )
    _same_yardstick(workspace, target, where)
    left = tips.put(workspace, book, target, f"notes: moved to {where}")
    with book.write():
        book.event("move", place.campaign, f"{left[:12]} to {target[:12]}")
    return {
        "experiment": f"e{row['id']}" if row else None,
        "commit": target,
        "left": left,
        "head": repo.ref(place.top, "HEAD"),
        "next": "lab context",
    }


def edits(workspace: Workspace) -> list[tuple[str, str]]:
    """Return what git says of files that a move would lose: all that was edited but notes.md."""
    notes = workspace.notes_path
    return [(state, path) for state, path in repo.status(workspace.place.top) if path != notes]


def no_audit(home: Home, campaign: str | None) -> None:
    """Refuse while a campaign's branch is audited: it may go back from under what is done."""
    if campaign and locks.is_held(home.audit_lock(campaign)):
        raise NotYet(
            f"an audit of {campaign} is under way; it may move this branch.",
            f"Wait for it: lab audit {quote(campaign)}",
        )


def settled(workspace: Workspace, book: Notebook) -> None:
    """Refuse while the campaign's tip is at work or waits for its verdict."""
    for row in read.undecided(book, workspace.leaf_name, workspace.place.campaign, 1):
        name = f"e{row['experiment']}"
        if row["status"] in ("queued", "running"):
            raise Refused(f"{name} is still {row['status']} here.", f"Wait for it: lab wait {name}")
        step = standing.following(book, row["experiment"])
        raise Refused(f"{name} has no verdict yet.", f"As its numbers suggest: {step}")


def _experiment_at(
    workspace: Workspace, book: Notebook, target: str, where: str
) -> sqlite3.Row | None:
    row = lookup.at_commit(book, target)
    if worktrees.EXPERIMENT.fullmatch(where):  # of several of one commit that one is meant
        row = lookup.with_verdict(book, book.need(where, "e")["id"])
    if row is not None and row["leaf"] != workspace.leaf_name:
        raise Refused(
            f"{where} belongs to {row['leaf']}.", f"Here is {workspace.leaf_name}: lab log"
        )
    if row is not None and row["verdict"] != "keep":
        raise Refused(
            f"e{row['id']} was not kept; a campaign continues from what was.",
            f"Put its edit into the file instead: lab apply e{row['id']} --edit",
        )
    return row


def _same_yardstick(workspace: Workspace, target: str, where: str) -> None:
    """Refuse a start whose frozen files differ: its numbers could not be compared."""
    head = workspace.place.head
    assert head is not None
    prefix = workspace.leaf.prefix
    frozen = {f"{prefix}{name}" for name in workspace.settings.frozen if not name.endswith(".md")}
    frozen.add(f"{prefix}leaf.toml")
    changed = [
        path
        for path in repo.changed_between(workspace.place.top, head, target)
        if path in frozen or path.startswith(("shared/", f"{prefix}task/"))
    ]
    if changed:
        raise Refused(
            f"{where} was measured by another yardstick ({', '.join(changed[:3])} differs).",
            "Start anew from there: "
            f'cd "$(lab worktree {quote(workspace.leaf_name)} NAME --from {where})"',
        )


# -- lab apply ------------------------------------------------------------------


def apply(
    workspace: Workspace,
    book: Notebook,
    row: sqlite3.Row,
    *,
    only: bool,
    provisional: bool = False,
) -> Found:
    """Bring an experiment's change to the current branch, whole or not at all.

    Its kept ancestors come first, one commit each, unless `only`.
    """
    place = workspace.place
    no_audit(place.home, place.campaign)
    check_applicable(workspace, row)
    chain = [row] if only else chain_of(book, place.top, row)
    for one in chain:
        _kept(book, one)
    if not provisional:
        _confirmed(book, row)
    missing = [one for one in chain if not _is_here(place.top, one)]
    if not missing:
        raise Refused(f"e{row['id']} is on this branch already.", "See: git log --oneline")
    head = _picked(book, place, missing)
    ours = place.campaign is not None and lookup.is_ours(book, place.campaign, place.head)
    repo.git("merge", "--quiet", "--ff-only", head, cwd=place.top)
    if ours:
        record.tip(book, place.campaign, head)
    with book.write():
        book.event("apply", f"e{row['id']}", f"on {place.branch or place.head}")
    return {
        "experiment": f"e{row['id']}",
        "applied": [f"e{one['id']}" for one in missing],
        "head": head,
        "branch": place.branch,
    }


def check_applicable(workspace: Workspace, row: sqlite3.Row) -> None:
    """Refuse what has no change, is not here, or would meet an edit."""
    place = workspace.place
    if row["commit"] is None or row["kind"] != "run":
        raise Refused(
            f"e{row['id']} has no change of its own.", f"Look at it: lab show e{row['id']}"
        )
    if place.head is None:
        raise Refused("there is no commit to apply it to.", "Make one: git commit")
    waiting = repo.under_way(place.top)
    if waiting:
        raise Refused(f"a {waiting} is under way.", f"End it first: git {waiting} --abort")
    worktrees.need_here(place.main, row)
    changed = set(changed_paths(place.top, row))
    edited = [(state, path) for state, path in repo.status(place.top) if path in changed]
    if edited:
        first = "Run them as an experiment first" if place.campaign else "Commit them"
        raise Refused(
            f"{', '.join(path for _, path in edited)} has uncommitted edits.",
            f"{first}, or undo them: {workspace.undo(edited)}",
        )


def changed_paths(top: Path, row: sqlite3.Row) -> list[str]:
    """Return the files that an experiment changed."""
    return repo.changed_between(top, row["parent"], row["commit"])


def chain_of(book: Notebook, top: Path, row: sqlite3.Row) -> list[sqlite3.Row]:
    """Return an experiment's kept ancestors that changed something, oldest first, then itself."""
    line = repo.git("rev-list", "--first-parent", "-n", "2000", row["commit"], cwd=top).split()
    found: list[sqlite3.Row] = []
    for sha in line:
        one = lookup.kept_at(book, sha)
        if one is not None and one["leaf"] == row["leaf"]:
            found.append(one)
    if not found or found[0]["id"] != row["id"]:
        found.insert(0, row)
    return found[::-1]


def _kept(book: Notebook, row: sqlite3.Row) -> None:
    verdict = lookup.state(book, row["id"])["verdict"]
    if verdict != "keep":
        raise Refused(
            f"e{row['id']} was not kept ({verdict or 'no verdict yet'}).",
            f"Put its change uncommitted into the file: lab apply e{row['id']} --edit",
        )


def _confirmed(book: Notebook, row: sqlite3.Row) -> None:
    """Refuse what no audit has confirmed: it may be luck."""
    status = gain_status(book, row)
    if status != "confirmed":
        words = (status or "not confirmed").replace("_", " ")
        taken = f"ake it as it is: lab apply e{row['id']} --provisional"
        hint = f"Audit its branch: lab audit {quote(row['campaign'])}; or t{taken}"
        raise Refused(
            f"the gain of e{row['id']} is {words}: it may be luck.",
            hint if status == "provisional" else f"T{taken}",
        )


def gain_status(book: Notebook, row: sqlite3.Row) -> str | None:
    """Return which ledger an experiment's gain is on, by its leaf's own thresholds."""
    return ledger.gain_status(book, lookup.state(book, row["id"]), policy_for(book, row["id"]))


def _is_here(top: Path, row: sqlite3.Row) -> bool:
    """Return whether the branch has the commit, or another one that changes the same."""
    if repo.is_ancestor(top, row["commit"], "HEAD"):
        return True
    return repo.git("cherry", "HEAD", row["commit"], row["parent"], cwd=top).startswith("- ")


def _picked(book: Notebook, place: repo.Place, chain: Sequence[sqlite3.Row]) -> str:
    """Apply a chain in a checkout of its own, one commit each; return the new head."""
    with side_checkout(place) as side:
        for row in chain:
            _pick(side, row)
            message = repo.git("log", "-1", "--format=%B", row["commit"], cwd=side).strip()
            repo.git(
                *("commit", "--quiet", "--no-verify", "--no-gpg-sign", "--allow-empty"),
                "--file=-",
                cwd=side,
                text=f"{message}\n\n{figures(book, row)}\n",
                env=repo.identity(side),
            )
        return repo.git("rev-parse", "HEAD", cwd=side)


def _pick(side: Path, row: sqlite3.Row) -> None:
    try:
        repo.git("cherry-pick", "--no-commit", row["commit"], cwd=side, env=repo.identity(side))
    except repo.GitFailed:
        torn = repo.git("diff", "--name-only", "--diff-filter=U", cwd=side).splitlines()
        raise Refused(
            f"e{row['id']} conflicts with this branch in {', '.join(torn) or 'its files'}; nothing "
            "was changed.",
            f"See what it changed: lab diff e{row['id']}",
        ) from None


def side_checkout(place: repo.Place) -> contextlib.AbstractContextManager[Path]:
    """Check HEAD out beside, so that a conflict leaves the branch and its files as they were."""
    return repo.side_checkout(place.main, place.home.side_checkout(), str(place.head))


def figures(book: Notebook, row: sqlite3.Row) -> str:
    """Return one line with what was measured, for a commit's message."""
    state = lookup.state(book, row["id"])
    judged = lookup.last_judgement(book, row["id"])
    words = f"Measured: {row['metric']} {num(state['value'])} over {plural(state['runs'], 'run')}"
    audited = ledger.audited_gain(book, row["id"])
    if audited:
        words += f", gain {num(audited[0], sign=True)} ± {error(audited[1])} by an audit"
    elif judged is not None and judged["gain"] is not None:
        words += f", gain as judged {num(judged['gain'], sign=True)} ± {error(judged['se'])}"
    words += "" if ledger.is_confirmed(book, row["id"]) else ", provisional"
    return f"{words} ({row['profile']} on {row['platform']}, yardstick {row['yardstick']})"


def pull_request(book: Notebook, top: Path, rows: Sequence[sqlite3.Row]) -> str:
    """Return a pull request's body: what changed, why, what was measured, how to repeat it."""
    parts = []
    for row in rows:
        shown = details.whole(book, row)
        mechanism = shown["mechanism_outcome"]
        source = f" ({shown['mechanism_source']})" if mechanism else ""
        runs = ", ".join(
            f"seed {run['seed']}: {num(run['value'])}"
            for run in shown["runs"]
            if run["value"] is not None
        )
        parts.append(
            f"## e{row['id']}: {markdown(shown['claim'])}\n\n"
            f"**Mechanism.** {markdown(shown['mechanism'])}\n\n"
            f"**Outcome.** {figures(book, row)}. "
            f"Mechanism: {mechanism or 'not settled'}{source}.\n\n"
            f"**Runs.** {runs}\n\n"
            + (f"**Learned.** {markdown(shown['lesson'])}\n\n" if shown["lesson"] else "")
            + f"**Repeat it.** `git fetch REMOTE refs/lab/e{row['id']}` (commit "
            f"`{row['commit'][:12]}`), then `lab reproduce e{row['id']}`.\n\n"
            f"{fenced(repo.diff(top, row['parent'], row['commit']), 'diff')}\n"
        )
    return "\n".join(parts)
