"""`lab report`, `lab serve`: what happened as a page, once written or while it moves."""

import contextlib
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import leaf as leaves
from .. import repo
from ..errors import Environment, LabError, Refused, Usage
from ..notebook import archive, read
from ..notebook.read import Found
from ..system import output_file, terminal
from ..workspace import Workspace
from . import emit
from .common import as_json, here, named_leaf

if TYPE_CHECKING:
    from ..serve.gate import Gate

FASTEST_S = 1.0


@click.command()
@click.argument("leaf_", required=False, metavar="[LEAF]")
@click.option(
    "-o", "path", metavar="FILE", type=Path, help="Where to; by default .lab/reports/LEAF.html."
)
@click.option("--since", metavar="WHEN", help="Only what came since: 8h, a UTC time, or e34.")
@click.option("--every", metavar="SPAN", help="Write it again every 10m, until Ctrl-C.")
@click.option("--markdown", is_flag=True, help="A write-up instead of a page; without -o printed.")
@as_json
@here
def report(
    workspace: Workspace,
    leaf_: str | None,
    path: Path | None,
    since: str | None,
    every: str | None,
    markdown: bool,
    json_: bool,
) -> None:
    """Write what happened as one page of HTML, or with --markdown (-o night.md) as a write-up.

    One file, whose path is told, and no request to anywhere: open it, send it, print it. It begins
    with what came since you left: the last stretch of work without a pause of six hours, or since
    WHEN.

    Examples:

    \b
        lab report
        lab report pretrain -o night.html --since 8h
        lab report --every 10m -o /srv/www/lab.html
        lab report pretrain --markdown > appendix.md
    """
    from ..report.since import seconds

    pause = None if every is None else seconds(every)
    if every is not None and (pause is None or pause < FASTEST_S):
        raise Usage(f"--every {every!r} is no span of time.", "Type: --every 10m")
    if pause and markdown and path is None:
        raise Usage("--every rewrites a file.", "Type: -o FILE")
    name = named_leaf(workspace, leaf_)
    markdown = markdown or (path is not None and path.suffix == ".md")
    is_ours = path is None and not markdown
    path = workspace.place.home.report(name) if is_ours else path
    while True:
        found, text = _written(workspace, name, since, markdown, pause)
        if is_ours:
            _make_folder(workspace, name)
        if path is not None:
            with output_file.opened(path) as file:
                file.write(text.encode("utf-8", "backslashreplace"))
        with terminal.read_or_not() if pause else contextlib.nullcontext():
            _say(found, text, path, json_)
        if not pause:
            return
        found, text = {}, ""
        _wait(workspace, pause)


def _make_folder(workspace: Workspace, name: str | None) -> None:
    """Make the folder of reports, among what git does not see."""
    repo.make_home(workspace.place)
    workspace.place.home.report(name).parent.mkdir(exist_ok=True)


def _written(
    workspace: Workspace, name: str | None, since: str | None, markdown: bool, every: float | None
) -> tuple[Found, str]:
    """Return what was collected, and how it reads."""
    from .. import report as reports
    from ..report.since import window

    with workspace.open() as book:
        known = {*read.leaves(book), *leaves.find(workspace.place.top)} - archive.leaves(book)
        names = [name] if name else sorted(known)
        found = reports.collect(workspace, book, names, window(book, since))
    return found, reports.write_up(found) if markdown else reports.page(found, every)


def _say(found: Found, text: str, path: Path | None, json_: bool) -> None:
    """Print what was written: the summary, the write-up itself or the file's name."""
    if json_:
        emit(_summary(found, path))
    elif path is None:
        click.echo(text, nl=False)
    else:
        click.echo(path, err=output_file.is_stream(path))


def _wait(workspace: Workspace, pause: float) -> None:
    """Wait; a notebook that is busy for a while is tried again, not a reason to stop."""
    time.sleep(pause)
    while True:
        try:
            workspace.open().db.close()
            return
        except LabError as error:
            error.show()
            time.sleep(pause)


def _summary(found: Found, path: Path | None) -> Found:
    """Return what each leaf gained, for programs."""
    return {
        "file": str(path) if path else None,
        "made": found["made"],
        "since": found["since"] or None,
        "leaves": [
            {
                "leaf": leaf["leaf"],
                "metric": leaf["metric"],
                "direction": leaf["direction"],
                **{key: value for key, value in leaf["since"].items() if key != "now"},
                "now": _brief(leaf["since"]["now"]),
                "path": [f"e{number}" for number in leaf["tree"].path],
                "shown": len(leaf["rows"]),
                "left_out": leaf["older"],
            }
            for leaf in found["leaves"]
        ],
    }


def _brief(row: Found | None) -> Found | None:
    names = ("experiment", "value", "runs", "campaign", "claim")
    return None if row is None else {name: row[name] for name in names}


@click.command()
@click.option(
    "--port", default=7777, show_default=True, type=click.IntRange(0, 65535), help="0: any."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--open", "open_", is_flag=True, help="Open it in this machine's browser.")
@here
def serve(workspace: Workspace, port: int, host: str, open_: bool) -> None:
    """Serve the notebook as pages that move while it runs, until Ctrl-C.

    The link it prints has the token that acts ask for: stop, add a lesson, tag, queue an idea. On
    this machine anybody reads without it; at another --host nobody does.

    Examples:

    \b
        lab serve
        lab serve --port 8000 --open
        ssh -L 7777:localhost:7777 box    # then open the link on the phone's or laptop's side
    """
    if not workspace.is_persons:
        raise Refused("lab serve is for people, in the main checkout.", "Type: lab status")
    try:
        from ..serve import listen
    except ImportError:
        raise Environment(
            "lab serve needs Starlette and uvicorn, which are not installed.",
            "Install them: pip install 'labtree[web]'",
        ) from None

    def ready(gate: "Gate") -> None:
        link = f"http://{_typed(host)}:{gate.port}/in?token={gate.token}"
        click.echo(f"Serving {workspace.place.main.name} at {link}")
        click.echo("Ctrl-C ends it; nothing that runs depends on it.", err=True)
        if open_:
            click.launch(link)

    listen.serve(workspace, host, port, ready)


def _typed(host: str) -> str:
    """Return a host as an address has it."""
    name = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)
    return f"[{name}]" if ":" in name else name
