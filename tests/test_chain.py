"""The chain over the notebook's records: whoever rewrites one behind lab's back is found out."""

import shutil
import sqlite3
from pathlib import Path

import pytest
from toy import Toy


def notebook(toy: Toy) -> Path:
    return toy.root / ".lab" / "notebook.db"


def rewrite(toy: Toy, *script: str) -> None:
    with sqlite3.connect(notebook(toy)) as db:
        for name in ("runs", "metrics", "results", "events"):
            for (trigger,) in db.execute(
                "select name from sqlite_master where type = 'trigger' and tbl_name = ?", (name,)
            ).fetchall():
                db.execute(f"drop trigger {trigger}")
        for line in script:
            db.execute(line)


def problems(toy: Toy) -> str:
    return toy.lab("doctor", code=None).out


def test_an_honest_notebook_hangs_together(toy: Toy, campaign: Path) -> None:
    toy.idea(cwd=campaign)
    assert "problem" not in toy.lab("doctor").out
    assert toy.git("for-each-ref", "refs/lab/chain/")


@pytest.mark.parametrize(
    ("trick", "told"),
    [
        ("update runs set value = 0.001", "runs 1 was rewritten"),
        ("update metrics set value = 0.001 where id = 1", "metrics 1 was rewritten"),
        ("delete from events where id = 3", "events 3 was deleted"),
        (
            "insert into events (uid, who, verb, subject, at) values ('x', 'me', 'y', 'e1', '')",
            "was not written by lab",
        ),
    ],
)
def test_a_rewritten_record_is_found(ready: Toy, trick: str, told: str) -> None:
    rewrite(ready, "pragma foreign_keys = off", trick)
    assert told in problems(ready)


def test_a_chain_made_anew_is_not_the_one_that_git_knows(ready: Toy) -> None:
    rewrite(
        ready,
        "update runs set value = 0.001",
        "update metrics set value = 0.001 where name = 'loss'",
        "delete from chain where part <> ''",
        "pragma user_version = 1000",
    )
    from lab.notebook import STEPS, Notebook, chain, proof

    with sqlite3.connect(notebook(ready)) as db:
        db.execute(f"pragma user_version = {len(STEPS)}")
    with Notebook(notebook(ready)) as book:
        with book.write():
            chain.catch_up(book)
        proof.rebuild(book)
    assert "which git knows" in problems(ready)


def test_another_notebook_in_its_place_is_found_and_a_person_may_say_so(ready: Toy) -> None:
    ready.lab("run", "--baseline", "--leaf", "toy")
    shutil.move(notebook(ready), ready.root / "old.db")
    ready.lab("run", "--baseline", "--leaf", "toy")
    assert "another notebook lay here" in problems(ready)
    ready.lab("doctor", "--fix")
    assert "problem" not in ready.lab("doctor").out


def test_what_is_imported_hangs_on_a_line_of_its_own(ready: Toy, tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").write_text(ready.lab("export").out)
    with sqlite3.connect(notebook(ready)) as db:
        ours = db.execute("select count(*) from chain where line = 0").fetchone()
    shutil.move(notebook(ready), ready.root / "old.db")
    ready.lab("import", str(tmp_path / "records.jsonl"))
    ready.lab("doctor", "--fix")
    assert "problem" not in ready.lab("doctor").out
    with sqlite3.connect(notebook(ready)) as db:
        assert db.execute("select count(*) from chain where line = 1").fetchone()[0] > 20
        assert db.execute("select count(*) from chain where line = 0").fetchone()[0] < ours[0]
    rewrite(ready, "update runs set value = 0.001")
    assert "runs 1 was rewritten" in problems(ready)
