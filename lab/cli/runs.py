"""`lab run`, `wait`, `stop`, `status`, `worktree`: running and what is alive."""

import contextlib
import dataclasses
import functools
import sqlite3
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..documents.action import Action
from ..documents.experiments import Standing
from ..errors import NotFound, Refused, Usage
from ..notebook import Notebook, lookup
from ..run import waiting
from ..run.standing import as_text, beforehand
from ..text import plural
from ..workspace import Workspace, worktrees
from . import emit
from .common import as_json, console, here, here_with_profile, print_page, say_profile, waits

if TYPE_CHECKING:
    from ..experiment.start import Started

WATCH_S = 2.0  # between two looks of `lab status --watch`


@click.command()
@click.argument("leaf")
@click.argument("name")
@click.option("--from", "start", metavar="WHERE", help="best, e34 or a git revision.")
def worktree(leaf: str, name: str, start: str | None) -> None:
    """Make a campaign's worktree for LEAF on branch lab/LEAF/NAME; prints the leaf's path in it.

    Examples:

    \b
        cd "$(lab worktree pretrain ada)"
        cd "$(lab worktree pretrain ada --from best)"
    """
    workspace = Workspace(Path.cwd(), leaf=leaf)
    with workspace.open(write=True) as book:
        click.echo(worktrees.make(workspace, book, name, start))


@click.command()
@click.argument("what", required=False, metavar="[h12 | e34]")
@click.option("--baseline", is_flag=True, help="Measure what is committed here.")
@click.option("--seeds", type=click.IntRange(1, 100), metavar="N", help="How many runs.")
@click.option("--again", is_flag=True, help="Although it was run before: the idea, the contents.")
@click.option("--wave", is_flag=True, help="One of several at once: the file is yours again.")
@click.option("--no-prune", is_flag=True, help="To its end, however hopeless.")
@click.option("--no-dry-run", is_flag=True, help="Without trying the edit for a few steps first.")
@click.option("--max-cost", type=float, metavar="USD", help="Refuse what could cost more.")
@waits
@as_json
@here_with_profile
def run(
    workspace: Workspace,
    what: str | None,
    baseline: bool,
    seeds: int | None,
    again: bool,
    wave: bool,
    no_prune: bool,
    no_dry_run: bool,
    max_cost: float | None,
    wait_s: float | None,
    detach: bool,
    json_: bool,
) -> None:
    """Run the edit in this worktree for hypothesis h12; or add runs to experiment e34.

    The run belongs to a process of its own: it goes on when this command is cut off. Typing the
    same command again, or `lab wait`, attaches to it. Exits 5 when the wait is over before the run.

    Examples:

    \b
        lab run --baseline --seeds 3
        lab run h12 --detach
        lab run e34 --seeds 2
        lab run h13 --wave --detach
    """
    if baseline == (what is not None):
        raise Usage(
            "say what to run: a hypothesis, an experiment, or --baseline.",
            "Type: lab run h12, lab run e34 --seeds 2, or lab run --baseline --seeds 3",
        )
    if wave and (what is None or what[:1].lower() == "e"):
        raise Usage("--wave is for a new change.", "Type: lab run h12 --wave")
    limit = waiting.seconds(wait_s, detach)
    if workspace.runner != "local" and not workspace.is_rented:
        raise Usage(f"--on {workspace.runner}: there is no such runner.", "Type: --on local")
    if what is None:
        say_profile(workspace)
    how = _How(seeds, max_cost, again, dry=not no_dry_run, prune=not no_prune, wave=wave)
    with workspace.open(write=True) as book:
        started = _begun(workspace, book, what, how)
        _tell(workspace, started, how, baseline)
        _finish(workspace, book, started.experiment, limit, json_)


@dataclass(frozen=True)
class _How:
    """The options of `lab run` that say how something is run."""

    seeds: int | None
    max_cost: float | None
    again: bool
    dry: bool
    prune: bool
    wave: bool


def _begun(workspace: Workspace, book: Notebook, what: str | None, how: _How) -> "Started":
    """Start what was asked for, a baseline where nothing was named; or attach to it."""
    from ..experiment.start import Trial

    if what is None:
        return Trial(workspace, book, how.seeds, how.max_cost).baseline()
    if what[:1].lower() == "e":
        row = book.need(what, "e")
        desk = _desk_of(workspace, row)
        if needs := beforehand(book, row):
            click.echo(needs, err=True)
        return Trial(desk, book, how.seeds, how.max_cost).again(row)
    idea = book.need(what, "h")
    desk = _desk_for(workspace, idea)
    say_profile(desk)
    trial = Trial(desk, book, how.seeds, how.max_cost, prune=how.prune, wave=how.wave)
    say = functools.partial(click.echo, err=True)
    return trial.hypothesis(idea, again=how.again, dry=how.dry, say=say)


def _tell(workspace: Workspace, started: "Started", how: _How, baseline: bool) -> None:
    """Say what whoever typed the command may not expect of what was started."""
    name = f"e{started.experiment}"
    if started.attached:
        click.echo(f"{name} is at work already; attached to it, as it was edited then", err=True)
    if started.left_out:
        edits = ", ".join(started.left_out[:4])
        click.echo(f"measured is what is committed, without the edits of {edits}", err=True)
    if started.unseen:
        click.echo(_goes_without(workspace, started.unseen), err=True)
    if baseline and started.before:
        more = f"it has {plural(started.before, 'run')}, {how.seeds or 1} more are added"
        click.echo(f"{name} measured these contents before: {more}", err=True)


def _goes_without(workspace: Workspace, files: Sequence[str]) -> str:
    """Return in words that a run has no new files but those that leaf.toml names."""
    prefix = workspace.leaf.prefix
    named = ", ".join(f'"{path.removeprefix(prefix)}"' for path in files[:4])
    more = f" and {len(files) - 4} more" if files[4:] else ""
    return (
        f"note: the run goes without {named}{more}: new, and not mutable. If it needs one, "
        f"a person names it in {prefix}leaf.toml: mutable = [..., {named}]"
    )


def _desk_for(workspace: Workspace, idea: sqlite3.Row) -> Workspace:
    """Return the workspace for a hypothesis: at the root of several leaves that of its own."""
    if workspace.known_leaf() is not None:
        return workspace
    asked = {"profile": workspace.asked_profile, "runner": workspace.runner}
    return Workspace(workspace.cwd, leaf=idea["leaf"], **asked)


def _desk_of(workspace: Workspace, row: sqlite3.Row) -> Workspace:
    """Return the workspace for an experiment's own leaf and profile."""
    if workspace.asked_profile and workspace.asked_profile != row["profile"]:
        raise Refused(
            f"e{row['id']} was made for profile {row['profile']}.", f"Type: lab run e{row['id']}"
        )
    return Workspace(
        workspace.cwd, leaf=row["leaf"], profile=row["profile"], runner=workspace.runner
    )


def _from_main(found: Standing) -> Action:
    """Return what to type next in the main checkout: ideas are for a worktree."""
    if found["next"].kind == "propose":
        return Action("worktree", leaf=found["leaf"])
    if found["next"].kind in ("look", "baseline"):
        return dataclasses.replace(found["next"], leaf=found["leaf"])
    return found["next"]


def _finish(
    workspace: Workspace, book: Notebook, experiment: int, limit: float, json_: bool
) -> None:
    """Wait, print how it stands, exit with its code."""
    waiting.until_done(book, workspace.place, experiment, limit)
    found = waiting.outcome(book, workspace.place.home, experiment)
    if workspace.place.campaign is None:
        found["next"] = _from_main(found)
    emit(found) if json_ else click.echo(as_text(found))
    code = waiting.exit_code(found)
    if code:
        sys.stdout.flush()
        sys.exit(code)


@click.command()
@click.argument("experiment", required=False)
@waits
@as_json
@here
def wait(
    workspace: Workspace, experiment: str | None, wait_s: float | None, detach: bool, json_: bool
) -> None:
    """Wait for EXPERIMENT (this campaign's newest) and print what `lab run` would have printed.

    Examples:

    \b
        lab wait
        lab wait e34 --wait 540 --json
    """
    limit = waiting.seconds(wait_s, detach)
    with workspace.open(write=workspace.place.notebook.exists()) as book:
        if experiment is None:
            row = lookup.newest(book, workspace.place.campaign)
            if row is None:
                raise NotFound("there is no experiment here yet.", "Start one: lab run h12")
        else:
            row = book.need(experiment, "e")
        _finish(workspace, book, row["id"], limit, json_)


@click.command()
@click.argument("what", required=False, metavar="[NAME | e34]")
@click.option("--all", "all_", is_flag=True, help="Everything that is alive.")
@here
def stop(workspace: Workspace, what: str | None, all_: bool) -> None:
    """Stop an experiment's run, or a campaign with all that it runs.

    Examples:

    \b
        lab stop e34
        lab stop pretrain/ada
        lab stop --all
    """
    from ..campaign import stop as stopping

    if all_ == (what is not None):
        raise Usage("say what to stop.", "Type: lab stop e34, lab stop NAME or lab stop --all")
    with workspace.open(write=True) as book:
        for line in stopping.stop(workspace, book, what):
            click.echo(line)


@click.command()
@click.option("--watch", is_flag=True, help="Again every two seconds, until Ctrl-C.")
@as_json
@here
def status(workspace: Workspace, watch: bool, json_: bool) -> None:
    """What is alive: campaigns, runs, devices and their queue.

    Examples:

    \b
        lab status
        lab status --watch
        lab status --json
    """
    from ..campaign import status as alive
    from ..views import on_terminal

    if watch and json_:
        raise Usage("--watch is for people.", "Type: lab status --json, as often as you like")
    with workspace.open() as book:
        found = alive.status(workspace, book)
        if json_:
            return emit(found)
        with contextlib.suppress(KeyboardInterrupt) if watch else contextlib.nullcontext():
            print_page(alive.status_text(found), on_terminal.of_status)
            while watch:
                time.sleep(WATCH_S)
                again = alive.status(workspace, book)
                if console() is not None:
                    click.clear()
                elif again == found:
                    continue
                print_page(alive.status_text(again), on_terminal.of_status)
                found = again
    return None
