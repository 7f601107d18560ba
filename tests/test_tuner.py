"""What the tuner proposes, and what it knows of earlier experiments."""

import math
from pathlib import Path
from typing import Any

import pytest
from toy import Toy, slope

from lab.agents import proposals, tuner
from lab.agents.history import Change, History, PastTrial, difference
from lab.judge.stagnation import Move
from lab.leaf import Knob, read
from lab.notebook import Notebook
from lab.workspace import Workspace

LR = Knob("LR", "float", 1e-4, 1.0, True, (), "step size")
DEPTH = Knob("DEPTH", "int", 1, 12, False, (), "layers")
MODE = Knob("MODE", "choice", None, None, False, ("a", "b", "c"), "which")
KNOBS = {"LR": LR, "DEPTH": DEPTH, "MODE": MODE}
NOW: dict[str, Any] = {"LR": 0.01, "DEPTH": 6, "MODE": "a"}


def tried(
    number: int, name: str, old: Any, new: Any, gain: float | None, verdict: str
) -> PastTrial:
    return PastTrial(number, (Change(name, old, new),), gain, verdict, near_miss=False)


def first(proposer: proposals.Proposer, known: list[PastTrial], move: Move | None = None) -> Any:
    return next(proposer.proposals(known, move))


@pytest.mark.parametrize(("knob", "points"), [(LR, [(0.01, 0.0)]), (DEPTH, [(6, 0.0)])])
def test_suggestions_lie_in_the_range_and_are_the_same_for_the_same_seed(
    knob: Knob, points: list[tuple[Any, float]]
) -> None:
    assert knob.low is not None
    assert knob.high is not None
    values = list(proposals.ask(knob, points, seed=3))
    assert values == list(proposals.ask(knob, points, seed=3))
    assert values != list(proposals.ask(knob, points, seed=4))
    assert all(knob.low <= value <= knob.high for value in values)
    assert all(isinstance(value, int) == (knob.kind == "int") for value in values)


def test_what_was_tried_is_not_proposed_again() -> None:
    known = [
        tried(3, "MODE", "a", "b", -1.0, "discard"),
        tried(2, "MODE", "a", "c", None, "crash"),
    ]
    proposer = proposals.Proposer({"MODE": MODE}, {"MODE": "a"}, "seed")
    assert list(proposer.proposals(known, None)) == []


def test_suggestions_go_where_losses_were_low() -> None:
    points = [(0.01, 0.0), *((0.1 * 1.3**n, -1.0) for n in range(5)), (1.0, math.inf), (1e-4, 2.0)]
    values = [next(proposals.ask(LR, points, seed)) for seed in range(20)]
    assert sum(0.03 < value < 0.6 for value in values) > 14


def test_losses_are_chained_from_value_to_value() -> None:
    known = [
        tried(4, "LR", 0.2, 0.4, -0.3, "discard"),
        tried(3, "LR", 0.1, 0.2, 0.5, "keep"),
        tried(2, "LR", 0.1, 0.05, None, "crash"),
    ]
    assert dict(proposals.losses("LR", 0.2, known)) == {
        0.1: 0.0,
        0.05: math.inf,
        0.2: -0.5,
        0.4: -0.2,
    }


def test_a_knob_that_was_just_kept_is_turned_again() -> None:
    known = [tried(2, "DEPTH", 4, 6, 0.5, "keep")]
    for seed in "abcde":
        proposal = first(proposals.Proposer(KNOBS, NOW, seed), known)
        assert proposal.changes[0].name == "DEPTH"
        assert "e2 was kept" in proposal.reason


def test_a_knob_far_from_the_middle_of_its_range_comes_first() -> None:
    for seed in "abcde":
        proposer = proposals.Proposer(KNOBS, {**NOW, "LR": 0.9}, seed)
        assert first(proposer, []).changes[0].name == "LR"


def test_a_failed_knob_gives_way_to_one_not_yet_tried() -> None:
    known = [tried(2, "LR", 0.01, 0.5, -1.0, "discard"), tried(3, "DEPTH", 6, 7, -1.0, "discard")]
    assert first(proposals.Proposer(KNOBS, NOW, "s"), known).changes[0].name == "MODE"


def test_the_move_another_axis_is_obeyed() -> None:
    known = [tried(2, "DEPTH", 4, 6, 0.5, "keep")]
    move = Move("axis", "change direction", ("lr",))
    assert first(proposals.Proposer(KNOBS, NOW, "s"), known, move).changes[0].name == "LR"


def test_the_move_combine_turns_both_near_misses() -> None:
    known = [tried(5, "LR", 0.01, 0.02, 0.1, "discard"), tried(4, "DEPTH", 6, 8, 0.1, "discard")]
    move = Move("combine", "combine", ("e5", "e4"))
    proposal = first(proposals.Proposer(KNOBS, NOW, "s"), known, move)
    assert proposal.changes == (Change("LR", 0.01, 0.02), Change("DEPTH", 6, 8))
    assert str(proposal.changes[0]) == "LR 0.01 -> 0.02"


def test_the_move_ablate_takes_the_kept_change_back() -> None:
    known = [tried(5, "LR", 0.001, 0.01, 0.1, "keep")]
    proposal = first(proposals.Proposer(KNOBS, NOW, "s"), known, Move("ablate", "", ("e5",)))
    assert proposal.changes == (Change("LR", 0.01, 0.001),)


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        (b"LR = 0.1\nX = 1\n", b"LR = 0.2\nX = 1\n", (Change("LR", 0.1, 0.2),)),
        (b"LR = 0.1\nX = 1\n", b"LR = 0.2\nX = 2\n", ()),
        (b"LR = 0.1\n", b"LR = 0.1\n\ndef f(): pass\n", ()),
        (b"LR = 0.1\n", b"LR = = 2\n", ()),
        (b"LR = 0.1\n", b"LR = 1e-1\n", ()),
    ],
    ids=["one_knob", "another_constant_too", "code_too", "not_python", "written_otherwise"],
)
def test_only_what_turned_knobs_alone_is_learned_from(
    old: bytes, new: bytes, changes: tuple[Change, ...]
) -> None:
    assert difference(old, new, {"LR": LR}) == changes


def test_the_history_is_read_from_the_commits_of_other_campaigns(toy: Toy, campaign: Path) -> None:
    for value in (2.0, 0.6):
        idea = toy.idea(f"slope {value}", cwd=campaign)
        slope(campaign, value)
        toy.lab("run", idea, cwd=campaign)
        toy.lab("result", f"e{2 + (value == 0.6)}", "-v", "discard", cwd=campaign)
    workspace = Workspace(toy.root / "toy")
    with Notebook(toy.root / ".lab" / "notebook.db") as book:
        known = History().read(workspace, book, read(toy.root, "toy").knobs)
    assert [(one.experiment, one.changes) for one in known] == [
        (3, (Change("SLOPE", 1.0, 0.6),)),
        (2, (Change("SLOPE", 1.0, 2.0),)),
    ]
    assert known[1].gain is not None
    assert known[1].gain > 2 > 0 > (known[0].gain or 0)


@pytest.mark.parametrize(
    "changes",
    [
        (Change("LR", 0.1, 1e-05),),
        (Change("LR", -1, 2), Change("MODE", "a, b -> c", 'it\'s "x"')),
        (Change("FLAG", True, False), Change("PATH", "", " ")),
    ],
)
def test_a_claim_of_the_tuner_can_be_read_back(changes: tuple[Change, ...]) -> None:
    assert tuner.parse(", ".join(map(str, changes))) == changes


@pytest.mark.parametrize("claim", ["raise the lr 0.1 -> 0.2 or so", "LR 0.1 -> x", "", "SLOPE up"])
def test_somebody_elses_claim_is_not_read_as_the_tuners(claim: str) -> None:
    assert tuner.parse(claim) == ()
