"""`lab curve`: how a training went, beside its incumbent's."""

import sqlite3

import click

from ..errors import Usage
from ..notebook import Notebook
from ..workspace import Workspace
from . import emit
from .common import as_json, here


@click.command()
@click.argument("experiment")
@click.argument("other", required=False)
@click.option("--metric", metavar="NAME", help="A number of the step log; its loss by default.")
@as_json
@here
def curve(
    workspace: Workspace, experiment: str, other: str | None, metric: str | None, json_: bool
) -> None:
    """The step log of EXPERIMENT beside OTHER's (its incumbent's): equal steps, equal time.

    Same seeds on both sides. A difference in brackets is no more than the curves scatter.

    Examples:

    \b
        lab curve e34
        lab curve e34 e21 --metric grad_norm
        lab curve e34 --json
    """
    from ..run import curve as curves
    from ..views import curve_text

    with workspace.open() as book:
        mine, theirs = _both(book, experiment, other, "curve")
        found = curves.beside(book, workspace.place.home, mine, theirs, metric)
    emit(found) if json_ else click.echo(curve_text.text(found))


def _both(
    book: Notebook, experiment: str, other: str | None, command: str
) -> tuple[sqlite3.Row, sqlite3.Row]:
    """Return an experiment and what it is held against: the one named, else its incumbent."""
    mine = book.need(experiment, "e")
    if other is not None:
        return mine, book.need(other, "e")
    if mine["incumbent"] is None:
        raise Usage(
            f"{experiment} was judged against nothing.",
            f"Say with what to compare it: lab {command} {experiment} e1",
        )
    return mine, book.need(f"e{mine['incumbent']}", "e")
