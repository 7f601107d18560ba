"""Options that commands share (`--leaf`, `--profile`, `--json`) and ids as people type them."""

import functools
import itertools
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .. import leaf as leaves
from ..errors import Environment, Usage
from ..notebook import read
from ..text import plain
from ..workspace import Workspace

if TYPE_CHECKING:
    from rich.console import Console

Command = TypeVar("Command", bound=Callable[..., Any])


class TakesText(click.Command):
    """A command whose argument is anybody's text, which may begin with a dash: "-5% decay"."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Set what can be no option behind `--`; where it could be one, say how to type it."""
        words, texts, unknown = self._apart(args)
        try:
            return super().parse_args(ctx, [*words, "--", *texts] if texts else words)
        except click.UsageError as error:
            if not unknown:
                raise
            raise Usage(
                plain(error.format_message()),
                f"A text that begins with a dash comes last, behind --: {ctx.command_path} "
                f"... -- {shlex.quote(unknown[0])}",
            ) from None

    def _apart(self, args: list[str]) -> tuple[list[str], list[str], list[str]]:
        """Return words, texts (behind `--`, or like no option there is), and unknown options."""
        words: list[str] = []
        texts: list[str] = []
        unknown: list[str] = []
        rest = iter(args)
        for word in rest:
            if word == "--":
                texts += rest
            elif self._takes_value(word):
                words += [word, *itertools.islice(rest, 1)]
            elif self._is_text(word, args):
                texts.append(word)
            else:
                words.append(word)
                unknown += [word] if word[:1] == "-" and not self._is_ours(word) else []
        return words, texts, unknown

    def _options(self) -> dict[str, click.Option]:
        own = (param for param in self.params if isinstance(param, click.Option))
        return {name: option for option in own for name in option.opts}

    def _takes_value(self, word: str) -> bool:
        option = self._options().get(word)
        return option is not None and not option.is_flag

    def _is_ours(self, word: str) -> bool:
        """Return whether a word is an option of this command, its value perhaps attached."""
        known = {*self._options(), "--help", "-h"}
        return word.partition("=")[0] in known or (word[1:2] != "-" and word[:2] in known)

    def _is_text(self, word: str, args: list[str]) -> bool:
        """Return whether a word begins with a dash and yet can only be a text.

        "-momentum off" is no `-m` with its value attached where the option stands apart as well.
        """
        like = word[:1] == "-" and (word[1:2].isdigit() or word[1:2] == "." or " " in word)
        option = self._options().get(word[:2])
        twice = option is not None and any(name in args for name in option.opts)
        return like and (not self._is_ours(word) or twice)


def folder() -> Path:
    """Return the folder one stands in, or say that it is gone."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise Environment("the folder you stand in is gone.", "Go to one that exists.") from None


def here(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` the workspace it stands at, for the leaf in `--leaf` or the current folder."""

    @click.option("--leaf", metavar="NAME", help="Another leaf than the one you stand in.")
    @functools.wraps(command)
    def wrapped(*args: Any, leaf: str | None, **kwargs: Any) -> Any:
        return command(Workspace(folder(), leaf=leaf), *args, **kwargs)

    return wrapped


def here_with_profile(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` the workspace for `--leaf`, `--profile` and `--on`."""

    @click.option("--on", "runner", metavar="R", help="local (default) or modal[:GPU].")
    @click.option("--profile", metavar="P", help="gpu, cpu, smoke or another of the leaf's.")
    @click.option("--leaf", metavar="NAME", help="Another leaf than the one you stand in.")
    @functools.wraps(command)
    def wrapped(
        *args: Any, leaf: str | None, profile: str | None, runner: str | None, **kwargs: Any
    ) -> Any:
        workspace = Workspace(folder(), leaf=leaf, profile=profile, runner=runner)
        return command(workspace, *args, **kwargs)

    return wrapped


def say_profile(workspace: Workspace) -> None:
    """Say on standard error which profile was taken, where nobody named one."""
    note = workspace.profile_note()
    if note:
        click.echo(note, err=True)


def console() -> "Console | None":
    """Return the terminal one prints on, or None where a program reads.

    `FORCE_COLOR` makes a terminal of a pipe; `NO_COLOR` and a dumb one are rich's to respect.
    """
    if not sys.stdout.isatty() and not os.environ.get("FORCE_COLOR"):
        return None
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


def print_page(text: str, style: Callable[[str, int], str], *, wrap: bool = True) -> None:
    """Print a page: in colour, within its width, on a terminal; as it is where a program reads."""
    terminal = console()
    if terminal is None:
        return click.echo(text)
    from ..views import on_terminal

    show = on_terminal.page if wrap else on_terminal.code
    return show(text, terminal, style)


def as_json(command: Command) -> Command:
    """Add `--json`."""
    option: Callable[[Command], Command] = click.option(
        "--json", "json_", is_flag=True, help="Print JSON."
    )
    return option(command)


def waits(command: click.decorators.FC) -> click.decorators.FC:
    """Add the options on how long to wait."""
    command = click.option("--detach", is_flag=True, help="Do not wait at all.")(command)
    return click.option(
        "--wait", "wait_s", type=float, metavar="S", help="Wait at most so many seconds."
    )(command)


def named_leaf(workspace: Workspace, name: str | None) -> str | None:
    """Return the leaf named, asked for or stood in; None, at the root of several, for all."""
    if name is not None:
        workspace.asked_leaf = name
    asked, top = workspace.asked_leaf, workspace.place.top
    if asked is None and workspace.place.campaign is None:
        standing = leaves.here(workspace.cwd, top)
        at_top = standing == leaves.places.ROOT and workspace.cwd.resolve() == top.resolve()
        return None if at_top and len(leaves.find(top)) > 1 else standing
    with workspace.open() as book:
        recorded = read.leaves(book)
    if asked is not None and leaves.tidy(asked) in recorded and not asked.startswith("."):
        return leaves.tidy(asked)  # also one that only the notebook knows
    known = workspace.known_leaf()
    if known is None and not workspace.is_of_all:
        return workspace.leaf_name  # refuses, and names those it can mean
    if known is not None and known not in recorded and known not in leaves.find(top):
        leaves.read(top, known)  # refuses, and names the nearest
    return known
