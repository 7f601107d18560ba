"""`lab new`, `check`: make a leaf, and prove that it keeps its contract."""

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from .. import leaf as leaves
from .. import repo
from ..errors import NotFound, Refused
from ..workspace import Workspace
from . import emit
from .common import as_json, folder, named_leaf

if TYPE_CHECKING:
    from ..checking.finding import Finding


@click.command()
@click.argument("name")
@click.option("--from", "source", metavar="LEAF", help="Start from a copy of this leaf.")
@as_json
def new(name: str, source: str | None, json_: bool) -> None:
    """Make the leaf NAME, a path from the repository's root, and say what to edit first.

    It works as it stands: a small example that trains in a second on a CPU.

    Examples:

    \b
        lab new contrib/kernels/rmsnorm
        lab new longer --from pretrain
    """
    from ..leaf import scaffold

    place = repo.place(folder())
    if place.campaign is not None:
        raise Refused("this is a campaign's worktree.", f"Make it in: cd {place.main}")
    if source is not None:
        source = Workspace(folder(), leaf=source).leaf_name
    files = scaffold.make(place.top, name, source)
    plain = leaves.read(place.top, name).name
    if json_:
        edit = [path for path in scaffold.FIRST if path in files]
        emit({"leaf": plain, "files": files, "edit": edit, "next": f"lab check {plain}"})
    else:
        click.echo(scaffold.as_text(plain, files))


@click.command(context_settings={"ignore_unknown_options": False})
@click.argument("script", type=click.Path(path_type=Path))
@click.argument("arguments", nargs=-1, metavar="[-- ARGUMENTS...]")
@click.option("--metric", metavar="NAME", help="Which of the numbers that it prints.")
@click.option("--direction", type=click.Choice(["min", "max"]), help="Which way is better.")
@click.option("--python", metavar="PATH", help="Its Python; the project's .venv by default.")
@click.option("--limit", type=float, default=300.0, show_default=True, metavar="S", help="Seconds.")
@as_json
def adopt(
    script: Path,
    arguments: tuple[str, ...],
    metric: str | None,
    direction: str | None,
    python: str | None,
    limit: float,
    json_: bool,
) -> None:
    """Make a leaf around SCRIPT as it is: it is run once, and its score is what it prints.

    Its numbers, knobs, data and packages are found; leaf.toml, program.md and notes.md are written
    beside it and committed. Nothing of yours is changed.

    Examples:

    \b
        lab adopt train.py
        lab adopt train.py --metric val_acc --direction max
        lab adopt bench/sort.c
        lab adopt train.py -- --epochs 3
    """
    from .. import adopt as adopting

    place = repo.place(folder())
    if place.campaign is not None:
        raise Refused("this is a campaign's worktree.", f"Adopt it in: cd {place.main}")
    ways = {"min": "minimize", "max": "maximize"}
    way = ways[direction] if direction else None
    asked = adopting.Asked(script, arguments, metric, way, python, limit)
    found = adopting.adopt(place, asked)
    emit(found) if json_ else click.echo(adopting.as_text(found))


@click.command()
@click.argument("names", nargs=-1, metavar="[LEAF]...")
@click.option(
    "--keep", type=click.Path(path_type=Path), metavar="FOLDER", help="Keep the clones there."
)
@as_json
def check(names: tuple[str, ...], keep: Path | None, json_: bool) -> None:
    """Prove that LEAF (or the one you stand in, or all) keeps its contract.

    Works in a temporary clone with your working tree laid over it, new files too, and without
    network. Exits 1 when a leaf breaks its contract; what this machine cannot prove is named.

    Examples:

    \b
        lab check
        lab check pretrain
        lab check contrib/kernels/rmsnorm --json
    """
    from ..checking import prove

    signal.signal(signal.SIGTERM, _ended)
    place = repo.place(folder())
    top, agent = place.top, place.campaign is not None
    if agent and keep is not None:
        raise Refused("this is a campaign's worktree.", f"Keep a clone from: cd {place.main}")
    chosen = [name for word in names or [None] for name in _meant(top, word)]
    known = leaves.find(top)
    for name in chosen:
        if name not in known:
            leaves.read(top, name)  # says what there is instead
            raise Refused(f"git ignores {name}, so it is no leaf.", "See: git check-ignore -v")
    if keep is not None and keep.exists():
        raise Refused(f"{keep} exists already.", "Name a folder that does not: --keep FOLDER")
    reports = []
    for name in chosen:
        click.echo(name, err=json_)
        own = keep.resolve() / name.replace("/", "+") if keep else None
        report = prove(top, name, lambda one: click.echo(_line(one, agent), err=json_), own)
        reports.append(report.without_numbers() if agent else report)
        click.echo(reports[-1].closing(), err=json_)
    if json_:
        emit([report.as_json() for report in reports])
    sys.stdout.flush()
    sys.exit(0 if all(report.ok for report in reports) else 1)


def _line(found: "Finding", agent: bool) -> str:
    """Return a finding as it is told: in a campaign without its numbers."""
    return (found.without_numbers() if agent else found).as_text()


def _meant(top: Path, word: str | None) -> list[str]:
    """Return the leaves that a word means; without one the leaf one stands in, else all."""
    named = named_leaf(Workspace(folder()), word)
    found = [named] if named else leaves.find(top)
    if not found:
        raise NotFound(
            "no leaf here: no folder has a leaf.toml.",
            "Make one: lab adopt SCRIPT, or lab new NAME",
        )
    return found


def _ended(*_: Any) -> NoReturn:
    """End by an exception, so that what runs in the clone is ended and the clone removed."""
    sys.exit(128 + signal.SIGTERM)
