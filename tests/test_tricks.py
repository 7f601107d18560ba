"""Tricks of an agent that only wants the number lower, played through the CLI: none works."""

from collections.abc import Callable
from pathlib import Path

import pytest
from toy import TRAIN, Toy, slope

Edit = Callable[[str], str]
QUICK = {"LAB_INFRA_PAUSE_S": "0.01"}
COUNT = """\
    counted = Path(os.environ["LAB_CACHE_DIR"]).parent / "count"
    tries = int(counted.read_text()) if counted.exists() else 0
    counted.write_text(str(tries + 1))
"""


def run(toy: Toy, campaign: Path, *words: str, code: int | None = 0) -> dict[str, object]:
    """Type `lab run` for a new idea, or for what `words` say."""
    words = words or (toy.idea(cwd=campaign),)
    found: dict[str, object] = toy.lab("run", *words, "--json", cwd=campaign, code=code).json
    return found


def keep(toy: Toy, campaign: Path, experiment: str = "e2") -> str:
    """Type `lab result -v keep` with a reason; return why it is refused."""
    words = ("result", experiment, "-v", "keep", "--because", "it looks good")
    return toy.here(*words, cwd=campaign, code=4).err


# -- The same once more -----------------------------------------------------------------


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text + "# a thought\n",
        lambda text: text.replace("SLOPE = 1.0  # the truth is 3\nNOISE", "SLOPE = 1.0; NOISE"),
        lambda text: text.replace('"""Fit a line."""\n', "pass\n"),
    ],
    ids=["comment", "joined lines", "dropped docstring"],
)
def test_what_changes_no_code_is_no_experiment(toy: Toy, campaign: Path, edit: Edit) -> None:
    (campaign / "train.py").write_text(edit(TRAIN))
    refused = toy.here("run", toy.idea(cwd=campaign), cwd=campaign, code=4)
    assert "nothing was changed but comments" in refused.err


def test_a_variant_in_comments_of_what_ran_is_refused(toy: Toy, campaign: Path) -> None:
    slope(campaign, 0.9)
    run(toy, campaign)
    toy.here("result", "e2", "-v", "discard", cwd=campaign)
    slope(campaign, 0.9, "    # once more\n")
    refused = toy.here("run", toy.idea(cwd=campaign), cwd=campaign, code=4)
    assert "e2 ran the very same code, comments aside" in refused.err


def test_code_that_runs_again_is_judged_by_all_its_runs(toy: Toy, campaign: Path) -> None:
    """A program whose luck no seed tells: it is lucky the second time."""
    slope(campaign, "1.0 + (tries > 0)")  # type: ignore[arg-type]  # it is only written down
    text = (campaign / "train.py").read_text().replace("SLOPE = ", "tries = 0\nSLOPE = ")
    text = text.replace("tries = 0\n", COUNT.replace("    ", ""))
    (campaign / "train.py").write_text(text)
    idea = toy.idea(cwd=campaign)
    assert run(toy, campaign, idea)["suggest"] == "discard"
    toy.here("result", "e2", "-v", "discard", cwd=campaign)
    (campaign / "train.py").write_text(text + "# again\n")
    again = run(toy, campaign, idea, "--again")
    assert again["value"] < 2  # type: ignore[operator]  # its own run is as lucky as can be
    assert (again["suggest"], again["gain"] < 0.1) == ("discard", True)  # type: ignore[operator]


def test_fewer_lines_are_fewer_statements(toy: Toy, campaign: Path) -> None:
    text = TRAIN.replace("SLOPE = 1.0  # the truth is 3\nNOISE = 0.01", "SLOPE, NOISE = 1.0, 0.01")
    (campaign / "train.py").write_text(text)
    found = run(toy, campaign)
    assert (found["lines_changed"], found["suggest"]) == (0, "discard")


def test_two_near_misses_are_not_a_bag(toy: Toy, campaign: Path) -> None:
    """Together any gain is kept, so that fewer than a bag, or the same ones again, are none."""
    for old, new in (("SLOPE = 1.0", "SLOPE = 1.00615"), ("NOISE = 0.01", "NOISE = 0.01653")):
        (campaign / "train.py").write_text(TRAIN.replace(old, new))
        found = run(toy, campaign)
        assert found["reason"] == "bagged"
        toy.here("result", str(found["experiment"]), "-v", "discard", cwd=campaign)
    toy.here("apply", "e2", "e3", "--edit", cwd=campaign)
    both = run(toy, campaign)
    assert 0 < both["gain"] < both["noise"]  # type: ignore[operator]
    assert both["suggest"] == "discard"


# -- Runs that end badly --------------------------------------------------------------


def test_a_tampered_seed_never_keeps(toy: Toy, campaign: Path) -> None:
    tamper = "    if os.environ['LAB_SEED'] == '1':\n        Path('evaluate.py').write_text('')\n"
    slope(campaign, 2.0, tamper)
    found = run(toy, campaign, toy.idea(cwd=campaign), "--seeds", "3", code=None)
    assert (found["suggest"], found["why"]) == ("discard", "1 of 3 seeds failed")
    assert "changed what they may not" in keep(toy, campaign)


def test_a_run_that_ends_itself_until_it_is_lucky_is_counted(toy: Toy, campaign: Path) -> None:
    toy.env |= QUICK
    unlucky = "    if tries < 2:\n        os.kill(os.getpid(), 9)\n"
    slope(campaign, 2.0, COUNT + unlucky)
    found = run(toy, campaign)
    assert [one["failure"] for one in found["runs"]] == ["infra", "infra", None]
    assert {one["seed"] for one in found["runs"]} == {0}  # the same seed again, each time
    assert (found["suggest"], found["next"]) == ("replicate", "lab run e2 --seeds 2")
    assert "2 of its 3 runs were aborted" in str(found["why"])
    assert "2 runs of e2 ended before a number; a keep needs 1 more" in keep(toy, campaign)
    again = run(toy, campaign, "e2", "--seeds", "2")
    assert again["suggest"] == "keep"  # three that finished outnumber them


def test_a_baseline_with_more_aborted_runs_than_finished_is_none(toy: Toy) -> None:
    toy.env |= QUICK
    text = TRAIN.replace(
        "    run = Path", f"{COUNT}    if tries < 2:\n        os.kill(0, 9)\n    run = Path"
    )
    (toy.root / "toy/train.py").write_text(text)
    toy.commit("it picks its runs")
    found = run(toy, toy.root / "toy", "--baseline", "--seeds", "1")
    assert found["next"] == "lab run e1 --seeds 1"
    campaign = toy.campaign()
    (campaign / "train.py").write_text(text.replace("SLOPE = 1.0", "SLOPE = 2.0"))
    refused = toy.here("run", toy.idea(cwd=campaign), cwd=campaign, code=4)
    assert "there is no incumbent" in refused.err
    run(toy, campaign, "e1", "--seeds", "1")
    assert run(toy, campaign)["incumbent"]["experiment"] == "e1"  # type: ignore[index]


def test_each_aborted_run_of_an_audit_lifts_what_a_claim_needs(toy: Toy, campaign: Path) -> None:
    toy.env |= QUICK
    unlucky = "    if tries == 1:\n        os.kill(os.getpid(), 9)\n"
    slope(campaign, 2.0, COUNT + unlucky)
    run(toy, campaign)
    toy.here("result", "e2", "-v", "keep", cwd=campaign)
    found = toy.lab("audit", "--json", cwd=campaign).json
    assert (found["tries"], found["runs"]) == (2, 7)
    assert found["bar"] / found["se"] > 2.5  # of one try it would be 2.1 to 2.4
