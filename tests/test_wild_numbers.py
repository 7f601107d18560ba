"""Metrics, noise and clocks at their worst: what was measured is recorded, shown and exported."""

import json
import sqlite3
from pathlib import Path

import nights
import pytest
from nights import Idea
from toy import EVALUATE, Quick, Toy, slope

from lab.judge import Group, Noise, Record, judge, mean, pool, pooled, total

LARGEST = 1.797e308


# -- Noise ---------------------------------------------------------------------------------


@pytest.mark.parametrize("far", [[14.0, 18.0], [1e16, 3e16], [5.0, 9.0, -7.0]])
def test_one_diverged_change_stays_out_of_the_noise(far: list[float]) -> None:
    usual = [[1.0, 1.006, 0.994], [1.2, 1.206]]
    clean, with_it = pool(usual), pool([*usual, far])
    assert with_it == clean


def test_groups_that_ordinary_luck_makes_stay_in() -> None:
    lucky = [Group(1, 0.002, 1), Group(2, 0.02, 1), Group(3, 0.03, 2), Group(4, 0.0, 3)]
    assert pooled(lucky)[1] == []
    assert pooled([Group(1, 0.0, 2), Group(2, 1.0, 1)])[0] == Noise(1 / 3**0.5, 3)


@pytest.mark.parametrize("value", [0.9995, 0.99999])
@pytest.mark.parametrize("noise", [Noise(0.0016, 4), Noise(1e16, 1), None])
def test_a_better_number_is_never_called_worse(value: float, noise: Noise | None) -> None:
    verdict = judge({0: value}, Record({}, {0: 1.0, 1: 1.0}), noise, "minimize", min_effect=0.1)
    assert verdict.gain > 0
    assert verdict.reason in ("bagged", "undecided")
    assert "worse" not in verdict.why


def test_context_and_show_name_what_the_noise_is_without(quick: Quick) -> None:
    ideas = [Idea("far off", -9.0, "discard"), Idea("raise the slope", 0.5, "keep")]
    nights.write(quick, ideas)
    here = quick.lab("context", "--leaf", "toy", "--json").json
    scope = {name: here[name] for name in ("profile", "platform", "yardstick")}
    home = spread(quick, scope, {1: 0.01, 2: 4.0, 3: 0.01})
    noise = quick.lab("context", "--leaf", "toy", "--json", LAB_HOME=home).json["noise"]
    assert noise["without"] == ["e2"]
    assert noise["sd"] < 0.02
    told = quick.lab("context", "--leaf", "toy", LAB_HOME=home).out
    assert "without e2, unlike the rest" in told
    shown = [
        quick.lab("show", name, "--json", LAB_HOME=home).json["outside_noise"]
        for name in ("e1", "e2", "e3")
    ]
    assert shown == [False, True, False]
    pages = [quick.lab("show", name, LAB_HOME=home).out for name in ("e1", "e2", "e3")]
    assert ["spread unlike the others'" in page for page in pages] == shown


def spread(quick: Quick, scope: dict[str, str], wide: dict[int, float]) -> str:
    """Return a notebook of the same as baselines that have two more runs, so far apart."""
    records = [json.loads(line) for line in quick.lab("export").out.splitlines()]
    tried = [one for one in records if one["table"] == "experiments"]
    for one in tried:
        one |= scope | {"kind": "baseline"}  # of others no seed counts in the noise
    for number, far in wide.items():
        uid = tried[number - 1]["uid"]
        first = next(o for o in records if o["table"] == "runs" and o["experiment"] == uid)
        for seed, way in ((11, -1), (12, 1)):
            run = first | {"uid": f"{number}-{seed}", "seed": seed}
            records.append(run | {"value": first["value"] + way * far})
    file = quick.root.parent / "more.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in records))
    home = str(quick.root.parent / "spread")
    quick.lab("import", str(file), LAB_HOME=home)
    return home


# -- Overflow --------------------------------------------------------------------------------


def test_sums_and_means_overflow_nothing() -> None:
    assert mean([LARGEST, LARGEST, -LARGEST]) == pytest.approx(LARGEST / 3)
    assert total([LARGEST, LARGEST]) is None
    assert pool([[1e180, 2e180], [LARGEST, -LARGEST]]).sd == pytest.approx(1e180 / 2**0.5)


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_largest_numbers_are_judged_by_their_sign(direction: str) -> None:
    record = Record({}, {0: -LARGEST, 1: -LARGEST})
    verdict = judge({0: LARGEST}, record, Noise(0.0, 1), direction)
    assert verdict.gain is None
    assert verdict.suggest == ("keep" if direction == "maximize" else "discard")


@pytest.mark.parametrize("numbers", [("1e180", "3e180"), ("1.7e308", "-1.7e308")])
def test_two_seeds_of_the_largest_numbers_are_recorded_shown_and_exported(
    toy: Toy, tmp_path: Path, numbers: tuple[str, str]
) -> None:
    pytest.importorskip("matplotlib")
    seed = f'print("---\\nloss: " + {numbers!r}[int(os.environ["LAB_SEED"]) % 2] + "\\n---")\n'
    toy.leaf(evaluate=EVALUATE[: EVALUATE.index("w = ")] + seed)
    toy.commit("perplexity")
    assert "(seed 1)" in toy.lab("run", "--baseline", "--seeds", "2").out
    where = toy.campaign()
    idea = toy.idea(cwd=where)
    slope(where, 2.0)
    toy.lab("run", idea, "--seeds", "2", cwd=where)
    toy.lab("result", "e2", "-v", "keep", "--because", "to see it", cwd=where)
    for words in (["board"], ["context"], ["show", "e2"], ["log"]):
        toy.lab(*words, cwd=where)
        toy.lab(*words, "--json", cwd=where)
    toy.lab("plot", "toy", "-o", str(tmp_path / "night.png"))
    toy.lab("report", "toy", "-o", str(tmp_path / "night.html"))
    toy.lab("report", "toy", "--markdown")
    assert len(toy.lab("export").out.splitlines()) > 10
    assert toy.lab("doctor", "--json").json["ok"]


def test_an_export_leaves_out_what_was_once_recorded_as_infinite(quick: Quick) -> None:
    nights.write(quick, [Idea("raise the slope", 0.5, "keep")])
    with sqlite3.connect(quick.root / ".lab" / "notebook.db") as db:
        db.execute(
            "insert into judgements (uid, experiment, runs, suggest, reason, at, gain) "
            "values ('far', 2, 1, 'keep', 'better', '2026-03-01T20:00:00.000Z', 9e999)"
        )
    lines = [json.loads(line) for line in quick.lab("export").out.splitlines()]
    (far,) = [one for one in lines if one.get("uid") == "far"]
    assert "gain" not in far


# -- Clocks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("at", ["2199-01-01T00:00:00.000Z", "1970-01-01T00:00:00.000Z"])
def test_a_clock_that_was_wrong_hides_no_later_work(quick: Quick, at: str) -> None:
    nights.write(quick, [Idea("first", 0.5, "keep"), Idea("then", 0.25, "keep")])
    lines = [json.loads(line) for line in quick.lab("export").out.splitlines()]
    second = next(one for one in lines if one["table"] == "experiments" and one["kind"] == "run")
    second["at"] = at
    file = quick.root.parent / "night.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in lines))
    home = str(quick.root.parent / "elsewhere")
    quick.lab("import", str(file), LAB_HOME=home)
    leaf = quick.lab("report", "--json", LAB_HOME=home).json["leaves"][0]
    usual = quick.lab("report", "--json").json["leaves"][0]
    assert (leaf["experiments"], leaf["keep"]) == (usual["experiments"], usual["keep"])
    told = quick.lab("report", "--markdown", LAB_HOME=home).out
    assert "(-" not in told.splitlines()[2]
