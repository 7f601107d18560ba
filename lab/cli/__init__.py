"""The command line: parse, call one verb, print."""

import difflib
import importlib
import json
import os
import sqlite3
import sys
from collections.abc import Sequence
from typing import Any

import click

from .. import __version__
from ..errors import Environment, LabError, Usage

# Who each command is for, the order of `lab --help`, and the module that holds it.
COMMANDS: dict[str, dict[str, str]] = {
    "Agents, all day": {
        **dict.fromkeys(("context", "failures"), "look"),
        **dict.fromkeys(("hypothesis", "experiment"), "ideas"),
        **dict.fromkeys(("run", "wait"), "runs"),
        "result": "ideas",
        **dict.fromkeys(("samples", "diff"), "tree"),
        "show": "look",
        "lesson": "ideas",
        **dict.fromkeys(("move", "apply"), "tree"),
    },
    "People": {
        **dict.fromkeys(("worktree",), "runs"),
        **dict.fromkeys(("loop", "launch"), "campaigns"),
        **dict.fromkeys(("status", "output", "stop"), "runs"),
        **dict.fromkeys(("board", "log"), "look"),
        **dict.fromkeys(("plot", "report"), "look"),
        "reproduce": "tree",
    },
    "Contributors": {
        "leaves": "look",
        **dict.fromkeys(("new", "check"), "contribute"),
        "brief": "look",
    },
    "Data": dict.fromkeys(("export", "import", "doctor", "gc"), "data"),
}
HOME = {name: module for group in COMMANDS.values() for name, module in group.items()}


class Lab(click.Group):
    """The group of all commands: a command's module is imported when the command is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return every command that exists, in the order of the help page."""
        return [name for name in HOME if self.get_command(ctx, name)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name, or None."""
        if cmd_name not in HOME:
            return None
        module = importlib.import_module(f".{HOME[cmd_name]}", __package__)
        named = (getattr(module, name, None) for name in (f"{cmd_name}_", cmd_name))
        return next((found for found in named if isinstance(found, click.Command)), None)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or name the nearest."""
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], HOME, 1)
            hint = f"Did you mean: lab {near[0]}" if near else "See what there is: lab --help"
            raise Usage(f"no such command: {args[0]}.", hint)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, grouped by who they are for."""
        for title, names in COMMANDS.items():
            rows = []
            for name in names:
                command = self.get_command(ctx, name)
                if command is not None:
                    rows.append((name, command.get_short_help_str(66)))
            formatter.write(f"{title}:\n")
            for name, caption in rows:
                formatter.write(f"  {name:<11} {caption}\n")


@click.group(
    cls=Lab,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 90},
    epilog="Exit codes: 0 done, 1 failed, 2 usage, 3 no such thing, 4 refused, 5 not yet, "
    "6 environment.",
)
@click.version_option(__version__, prog_name="lab")
def cli() -> None:
    """Remember what was tried, why, and what came of it. LEAF is where you stand, or --leaf."""


def main(args: Sequence[str] | None = None) -> None:
    """Run `lab` as a program: every refusal is two lines and an exit code, never a traceback."""
    words = list(sys.argv[1:] if args is None else args)
    try:
        code = cli.main(words, prog_name="lab", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except (click.Abort, KeyboardInterrupt):
        code = 130
    except Exception as error:
        code = _refuse(error, words)
    sys.exit(code if isinstance(code, int) else 0)


def _refuse(error: Exception, words: list[str]) -> int:
    """Print the refusal; what nobody foresaw is raised again only for those who ask."""
    refusal = _known(error)
    if refusal is None:
        if os.environ.get("LAB_DEBUG"):
            raise error
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        refusal = LabError(f"lab itself failed ({what}).", "See where: LAB_DEBUG=1 lab ...")
    refusal.show()
    if "--json" in words:
        click.echo(refusal.as_json(), err=True)
    return refusal.exit_code


def _known(error: Exception) -> LabError | None:
    from ..repo import GitFailed

    if isinstance(error, LabError):
        return error
    if isinstance(error, click.UsageError):
        command = error.ctx.command_path if error.ctx else "lab"
        return Usage(error.format_message(), f"See how: {command} --help")
    if isinstance(error, sqlite3.Error):
        from ..notebook import explain

        found = explain(error, "the notebook")
        return found if isinstance(found, LabError) else None
    if isinstance(error, GitFailed):
        return Environment(f"git: {str(error).splitlines()[0]}", "Look with: git status")
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return Environment(f"{where}{error.strerror or error}.", "Look with: lab doctor")
    return None


def emit(found: Any) -> None:
    """Print what was found as one JSON document."""
    click.echo(json.dumps(found, allow_nan=False, indent=1, default=str))
