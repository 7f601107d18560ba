"""`lab context`, `failures`, `log`, `board`, `show`, `leaves`, `brief`: looking."""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from shlex import quote
from typing import cast

import click

from .. import leaf as leaves
from ..documents.experiments import Event, Experiment, Hypothesis, Logged
from ..documents.leaves import DryFailure, Failure
from ..errors import LabError, Usage
from ..judge import Policy
from ..notebook import Notebook, archive, attempts, details, ideas, lookup, read, tags
from ..text import block, num, plain, shorten
from ..workspace import Workspace
from . import emit
from .common import (
    TakesText,
    as_json,
    console,
    here,
    here_with_profile,
    named_leaf,
    print_page,
    say_profile,
)


@click.command()
@click.option("--for", "about", metavar="TEXT", help="Show the failures nearest to this idea.")
@click.option("--tokens", default=1500, show_default=True, help="At most so many.")
@as_json
@here_with_profile
def context(workspace: Workspace, about: str | None, tokens: int, json_: bool) -> None:
    """Where this leaf stands: yours, incumbent, noise, kept, dead ends, lessons, a next move.

    Examples:

    \b
        lab context
        lab context --for "longer warm-up" --tokens 800
        lab context --json
    """
    from .. import brief
    from ..brief.budget import check

    check(tokens)
    with workspace.open() as book:
        found = brief.context(workspace, book, about, tokens)
    say_profile(workspace)
    emit(found) if json_ else click.echo(brief.context_text(found, tokens))


@click.command(cls=TakesText)
@click.argument("text", required=False)
@click.option("--all-leaves", is_flag=True, help="Look beyond this leaf.")
@click.option("--profile", "only", metavar="NAME", help="Those of one profile alone.")
@click.option("-n", default=10, show_default=True, type=click.IntRange(1, 1000), help="At most.")
@click.option("--tokens", default=800, show_default=True, help="At most so many.")
@as_json
@here
def failures(
    workspace: Workspace,
    text: str | None,
    all_leaves: bool,
    only: str | None,
    n: int,
    tokens: int,
    json_: bool,
) -> None:
    """Dead ends and unsettled experiments, those nearest to TEXT first.

    Examples:

    \b
        lab failures
        lab failures "shared KV heads"
        lab failures "shared KV heads" --all-leaves -n 3 --json
        lab failures --profile cpu
    """
    from .. import brief
    from ..brief.budget import check

    check(tokens)
    leaf = None if all_leaves else named_leaf(workspace, None) or workspace.leaf_name
    near = (text or "").strip() or None
    with workspace.open() as book:
        found: list[Failure | DryFailure] = [*attempts.near(book, leaf, near, n, only)]
        found = [*found, *ideas.failures(book, leaf, near, n, profile=only)][:n]
    if json_:
        emit(brief.fit_failures(found, tokens))
    else:
        click.echo(brief.failures_text(found, tokens, near))


@click.command()
@click.argument("name", required=False, metavar="[LEAF]")
@click.option("-n", default=20, show_default=True, type=click.IntRange(1), help="How many.")
@click.option("--verdict", type=click.Choice(["keep", "discard", "crash", "open"]), help="These.")
@click.option("--campaign", metavar="NAME", help="Those of one campaign.")
@click.option("--since", metavar="WHEN", help="Since 2h, a UTC time, or e34.")
@click.option(
    "--sort",
    type=click.Choice(["newest", "gain", "value"]),
    default="newest",
    show_default=True,
    help="What comes first: the newest or the best.",
)
@click.option("--tag", metavar="TAG", help="Those with this tag alone.")
@click.option("--archived", is_flag=True, help="What `lab archive` took out of sight.")
@click.option("--events", is_flag=True, help="Who did what, when, instead of experiments.")
@as_json
@here
def log(
    workspace: Workspace,
    name: str | None,
    n: int,
    verdict: str | None,
    campaign: str | None,
    since: str | None,
    sort: str,
    tag: str | None,
    archived: bool,
    events: bool,
    json_: bool,
) -> None:
    """The newest experiments of LEAF, or of all leaves at the root; newest first.

    Examples:

    \b
        lab log
        lab log pretrain -n 50 --json
        lab log --tag promising
        lab log --verdict keep --since 8h --sort gain
        lab log --events
    """
    if events and (verdict or campaign or since or tag):
        raise Usage("--events has all of them.", "Type: lab log --events -n 50")
    with workspace.open() as book:
        if events:
            return _print_events(read.events(book, n), json_)
        leaf = named_leaf(workspace, name)
        asked = read.Wanted(verdict, campaign, since or "", sort, tag, archived)
        wanted = _wanted(book, asked)
        found, now = read.log(book, leaf, n, wanted), book.now()
    if json_:
        return emit(found)
    if not found and tag:
        return click.echo(f"Nothing is tagged {plain(tag)}. Tag it: lab tag e34 {plain(tag)}")
    if not found and wanted != read.ALL:
        return click.echo("None such. See all: lab log")
    if not found:
        names = leaves.find(workspace.place.top)
        leaf = leaf or (names[0] if len(names) > 1 else None)
        where = f" --leaf {quote(leaf)}" if leaf else ""
        return click.echo(f"Nothing yet. Begin with: lab run --baseline --seeds 3{where}")
    return _print_log(found, now)


def _wanted(book: Notebook, asked: read.Wanted) -> read.Wanted:
    """Return which experiments are asked for, as the notebook names and dates them."""
    name, since = asked.campaign, asked.since.strip()
    if name:
        name = lookup.named(book, name, "See what there is: lab status")[0]
    if since:
        from ..report.since import moment

        since = moment(book, since)
    tag = asked.tag and tags.word(asked.tag)
    return replace(asked, campaign=name, since=since, tag=tag)


def _print_log(found: Sequence[Logged], now: datetime) -> None:
    from ..views import on_terminal
    from ..views.experiment_text import outcome

    terminal = console()
    if terminal is not None:
        return on_terminal.log(found, now, terminal)
    for row in found:
        mark = " imported" if row["imported"] else " claimed" if row["claimed"] else ""
        figures = f"{num(row['value'])} {num(row['gain'], sign=True)}"
        click.echo(
            f"{row['at']} {row['experiment']} {row['leaf']} {outcome(row)}{mark} {figures} "
            f"{shorten(row['claim'] or 'baseline', 100)}{_tagged(row['tags'])}"
        )
    return None


def _tagged(names: list[str]) -> str:
    return "".join(f" #{name}" for name in names)


def _print_events(found: list[Event], json_: bool) -> None:
    if json_:
        emit(found)
        return
    for row in found:
        words = (row["at"], row["who"], row["verb"], row["subject"], row["detail"] or "")
        click.echo(" ".join(plain(word) for word in words).rstrip())


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@as_json
@here
def show(workspace: Workspace, ids: tuple[str, ...], json_: bool) -> None:
    """Everything about one hypothesis or experiment, or several side by side.

    Beside each other, what differs is marked and comes first, knobs before all.

    Examples:

    \b
        lab show e34
        lab show e34 e21
        lab show h12 --json
    """
    from ..views import on_terminal

    with workspace.open() as book:
        found = [_one(book, word) for word in ids]
        if json_:
            return emit(found[0] if len(found) == 1 else found)
        text = block(_page(workspace, book, found[0])) if len(found) == 1 else ""
    terminal = console()
    text = text or _beside(workspace, found, terminal.width if terminal else None)
    return print_page(text, on_terminal.of_experiment, wrap=len(found) == 1)


def _beside(
    workspace: Workspace, found: Sequence[Experiment | Hypothesis], width: int | None
) -> str:
    from ..experiment import constants
    from ..views import side_by_side

    return side_by_side.text(found, constants.of(workspace, found), width)


def _one(book: Notebook, word: str) -> Experiment | Hypothesis:
    if word[:1].lower() == "h":
        return details.idea(book, book.need(word, "h"))
    return details.whole(book, book.need(word, "e"))


def _page(workspace: Workspace, book: Notebook, found: Experiment | Hypothesis) -> str:
    """Return one idea or one experiment as a person reads it."""
    from ..run import standing, waiting
    from ..views import experiment_text

    if "experiments" in found:
        return experiment_text.idea(cast(Hypothesis, found))
    number = int(found["experiment"][1:])
    incumbent = book.need(found["incumbent"], "e") if found["incumbent"] else None
    return experiment_text.experiment(
        found,
        details.whole(book, incumbent) if incumbent else None,
        _change(workspace, found),
        waiting.outcome(book, workspace.place.home, number)["next"],
        standing.gain_by_now(book, book.need(found["experiment"], "e")),
    )


def _change(workspace: Workspace, found: Experiment) -> str:
    """Return an experiment's diff; "" for a baseline."""
    from .. import repo

    parent, commit = found["parent"], found["commit"]
    if found["kind"] != "run" or not parent or not commit:
        return ""
    return repo.diffs(workspace.place.main, [(parent, commit)]).get(commit, "")


@click.command()
@click.argument("leaf_", required=False, metavar="[LEAF]")
@as_json
@here
def board(workspace: Workspace, leaf_: str | None, json_: bool) -> None:
    """Counts, what was kept, and its confirmed gain beside the provisional one.

    Without LEAF, at the root of several, it is a line for each.

    Examples:

    \b
        lab board
        lab board pretrain --json
    """
    from ..views import board as boards
    from ..views import board_text, sealed

    name = named_leaf(workspace, leaf_)
    with workspace.open() as book:
        every = {*read.leaves(book), *leaves.find(workspace.place.top)}
        names = [name] if name else sorted(every - archive.leaves(book))
        found = [boards.board(book, each, policy=_policy(workspace, each)) for each in names]
        told = [sealed.lines(book, each) if workspace.is_persons else [] for each in names]
    if json_:
        emit(found[0] if name else found)
    elif not found:
        click.echo("No leaf and no experiment here yet. Make a leaf: lab new NAME")
    elif len(found) > 1:
        width = shutil.get_terminal_size((100, 24)).columns
        click.echo("\n".join(board_text.summary(found, told, width)))
    elif sys.stdout.isatty():
        from rich.console import Console

        board_text.show(found[0], Console(), told[0])
    else:
        width = shutil.get_terminal_size((100, 24)).columns
        click.echo(board_text.text(found[0], width, told[0]))


def _policy(workspace: Workspace, name: str) -> Policy:
    """Return the leaf's own thresholds; the usual ones where leaf.toml cannot be read."""
    try:
        return Policy.from_table(leaves.read(workspace.place.top, name).judge)
    except (LabError, ValueError):
        return Policy()


@click.command(name="leaves")
@as_json
@here
def leaves_(workspace: Workspace, json_: bool) -> None:
    """List the leaves of this repository: metric, direction, purpose, what is known of each.

    Examples:

    \b
        lab leaves
        lab leaves --json
    """
    from ..views.board_text import tally_text

    with workspace.open() as book:
        out = archive.leaves(book)
        names = [name for name in leaves.find(workspace.place.top) if name not in out]
        found = [_leaf(workspace, book, name) for name in names]
    if json_:
        emit(found)
        return
    for row in found:
        if row["problem"]:
            click.echo(f"{row['leaf']}: {plain(row['problem'])}")
        else:
            click.echo(
                f"{row['leaf']}: {row['metric']} ({row['direction']}), {tally_text(row)}. "
                f"{block(row['purpose'])}"
            )
    if not found:
        click.echo("No leaf here. Make one: lab adopt SCRIPT, or lab new NAME")


def _leaf(workspace: Workspace, book: Notebook, name: str) -> read.Found:
    counts = read.counts(book, name)
    try:
        one = leaves.read(workspace.place.top, name)
    except LabError as error:
        nothing = dict.fromkeys(("metric", "direction", "purpose", "profiles"))
        return {"leaf": name, **nothing, **counts, "problem": error.message}
    return {
        "leaf": name,
        "metric": one.metric,
        "direction": one.direction,
        "purpose": one.purpose,
        "profiles": list(one.profiles),
        **counts,
        "problem": None,
    }


@click.command()
@click.argument("leaf", required=False)
@click.option("--profile", metavar="P", help="gpu, cpu, smoke or another of the leaf's.")
@click.option("--tokens", default=6000, show_default=True, help="At most so many.")
def brief(leaf: str | None, profile: str | None, tokens: int) -> None:
    """Everything an agent should read before it begins, in one document.

    Whoever has read it and comes back types `lab context`: what changed, and what is next.

    Examples:

    \b
        lab brief pretrain
        lab brief pretrain | claude -p
    """
    from .. import brief as briefs
    from ..brief.budget import check

    check(tokens)
    workspace = Workspace(Path.cwd(), leaf=leaf, profile=profile)
    with workspace.open() as book:
        click.echo(briefs.whole(workspace, book, tokens), nl=False)
