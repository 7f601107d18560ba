"""What agents ask all day costs the same however much was recorded, and imports little."""

import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import many
import pytest
from toy import Quick

from lab.notebook import Notebook, schema

DERIVED = ("state", "pending")  # those that grow with the experiments


class Traced:
    """Every statement that connections made meanwhile ran, with its values."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.statements: list[str] = []
        connect = sqlite3.connect

        def traced(*args, **kwargs):
            db = connect(*args, **kwargs)
            db.set_trace_callback(self.statements.append)
            return db

        monkeypatch.setattr(sqlite3, "connect", traced)


SCANNED = re.compile(r"SCAN (\w+)(?!.*_(open|everywhere|archive))")
QUESTIONS = (
    ["context"],
    ["context", "--for", "learning rate"],
    ["failures"],
    ["failures", "learning rate"],
    ["failures", "learning rate", "--all-leaves"],
    ["log"],
    ["log", "toy"],
    ["log", "--events"],
    ["board"],
    ["board", "toy"],
)


@pytest.mark.parametrize("words", QUESTIONS, ids=" ".join)
def test_no_growing_table_is_scanned_to_answer(
    large: Quick, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    """A scan reads only what it shows: in an order under a limit, what is open, or archived."""
    traced = Traced(monkeypatch)
    large.lab(*words, cwd=large.root if words[0] in ("log", "board") else None)
    asked = [s for s in dict.fromkeys(traced.statements) if s.lstrip().lower().startswith("select")]
    assert asked
    book = Notebook(large.root / ".lab" / "notebook.db")
    tables = {*schema.records(book), *DERIVED}
    for statement in asked:
        plan = [row[3] for row in book.db.execute(f"explain query plan {statement}")]
        sorts = any("ORDER BY" in line for line in plan)
        scanned = {m[1] for line in plan if (m := SCANNED.match(line))}
        names = aliases(statement) | {name: name for name in tables}
        growing = {names[name] for name in scanned if name in names}
        growing &= tables - {"campaigns"}
        limited = " limit " in statement.lower() and not sorts
        assert not growing or limited, (statement, plan)
    book.db.close()


def aliases(statement: str) -> dict[str, str]:
    """Return {alias: table} of a statement."""
    found = re.findall(r"(?:from|join) (\w+) (?:as )?(\w+)", statement)
    return {alias: table for table, alias in found}


def steps(quick: Quick, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> int:
    """Return how many hundreds of steps SQLite's machine takes to answer."""
    counted = [0]
    connect = sqlite3.connect

    def count() -> int:
        counted[0] += 1
        return 0

    def counting(*args, **kwargs):
        db = connect(*args, **kwargs)
        db.set_progress_handler(count, 100)
        return db

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", counting)
        quick.lab(*words)
    return counted[0]


@pytest.mark.parametrize("words", [["context"], ["failures"], ["log"]])
def test_ten_times_the_experiments_cost_no_more_work(
    quick: Quick, large: Quick, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: list[str]
) -> None:
    many.write(quick, 300, tmp_path / "records.jsonl")
    quick.lab("import", str(tmp_path / "records.jsonl"))
    few, lots = (steps(one, monkeypatch, words) for one in (quick, large))
    assert 0 < lots <= 1.5 * few + 5


def test_what_agents_call_all_day_imports_nothing_heavy(quick: Quick) -> None:
    for word in ("context", "failures", "log", "board", "status"):
        quick.idea()
        loaded = imported(quick, word)
        assert {"lab", "click", "sqlite3"} <= loaded
        assert not loaded & {"sqlite_utils", "rich", "optuna", "matplotlib", "torch", "modal"}


def test_the_first_command_of_all_does_not_wait_for_pandas(quick: Quick) -> None:
    loaded = imported(quick, "context")
    assert "sqlite_utils" in loaded
    assert not loaded & {"numpy", "pandas"}


def imported(quick: Quick, word: str) -> set[str]:
    """Return the packages that `lab WORD` imports."""
    script = f"import sys; sys.argv = ['lab', '{word}']\nfrom lab.cli import main\n"
    script += "try:\n    main()\nexcept SystemExit:\n    pass\n"
    script += "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=quick.root,
        env=quick.environ(PYTHONPATH=os.pathsep.join(sys.path)),
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.splitlines()[-1].split())
