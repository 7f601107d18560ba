"""`lab skills`, `mcp`, `completion`, `config`: agents, shells and you, told of `lab`."""

import contextlib
import os
import shlex
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from .. import repo
from ..errors import Environment, LabError, Refused
from ..system import config as configuration
from ..system import source
from . import emit
from .common import as_json, folder

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("what", type=click.Choice(["install"]))
@click.option("--claude", is_flag=True, help="For Claude Code.")
@click.option("--codex", is_flag=True, help="For Codex.")
@click.option("--gemini", is_flag=True, help="For Gemini CLI; all three without any of these.")
@click.option("--user", is_flag=True, help="For all your projects, in your home.")
@click.option("--dry-run", is_flag=True, help="Say what would change.")
@as_json
def skills(
    what: str,
    claude: bool,
    codex: bool,
    gemini: bool,
    user: bool,
    dry_run: bool,
    json_: bool,
) -> None:
    """Put the skill `labtree` where coding agents look for it, and a marked block into AGENTS.md.

    It is written once, below .agents/skills, and linked for hosts that look elsewhere. Twice
    changes nothing; what you edited by hand stays, and is told.

    Examples:

    \b
        lab skills install
        lab skills install --claude --dry-run
        lab skills install --user
    """
    from .. import skills as installing

    root = Path.home()
    if not user:
        place = repo.place(folder())
        if place.campaign is not None:
            raise Refused("this is a campaign's worktree.", f"Install it in: cd {place.main}")
        root = place.top
    asked = {"claude": claude, "codex": codex, "gemini": gemini}
    hosts = [name for name, is_asked in asked.items() if is_asked or not any(asked.values())]
    found = installing.install(root, hosts, command_page(), user=user, dry=dry_run)
    if json_:
        return emit([vars(one) for one in found])
    click.echo(installing.as_text(found, dry_run))
    fresh = [] if user or dry_run else _uncommitted(root, [one.path for one in found])
    if fresh:
        said = "campaigns work in worktrees made from commits, so commit it: "
        click.echo(f"{said}git add {fresh} && git commit -m 'the skill labtree' -- {fresh}")


def _uncommitted(root: Path, paths: list[str]) -> str:
    """Return those of the paths that git has not as they are, as one types them here."""
    from ..skills import PLACE

    changed = {path for _, path in repo.status(root)}
    skill, here = PLACE.as_posix(), folder().resolve()
    fresh = [skill if path.startswith(skill) else path for path in paths if path in changed]
    return shlex.join(os.path.relpath(root / path, here) for path in dict.fromkeys(fresh))


def command_page() -> str:
    """Return the help of every command, as a page."""
    from . import HOME, cli

    found = ["# Commands of `lab`\n"]
    for name in HOME:
        command = cli.get_command(click.Context(cli), name)
        if command is not None:
            context = click.Context(
                command,
                info_name=f"lab {name}",
                terminal_width=96,
                help_option_names=["-h", "--help"],  # as in the page of the one that runs
            )
            found.append(f"## lab {name}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(found)


@click.command()
def mcp() -> None:
    """Serve the commands as tools over standard input and output, until that is closed.

    Reading: context, failures, show, board, log, brief. Writing: hypothesis, run, wait, result,
    lesson. Each answers with the document that its command prints with --json.

    Examples:

    \b
        lab mcp
        claude mcp add lab -- lab mcp
    """
    try:
        from ..agents import tools
    except ImportError:
        raise Environment(
            "lab mcp needs the SDK of the protocol, which is not installed.",
            f"Install it: {source.to_install('mcp')}",
        ) from None
    tools.serve(folder())


def settings() -> dict[str, configuration.Setting]:
    """Return the settings of the person, those of the repository one stands in before them."""
    files = [configuration.of_person()]
    with contextlib.suppress(LabError):  # a command that needs a repository says so itself
        files.append(repo.place(folder()).home.path / configuration.FILE)
    return configuration.read(files)


def mirror_notes() -> list[str]:
    """Return what keeps runs from being mirrored as `[mirror]` says, two lines each."""
    from ..mirror import faults

    try:
        home = repo.place(folder()).home
    except LabError:  # only a repository has runs
        return []
    try:
        return faults.told(home, configuration.mirror(home))
    except LabError as error:  # of what stands there
        return [f"{error.message}\n{error.hint}"]


@click.command()
@as_json
def config(json_: bool) -> None:
    """Show what `lab loop` and `lab launch` take where an option is not given, and from which file.

    Yours is ~/.config/lab/config.toml; one repository's is .lab/config.toml in its main checkout.
    What stands in `[mirror]` sends steps and results of runs on, too.

    Examples:

    \b
        lab config
        echo 'agent = "claude"' >> .lab/config.toml && lab config
    """
    found = settings()
    if json_:
        emit(
            {
                name: {"value": one.value, "file": str(one.file) if one.file else None}
                for name, one in found.items()
            }
        )
        return
    for name, one in found.items():
        value = ", ".join(one.value.get("to", ())) if name == "mirror" and one.file else one.value
        said = f"{value}  ({one.file})" if one.file else "-"
        click.echo(f"{name:<8} {said}")
    for line in mirror_notes():
        click.echo(f"note: {line}", err=True)


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print what makes SHELL complete the words of `lab`.

    Examples:

    \b
        lab completion bash >> ~/.bashrc
        lab completion zsh >> ~/.zshrc
        lab completion fish > ~/.config/fish/completions/lab.fish
    """
    from . import cli

    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(cli, {}, "lab", "_LAB_COMPLETE").source())
