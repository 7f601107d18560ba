"""`lab curve`, `timing`: how a training went, beside its incumbent's."""

import sqlite3

import click

from ..errors import Usage
from ..notebook import Notebook, lookup
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
        mine, theirs = _both(book, experiment, other)
        if theirs is None:
            raise Usage(
                f"{experiment} was judged against nothing.",
                f"Name another to compare it with: lab curve {experiment} e34",
            )
        found = curves.beside(book, workspace.place.home, mine, theirs, metric)
    emit(found) if json_ else click.echo(curve_text.text(found))


@click.command()
@click.argument("experiment")
@click.argument("other", required=False)
@as_json
@here
def timing(workspace: Workspace, experiment: str, other: str | None, json_: bool) -> None:
    """Where the time of EXPERIMENT's run went, beside OTHER's (its incumbent's).

    Set-up, start-up, steps, evaluation; steps per CPU second and per wall second. Of several runs
    the first seed that both have is told.

    Examples:

    \b
        lab timing e34
        lab timing e34 e21
        lab timing e34 --json
    """
    from ..run import timing as timings
    from ..views import timing_text

    with workspace.open() as book:
        found = timings.beside(book, workspace.place.home, *_both(book, experiment, other))
    emit(found) if json_ else click.echo(timing_text.text(found))


def _both(
    book: Notebook, experiment: str, other: str | None
) -> tuple[sqlite3.Row, sqlite3.Row | None]:
    """Return an experiment and what it is held against: the one named, else its incumbent."""
    mine = book.need(experiment, "e")
    if other is not None:
        return mine, book.need(other, "e")
    against = mine["incumbent"]
    return mine, None if against is None else lookup.experiment(book, against)
