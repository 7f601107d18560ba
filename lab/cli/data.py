"""`lab export`, `import`, `doctor`, `gc`: data in and out, health, and room."""

import sys
from pathlib import Path

import click

from ..errors import Failed
from ..notebook import proof
from ..system import output_file
from ..text import plain
from ..workspace import Workspace
from . import emit
from .common import as_json, here


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A file instead of stdout.")
@here
def export(workspace: Workspace, output: Path | None) -> None:
    """Write every record as JSON Lines, which `lab import` reads.

    Examples:

    \b
        lab export -o notebook.jsonl
        lab export | gzip > notebook.jsonl.gz
    """
    from ..notebook import transfer

    with workspace.open() as book:
        if output is None:
            for line in transfer.export(book):
                sys.stdout.write(f"{line}\n")
            return
        with output_file.opened(output) as file:
            file.writelines(f"{line}\n".encode() for line in transfer.export(book))
    click.echo(f"wrote {output}", err=output_file.is_stream(output))


@click.command(name="import")
@click.argument("file", type=click.Path(path_type=Path))
@as_json
@here
def import_(workspace: Workspace, file: Path, json_: bool) -> None:
    """Read FILE: our JSON Lines, a results.tsv of autoresearch or PraxLab, an experiments.db.

    What is here already stays as it is, so the same file twice changes nothing. Lines that cannot
    be read are named on standard error and skipped.

    Examples:

    \b
        lab import notebook.jsonl
        lab import results.tsv --leaf pretrain
    """
    from ..notebook import transfer

    known = workspace.asked_leaf or workspace.known_leaf()
    with workspace.open(write=True) as book:
        found = transfer.load(book, file, known)
    problems = found["problems"]
    for line in problems:
        click.echo(plain(line), err=True)
    if json_:
        emit(found)
    else:
        click.echo(
            f"{found['new']} new, {found['known']} known already, {found['skipped']} skipped"
        )


@click.command()
@click.option("--fix", is_flag=True, help="Rebuild what is derived; end stray sandboxes.")
@as_json
@here
def doctor(workspace: Workspace, fix: bool, json_: bool) -> None:
    """Prove that the notebook is whole; print versions, paths and what is not as it should be.

    Examples:

    \b
        lab doctor
        lab doctor --fix
    """
    from ..maintenance.doctor import stray_sandboxes, versions

    with workspace.open() as book:
        if fix:
            proof.rebuild(book)
        problems = [row[0] for row in book.db.execute("pragma integrity_check") if row[0] != "ok"]
        problems += [str(tuple(row)) for row in book.db.execute("pragma foreign_key_check")]
        if not problems:
            problems += list(proof.differences(book))
        problems += stray_sandboxes(book, fix)
        found = versions(workspace, book) | {"problems": problems, "ok": not problems}
    if json_:
        emit(found)
    else:
        for name, value in found.items():
            if name != "problems":
                click.echo(f"{name}: {plain(str(value))}")
        for line in problems[:50]:
            click.echo(f"problem: {plain(line)}")
    if problems:
        raise Failed(f"{len(problems)} problems.", "Mend it: lab doctor --fix")


@click.command()
@click.option("--days", default=14.0, show_default=True, help="Idle this long is old.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@as_json
@here
def gc(workspace: Workspace, days: float, dry_run: bool, json_: bool) -> None:
    """Remove old worktrees and the artefacts of what lost; records, commits and logs stay.

    Examples:

    \b
        lab gc --dry-run
        lab gc --days 3
    """
    from ..maintenance.gc import as_text, collect

    with workspace.open(write=workspace.place.notebook.exists()) as book:
        found = collect(workspace, book, days, dry_run)
    emit(found) if json_ else click.echo(as_text(found))
