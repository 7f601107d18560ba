"""What the next session is told: `Next:`, lessons, what others try, what was lost or withdrawn."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from toy import EVALUATE, LEAF, TRAIN, Quick, Toy, slope

SHARE = 'metric = "right"\ndirection = "maximize"'


def run(toy: Toy, where: Path, value: float, claim: str = "", code: int = 0, more: str = "") -> Any:
    """Run a slope as an idea of its own; return what is printed."""
    idea = toy.idea(claim or f"a slope of {value}", cwd=where)
    slope(where, value, more)
    return toy.lab("run", idea, "--json", cwd=where, code=code).json


def settle(toy: Toy, where: Path, name: str, verdict: str, *words: str) -> None:
    toy.here("result", name, "-v", verdict, *words, cwd=where)


def following(toy: Toy, where: Path) -> str:
    """Return the line that begins with Next."""
    lines = toy.here("context", cwd=where).out.splitlines()
    return next(line for line in lines if line.startswith("Next: "))


def test_next_is_what_is_unfinished_then_an_idea_never_run(toy: Toy, campaign: Path) -> None:
    run(toy, campaign, 2.0)
    assert following(toy, campaign).startswith("Next: lab result e2 -v keep  # e2 has no verdict")
    settle(toy, campaign, "e2", "keep")
    toy.idea("for later", cwd=campaign)
    assert following(toy, campaign).startswith("Next: lab run h2  # written down, never run")
    toy.here("drop", "h2", "the same as h1", cwd=campaign)
    assert following(toy, campaign).startswith("Next: lab hypothesis CLAIM")


def test_a_baseline_run_again_for_a_change_ends_with_the_change_s_next_line(
    toy: Toy, campaign: Path
) -> None:
    run(toy, campaign, 2.0)
    again = toy.lab("run", "e1", "--seeds", "1", cwd=campaign).out
    assert again.splitlines()[-1] == "next: lab result e2 -v keep"
    other = toy.campaign("bob")
    assert "next: lab hypothesis" in toy.lab("run", "e1", "--seeds", "1", cwd=other).out


def test_what_waits_for_a_verdict_is_named_with_the_one_to_type(toy: Toy, campaign: Path) -> None:
    run(toy, campaign, 2.0)
    idea = toy.idea("the next one", cwd=campaign)
    refused = toy.here("run", idea, cwd=campaign, code=4).err
    assert "As its numbers suggest: lab result e2 -v keep\n" in refused


def test_a_withdrawn_idea_is_open_no_longer_here_and_after_an_import(
    toy: Toy, campaign: Path, tmp_path: Path
) -> None:
    toy.idea("for later", cwd=campaign)
    toy.here("drop", "h1", cwd=campaign)
    assert "withdrawn: no reason given" in toy.here("show", "h1", cwd=campaign).out
    assert toy.here("context", "--json", cwd=campaign).json["mine"] == []
    assert toy.here("doctor", "--json").json["ok"]
    toy.here("export", "-o", str(tmp_path / "all.jsonl"))
    toy.git("clone", "-q", str(toy.root), str(tmp_path / "copy"))
    copy = Quick(tmp_path / "copy")
    copy.lab("import", str(tmp_path / "all.jsonl"))
    assert copy.lab("doctor", "--fix", "--json").json["ok"]
    assert "h1" not in copy.lab("context", "--leaf", "toy").out


def test_only_what_was_never_run_and_is_one_s_own_is_withdrawn(toy: Toy, campaign: Path) -> None:
    run(toy, campaign, 2.0)
    assert "lab result e2 -v discard" in toy.here("drop", "h1", cwd=campaign, code=4).err
    other = toy.campaign("bob")
    toy.idea("bob's", cwd=other)
    assert "belongs to toy/bob" in toy.here("drop", "h2", cwd=campaign, code=4).err
    toy.here("drop", "h2")  # a person, in the main checkout


def test_a_new_campaign_beside_a_better_best_begins_there(toy: Toy, campaign: Path) -> None:
    other = toy.campaign("bob")
    run(toy, campaign, 2.0)
    settle(toy, campaign, "e2", "keep")
    assert following(toy, other).startswith("Next: lab move best  # e2 at ")


def test_the_best_is_what_nothing_kept_was_built_on(toy: Toy, campaign: Path) -> None:
    """A first number, however lucky, does not call a branch back from what it became."""
    run(toy, campaign, 2.9)
    settle(toy, campaign, "e2", "keep")
    run(toy, campaign, 2.8, "plainer")
    settle(toy, campaign, "e3", "keep", "--because", "it is plainer")
    assert toy.here("board", "toy", "--json").json["best"]["experiment"] == "e3"
    assert "lab move" not in following(toy, campaign)
    other = toy.campaign("bob")
    assert following(toy, other).startswith("Next: lab move best  # e3 at ")
    toy.here("move", "best", cwd=other)
    assert "SLOPE = 2.8" in (other / "train.py").read_text()


@pytest.mark.parametrize(("second", "bagged"), [("SLOPE = 1.5", []), ("STEEP = 0.5", ["e2"])])
def test_a_near_miss_waits_beyond_a_keep_unless_it_turned_the_same(
    toy: Toy, second: str, bagged: list[str]
) -> None:
    train = TRAIN.replace("NOISE = 0.01\n", "NOISE = 0.01\nSTEEP = 0.0\n")
    toy.leaf(train=train.replace('"w": SLOPE +', '"w": SLOPE + STEEP +'))
    toy.commit("two constants")
    toy.lab("run", "--baseline", "--seeds", "3", "--leaf", "toy")
    campaign = toy.campaign()
    file = campaign / "train.py"
    noise, first = (
        toy.here("context", "--json", cwd=campaign).json["noise"]["sd"],
        toy.here("show", "e1", "--json").json["runs"],
    )
    level = sum(run["value"] for run in first) / 3
    # At the first seed the baseline's slope came out as 3 - sqrt(its loss).
    half_a_noise = first[0]["value"] ** 0.5 - (level - noise / 2) ** 0.5
    for new, verdict in ((f"SLOPE = {1 + half_a_noise!r}", "discard"), (second, "keep")):
        name = new.split()[0]
        idea = toy.idea(new, "--axis", name.lower(), cwd=campaign)
        lines = file.read_text().splitlines()
        file.write_text("\n".join(new if line.startswith(name) else line for line in lines) + "\n")
        found = toy.lab("run", idea, "--json", cwd=campaign).json
        assert found["suggest"] == verdict
        settle(toy, campaign, found["experiment"], verdict)
    found = toy.here("context", "--json", cwd=campaign).json
    assert [one["experiment"] for one in found["bag"]] == bagged


def test_four_in_a_row_that_change_nothing_are_told_to_be_reached(toy: Toy, campaign: Path) -> None:
    for number in range(4):
        idle = run(toy, campaign, 1.0, f"idle {number}", more=f"    {number} + random.random()\n")
        assert (idle["suggest"], idle["reason"]) == ("discard", "same")
        settle(toy, campaign, idle["experiment"], "discard")
    assert following(toy, campaign).startswith("Next: the last 4 changed nothing, the same numbers")
    found = toy.here("context", "--json", cwd=campaign).json
    assert not found["unsettled"]


def test_a_noise_of_a_far_worse_program_is_said_to_be(toy: Toy, campaign: Path) -> None:
    run(toy, campaign, 2.9)
    settle(toy, campaign, "e2", "keep")
    told = toy.here("context", cwd=campaign).out
    assert "this one's may be another: an audit tells it, or lab run e2 --seeds 3\n" in told
    before = toy.here("context", "--json", cwd=campaign).json["noise"]
    toy.lab("run", "e2", "--seeds", "3", cwd=campaign)
    now = toy.here("context", "--json", cwd=campaign).json["noise"]
    assert now["df"] > before["df"]
    assert now["sd"] < before["sd"]  # near the truth the same luck moves the loss less
    assert "this one's" not in toy.here("context", cwd=campaign).out


def test_a_baseline_is_neither_an_idea_nor_kept_wherever_it_is_counted(
    toy: Toy, campaign: Path
) -> None:
    run(toy, campaign, 2.0)
    settle(toy, campaign, "e2", "keep")
    told = "1 idea tried: 1 kept, 0 discarded, 0 crashed; 1 baseline"
    for words in (["context"], ["board", "toy"], ["leaves"]):
        assert told in toy.here(*words, cwd=campaign).out
    assert "toy/ada by hand: 1 idea tried, 1 kept" in toy.here("status").out


def test_status_tells_where_the_branch_stands(toy: Toy, campaign: Path) -> None:
    for value, name in ((1.5, "e2"), (2.0, "e3")):
        run(toy, campaign, value)
        settle(toy, campaign, name, "keep")
    toy.here("move", "e2", cwd=campaign)
    (found,) = toy.here("status", "--json").json["campaigns"]
    assert found["best"]["experiment"] == "e2"
    run(toy, campaign, 0.5)
    settle(toy, campaign, "e4", "discard")
    (found,) = toy.here("status", "--json").json["campaigns"]
    assert found["best"]["experiment"] == "e2"


def test_what_others_will_try_is_told_and_one_s_own_is_not(toy: Toy, campaign: Path) -> None:
    other = toy.campaign("bob")
    toy.idea("bob will halve the batch", cwd=other)
    toy.idea("mine", cwd=campaign)
    found = toy.here("context", "--json", cwd=campaign).json
    assert [one["campaign"] for one in found["others"]] == ["toy/bob"]
    assert "h1 of toy/bob: bob will halve" in toy.here("context", cwd=campaign).out


def test_lessons_and_what_was_learned_are_cut_last(toy: Toy, campaign: Path) -> None:
    run(toy, campaign, 0.5, "a claim " + "of many words " * 40)
    learned = "what overshoots loses quadratically, " + "and that is seen at once " * 12
    settle(toy, campaign, "e2", "discard", "--theory-revision", learned)
    lesson = "steeper is better up to three " + "and no further " * 20
    toy.here("lesson", lesson, "--evidence", "e2", cwd=campaign)
    for number in range(6):
        toy.here("lesson", f"lesson {number}", "--evidence", "e2", cwd=campaign)
    text = toy.here("context", "--tokens", "700", cwd=campaign).out
    assert len(text) < 4 * 700
    assert learned.strip() in text
    assert "Lessons (2 more" in text
    assert "of many words " * 12 not in text


def test_the_brief_says_nothing_twice(toy: Toy, campaign: Path) -> None:
    run(toy, campaign, 0.5, "a dead end of its own")
    settle(toy, campaign, "e2", "discard", "--theory-revision", "it loses")
    brief = toy.here("brief", cwd=campaign).out
    assert brief.count("learned: it loses") == 1
    assert "notes.md (what earlier sessions wrote)" in brief


def test_what_was_tried_on_another_program_is_labelled_and_comes_last(
    toy: Toy, campaign: Path
) -> None:
    run(toy, campaign, 2.0)
    settle(toy, campaign, "e2", "keep")
    run(toy, campaign, 0.2, "on the kept change")
    settle(toy, campaign, "e3", "discard", "--theory-revision", "lost on e2")
    other = toy.campaign("bob", "toy", "--from", "e1")
    run(toy, other, 0.1, "on the baseline")
    settle(toy, other, "e4", "discard", "--theory-revision", "lost on e1")
    found = toy.here("context", "--json", cwd=other).json["failures"]
    assert [(one["experiment"], one["elsewhere"]) for one in found] == [
        ("e4", False),
        ("e3", True),
    ]
    assert "e3 dead end" in (text := toy.here("context", cwd=other).out)
    assert "on another program" in text


def test_the_context_tells_metrics_what_shows_and_what_was_kept(toy: Toy, campaign: Path) -> None:
    run(toy, campaign, 2.0)
    settle(toy, campaign, "e2", "keep")
    found = toy.here("context", "--json", cwd=campaign).json
    assert found["metrics"]["steps"] == 1
    two, six = found["settles"]
    assert (two["runs"], six["runs"]) == (2, 6)
    assert two["gain"] > six["gain"] > 0
    assert "+SLOPE = 2.0" in found["kept"][0]["change"]
    assert "; 1 baseline; " in toy.here("context", cwd=campaign).out


def test_a_rewrite_is_told_by_how_much_it_changed_and_where(toy: Toy, campaign: Path) -> None:
    more = "".join(f"    print({number})\n" for number in range(5))
    run(toy, campaign, 2.0, more=more)
    settle(toy, campaign, "e2", "keep")
    (kept,) = toy.here("context", "--json", cwd=campaign).json["kept"]
    assert kept["change"] == "7 lines changed in SLOPE, main"


def test_a_second_attempt_that_was_kept_settles_the_bug_of_the_first(
    toy: Toy, campaign: Path
) -> None:
    run(toy, campaign, 2.0, "raise the slope", code=1, more="    raise ValueError(SLOPE)\n")
    assert "e2 unsettled, bug" in toy.here("failures", cwd=campaign).out
    slope(campaign, 2.0)
    toy.lab("run", "h1", cwd=campaign)
    settle(toy, campaign, "e3", "keep")
    assert "e2" not in toy.here("failures", cwd=campaign).out
    assert "e2" not in toy.here("failures", "raise the slope", cwd=campaign).out


def test_failures_of_one_profile_alone(toy: Toy, campaign: Path) -> None:
    run(toy, campaign, 0.5, "lower the slope")
    settle(toy, campaign, "e2", "discard")
    assert "e2" in toy.here("failures", "--profile", "cpu", cwd=campaign).out
    assert "e2" not in toy.here("failures", "--profile", "smoke", cwd=campaign).out


@pytest.mark.children
@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="found through /proc")
def test_what_was_lost_stays_open_with_its_edit(toy: Toy, campaign: Path) -> None:
    idea = toy.idea("sleep", cwd=campaign)
    slope(campaign, 2.0, "    import time\n    time.sleep(60)\n")
    toy.lab("run", idea, "--detach", cwd=campaign, code=5)
    os.kill(toy.supervisor(), signal.SIGKILL)
    mine = toy.lab("context", "--json", cwd=campaign).json["mine"]
    assert [one["status"] for one in mine] == ["lost"]
    assert "Next: lab run h1  # e2 was lost" in toy.here("context", cwd=campaign).out


def test_a_bar_that_no_number_reaches_is_said_to_be_out_of_reach(toy: Toy) -> None:
    table = LEAF.replace('metric = "loss"\ndirection = "minimize"', SHARE)
    noisy = "min(1.0, 0.95 + 0.06 * (1 - int(os.environ['LAB_SEED']) % 3))"
    toy.leaf(toml=table, evaluate=EVALUATE.replace("loss: {(w - 3) ** 2!r}", f"right: {{{noisy}}}"))
    toy.commit("a share near its ceiling")
    toy.lab("run", "--baseline", "--seeds", "3", cwd=toy.root / "toy")
    campaign = toy.campaign()
    found = run(toy, campaign, 2.0)
    assert found["bar"] > 1
    assert any("which no number reaches" in hint for hint in found["hints"])
    settle(toy, campaign, "e2", "discard")
    assert run(toy, campaign, 2.1)["hints"] == []  # told once for this incumbent and noise
    assert toy.here("context", "--json", cwd=campaign).json["out_of_reach"]
    assert "lower the noise first" in toy.here("context", cwd=campaign).out


def test_the_brief_lists_no_knob_that_the_code_has_no_more(toy: Toy, campaign: Path) -> None:
    assert "NOISE: 0.001 to 0.1" in toy.here("brief", cwd=campaign).out
    text = (campaign / "train.py").read_text().replace("gauss(0, NOISE)", "gauss(0, 0.01)")
    (campaign / "train.py").write_text(text)
    brief = toy.here("brief", cwd=campaign).out
    assert "SLOPE: 0.5 to 5" in brief
    assert "NOISE: 0.001 to 0.1" not in brief


def test_no_kept_change_is_told_as_a_dead_end(toy: Toy, campaign: Path) -> None:
    idea = toy.idea("up", "--observe", "steps > 5", cwd=campaign)
    slope(campaign, 2.0)
    toy.lab("run", idea, cwd=campaign)
    settle(toy, campaign, "e2", "keep")
    assert toy.here("show", "e2", "--json", cwd=campaign).json["mechanism_outcome"] == "refuted"
    assert toy.here("context", "--json", cwd=campaign).json["failures"] == []


def test_in_a_campaign_nobody_mends_the_notebook(toy: Toy, campaign: Path) -> None:
    refused = toy.here("doctor", "--fix", cwd=campaign, code=4).err
    assert "only a person in the main checkout" in refused


def test_who_expects_gains_is_told_how_often_they_came_true(toy: Toy, campaign: Path) -> None:
    told = toy.here("hypothesis", "c", "-m", "m", "--expect", "-1", cwd=campaign, code=2).err
    assert "is no gain" in told
    assert "expected: " not in toy.here("context", cwd=campaign).out
    for value, expected in ((2.0, "1"), (2.4, "99"), (0.5, "0.1")):
        idea = toy.here(
            *("hypothesis", f"slope {value}", "-m", "m", "--expect", expected), cwd=campaign
        ).out.strip()
        slope(campaign, value)
        found = toy.lab("run", idea, "--json", cwd=campaign).json
        toy.here("result", found["experiment"], "-v", found["suggest"], cwd=campaign)
    assert "expected of it: +1" in toy.here("show", "h1").out
    found = toy.here("context", "--json", cwd=campaign).json
    assert found["forecasts"] == {"judged": 3, "came_true": 2, "in_full": 1}
    assert "Gains expected: 3; 2 came true, 1 in full" in toy.here("context", cwd=campaign).out
