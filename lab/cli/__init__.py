"""The command line: parse, call one verb, print."""

import contextlib
import importlib
import json
import os
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from .. import __version__
from ..errors import Environment, LabError, Usage
from ..system import terminal
from ..text import nearest

# Who each command is for, in the order of `lab --help`; its module, and what it does in a line,
# which two that belong together share.
COMMANDS: dict[str, dict[str, tuple[str, str]]] = {
    "agents": {
        "context": ("look", "where the leaf stands, what is yours, a next move"),
        "failures": ("look", "what did not work and why, nearest to your idea first"),
        "hypothesis": ("ideas", "write down a claim and why it should work"),
        "drop": ("ideas", "withdraw a hypothesis that was never run"),
        "experiment": ("ideas", "register an experiment that runs elsewhere"),
        "run": ("runs", "run your edit for a hypothesis, or the baseline"),
        "wait": ("runs", "wait for a run and see how it stands"),
        "audit": ("tree", "run the branch against what was confirmed: what it truly gained"),
        "result": ("ideas", "give the verdict: keep, discard or crash"),
        "samples": ("tree", "what the trained model says: best, worst, random"),
        "curve": ("trainings", "the training beside its incumbent's, step by step"),
        "timing": ("trainings", "where a run's time went, beside its incumbent's"),
        "show": ("look", "everything about one experiment, or several"),
        "diff": ("tree", "what an experiment changed"),
        "lesson": ("ideas", "keep a finding, with its evidence"),
        "tag": ("ideas", "mark an experiment; note: say something of it"),
        "note": ("ideas", "mark an experiment; note: say something of it"),
        "move": ("tree", "continue from another experiment"),
        "apply": ("tree", "bring a kept change to the current branch"),
    },
    "people": {
        "demo": ("demo", "see luck caught and a true gain confirmed, in two minutes"),
        "worktree": ("runs", "make a campaign's worktree"),
        "loop": ("campaigns", "put an agent to work, in the foreground"),
        "launch": ("campaigns", "put agents to work, detached"),
        "status": ("runs", "what is alive: campaigns, runs, devices, queue"),
        "output": ("campaigns", "what a campaign or a run printed"),
        "stop": ("runs", "end a run or a campaign"),
        "board": ("look", "what was kept, confirmed and provisional gain"),
        "log": ("look", "the newest experiments, newest first"),
        "plot": ("pictures", "progress as a picture"),
        "report": ("reports", "everything as one page of HTML"),
        "serve": ("reports", "the same as pages that move while it runs"),
        "reproduce": ("tree", "run an experiment again as it was"),
    },
    "contributors": {
        "leaves": ("look", "the leaves of this repository"),
        "new": ("contribute", "make a leaf; adopt: around a script of yours"),
        "adopt": ("contribute", "make a leaf; adopt: around a script of yours"),
        "check": ("contribute", "prove that a leaf keeps its contract"),
        "brief": ("look", "all an agent should read, on one page"),
        "skills": ("hosts", "teach coding agents to use lab; mcp: as tools by protocol"),
        "mcp": ("hosts", "teach coding agents to use lab; mcp: as tools by protocol"),
        "completion": ("hosts", "words for your shell; config: defaults of loop and launch"),
        "config": ("hosts", "words for your shell; config: defaults of loop and launch"),
    },
    "data": {
        "export": ("data", "every record as JSON Lines"),
        "import": ("data", "read an export, or another tool's log"),
        "archive": ("data", "take an import, a leaf or an experiment out of sight"),
        "doctor": ("data", "prove that the notebook is whole"),
        "gc": ("data", "remove old worktrees and artefacts"),
    },
}
HOME = {name: where for group in COMMANDS.values() for name, (where, _) in group.items()}


class Lab(click.Group):
    """The group of all commands: a command's module is imported when the command is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return every command, in the order of the help page."""
        return list(HOME)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name, or None."""
        if cmd_name not in HOME:
            return None
        module = importlib.import_module(f"{__package__}.{HOME[cmd_name]}")
        named = (getattr(module, name, None) for name in (f"{cmd_name}_", cmd_name))
        return next((found for found in named if isinstance(found, click.Command)), None)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; that nobody reads what it says any more is no failure of it."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            terminal.hang_up(sys.stdout)
            terminal.hang_up(sys.stderr)
            return 0

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or name the nearest."""
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            near = nearest(args[0], list(HOME))
            hint = f"Did you mean: lab {near}" if near else "See what there is: lab --help"
            raise Usage(f"no such command: {args[0]}.", hint)
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, grouped by who they are for; the two options need no block."""
        for title, group in COMMANDS.items():
            for name, (_, caption) in group.items():
                names = [one for one, (_, said) in group.items() if said == caption]
                if name == names[0] and self.get_command(ctx, name) is not None:
                    formatter.write(f"{title:<13} {', '.join(names):<11} {caption}\n")
                    title = ""


@click.group(
    cls=Lab,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 90},
    options_metavar="[--version]",
    epilog="Examples of each: lab COMMAND --help. Exit codes: 0 done, 1 failed, 2 usage, "
    "3 no such thing, 4 refused, 5 not yet, 6 environment.",
)
@click.version_option(__version__, prog_name="lab")
def cli() -> None:
    """Remember what was tried, why, and what came of it."""


def main(args: Sequence[str] | None = None) -> None:
    """Run `lab` as a program: every refusal is two lines and an exit code, never a traceback."""
    words = list(sys.argv[1:] if args is None else args) or ["--help"]
    terminal.prepare()
    try:
        code = _agents_own(words)
        if code is None:
            code = cli.main(words, prog_name="lab", standalone_mode=False, **_defaults(words))
        sys.stdout.flush()
    except BrokenPipeError:
        terminal.hang_up(sys.stdout)
        code = 0
    except (click.Abort, KeyboardInterrupt):
        code = 130
    except Exception as error:
        code = _refuse(error, words)
    sys.exit(code if isinstance(code, int) else 0)


def _defaults(words: Sequence[str]) -> dict[str, Any]:
    """Return what the settings say for who is put to work; an option given goes before."""
    if words[0] not in ("loop", "launch") or "--help" in words:
        return {}
    from .hosts import settings

    known = {name: one.value for name, one in settings().items() if one.value is not None}
    known.pop("mirror", None)  # is no option of theirs
    if "on" in known:
        known["runner"] = known.pop("on")
    return {"default_map": {"loop": known, "launch": known}}


def _agents_own(words: list[str]) -> int | None:
    """Show the driver that its agent is alive; type the command outside of its sandbox, if any."""
    if "LAB_HEARTBEAT" in os.environ:
        from ..campaign.sessions import beat

        beat()
    folder = os.environ.get("LAB_RELAY")
    if not folder or not words or words[0].startswith("-") or "--help" in words:
        return None
    from ..agents.relay import ask

    return ask(Path(folder), words)


def _refuse(error: Exception, words: list[str]) -> int:
    """Print the refusal; what nobody foresaw is raised again only for those who ask."""
    refusal = _known(error)
    if refusal is None:
        if os.environ.get("LAB_DEBUG"):
            raise error
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        refusal = LabError(f"lab itself failed ({what}).", "See where: LAB_DEBUG=1 lab ...")
    with contextlib.suppress(BrokenPipeError):
        refusal.show()
        if "--json" in words:
            click.echo(refusal.as_json(), err=True)
    return refusal.exit_code


def _known(error: Exception) -> LabError | None:
    from ..repo import GitFailed

    if isinstance(error, LabError):
        return error
    if isinstance(error, click.UsageError):
        from ..text import plain

        command = error.ctx.command_path if error.ctx else "lab"
        return Usage(plain(error.format_message()), f"See how: {command} --help")
    if isinstance(error, sqlite3.Error):
        from ..notebook import explain

        found = explain(error, "the notebook")
        return found if isinstance(found, LabError) else None
    if isinstance(error, GitFailed):
        return Environment(f"git: {error.first}", "Look with: git status")
    if isinstance(error, UnicodeEncodeError):
        return Usage("the command holds bytes that are not UTF-8.", "Type it in UTF-8.")
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return Environment(f"{where}{error.strerror or error}.", "Look with: lab doctor")
    return None


def emit(found: Any) -> None:
    """Print what was found as one JSON document."""
    click.echo(json.dumps(found, allow_nan=False, indent=1, default=str))
