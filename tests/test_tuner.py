"""What the tuner proposes, and what it knows of earlier experiments."""

import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy import Toy, slope

from lab.agents import tuner
from lab.agents.history import History
from lab.judge.stagnation import Move
from lab.leaf import Knob, read
from lab.notebook import Notebook
from lab.tuner import one_knob as proposals
from lab.tuner import thompson, trials
from lab.tuner.space import Space
from lab.tuner.surface import Known
from lab.tuner.trials import Change, PastTrial, difference
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
    assert trials.parse(", ".join(map(str, changes))) == changes


@pytest.mark.parametrize("claim", ["raise the lr 0.1 -> 0.2 or so", "LR 0.1 -> x", "", "SLOPE up"])
def test_somebody_elses_claim_is_not_read_as_the_tuners(claim: str) -> None:
    assert trials.parse(claim) == ()


# -- The model of all runs -------------------------------------------------------------


def known_of(space: Space, loss: Any, places: Any, program: str = "p") -> list[Known]:
    return [Known(n, place, program, 0, -loss(place)) for n, place in enumerate(places)]


def test_the_model_finds_a_peak_from_runs_of_other_programs_too() -> None:
    space = Space({name: Knob(name, "float", 0.0, 1.0, False, (), "") for name in "AB"})

    def loss(place: Any) -> float:
        return float(40 * ((place - 0.3) ** 2).sum())

    chance = np.random.default_rng(0)
    here = known_of(space, loss, chance.random((6, 2)))
    there = known_of(space, lambda place: loss(place) + 500, chance.random((12, 2)), "another")
    belief = thompson.believed(space, np.array([0.9, 0.9]), [*here, *there], noise=1.0)
    tried = [thompson.proposed(belief, chance) for _ in range(20)]
    assert sum(loss(one.place) < loss(belief.tip) / 4 for one in tried) > 12
    assert all(one.sd > 0 for one in tried)


def test_where_runs_failed_is_kept_away_from() -> None:
    space = Space({"A": Knob("A", "float", 0.0, 1.0, False, (), "")})
    good = [Known(n, np.array([at]), "p", 0, 10 * at) for n, at in enumerate((0.1, 0.3, 0.5))]
    lost = [Known(9 + n, np.array([at]), "p", 0, None) for n, at in enumerate((0.7, 0.8, 0.9))]
    chance = np.random.default_rng(1)
    belief = thompson.believed(space, np.array([0.5]), [*good, *lost], noise=1.0)
    assert max(thompson.proposed(belief, chance).place[0] for _ in range(20)) < 0.7


def test_whole_numbers_and_choices_stand_where_they_can() -> None:
    space = Space(KNOBS)
    tip = space.place({**NOW, "MODE": "b"})
    assert tip is not None
    chance = np.random.default_rng(2)
    turned = np.ones((50, 3), dtype=bool)
    places = space.stepped(tip, chance, np.full(50, 0.1), turned)
    values = [space.values(place, tip) for place in places]
    assert {one["MODE"] for one in values} == {"a", "c"}
    assert all(one.get("DEPTH", 6) in range(1, 13) for one in values)
    assert all(1e-4 <= one.get("LR", 0.01) <= 1.0 for one in values)


def test_a_search_with_nothing_left_to_win_is_worth_nothing() -> None:
    space = Space({"A": Knob("A", "float", 0.0, 1.0, False, (), "")})
    runs = known_of(
        space, lambda place: 40 * float((place[0] - 0.5) ** 2), [[x / 40] for x in range(41)]
    )
    runs = [Known(one.experiment, np.array(one.place), "p", 0, one.value) for one in runs]
    chance = np.random.default_rng(3)
    far, near = (thompson.believed(space, np.array([at]), runs, 1.0) for at in (0.1, 0.5))
    assert thompson.worth(far, chance) > 1
    assert thompson.worth(near, chance) < 0.2


def test_the_leaf_may_ask_for_one_knob_at_a_time(ready: Toy) -> None:
    page = ready.root / "toy" / "leaf.toml"
    page.write_text(f'{page.read_text()}\n[tuner]\nsampler = "tpe"\n')
    ready.commit("one knob at a time")
    ready.lab("loop", "toy", "--agent", "tuner", "--experiments", "2")
    log = ready.lab("log", "toy", "--json").json
    claims = [one["claim"] for one in log if one["hypothesis"]]
    assert len(claims) == 2
    assert all(", " not in claim for claim in claims)
    page.write_text(page.read_text().replace('"tpe"', '"cma"'))
    refused = ready.lab("check", "toy", code=1)
    assert "tuner.sampler: is 'cma'; choose model or tpe" in refused.out + refused.err


def test_a_knob_that_nothing_reads_is_not_turned(ready: Toy) -> None:
    file = ready.root / "toy" / "train.py"
    file.write_text(file.read_text().replace("random.gauss(0, NOISE)", "random.gauss(0, 0.01)"))
    ready.commit("the noise is fixed")
    assert list(tuner.turnable(Workspace(ready.root / "toy", leaf="toy"))) == ["SLOPE"]


def test_a_step_too_small_to_write_down_is_no_change() -> None:
    space = Space({"LR": LR})
    tip = space.place({"LR": 0.05})
    assert tip is not None
    assert space.values(tip + 1e-5, tip) == {}
    assert space.values(tip + 0.1, tip) == {"LR": 0.126}


def test_the_tuner_tries_as_many_at_once_as_there_are_devices(ready: Toy) -> None:
    """Also when it is killed in the middle: each of a wave ends with one verdict."""
    ready.env["LAB_CPU_SLOTS"] = "3"
    loop = ready.start("loop", "toy", "--agent", "tuner", "--experiments", "6")
    time.sleep(9)
    loop.kill()
    loop.communicate()
    ready.lab("loop", "toy", "--agent", "tuner", "--experiments", "6")
    rows = [json.loads(line) for line in ready.here("export").out.splitlines()]
    made = [row for row in rows if row.get("table") == "experiments" and row["kind"] == "run"]
    names = [row["wave"] for row in made]
    assert max(names.count(name) for name in set(names) - {None}) == 3
    log = ready.here("log", "toy", "-n", "100", "--json").json
    assert {one["verdict"] for one in log} <= {"keep", "discard"}
    assert len({one["hypothesis"] for one in log if one["hypothesis"]}) == len(made) >= 6
    assert ready.here("doctor", "--json").json["ok"]
