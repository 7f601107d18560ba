"""`lab export`, `import`, `archive`, `doctor`, `gc`: data in and out, health, and room."""

import csv
import io
import os
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from .. import leaf as leaves
from ..errors import Environment, Failed, Refused, Usage
from ..importers import Wish
from ..notebook import Notebook, chain, frame, proof, read
from ..notebook import archive as archiving
from ..system import output_file
from ..text import plain, plural
from ..workspace import Workspace
from . import emit
from .common import as_json, here


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A file instead of stdout.")
@click.option("--csv", "as_csv", is_flag=True, help="A table of the experiments, as CSV.")
@click.option("--parquet", is_flag=True, help="The same as Parquet, by pandas and pyarrow.")
@here
def export(workspace: Workspace, output: Path | None, as_csv: bool, parquet: bool) -> None:
    """Write every record as JSON Lines, which `lab import` reads; or a table for other programs.

    Examples:

    \b
        lab export -o notebook.jsonl
        lab export | gzip > notebook.jsonl.gz
        lab export --csv -o experiments.csv
    """
    from ..notebook import transfer

    if as_csv and parquet:
        raise Usage("--csv or --parquet, not both.", "Type: lab export --csv -o experiments.csv")
    if parquet and output is None:
        raise Usage("--parquet writes a file.", "Type: lab export --parquet -o all.parquet")
    with workspace.open() as book:
        if parquet:
            pieces: Iterable[bytes] = [_parquet(book)]
        else:
            lines = _csv(book) if as_csv else (f"{line}\n" for line in transfer.export(book))
            pieces = (line.encode("utf-8", "replace") for line in lines)
        if output is None:
            for piece in pieces:
                sys.stdout.write(piece.decode())
            return
        with output_file.opened(output) as file:
            file.writelines(pieces)
    click.echo(f"wrote {output}", err=output_file.is_stream(output))


def _csv(book: Notebook) -> Iterator[str]:
    """Yield the table of experiments as lines of CSV."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, frame.columns(book), restval="", lineterminator="\n")
    writer.writeheader()
    for row in frame.rows(book):
        writer.writerow(row)
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _parquet(book: Notebook) -> bytes:
    """Return the table of experiments as a Parquet file."""
    try:
        import pandas
        import pyarrow  # type: ignore[import-untyped]  # noqa: F401  (what pandas writes it with)
    except ImportError as error:
        raise Environment(
            f"--parquet needs pandas and pyarrow ({error}).",
            "Install them: python -m pip install pandas pyarrow; or: lab export --csv",
        ) from None
    file = io.BytesIO()
    pandas.DataFrame([*frame.rows(book)], columns=frame.columns(book)).to_parquet(file)
    return file.getvalue()


@click.command(name="import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--metric", help="The column that decides, where the log does not say.")
@click.option(
    "--direction",
    type=click.Choice(["minimize", "maximize"]),
    help="Which way the metric is better, where the log does not say.",
)
@as_json
@here
def import_(
    workspace: Workspace, file: Path, metric: str | None, direction: Any, json_: bool
) -> None:
    """Read FILE: our JSON Lines, a results.tsv of autoresearch or PraxLab, an experiments.db.

    Other tables and JSON Lines are read too. What is here already stays as it is, so the same file
    twice changes nothing; a row that was open and is settled now gets its verdict. Standard error
    says which metric was taken and why, and names the lines that cannot be read.

    Examples:

    \b
        lab import notebook.jsonl
        lab import results.tsv --leaf pretrain
        lab import log.csv --leaf sft --metric wer --direction minimize
    """
    from ..notebook import transfer

    if workspace.place.campaign or os.environ.get("LAB_SESSION"):
        raise Refused(
            "no import from a campaign: what it says of experiments is believed.",
            f"A person may, in {workspace.place.main}: lab import {file}",
        )
    asked = workspace.asked_leaf  # a name may be new, so that a word is no path here
    is_name = asked is not None and not asked.startswith(".")
    known = leaves.tidy(asked) if asked and is_name else workspace.known_leaf()
    with workspace.open(write=True) as book:
        found = transfer.load(book, file, known, _wish(workspace, metric, direction))
    for line in [*map(_taken, found["taken"]), *found["problems"]]:
        click.echo(plain(line), err=True)
    if json_:
        emit(found)
    else:
        settled = f", {found['settled']} settled" if found["settled"] else ""
        counts = f"{found['new']} new, {found['known']} known already{settled}"
        click.echo(f"{counts}, {found['skipped']} skipped")
    if not found["new"] + found["known"]:
        raise Failed(f"nothing in {file} could be read.", "A log has a row for each experiment.")


def _wish(workspace: Workspace, metric: str | None, direction: Any) -> Wish:
    """Return what is known of an imported log beforehand: what was asked for, and the leaf's."""
    leaf = workspace.leaf_or_none() if workspace.known_leaf() else None
    own = (leaf.metric, leaf.direction) if leaf else (None, None)
    return Wish(metric, direction, own[0], own[1])  # type: ignore[arg-type]  # leaf.toml is checked


def _taken(one: dict[str, Any]) -> str:
    """Say which metric was taken from a log, and which way is better."""
    metric, way = f"metric {one['metric']} ({one['metric_why']})", one["direction"]
    if way is None:
        return f"{metric}; which way is better is not known: --direction"
    return f"{metric}, {way} ({one['direction_why']}); otherwise: --metric, --direction"


@click.command()
@click.argument("what", nargs=-1, metavar="[e34 | LEAF | FILE]...")
@click.option("--why", metavar="TEXT", help="The reason; it stays with the event.")
@click.option("--undo", is_flag=True, help="Bring it back into sight.")
@here
def archive(workspace: Workspace, what: tuple[str, ...], why: str | None, undo: bool) -> None:
    """Take experiments, a leaf or an imported FILE out of sight of board, log, context, failures.

    Nothing is deleted: `lab show e34`, `lab log --archived` and `lab board LEAF` still tell. With
    nothing named it lists what is out of sight.

    Examples:

    \b
        lab archive results.tsv --why "another machine's log"
        lab archive e34 e35
        lab archive e34 --undo
        lab archive
    """
    if not what:
        with workspace.open() as book:
            return _list(archiving.listed(book))
    if not workspace.is_persons:
        raise Refused(
            "only a person in the main checkout takes anything out of sight.",
            f"A person may, in {workspace.place.main}: lab archive {' '.join(what)}",
        )
    with workspace.open(write=True) as book:
        known = {*read.leaves(book), *leaves.find(workspace.place.top)}
        subjects = [one for word in what for one in archiving.subjects(book, word, known, undo)]
        moved = archiving.note(book, subjects, why, undo=undo)
    back = f"out of sight; back: lab archive {' '.join(what)} --undo"
    where = "in sight again" if undo else back
    click.echo(f"{_named(moved)} {where}" if moved else "They were so already.")
    return None


def _named(subjects: Sequence[str]) -> str:
    """Return what was moved in a few words."""
    if len(subjects) > 4:
        return plural(len(subjects), "experiment")
    return ", ".join(plain(one) for one in subjects)


def _list(rows: Sequence[sqlite3.Row]) -> None:
    for row in rows:
        why = f": {row['detail']}" if row["detail"] else ""
        click.echo(plain(f"{row['at']} {row['subject']} by {row['who'] or 'somebody'}{why}"))
    if not rows:
        click.echo("Nothing is out of sight.")


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
    from .. import skills
    from ..maintenance import kept
    from ..maintenance.doctor import stray_sandboxes, versions
    from ..run import heads
    from .hosts import command_page, mirror_notes

    if fix and not workspace.is_persons:
        raise Refused(
            "only a person in the main checkout may mend the notebook.",
            f"Leave it as it is, or in {workspace.place.main}: lab doctor --fix",
        )
    with workspace.open() as book:
        if fix:
            proof.rebuild(book)
            heads.accept(workspace.place.main, workspace.place.home, book)
            kept.mend(workspace, book)
        problems = [row[0] for row in book.db.execute("pragma integrity_check") if row[0] != "ok"]
        problems += [str(tuple(row)) for row in book.db.execute("pragma foreign_key_check")]
        if not problems:
            problems += list(proof.differences(book))
            problems += list(chain.faults(book))
            problems += list(heads.faults(workspace.place.main, workspace.place.home, book))
            problems += list(kept.faults(workspace, book))
        problems += stray_sandboxes(book, fix)
        notes = [*skills.faults(workspace.place.top, command_page()), *mirror_notes()]
        found = versions(workspace, book) | {"notes": notes, "problems": problems}
        found["ok"] = not problems
    if json_:
        emit(found)
    else:
        for name, value in found.items():
            if name not in ("problems", "notes"):
                click.echo(f"{name}: {plain(str(value))}")
        for line in notes:
            click.echo("\n".join(map(plain, f"note: {line}".splitlines())))
        for line in problems[:50]:
            click.echo(f"problem: {plain(line)}")
    if problems:
        raise Failed(f"{plural(len(problems), 'problem')}.", "Mend it: lab doctor --fix")


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
