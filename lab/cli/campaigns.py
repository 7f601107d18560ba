"""`lab loop`, `launch`, `output`: somebody at work on a leaf until a limit."""

import click

from ..system import notify as notifying
from ..system import terminal
from ..text import block
from ..workspace import Workspace
from . import emit
from .common import as_json, folder, here


def _asked(command: click.decorators.FC) -> click.decorators.FC:
    """Add the options on who works, on what, and until when."""
    for option in reversed(
        (
            click.option(
                "--agent",
                required=True,
                metavar="A",
                help="tuner, claude, codex, gemini, a command, claude+tuner.",
            ),
            click.option("--experiments", type=int, metavar="N", help="End after N judged ones."),
            click.option("--hours", type=float, metavar="H", help="End after H hours."),
            click.option("--target", type=float, metavar="X", help="End when the metric is X."),
            click.option("--max-cost", type=float, metavar="USD", help="Spend no more than this."),
            click.option("--audit", is_flag=True, help="Audit at the end, however few runs."),
            click.option(
                "--profile", metavar="P", help="gpu, cpu, smoke or another of the leaf's."
            ),
            click.option("--on", "runner", metavar="R", help="local (default) or modal[:GPU]."),
            click.option("--yolo", is_flag=True, help="Let an agent do whatever it likes."),
            click.option(
                "--notify",
                metavar="LINE",
                help="A shell line; it gets a line at a keep, a stall, a wait, the end.",
            ),
        )
    ):
        command = option(command)
    return command


@click.command()
@click.argument("leaf")
@_asked
@click.option("--name", metavar="NAME", help="The campaign's name; the agent's by default.")
@as_json
def loop(
    leaf: str,
    agent: str,
    experiments: int | None,
    hours: float | None,
    target: float | None,
    max_cost: float | None,
    audit: bool,
    profile: str | None,
    runner: str | None,
    name: str | None,
    notify: str | None,
    yolo: bool,
    json_: bool,
) -> None:
    """Put an agent to work on LEAF, here in the foreground, until a limit, a target or stagnation.

    The same command after a cut goes on where it was. Progress goes to standard error.

    Examples:

    \b
        lab loop pretrain --agent tuner --experiments 5
        lab loop pretrain --agent claude --hours 8 --name ada
        lab loop pretrain --agent 'my-agent --file {prompt_file}' --experiments 20
    """
    from ..agents.work import work
    from ..campaign import loop as campaigns
    from ..campaign.limits import Limits

    limits = Limits(experiments, hours, target, max_cost, audit)
    limits.check()
    workspace = Workspace(folder(), leaf=leaf, profile=profile, runner=runner)
    _try(notify, f"{leaf}: lab loop begins")
    found = work(workspace, agent, limits, name=name, yolo=yolo)
    with terminal.read_or_not():
        emit(found) if json_ else click.echo(campaigns.as_text(found))
    if found["ending"] == "stopped":
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("leaves", nargs=-1, required=True, metavar="LEAF[:NAME]...")
@_asked
def launch(
    leaves: tuple[str, ...],
    agent: str,
    experiments: int | None,
    hours: float | None,
    target: float | None,
    max_cost: float | None,
    audit: bool,
    profile: str | None,
    runner: str | None,
    notify: str | None,
    yolo: bool,
) -> None:
    """Put agents to work on several leaves, or several on one, detached from this terminal.

    The same command again goes on with those that have ended.

    Examples:

    \b
        lab launch pretrain sft --agent tuner --hours 8
        lab launch pretrain:ada pretrain:bob --agent claude --experiments 40
    """
    from ..agents import launch as launching
    from ..agents import presets
    from ..campaign.limits import Limits

    limits = Limits(experiments, hours, target, max_cost, audit)
    limits.check()
    workspace = Workspace(folder())
    options = launching.Options(agent, limits, profile, runner, yolo)
    asked = launching.parse(workspace.cwd, leaves, options)
    preset, _ = presets.chosen(workspace, agent, yolo)
    with workspace.open(write=True) as book:
        click.echo(launching.outlook(workspace, asked), err=True)
        _try(notify, f"lab launch begins: {', '.join(one.campaign for one in asked)}")
        for line in launching.launch(workspace, book, asked, preset):
            click.echo(line)


def _try(command: str | None, line: str) -> None:
    """Try what tells a person of the night, while that person is here."""
    if command:
        notifying.begin(command, line)


@click.command()
@click.argument("what", metavar="NAME|e34")
@click.option("-f", "--follow", is_flag=True, help="Go on as more comes.")
@here
def output(workspace: Workspace, what: str, follow: bool) -> None:
    """What a campaign or a run has printed.

    Examples:

    \b
        lab output ada -f
        lab output e34
    """
    from ..campaign import output as following

    with workspace.open() as book:
        for piece in following.printed(workspace, book, what, follow):
            click.echo(block(piece), nl=piece.endswith("\n"))
