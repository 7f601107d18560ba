"""Warm starts: hidden unless the leaf declares them, then lent, and told with every number."""

import json
from pathlib import Path

import pytest
from toy import LEAF, Toy, slope

pytestmark = pytest.mark.children
DECLARED = f"{LEAF}\n[train]\nwarm_start = true\n"
# What a change does at its end: goes on from where the incumbent's run of this seed ended.
GOES_ON = """\
    begun = os.environ.get("LAB_WARM_START_DIR")
    if begun:
        begun = Path(begun)
        assert [one.name for one in begun.iterdir()] == ["model.json"], [*begun.iterdir()]
        w = json.loads((begun / "model.json").read_text())["w"]
        (run / "model.json").write_text(json.dumps({"w": (w + SLOPE) / 2}))
"""


def tried(toy: Toy, campaign: Path, value: float) -> dict:
    idea = toy.idea(f"a slope of {value}", cwd=campaign)
    slope(campaign, value, GOES_ON)
    return dict(toy.lab("run", idea, "--json", cwd=campaign, code=None).json)


def machine(toy: Toy, experiment: str) -> list[dict]:
    runs = toy.here("show", experiment, "--json").json["runs"]
    return [json.loads(run["machine"]) for run in runs]


@pytest.mark.parametrize("confined", ["", "none"])
def test_a_declared_warm_start_is_lent_and_told(toy: Toy, confined: str) -> None:
    toy.env["LAB_CONFINE"] = confined
    toy.leaf(toml=DECLARED)
    toy.commit("declared")
    toy.lab("run", "--baseline", "--seeds", "3", cwd=toy.root / "toy")
    campaign = toy.campaign()
    found = tried(toy, campaign, 3.0)
    assert (found["status"], found["flags"]) == ("finished", ["warm_start"])
    assert 0.9 < found["value"] < 1.1  # half the way from 1 to 3
    assert [one["warm_start"] for one in machine(toy, "e2")] == ["e1"]
    toy.lab("result", "e2", "-v", "keep", cwd=campaign)
    assert toy.here("board").out.count("warm start: a slope of 3.0") == 2  # kept, and newest
    rows = toy.here("board", "toy", "--json").json["experiments"]
    assert [row["warm_start"] for row in rows] == [False, True]
    assert "warm start: a slope of 3.0" in toy.here("report", "--markdown").out
    shown = toy.here("show", "e2").out
    assert "bear in mind: warm start" in shown
    assert not list((toy.root / ".lab/runs").rglob("*.warm"))
    toy.lab("audit", cwd=campaign)
    warm = ["warm_start" in one for one in machine(toy, "e2")]
    assert (sum(warm), len(warm)) == (1, 4)  # an audit begins from nothing


def test_what_is_not_declared_is_not_lent(toy: Toy, campaign: Path) -> None:
    found = tried(toy, campaign, 3.0)
    assert (found["status"], found["flags"]) == ("finished", [])
    assert found["value"] < 0.01
    assert "warm start" not in toy.here("board").out


def test_another_key_is_refused(toy: Toy) -> None:
    toy.leaf(toml=f"{LEAF}\n[train]\nwarm = true\n")
    assert "train: must be a table of warm_start" in toy.here("leaves").out
