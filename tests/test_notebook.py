"""The notebook keeps what it was told: under crowds, kills, newer schemas, and at any size."""

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from toy import Quick, Toy

from lab.notebook import Notebook, schema
from lab.notebook.migrations import STEPS

ROOT = Path(__file__).resolve().parents[1]
WRITER = """
import sys
from pathlib import Path
from lab.workspace import Workspace
from lab.notebook import record

for i in range(int(sys.argv[2])):
    workspace = Workspace(Path.cwd(), leaf="toy")
    with workspace.open(write=True) as book:
        claim = f"{sys.argv[1]} try {i}"
        made = record.hypothesis(book, leaf="toy", claim=claim, mechanism="because")
    print(f"h{made}", flush=True)
"""


@pytest.fixture
def book(quick: Quick) -> Iterator[sqlite3.Connection]:
    """The notebook's file after one whole experiment, opened with SQLite itself."""
    quick.lab("hypothesis", "halve the lr", "-m", "noise", "--axis", "lr")
    quick.lab("experiment", "h1")
    quick.lab("result", "e1", "-v", "discard", "--theory-revision", "it was the seed")
    quick.lab("lesson", "seeds matter", "--evidence", "e1")
    db = sqlite3.connect(quick.root / ".lab" / "notebook.db", isolation_level=None)
    yield db
    db.close()


def problems(toy: Toy) -> list[str]:
    """Return what `lab doctor` finds wrong."""
    return toy.lab("doctor", "--json", code=None).json["problems"]


# -- Records --------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["hypotheses", "experiments", "results", "lessons", "events"])
def test_recorded_facts_can_neither_be_changed_nor_deleted(book, table: str) -> None:
    for words in (f"update {table} set at = 'x'", f"delete from {table}"):
        with pytest.raises(sqlite3.IntegrityError, match="never overwritten"):
            book.execute(words)


def test_an_empty_column_is_filled_once_and_then_stands(book) -> None:
    book.execute("update experiments set \"commit\" = 'abc'")
    with pytest.raises(sqlite3.IntegrityError, match="never overwritten"):
        book.execute("update experiments set \"commit\" = 'def'")


def test_every_record_has_a_unique_id_of_its_own(book) -> None:
    with Notebook(":memory:") as empty:
        for table in schema.records(empty):
            assert "uid" in schema.columns(empty, table) or table in ("metrics", "evidence")
    uids = [u for t in ("hypotheses", "events") for (u,) in book.execute(f"select uid from {t}")]
    assert len(set(uids)) == len(uids) > 4


def test_a_refused_command_leaves_no_half_record(quick: Quick, book) -> None:
    before = list(book.iterdump())
    quick.lab("lesson", "half", "--evidence", "e1,e7", code=3)
    quick.lab("result", "e1", "-v", "keep", "--metrics", "{", code=2)
    quick.lab("experiment", "h9", code=3)
    assert list(book.iterdump()) == before


# -- Derived state -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "damage",
    [
        "update state set verdict = 'keep'",
        "update state set value = 1.5",
        "delete from state",
        "update tallies set discard = 7",
        "update scopes set experiments = 9",
        "update axes set tried = 4",
        "insert into pending values (1, 'toy', null)",
    ],
)
def test_doctor_proves_what_is_derived_and_mends_it(quick: Quick, book, damage: str) -> None:
    assert problems(quick) == []
    book.execute(damage)
    answer = quick.lab("doctor", code=1)
    assert "problem: " in answer.out
    assert "lab doctor --fix" in answer.err
    quick.lab("doctor", "--fix")
    assert problems(quick) == []


def test_the_journal_is_a_write_ahead_log_and_doctor_says_versions_and_paths(quick, book) -> None:
    found = quick.lab("doctor", "--json").json
    assert (found["journal"], found["ok"], found["schema"]) == ("wal", True, len(STEPS))
    assert found["notebook"] == str(quick.root / ".lab" / "notebook.db")
    assert found["packages"]["click"]


# -- Files that are no notebook of ours ------------------------------------------------------


def test_a_notebook_of_a_newer_lab_is_refused(quick: Quick, book) -> None:
    book.execute(f"pragma user_version = {len(STEPS) + 1}")
    for words in (["context"], ["hypothesis", "x", "-m", "y"]):
        answer = quick.lab(*words, code=6)
        assert "written by a newer lab" in answer.err
        assert "pip install --upgrade" in answer.err
    assert book.execute("pragma user_version").fetchone()[0] == len(STEPS) + 1


@pytest.mark.parametrize("what", ["text", "foreign"])
def test_a_file_that_is_no_notebook_is_refused_and_left_alone(quick: Quick, what: str) -> None:
    path = quick.root / ".lab" / "notebook.db"
    path.parent.mkdir()
    if what == "text":
        path.write_text("dear diary, today nothing converged\n" * 50)
    else:
        with sqlite3.connect(path) as db:
            db.execute("create table hypotheses (mine text)")
        db.close()
    before = path.read_bytes()
    for words in (["context"], ["hypothesis", "x", "-m", "y"]):
        answer = quick.lab(*words, code=6)
        assert "Move it away" in answer.err
    assert path.read_bytes() == before


def test_an_empty_file_becomes_a_notebook(quick: Quick) -> None:
    path = quick.root / ".lab" / "notebook.db"
    path.parent.mkdir()
    path.touch()
    assert quick.idea() == "h1"


# -- Many writers ------------------------------------------------------------------------------


def writer(toy: Toy, name: str, writes: int) -> "subprocess.Popen[str]":
    """Start a process that writes hypotheses and prints each id it was given."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, name, str(writes)],
        cwd=toy.root,
        env=toy.environ(PYTHONPATH=str(ROOT)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_crowd_that_makes_the_notebook_at_once_gets_ids_without_gap_or_repeat(
    quick: Quick,
) -> None:
    crowd = [writer(quick, f"writer {i}", 3) for i in range(8)]
    said = [one.communicate(timeout=300) for one in crowd]
    assert [(one.returncode, err) for one, (_, err) in zip(crowd, said, strict=True)] == [
        (0, "")
    ] * 8
    ids = sorted(int(word[1:]) for out, _ in said for word in out.split())
    assert ids == list(range(1, 25))
    assert problems(quick) == []


def test_writers_killed_at_any_instant_lose_nothing_they_had_acknowledged(quick: Quick) -> None:
    told: set[str] = set()
    for i in range(8):
        one = writer(quick, f"writer {i}", 10_000)
        one.stdout.readline()  # it writes by now
        time.sleep(0.004 * i)
        one.send_signal(signal.SIGKILL)
        out, _ = one.communicate()
        told |= set(out[: out.rfind("\n") + 1].split())
    log = quick.lab("log", "--events", "-n", "1000000", "--json").json
    there = [int(event["subject"][1:]) for event in log]
    assert {int(word[1:]) for word in told} <= set(there)
    assert sorted(there) == list(range(1, len(there) + 1))
    assert problems(quick) == []
    assert quick.idea() == f"h{len(there) + 1}"


def test_a_writer_waits_for_its_turn(quick: Quick, book) -> None:
    book.execute("begin immediate")
    one = writer(quick, "late", 1)
    time.sleep(0.5)
    assert one.poll() is None
    book.execute("commit")
    assert one.communicate(timeout=300) == ("h2\n", "")
