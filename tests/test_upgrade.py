"""A notebook of the first release is brought up to date by the first command, and all is there."""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from toy import Quick

from lab.notebook import Notebook, schema
from lab.notebook.migrations import STEPS, m001_notebook

FIRST = Path(__file__).parent / "data" / "first-release.db"
KILLED = """
import os, signal, sys
from lab import notebook

notebook.STEPS += (lambda db: os.kill(os.getpid(), signal.SIGKILL),)
notebook.Notebook(sys.argv[1])
"""


@pytest.fixture
def old(quick: Quick) -> Quick:
    """A repository whose notebook was written by the first release."""
    (quick.root / ".lab").mkdir()
    shutil.copy(FIRST, path(quick))
    return quick


def path(quick: Quick) -> Path:
    return quick.root / ".lab" / "notebook.db"


def version(file: Path) -> int:
    with sqlite3.connect(file) as db:
        (found,) = db.execute("pragma user_version").fetchone()
    db.close()
    return int(found)


def shape(db: sqlite3.Connection) -> set[str]:
    """Return every table, index and trigger, however its text is laid out."""
    texts = db.execute("select sql from sqlite_master where sql is not null")
    return {"".join(text.lower().replace('"', "").split()) for (text,) in texts}


def test_every_command_finds_what_the_first_release_wrote(old: Quick) -> None:
    assert version(path(old)) == 1
    context = old.lab("context", "--leaf", "toy").out
    assert "raise the slope to two" in context
    assert "the slope is worth raising, never lowering" in context
    board = old.lab("board", "toy").out
    assert "3 ideas tried: 1 kept, 1 discarded, 1 crashed; 1 baseline" in board
    assert "gain: nothing confirmed, provisional +2.9" in board
    assert "e2 +2.97? ± 0.019" in board
    failures = old.lab("failures", "a lower slope", "--leaf", "toy").out
    assert "learned: the truth lies above two" in failures
    shown = old.lab("show", "e3", "--json").json
    assert [run["seed"] for run in shown["runs"]] == [0, 1, 2]
    doctor = old.lab("doctor", "--json").json
    assert (doctor["ok"], doctor["schema"], version(path(old))) == (True, len(STEPS), len(STEPS))


def test_an_upgraded_notebook_has_the_tables_of_a_new_one(old: Quick) -> None:
    with Notebook(path(old)) as upgraded, Notebook(":memory:") as new:
        tables = schema.records(new) + schema.derived(new)
        assert schema.records(upgraded) + schema.derived(upgraded) == tables
        for table in tables:
            assert schema.columns(upgraded, table) == schema.columns(new, table)
        assert {row[0] for row in upgraded.all("select name from sqlite_master")} == {
            row[0] for row in new.all("select name from sqlite_master")
        }


def test_the_first_step_still_makes_what_the_first_release_made() -> None:
    from sqlite_utils import Database

    ours, theirs = sqlite3.connect(":memory:"), sqlite3.connect(FIRST)
    m001_notebook(Database(ours, execute_plugins=False))
    assert shape(ours) == shape(theirs)
    ours.close()
    theirs.close()


def test_no_column_of_a_record_can_be_overwritten(old: Quick) -> None:
    with Notebook(path(old)) as book:
        book.fill("runs", 1, machine="{}")
        for table in schema.records(book):
            for column in schema.columns(book, table):
                filled = f'from {table} where "{column}" is not null'
                if book.one(f"select 1 {filled}"):
                    other = f'update {table} set "{column}" = (select max("{column}") {filled}) + 1'
                    with pytest.raises(sqlite3.IntegrityError, match="never overwritten"):
                        book.db.execute(f'{other} where "{column}" is not null')


def test_an_upgrade_killed_before_its_end_has_not_begun(old: Quick) -> None:
    before = list(sqlite3.connect(FIRST).iterdump())
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path(old))], env=old.environ())
    assert killed.returncode == -signal.SIGKILL
    assert version(path(old)) == 1
    with sqlite3.connect(path(old)) as db:
        assert list(db.iterdump()) == before
    db.close()
    assert old.lab("doctor", "--json").json["ok"]


def test_a_runs_machine_goes_out_and_comes_in(measured: Path, old: Quick, tmp_path: Path) -> None:
    records = tmp_path / "records.jsonl"
    Quick(measured).lab("export", "-o", str(records))
    old.lab("import", str(records))
    lines = [json.loads(line) for line in old.lab("export").out.splitlines()]
    runs = [line for line in lines if line["table"] == "runs"]
    assert [run["seed"] for run in runs if "machine" not in run] == [0, 1, 2] * 3 + [0]
    for run in runs[10:]:
        assert json.loads(run["machine"]).keys() >= {"host", "boot", "device", "python"}
    assert len(runs) == 13
