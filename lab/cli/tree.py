"""`lab diff`, `samples`, `move`, `apply`, `audit`, `reproduce`: along the tree."""

import math
import sys
from pathlib import Path
from shlex import quote

import click

from .. import repo
from ..documents.experiments import Audit
from ..errors import NotFound, Refused, Usage
from ..experiment import branches, combination, seal
from ..experiment import reproduce as repetition
from ..experiment import samples as sampling
from ..experiment.audit import as_text as auditing_text
from ..notebook import Notebook, audits, lookup
from ..notebook.runs import median_seconds
from ..run import assessment, waiting
from ..system import left
from ..text import block
from ..workspace import Workspace
from ..workspace.worktrees import find_again, need_here
from . import emit
from .common import as_json, here, here_with_profile, print_page, waits

NEXT_OF_EDIT = "next: lab hypothesis CLAIM -m MECHANISM  # then lab run with the id that it prints"


@click.command()
@click.argument("experiment")
@as_json
@here
def diff(workspace: Workspace, experiment: str, json_: bool) -> None:
    """What EXPERIMENT changed, against the commit it was built on.

    Examples:

    \b
        lab diff e34
        lab diff e34 --json
    """
    with workspace.open() as book:
        row = book.need(experiment, "e")
    if row["commit"] is None or row["parent"] is None or row["kind"] != "run":
        raise Refused(
            f"{experiment} has no change of its own.", f"Look at it: lab show {experiment}"
        )
    need_here(workspace.place.main, row)
    text = repo.diff(workspace.place.main, row["parent"], row["commit"])
    if json_:
        emit(
            {
                "experiment": f"e{row['id']}",
                "parent": row["parent"],
                "commit": row["commit"],
                "lines_changed": row["lines_changed"],
                "diff": text,
            }
        )
    else:
        from ..views import on_terminal

        print_page(block(text), on_terminal.of_diff, wrap=False)


@click.command()
@click.argument("experiment")
@click.option("-n", default=3, show_default=True, type=click.IntRange(1, 100), help="Of each.")
@click.option("--seed", type=int, help="Of the run with this seed instead of the newest.")
@as_json
@here
def samples(workspace: Workspace, experiment: str, n: int, seed: int | None, json_: bool) -> None:
    """The best, worst and some random samples of EXPERIMENT's newest run.

    Examples:

    \b
        lab samples e34
        lab samples e34 --seed 1
        lab samples e34 -n 5 --json
    """
    with workspace.open() as book:
        row = book.need(experiment, "e")
        runs = lookup.runs(book, row["id"])[::-1]
    folder = workspace.place.home.experiment(row["id"])
    logs = [(run["seed"], folder / str(run["id"]) / "samples.jsonl") for run in runs]
    there = [log for log in logs if left.is_file(log[1])]
    chosen = [log for log in there if seed in (None, log[0])]
    if there and not chosen:
        seeds = ", ".join(str(one) for one in sorted({one for one, _ in there}))
        raise NotFound(
            f"{experiment} left no samples with seed {seed}.", f"Type --seed with one of: {seeds}"
        )
    newest = chosen[0] if chosen else (None, folder / "samples.jsonl")
    found = sampling.pick(newest[1], row["id"], newest[0], n)
    emit(found) if json_ else click.echo(sampling.as_text(found))


@click.command()
@click.argument("where", metavar="e21|best")
@as_json
@here_with_profile
def move(workspace: Workspace, where: str, json_: bool) -> None:
    """Continue this campaign from a kept experiment, its own or another campaign's.

    Examples:

    \b
        lab move best
        lab move e21
    """
    with workspace.open(write=True) as book:
        found = branches.move(workspace, book, where)
    if json_:
        emit(found)
    else:
        click.echo(
            f"now at {found['head'][:12]} (left {found['left'][:12]})\nnext: {found['next']}"
        )


@click.command()
@click.argument("experiments", nargs=-1, required=True, metavar="EXPERIMENT...")
@click.option("--edit", is_flag=True, help="Changes uncommitted into the file, kept or not.")
@click.option("--only", is_flag=True, help="Without the kept changes it was built on.")
@click.option("--provisional", is_flag=True, help="Also what no audit has confirmed.")
@click.option(
    "--pr", type=click.Path(path_type=Path), metavar="FILE", help="A pull request's body."
)
@as_json
@here
def apply(
    workspace: Workspace,
    experiments: tuple[str, ...],
    edit: bool,
    only: bool,
    provisional: bool,
    pr: Path | None,
    json_: bool,
) -> None:
    """Bring a kept change, and those it was built on, to the current branch; one commit each.

    With --edit the change of one experiment or of several goes into the file and is not
    committed: they are merged by constants and functions, all or nothing.

    Examples:

    \b
        lab apply e34 --pr body.md
        lab apply e34 --only
        lab apply e12 e13 e15 --edit
    """
    names = " ".join(experiments)
    if edit and (only or pr):
        raise Usage("--edit goes alone.", f"Type: lab apply {names} --edit")
    if len(experiments) > 1 and not edit:
        raise Usage(
            "several experiments go into the file alone, uncommitted.",
            f"Type: lab apply {names} --edit",
        )
    with workspace.open(write=True) as book:
        rows = {row["id"]: row for row in (book.need(name, "e") for name in experiments)}
        if edit:
            edited = combination.edit(workspace, book, list(rows.values()))
            said = f"{', '.join(edited['edited'])} edited; nothing is committed\n"
            said += _after_edit(book, list(rows))
            emit(edited) if json_ else click.echo(said)
            return
        (row,) = rows.values()
        found = branches.apply(workspace, book, row, only=only, provisional=provisional)
        if pr is not None:
            brought = [book.need(name, "e") for name in found["applied"]]
            pr.write_text(branches.pull_request(book, workspace.place.main, brought))
            found["pr"] = str(pr)
        sealed = seal.said(workspace, book, row)
    where = f"{found['branch'] or 'HEAD'} at {found['head'][:12]}"
    said = f"applied {', '.join(found['applied'])}; {where}"
    said += f"\n{sealed}" if sealed and workspace.is_persons else ""
    emit(found) if json_ else click.echo(said)


@click.command()
@click.argument("name", required=False)
@waits
@as_json
@here_with_profile
def audit(
    workspace: Workspace, name: str | None, wait_s: float | None, detach: bool, json_: bool
) -> None:
    """Run the branch of campaign NAME (this one) and what was last confirmed of it, in turn.

    Three runs of each, with new seeds. Only what they differ by is claimed; when it is less than
    nothing the branch goes back. Typed again, it goes on where it was cut off.

    Examples:

    \b
        lab audit
        lab audit pretrain/ada --detach
    """
    from ..experiment import audit as auditing

    limit = waiting.seconds(wait_s, detach)
    with workspace.open(write=True) as book:
        own, campaign = _audited(workspace, book, name)
        home, before = own.place.home, audits.newest(book, campaign, own.leaf_name)

        def until_done(experiment: int) -> None:
            click.echo(f"audit of {campaign}: e{experiment} runs again", err=True)
            waiting.until_done(book, own.place, experiment, limit_s=math.inf)

        if auditing.until_over(home, campaign, 0):
            auditor = auditing.Auditor(own, book, until_done)
            if limit != math.inf and before is not None and auditor.sides() is None:
                return _told(
                    workspace, auditing.as_json(book, before), json_
                )  # it has ended meanwhile
            auditor.check()
            click.echo(_lasts(own, book), err=True)
            if limit == math.inf:
                return _told(workspace, auditor.run(), json_)
            log = auditing.start(own, campaign)
            click.echo(f"audit of {campaign} started; it prints into {log}", err=True)
        if not auditing.until_over(home, campaign, limit):
            click.echo(f"the audit goes on; wait for it: lab audit {quote(campaign)}", err=True)
            raise click.exceptions.Exit(5)
        found = audits.newest(book, campaign, own.leaf_name)
        if found is None or (before is not None and found["id"] == before["id"]):
            raise Refused(
                "the audit came to no end.",
                f"It goes on: lab audit {quote(campaign)}; what it said: "
                f"{auditing.log_of(own, campaign)}",
            )
        told = auditing.as_json(book, found)
    return _told(workspace, told, json_)


def _after_edit(book: Notebook, ids: list[int]) -> str:
    """Return what to type next: an idea that crashed is mended, all else is an idea of its own."""
    row, state = lookup.experiment(book, ids[0]), lookup.state(book, ids[0])
    if len(ids) == 1 and state["verdict"] == "crash" and row["hypothesis"] is not None:
        return f"next: mend it, then lab run h{row['hypothesis']}"
    return NEXT_OF_EDIT


def _lasts(workspace: Workspace, book: Notebook) -> str:
    """Return in words how long an audit takes, and that it may be cut off."""
    policy = assessment.policy_of(workspace.leaf.judge)
    each = median_seconds(book, workspace.leaf_name, workspace.profile)
    cost = assessment.audit_cost(policy.audit_runs, each)
    return f"an audit is {cost}; cut off, it goes on when typed again"


def _audited(workspace: Workspace, book: Notebook, name: str | None) -> tuple[Workspace, str]:
    """Return a campaign's own workspace, and its name."""
    if name is None:
        name = workspace.place.campaign
    if name is None:
        raise Usage("say which campaign to audit.", "Type: lab audit NAME; see them: lab status")
    campaign = lookup.named(book, name, "See what there is: lab status")[0]
    row = lookup.campaign(book, campaign)
    assert row is not None
    folder = find_again(workspace.place, row)
    newest = lookup.newest(book, campaign)  # its profile is the one the campaign works in
    profile = workspace.asked_profile or (newest["profile"] if newest is not None else None)
    found = Workspace(folder, leaf=row["leaf"], profile=profile, runner=workspace.runner)
    return found, campaign


def _told(workspace: Workspace, found: Audit, json_: bool) -> None:
    emit(found) if json_ else click.echo(auditing_text(found, is_persons=workspace.is_persons))
    if found["conclusion"] == "cut":
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("experiment")
@click.option("--seed", type=int, help="Another of its seeds than the first.")
@as_json
@here_with_profile
def reproduce(workspace: Workspace, experiment: str, seed: int | None, json_: bool) -> None:
    """Run EXPERIMENT again from its commit, seed and profile; did the number hold?

    Examples:

    \b
        lab reproduce e34
        lab reproduce e34 --seed 1 --json
    """
    from ..experiment.start import Trial

    with workspace.open(write=True) as book:
        row = book.need(experiment, "e")
        finished = [run for run in lookup.runs(book, row["id"]) if run["status"] == "finished"]
        first = next((run for run in finished if seed in (None, run["seed"])), None)
        if first is None:
            raise NotFound(
                f"{experiment} has no finished run{'' if seed is None else f' with seed {seed}'}.",
                f"See its runs: lab show {experiment}",
            )
        own = Workspace(
            workspace.cwd, leaf=row["leaf"], profile=row["profile"], runner=workspace.runner
        )
        Trial(own, book, None).repeat(row, first["seed"])
        waiting.until_done(book, workspace.place, row["id"], math.inf)
        found = repetition.compare(book, row, first)
    emit(found) if json_ else click.echo(repetition.as_text(found))
    sys.stdout.flush()
    sys.exit(1 if found["again"] is None else 0)
