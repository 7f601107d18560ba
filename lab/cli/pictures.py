"""`lab plot`: progress as a picture."""

from pathlib import Path
from shlex import quote

import click

from ..system import output_file
from ..text import plural
from ..workspace import Workspace
from . import emit
from .common import as_json, here, named_leaf


@click.command()
@click.argument("leaf_", required=False, metavar="[LEAF]")
@click.option("-o", "path", default="plot.png", show_default=True, metavar="FILE", type=Path)
@as_json
@here
def plot(workspace: Workspace, leaf_: str | None, path: Path, json_: bool) -> None:
    """Draw every experiment of LEAF and the best so far, as PNG or SVG.

    What is comparable with the newest result is in the picture: one profile, one platform, one
    yardstick. A cross or a triangle at the edge is an experiment without a number, or one too bad
    for the scale. It needs matplotlib (`labtree[plot]`); `lab report` draws the same without.

    Examples:

    \b
        lab plot pretrain
        lab plot pretrain -o night.svg
    """
    from ..views import plot as plots

    name = named_leaf(workspace, leaf_) or workspace.leaf_name
    with workspace.open() as book:
        found = plots.plot(book, name, path)
    if json_:
        emit(found)
        return
    if not found["shown"]:
        where = f" --leaf {quote(found['leaf'])}" if workspace.asked_leaf else ""
        words = f"Nothing to draw yet. Begin with: lab run --baseline --seeds 3{where}"
        click.echo(words, err=True)
    if found["left_out"]:
        words = (
            f"{plural(found['left_out'], 'experiment')} of other profiles, platforms or yardsticks"
        )
        click.echo(f"{words} are not comparable and not shown.", err=True)
    click.echo(found["file"], err=output_file.is_stream(path))
