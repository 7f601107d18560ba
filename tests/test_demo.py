"""`lab demo`: the story of the product, told by runs that happen while one looks."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from toy import Toy


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> tuple[Toy, str]:
    """The repository of a demo that was played to its end, and what it printed."""
    theirs = Toy(tmp_path_factory.mktemp("demo") / "own")
    said = theirs.lab("demo", str(theirs.root.parent), cwd=Path("/"), code=None)
    assert said.code == 4  # a home lies there already
    folder = theirs.root.parent / "seen"
    said = theirs.lab("demo", str(folder), cwd=Path("/"))
    return Toy(folder / "own", env=theirs.env), said.out + said.err


def test_a_published_night_is_read(seen: tuple[Toy, str]) -> None:
    _, said = seen
    assert "22 gains were claimed, 0.0282 in all" in said
    assert "4 gains, 0.0206 together, are above\n0.0012" in said


def test_luck_is_kept_at_first_sight_and_caught_by_its_audit(seen: tuple[Toy, str]) -> None:
    own, said = seen
    lucky = own.here("show", "e2", "--json").json
    assert lucky["judgements"][0]["suggest"] == "keep"
    assert lucky["verdict"] == "discard"
    assert "e2 against e1, 6 runs in turn" in said
    assert "not better; the branch goes back" in said


def test_the_same_idea_in_other_words_is_named_a_dead_end(seen: tuple[Toy, str]) -> None:
    _, said = seen
    assert "near: h1 e2 (discard, gain -0.01854" in said
    assert "h2 withdrawn" in said


def test_a_true_gain_is_confirmed(seen: tuple[Toy, str]) -> None:
    own, said = seen
    board = own.here("board", "ring", "--json").json
    assert board["confirmed_gain"] > 0.1
    assert "confirmed; that gain is claimed" in said


def test_the_same_seeds_are_drawn_everywhere_and_nowhere_else(
    seen: tuple[Toy, str], ready: Toy
) -> None:
    def drawn(toy: Toy) -> list[str]:
        with sqlite3.connect(toy.root / ".lab/notebook.db") as db:
            return [row[0] for row in db.execute("select seeds from audits order by id")]

    assert drawn(seen[0])[0] == "[236019, 893525, 923848]"
    with sqlite3.connect(ready.root / ".lab/notebook.db") as db:  # too late: there was a baseline
        db.execute(
            "insert into events (uid, at, who, verb, subject, detail) "
            "values ('x', '2999-01-01', 'me', 'salt', 'demo', 'labtree demo 4')"
        )
    tree = ready.campaign()
    (tree / "train.py").write_text((tree / "train.py").read_text().replace("= 1.0", "= 2.0"))
    ready.lab("run", ready.idea(cwd=tree), cwd=tree)
    ready.lab("result", "e2", "-v", "keep", cwd=tree)
    ready.lab("audit", cwd=tree)
    assert drawn(ready) != ["[236019, 893525, 923848]"]


@pytest.mark.children
def test_its_leaf_keeps_the_contract(seen: tuple[Toy, str]) -> None:
    own, _ = seen
    assert own.lab("check", "ring").code == 0


def test_without_numpy_one_is_told_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise ImportError('none')\n")
    toy = Toy(tmp_path / "repo")
    toy.root.mkdir()
    path = f"{tmp_path}:{Path(__file__).parent.parent}"
    words = [sys.executable, "-P", "-m", "lab", "demo", "there"]
    env = toy.environ(PYTHONPATH=path)
    done = subprocess.run(words, cwd=toy.root, env=env, capture_output=True, text=True)
    assert (done.returncode, "[tuner]'" in done.stderr) == (6, True)
    assert not (toy.root / "there").exists()
