"""Tags and notes: records beside the numbers, told, exported, synced, never rewritten."""

import sqlite3
from pathlib import Path

import nights
import pytest
from nights import Idea
from toy import Quick

TEXT = "the spike at step 300 is the data\x1b[31m <b>not</b> the change"


@pytest.fixture
def night(quick: Quick) -> Quick:
    """A toy with a baseline e1 and two experiments."""
    nights.write(quick, [Idea("raise the slope", 0.5, "keep"), Idea("lower it", -0.5)])
    return quick


def test_a_tag_is_told_by_show_and_log_and_can_be_taken_away(night: Quick) -> None:
    assert night.lab("tag", "e2", "Promising", "#star").out == "e2: promising, star\n"
    assert night.lab("tag", "e2", "star", "--remove", "--json").json["tags"] == ["promising"]
    assert "tags: promising\n" in night.lab("show", "e2").out
    assert night.lab("show", "e2", "--json").json["tags"] == ["promising"]
    lines = night.lab("log", "toy", "--tag", "promising").out.splitlines()
    assert len(lines) == 1
    assert lines[0].endswith("raise the slope #promising")
    assert "Tag it: lab tag e34 star" in night.lab("log", "--tag", "star").out
    night.lab("tag", "e2", "star")
    assert [row["tags"] for row in night.lab("log", "--tag", "star", "--json").json] == [
        ["promising", "star"]
    ]


def test_a_note_is_told_with_its_author_and_does_not_act(night: Quick) -> None:
    night.lab("note", "e2", TEXT)
    shown = night.lab("show", "e2").out
    assert "\\x1b[31m <b>not</b>" in shown
    assert "\x1b" not in shown
    (note,) = night.lab("show", "e2", "--json").json["notes"]
    assert (note["text"], bool(note["by"])) == (TEXT, True)


def test_each_is_an_event_with_its_author(night: Quick) -> None:
    night.lab("tag", "e2", "star")
    night.lab("tag", "e2", "star")  # it is there already: nothing happens
    night.lab("note", "e3", "odd")
    verbs = [(row["verb"], row["subject"], row["detail"]) for row in events(night)[:2]]
    assert verbs == [("note", "e3", "odd"), ("tag", "e2", "star")]
    assert all(row["who"] for row in events(night)[:2])


def events(night: Quick) -> list[dict[str, str]]:
    return night.lab("log", "--events", "--json").json


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["tag", "e2", "two words"], 2),
        (["tag", "e2", ""], 2),
        (["tag", "e2", "x" * 41], 2),
        (["tag", "e9", "star"], 3),
        (["note", "e2", " "], 2),
        (["note", "e9", "x"], 3),
        (["note", "e2", "x" * 30_000], 2),
        (["log", "--tag", "no tag"], 2),
    ],
)
def test_what_is_none_is_refused_in_two_lines(night: Quick, words: list[str], code: int) -> None:
    answer = night.lab(*words, code=code)
    assert len(answer.err.splitlines()) == 2


def test_they_travel_to_another_notebook_and_the_newest_word_counts(
    night: Quick, tmp_path: Path
) -> None:
    night.lab("tag", "e2", "star", "odd")
    night.lab("note", "e2", "look again")
    file, other = tmp_path / "all.jsonl", str(tmp_path / "other")
    night.lab("export", "-o", str(file))
    night.lab("import", str(file), LAB_HOME=other)
    night.lab("tag", "e2", "star", "--remove", LAB_HOME=other)
    night.lab("export", "-o", str(file), LAB_HOME=other)
    night.lab("import", str(file))
    found = night.lab("show", "e2", "--json").json
    assert found["tags"] == ["odd"]
    assert [note["text"] for note in found["notes"]] == ["look again"]
    for home in (str(night.root / ".lab"), other):
        assert night.lab("doctor", "--json", LAB_HOME=home).json["ok"]


def test_they_hang_on_the_chain_and_cannot_be_rewritten(night: Quick) -> None:
    night.lab("note", "e2", "as it was")
    path = night.root / ".lab" / "notebook.db"
    db = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="never overwritten"):
        db.execute("update notes set text = 'otherwise'")
    db.execute("drop trigger notes_kept")
    db.execute("update notes set text = 'otherwise'")
    db.commit()
    db.close()
    assert "notes 1 was rewritten" in night.lab("doctor", code=None).out
