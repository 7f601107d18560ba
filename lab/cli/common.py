"""Options that commands share (`--leaf`, `--profile`, `--json`) and ids as people type them."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from .. import leaf as leaves
from ..errors import Environment
from ..notebook import read
from ..workspace import Workspace

Command = TypeVar("Command", bound=Callable[..., Any])


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


def as_json(command: Command) -> Command:
    """Add `--json`."""
    option: Callable[[Command], Command] = click.option(
        "--json", "json_", is_flag=True, help="Print JSON."
    )
    return option(command)


def named_leaf(workspace: Workspace, name: str | None) -> str | None:
    """Return the leaf named, asked for or stood in; None, at the root, for all of them."""
    if name is not None:
        workspace.asked_leaf = name
    if workspace.asked_leaf is not None:
        known = {*leaves.find(workspace.place.top)}
        with workspace.open() as book:
            known |= {*read.leaves(book)}
        if workspace.known_leaf() not in known:
            leaves.read(workspace.place.top, workspace.asked_leaf)  # refuses, and names the nearest
    if workspace.asked_leaf is not None or workspace.place.campaign:
        return workspace.known_leaf()
    return leaves.here(workspace.cwd, workspace.place.top)
