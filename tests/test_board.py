"""The board: what was kept, what is confirmed of it; readable on the narrowest screen."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from toy import Toy, slope

from lab.notebook import Notebook
from lab.views import board as boards
from lab.views import board_text

LOG = "commit\tval_bpb\tmemory_gb\tstatus\tdescription\n"


def keep_twice(toy: Toy, campaign: Path, first: float = 2.0, second: float = 2.6) -> None:
    """Keep two changes as suggested."""
    for claim, value in (("raise the slope", first), ("raise it more", second)):
        idea = toy.idea(claim, cwd=campaign)
        slope(campaign, value)
        found = toy.lab("run", idea, "--json", cwd=campaign).json
        toy.lab("result", found["experiment"], "-v", "keep", cwd=campaign)


def test_an_empty_notebook_says_what_to_do_first(toy: Toy) -> None:
    answer = toy.lab("board")
    assert answer.out == "toy: nothing yet.\nBegin with: lab run --baseline --seeds 3 --leaf toy\n"
    assert toy.lab("board", "toy", "--json").json["experiments"] == []


def test_several_leaves_have_a_line_each(toy: Toy, campaign: Path) -> None:
    keep_twice(toy, campaign)
    toy.leaf("a/second")
    best = toy.lab("board", "toy", "--json").json["best"]
    lines = toy.here("board", COLUMNS="120").out.splitlines()
    assert lines[0] == "a/second  nothing yet"
    assert lines[1].startswith(f"toy       loss: best e3 {best['value']:.6g}; gain: nothing conf")
    assert lines[1].endswith("3 of 3 experiments kept")
    assert lines[2:] == ["all of one: lab board LEAF"]
    assert "newest first" in toy.here("board", "toy").out


def test_the_newest_stand_first(toy: Toy, campaign: Path) -> None:
    keep_twice(toy, campaign)
    lines = toy.lab("board").out.splitlines()
    below = lines[lines.index("newest first") + 1 :]
    assert [line.split()[0] for line in below] == ["e3", "e2", "e1"]


def test_gains_add_up_along_the_chain_and_luck_is_taken_off(toy: Toy, campaign: Path) -> None:
    keep_twice(toy, campaign)
    found = toy.lab("board", "toy", "--json").json
    kept = [row for row in found["experiments"] if row["claim"]]
    assert found["claimed_gain"] == pytest.approx(sum(row["gain"] for row in kept))
    assert 0 < found["provisional_gain"] < found["claimed_gain"]
    assert found["confirmed_gain"] is None
    assert [row["gain_status"] for row in kept] == ["provisional"] * 2
    assert found["best"]["experiment"] == "e3"
    assert found["level"] > found["best"]["value"]
    assert found["best_so_far"] == sorted(found["best_so_far"], reverse=True)


def test_the_record_is_what_nobody_selected(toy: Toy, campaign: Path) -> None:
    keep_twice(toy, campaign)
    toy.lab("run", "e3", "--seeds", "3", cwd=campaign)
    found = toy.lab("board", "toy", "--json").json
    fresh = [run["value"] for run in toy.lab("show", "e3", "--json").json["runs"]][-3:]
    assert found["best"]["value"] == found["level"] == pytest.approx(sum(fresh) / 3)
    assert found["best_so_far"][-1] == found["best"]["value"]


def test_two_campaigns_that_won_the_same_are_not_counted_twice(toy: Toy, campaign: Path) -> None:
    keep_twice(toy, campaign)
    one = toy.lab("board", "toy", "--json").json["claimed_gain"]
    keep_twice(toy, toy.campaign("bea"), 2.01, 2.61)
    two = toy.lab("board", "toy", "--json").json["claimed_gain"]
    assert two == pytest.approx(one, rel=0.1)


def test_a_log_from_elsewhere_has_a_best_so_far_and_confirms_nothing(toy: Toy) -> None:
    rows = ["a\t1.0\t4.0\tkeep\tbaseline", "b\t0.9\t4.0\tkeep\tdeeper", "c\t0.95\t4\tdiscard\tx"]
    (toy.root / "log.tsv").write_text(LOG + "\n".join(rows) + "\n")
    toy.lab("import", "log.tsv", "--leaf", "old")
    found = toy.lab("board", "old", "--json").json
    assert found["best_so_far"] == [1.0, 0.9, 0.9]
    assert (found["claimed_gain"], found["confirmed_gain"]) == (pytest.approx(0.1), None)
    assert "claimed gain +0.1, not measured here" in toy.lab("board", "old").out


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
def test_no_line_is_wider_than_the_terminal(toy: Toy, columns: int) -> None:
    rows = [f"c{n}\t{1 - n / 1e4}\t4.0\tkeep\t{'a long story ' * 9}{n}" for n in range(60)]
    (toy.root / "log.tsv").write_text(LOG + "\n".join(rows) + "\n")
    name = "a/leaf/with/a/long/name/in/many/folders"
    toy.lab("import", "log.tsv", "--leaf", name)
    told = [toy.lab("board", *leaf, COLUMNS=str(columns)).out for leaf in ([], [name])]
    lines = "".join(told).splitlines()
    assert max(map(len, lines)) <= max(40, columns)
    assert len(lines) < 70


def test_all_crashed_is_a_board_without_a_best(toy: Toy) -> None:
    rows = [f"na\t0.0\t0.0\tcrash\tout of memory {n}" for n in range(3)]
    (toy.root / "log.tsv").write_text(LOG + "\n".join(rows) + "\n")
    toy.lab("import", "log.tsv", "--leaf", "old")
    out = toy.lab("board", "old").out
    assert "3 ideas tried: 0 kept, 0 discarded, 3 crashed" in out
    assert "best" not in out


def on_a_terminal(toy: Toy, *words: str, **env: str) -> str:
    """Return what `lab WORDS` writes to a terminal of 40 columns."""
    ours, theirs = pty.openpty()
    environ = toy.environ(COLUMNS="40", **env)
    command = [sys.executable, "-P", "-m", "lab", *words]
    with subprocess.Popen(command, stdout=theirs, cwd=toy.root, env=environ) as child:
        os.close(theirs)
        parts = []
        while child.poll() is None or parts[-1:]:
            try:
                parts.append(os.read(ours, 65536))
            except OSError:  # Linux says so when the last writer is gone
                break
    os.close(ours)
    assert child.returncode == 0
    return b"".join(parts).decode()


def test_colour_is_for_terminals_that_want_it(toy: Toy) -> None:
    assert "\x1b[" in on_a_terminal(toy, "board", TERM="xterm-256color", NO_COLOR="")
    bare = on_a_terminal(toy, "board", TERM="xterm-256color", NO_COLOR="1")
    assert "\x1b[3" not in bare
    assert "\x1b" not in toy.lab("board").out


def test_a_claim_cannot_paint_the_terminal(toy: Toy) -> None:
    rows = "a\t1.0\t4.0\tkeep\t[red]\x1b[31mred\x1b[0m[/red]\n"
    (toy.root / "log.tsv").write_text(LOG + rows)
    toy.lab("import", "log.tsv", "--leaf", "old")
    seen = on_a_terminal(toy, "board", "old", TERM="xterm-256color", NO_COLOR="1")
    assert "\x1b[31m" not in seen
    assert "[red]" in seen


def test_the_chain_of_nothing_is_empty() -> None:
    with Notebook(":memory:", who="ada") as book:
        found = boards.board(book, "toy")
    assert (found["claimed_gain"], found["expected_gain"], found["best"]) == (None, None, None)
    assert "nothing yet" in board_text.text(found, 80)
