"""`lab demo`: what is different here, told by runs that happen while one looks."""

from pathlib import Path

import click

from .common import folder as here


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default="labtree-demo")
def demo(folder: Path) -> None:
    """See a night's claims read, a lucky change caught and a true gain confirmed, in two minutes.

    Everything happens in FOLDER, which is made: nothing else is touched, no key and no network is
    needed. All numbers are measured while you look; they are the same everywhere, because its leaf
    counts steps and its notebook draws the seeds of audits by a fixed salt.

    Examples:

    \b
        lab demo
        lab demo /tmp/seen
    """
    from .. import demo as telling
    from ..agents import sampling

    sampling.check_model()
    place = (here() / folder).resolve()
    telling.begin(place)
    telling.tell(place, click.echo)
