"""`lab archive`: out of sight, with who and why; nothing is deleted, and everything comes back."""

import json
from pathlib import Path

import pytest
from nights import Idea, write
from toy import Quick

NIGHT = [
    Idea("raise the slope", 1.0, "keep"),
    Idea("lower it", -1.0, outcome="refuted", lesson="lower it is no better"),
    Idea("too big", None, "crash", failure="oom"),
]
LOG = "commit\tloss\tmemory_gb\tstatus\tdescription\n"
ROWS = "a\t3.0\t4.0\tkeep\tbaseline\nb\t2.5\t4.0\tkeep\tof a log\nc\t9.0\t4.0\tdiscard\tbad\n"


def counts(quick: Quick) -> dict[str, int]:
    found: dict[str, int] = quick.lab("board", "toy", "--json").json["counts"]
    return found


def everywhere(quick: Quick) -> str:
    """Return what board, log, context, failures and report say."""
    pages = (["board", "toy"], ["log", "toy"], ["context", "--leaf", "toy"], ["leaves"])
    more = (["failures", "--leaf", "toy"], ["report", "toy", "--markdown"])
    return "".join(quick.lab(*words).out for words in (*pages, *more))


def test_an_experiment_goes_out_of_sight_and_comes_back(quick: Quick) -> None:
    write(quick, NIGHT)
    before, all_of_it = counts(quick), everywhere(quick)
    assert "lower it" in all_of_it
    said = quick.lab("archive", "e3", "e4", "--why", "a broken yardstick").out
    assert said == "e3, e4 out of sight; back: lab archive e3 e4 --undo\n"
    assert "lower it" not in everywhere(quick)
    gone = counts(quick)
    assert (gone["experiments"], gone["discard"], gone["crash"]) == (2, 0, 0)
    assert "; 2 out of sight" in quick.lab("board", "toy").out
    refused = quick.lab("result", "e3", "-v", "keep", "--because", "x", code=4)
    assert "lab archive e3 --undo" in refused.err
    assert "lower it" in quick.lab("show", "e3").out
    assert [row["experiment"] for row in quick.lab("log", "--archived", "--json").json] == [
        "e4",
        "e3",
    ]
    assert quick.lab("archive", "e3").out == "They were so already.\n"
    who = quick.lab("log", "--events", "-n", "1", "--json").json[0]["who"]
    assert f" e3 by {who or 'somebody'}: a broken yardstick\n" in quick.lab("archive").out
    quick.lab("archive", "e4", "e3", "--undo")
    assert counts(quick) == before
    assert everywhere(quick) == all_of_it
    assert quick.lab("archive").out == "Nothing is out of sight.\n"
    assert quick.lab("doctor", "--json").json["ok"]


def test_a_leaf_is_told_only_by_its_name(quick: Quick) -> None:
    write(quick, NIGHT)
    write(quick, [Idea("something else", -1.0)], leaf="other")
    quick.lab("archive", "other")
    for words in (["board"], ["log"], ["leaves"], ["failures", "--all-leaves"]):
        told = quick.lab(*words).out
        assert "something else" not in told, words
        assert "other:" not in told, words
    assert "something else" in quick.lab("board", "other").out
    assert "something else" in quick.lab("log", "other").out
    quick.lab("archive", "other", "--undo")
    assert "something else" in quick.lab("log").out


def test_an_imported_log_goes_by_its_file_and_the_export_says_so(
    quick: Quick, tmp_path: Path
) -> None:
    write(quick, NIGHT)
    (quick.root / "night.tsv").write_text(LOG + ROWS)
    quick.lab("import", "night.tsv", "--leaf", "toy")
    assert counts(quick)["experiments"] == 7
    assert quick.lab("archive", "night.tsv").out.startswith("e5, e6, e7 out of sight")
    assert counts(quick)["experiments"] == 4
    assert "of a log" not in everywhere(quick)
    rows = [json.loads(line) for line in quick.lab("export").out.splitlines()]
    verbs = [row["verb"] for row in rows if row["table"] == "events"]
    assert verbs.count("archive") == 3
    quick.lab("archive", "night.tsv", "--undo")
    assert "of a log" in everywhere(quick)


@pytest.mark.parametrize(
    ("word", "code", "said"),
    [
        ("e2", 4, "lab result e2 -v discard"),
        ("e1", 4, "e1 is kept"),
        ("e99", 3, "no experiment e99"),
        ("nothing.tsv", 3, "no experiment, leaf or import is called nothing.tsv"),
    ],
)
def test_what_others_stand_on_stays_in_sight(quick: Quick, word: str, code: int, said: str) -> None:
    write(quick, NIGHT)
    assert said in quick.lab("archive", word, code=code).err
    assert counts(quick)["experiments"] == 4


def test_a_campaign_hides_nothing(quick: Quick) -> None:
    write(quick, NIGHT)
    where = quick.campaign("eve")
    assert "only a person" in quick.lab("archive", "e3", cwd=where, code=4).err
