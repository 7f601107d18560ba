"""Campaigns: somebody at work on a leaf until a limit."""

from pathlib import Path

import click

from ..desk import Desk
from . import emit
from .common import as_json


@click.command()
@click.argument("leaf")
@click.option(
    "--agent", required=True, metavar="A", help="tuner, claude, codex, gemini or a command."
)
@click.option("--experiments", type=int, metavar="N", help="End after N judged experiments.")
@click.option("--hours", type=float, metavar="H", help="End after H hours.")
@click.option("--target", type=float, metavar="X", help="End when the metric reaches X.")
@click.option("--max-cost", type=float, metavar="USD", help="End when so much is spent.")
@click.option("--profile", metavar="P", help="gpu, cpu, smoke or another of the leaf's.")
@click.option("--on", "runner", metavar="R", help="local (default) or modal[:GPU].")
@click.option("--name", metavar="NAME", help="The campaign's name; the agent's by default.")
@click.option("--yolo", is_flag=True, help="Let a coding agent do whatever it likes.")
@as_json
def loop(
    leaf: str,
    agent: str,
    experiments: int | None,
    hours: float | None,
    target: float | None,
    max_cost: float | None,
    profile: str | None,
    runner: str | None,
    name: str | None,
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
    from .. import campaign as campaigns
    from ..agents.work import work

    limits = campaigns.Limits(experiments, hours, target, max_cost)
    limits.check()
    desk = Desk(Path.cwd(), leaf=leaf, profile=profile, runner=runner)
    found = work(desk, agent, limits, name=name, yolo=yolo)
    emit(found) if json_ else click.echo(campaigns.told(found))
    if found["ending"] == "stopped":
        raise click.exceptions.Exit(1)
