"""Mechanisms by `--observe`: confirmed, refuted or open with the error of the figures."""

import re
from pathlib import Path
from typing import Any

import pytest
from toy import TRAIN, Toy

# A run reports `moves`: 94, 100 or 106 by its seed, and how many times that a change makes it.
MOVES = """
    moves = {} * (100 + 6 * (int(os.environ["LAB_SEED"]) % 3 - 1))
    print(f"---\\nmoves: {{moves}}\\n---")
"""
DONE = '    print("trained")\n'


def train(times: float, more: str = "") -> str:
    """Return the toy's script with so many times the moves, and `more` at its end."""
    return TRAIN.replace(DONE, DONE + MOVES.format(times) + more)


@pytest.fixture
def moving(toy: Toy) -> Path:
    """A campaign whose baseline of three seeds reports moves."""
    toy.leaf(train=train(1.0))
    toy.commit("a leaf that counts its moves")
    toy.lab("run", "--baseline", "--seeds", "3", cwd=toy.root / "toy")
    return toy.campaign()


def observed(toy: Toy, where: Path, times: float, *conditions: str, more: str = "") -> Any:
    """Run a change with so many times the moves; return what is known of its mechanism."""
    words = [word for one in conditions for word in ("--observe", one)]
    idea = toy.idea(f"{times} times the moves", *words, cwd=where)
    (where / "train.py").write_text(train(times, more))
    return toy.lab("run", idea, "--json", cwd=where).json


def test_what_lies_within_the_error_of_what_was_wanted_is_open(toy: Toy, moving: Path) -> None:
    seen = observed(toy, moving, 1.28, "moves > 1.3x")["mechanism"]
    assert (seen["outcome"], seen["source"]) == ("open", "self-reported")
    (one,) = seen["seen"]
    assert one["value"] == pytest.approx(1.28, abs=0.2)
    assert 0.01 < one["error"] < 0.2
    text = toy.here("wait", "e2", cwd=moving).out
    assert "mechanism open (self-reported): moves 1." in text
    assert "(wanted > 1.3x)" in text


def test_the_very_same_at_the_same_seeds_was_not_moved(toy: Toy, moving: Path) -> None:
    seen = observed(toy, moving, 1.0, "moves > 1.05x", more="    1 + random.random()\n")[
        "mechanism"
    ]
    (one,) = seen["seen"]
    assert (seen["outcome"], one["value"], one["error"]) == ("refuted", 1.0, 0.0)


def test_what_one_run_can_settle_is_said_as_the_idea_is_written_down(
    toy: Toy, moving: Path
) -> None:
    words = ("hypothesis", "more moves", "-m", "why", "--observe", "moves > 1.3x")
    said = toy.here(*words, cwd=moving).err
    edges = re.search(
        r"one run confirms it from ([\d.]+)x on and refutes it from ([\d.]+)x, ", said
    )
    assert edges
    sure, of_a_mean = float(edges[1]), 94 / 100  # what the first seed has of the three's mean
    for number, (value, outcome) in enumerate(((sure - 0.02, "open"), (sure + 0.02, "confirmed"))):
        seen = observed(toy, moving, value / of_a_mean, "moves > 1.3x")["mechanism"]
        assert seen["outcome"] == outcome
        toy.here("result", f"e{number + 2}", "-v", "discard", cwd=moving)


@pytest.mark.parametrize(("times", "outcome"), [(2.6, "confirmed"), (0.6, "refuted")])
def test_what_lies_far_beyond_it_is_settled_by_one_run(
    toy: Toy, moving: Path, times: float, outcome: str
) -> None:
    assert observed(toy, moving, times, "moves > 1.3x")["mechanism"]["outcome"] == outcome


def test_the_word_of_the_one_who_judged_stands_beside_what_was_measured(
    toy: Toy, moving: Path
) -> None:
    observed(toy, moving, 2.6, "moves > 1.3x")
    told = toy.here("result", "e2", "-v", "discard", "--mechanism-refuted", cwd=moving).out
    assert "mechanism confirmed" in told
    assert "(claimed refuted)" in told
    shown = toy.here("show", "e2", cwd=moving).out
    assert "moves 2." in shown
    assert "claimed refuted" in shown
    assert toy.here("show", "e2", "--json", cwd=moving).json["mechanism_outcome"] == "confirmed"


def test_every_observable_is_kept_and_all_of_them_must_hold(toy: Toy, moving: Path) -> None:
    seen = observed(toy, moving, 2.6, "moves > 1.3x", "steps > 5")["mechanism"]
    assert seen["observable"] == "moves > 1.3x and steps > 5"
    assert [one["outcome"] for one in seen["seen"]] == ["confirmed", "refuted"]
    assert seen["outcome"] == "refuted"


def test_a_metric_that_the_change_introduces_may_be_observed(toy: Toy, moving: Path) -> None:
    noted = toy.here(
        *("hypothesis", "count what was taken", "-m", "few are", "--observe", "taken > 0.02"),
        cwd=moving,
    )
    assert noted.out.strip() == "h1"
    assert "the change must print it" in noted.err
    more = '    print("---\\ntaken: 0.5\\n---")\n'
    (moving / "train.py").write_text(TRAIN.replace(DONE, DONE + more))
    seen = toy.lab("run", "h1", "--json", cwd=moving).json["mechanism"]
    assert seen["seen"][0]["value"] == 0.5
    toy.here("result", "e2", "-v", "discard", cwd=moving)
    refused = ("hypothesis", "x", "-m", "y", "--observe", "never > 1.1x")
    assert "none to compare with" in toy.here(*refused, cwd=moving, code=2).err


def test_what_no_run_reported_is_open_and_says_so(toy: Toy, moving: Path) -> None:
    seen = observed(toy, moving, 1.0, "taken > 0.02", more='    print("no block")\n')["mechanism"]
    assert seen["outcome"] == "open"
    assert "taken was not reported" in toy.here("wait", "e2", cwd=moving).out
