"""Looking: context, failures, log, show, board, leaves; each small enough to read, as JSON too."""

import json
import shutil
from pathlib import Path

import nights
import pytest
from nights import Idea
from toy import Quick, slope

CONTEXT = """
    leaf metric direction profile platform yardstick counts in_campaign mine incumbent level bar
    bar_after_a_look out_of_reach confirmed_gain provisional_gain pairs bag target forecasts left
    best noise settles metrics running queue others kept failures unsettled lessons lessons_more
    axes since_keep suggestion suggest recent
"""
FAILURE = """
    experiment hypothesis claim mechanism kind failure gain mechanism_outcome lesson leaf
    parent score
"""
LOG = """
    experiment hypothesis claim status verdict failure value gain commit parent seconds at
"""
BOARD = "leaf metric direction experiments claimed_gain expected_gain"
BOARD_ROW = "experiment claim value gain verdict failure commit seconds"


def has(found: dict, names: str) -> bool:
    """Say whether all the promised keys are there."""
    return set(names.split()) <= set(found)


def tokens(text: str) -> float:
    """Return how many tokens a text is counted as."""
    return len(text) / 4


def wordy(quick: Quick, n: int = 12) -> None:
    """Fill the notebook with long-winded failures."""
    for i in range(n):
        claim = f"try {i}: {'a very long claim 🚀 漢字 ' * 40}"
        quick.lab("hypothesis", claim, "-m", "because " * 300, "--axis", f"axis {i} {'x' * 60}")
        quick.lab("experiment", f"h{i + 1}")
        said = ["--theory-revision", f"learned {i} {'nothing much ' * 100}"]
        quick.lab("result", f"e{i + 1}", "-v", "discard" if i % 3 else "crash", *said)
    for i in range(n):
        quick.lab("hypothesis", f"open {i} {'words ' * 300}", "-m", "why")


# -- Context ------------------------------------------------------------------------


def test_context_of_nothing_says_how_to_begin(quick: Quick) -> None:
    found = quick.lab("context", "--json").json
    assert list(found) == CONTEXT.split()
    assert (found["leaf"], found["metric"], found["direction"]) == ("toy", "loss", "minimize")
    assert found["suggestion"] == "lab run --baseline --seeds 3  # no baseline here yet"
    assert "lab run --baseline --seeds 3" in quick.lab("context").out


def test_context_shows_mine_before_everything_else(campaign: Path, toy) -> None:
    toy.idea("not run yet", cwd=campaign)
    idea = toy.idea("raise the slope", cwd=campaign)
    slope(campaign, 2.0)
    toy.lab("run", idea, cwd=campaign)
    found = toy.lab("context", "--json", cwd=campaign).json
    assert list(found) == CONTEXT.split()
    assert [one["hypothesis"] for one in found["mine"]] == ["h2", "h1"]
    assert found["mine"][0]["experiment"] == "e2"
    assert found["incumbent"]["experiment"] == "e1"
    assert found["incumbent"]["runs"] == 3
    assert set(found["best"]) == {"experiment", "value", "runs", "campaign"}
    assert found["noise"]["df"] == 2
    text = toy.lab("context", cwd=campaign).out
    assert text.index("e2 h2 finished: raise the slope") < text.index("Incumbent: e1")


def test_context_says_how_many_results_a_changed_yardstick_left_behind(
    large: Quick, tmp_path: Path
) -> None:
    shutil.copytree(large.root, tmp_path / "repo", symlinks=True)
    moved = Quick(tmp_path / "repo")
    assert "not comparable" not in moved.lab("context").out
    with (moved.root / "toy" / "evaluate.py").open("a") as file:
        file.write("# measured another way\n")
    moved.git("commit", "-qam", "another way to measure")
    assert "3,000 results before it are not comparable" in moved.lab("context").out
    found = moved.lab("context", "--json").json
    assert (found["best"], found["incumbent"], found["noise"]) == (None, None, None)


@pytest.mark.parametrize("budget", [400, 500, 800, 1500, 4000])
def test_context_and_failures_never_exceed_their_tokens(
    quick: Quick, large: Quick, budget: int
) -> None:
    if budget == 300:
        wordy(quick)
    for lab in (quick.lab, large.lab):
        for words in (["context"], ["context", "--for", "learning rate"]):
            assert tokens(lab(*words, "--tokens", str(budget)).out) <= budget
            answer = lab(*words, "--json", "--tokens", str(budget))
            assert tokens(answer.out) <= budget
            assert list(answer.json) == CONTEXT.split()
        for words in (["failures"], ["failures", "very long learning rate", "-n", "1000"]):
            assert tokens(lab(*words, "--tokens", str(budget)).out) <= budget
            answer = lab(*words, "--json", "--tokens", str(budget))
            assert tokens(answer.out) <= budget
            assert json.loads(answer.out) is not None


def test_the_default_budgets_hold(quick: Quick) -> None:
    wordy(quick)
    for words, budget in (("context", 1500), ("failures", 800)):
        for form in ([], ["--json"]):
            said = tokens(quick.lab(words, *form).out)
            assert budget * 0.4 < said <= budget, (words, form)


def test_too_small_a_budget_is_a_usage_error(quick: Quick) -> None:
    assert "--tokens 400" in quick.lab("context", "--tokens", "10", code=2).err
    assert "--tokens 400" in quick.lab("failures", "--tokens", "-1", code=2).err


# -- Failures -------------------------------------------------------------------------


def test_failures_keep_dead_ends_and_unsettled_apart(quick: Quick) -> None:
    for number, verdict in enumerate(
        ("discard", "crash", "keep", "keep"), start=1
    ):  # a keep is none, whatever its mechanism
        quick.idea(f"idea {verdict} {number}")
        quick.lab("experiment", f"h{number}")
        flag = ["--mechanism-refuted"] if number == 4 else []
        quick.lab("result", f"e{number}", "-v", verdict, *flag)
    found = quick.lab("failures", "--json").json
    assert {one["experiment"]: one["kind"] for one in found} == {
        "e1": "dead_end",
        "e2": "unsettled",
    }
    assert all(has(one, FAILURE) for one in found)
    context = quick.lab("context", "--json").json
    assert {one["experiment"] for one in context["failures"]} == {"e1"}
    assert {one["experiment"] for one in context["unsettled"]} == {"e2"}


def test_failures_nearest_to_a_text_come_first_in_other_words(quick: Quick) -> None:
    for number, claim in enumerate(("deeper network", "halve the LR", "more demos"), start=1):
        quick.idea(claim)
        quick.lab("experiment", f"h{number}")
        quick.lab("result", f"e{number}", "-v", "discard")
    found = quick.lab("failures", "smaller learning rate", "--json").json
    assert found[0]["experiment"] == "e2"
    assert 0 < found[0]["score"] <= 1
    assert quick.lab("failures", "quaternion splines", "--json").json == []


def test_failures_of_other_leaves_only_when_asked(quick: Quick) -> None:
    quick.leaf("other")
    quick.commit()
    quick.lab("hypothesis", "halve the lr", "-m", "why", "--leaf", "toy")
    quick.lab("experiment", "h1")
    quick.lab("result", "e1", "-v", "discard")
    where = quick.root / "other"
    for words in ([], ["learning rate"]):
        assert quick.lab("failures", *words, "--json", cwd=where).json == []
        (one,) = quick.lab("failures", *words, "--all-leaves", "--json", cwd=where).json
        assert (one["experiment"], one["leaf"]) == ("e1", "toy")


# -- Log, show, board, leaves ---------------------------------------------------------------


def test_the_log_is_newest_first_and_as_long_as_asked(large: Quick) -> None:
    found = large.lab("log", "-n", "3", "--json").json
    assert [one["experiment"] for one in found] == ["e3000", "e2999", "e2998"]
    assert all(has(one, LOG) for one in found)
    text = large.lab("log", "toy", "-n", "2").out.splitlines()
    assert [line.split()[1] for line in text] == ["e3000", "e2999"]


def test_show_puts_several_side_by_side(quick: Quick) -> None:
    for number, value in enumerate((0.5, 0.25), start=1):
        quick.idea(f"idea {number}")
        quick.lab("experiment", f"h{number}")
        metrics = ["--metrics", f'{{"loss": {value}}}']
        quick.lab("result", f"e{number}", "-v", "keep", *metrics)
    lines = [line[2:].split() for line in quick.lab("show", "e1", "e2").out.splitlines()]
    rows = {name: values for name, *values in lines}
    assert rows["experiment"] == ["e1", "e2"]
    assert rows["value"] == ["0.5", "0.25"]
    both = quick.lab("show", "e1", "e2", "--json").json
    assert [one["claim"] for one in both] == ["idea 1", "idea 2"]
    assert quick.lab("show", "h1", "--json").json["experiments"][0]["experiment"] == "e1"


def test_the_board_counts_and_lists_with_the_promised_keys(large: Quick) -> None:
    found = large.lab("board", "toy", "--json").json
    assert has(found, BOARD)
    assert has(found["experiments"][-1], BOARD_ROW)
    assert found["counts"]["experiments"] == 3000
    assert isinstance(large.lab("board", "--json", cwd=large.root).json, list)


def test_leaves_lists_what_there_is_and_what_is_broken(quick: Quick) -> None:
    quick.leaf("broken", toml="purpose = 3\n")
    rows = {one["leaf"]: one for one in quick.lab("leaves", "--json").json}
    assert rows["toy"]["problem"] is None
    assert (rows["toy"]["metric"], rows["toy"]["direction"]) == ("loss", "minimize")
    assert rows["broken"]["problem"]
    assert "broken: " in quick.lab("leaves").out


def test_a_text_that_nothing_is_near_is_not_told_as_a_clean_field(quick: Quick) -> None:
    assert "nothing was discarded" in quick.lab("failures").out
    nights.write(quick, [Idea("raise the slope", -0.5)])
    assert "nothing was discarded" not in quick.lab("failures", "zebra stripes").out
    assert quick.lab("failures", "zebra stripes").out.startswith("None near 'zebra stripes'")
    assert "raise the slope" in quick.lab("failures").out


def test_an_imported_experiment_is_shown_without_a_machine(quick: Quick, tmp_path: Path) -> None:
    (tmp_path / "log.tsv").write_text("commit\tloss\tstatus\tdescription\nabc1234\t3\tkeep\tx\n")
    quick.lab("import", str(tmp_path / "log.tsv"), "--leaf", "toy")
    page = quick.lab("show", "e1").out
    assert "imported" in page
    assert "None" not in page
    assert "e1 keep, 3, imported: x" in quick.lab("context").out


def test_a_number_typed_by_hand_is_marked_wherever_it_is_told(quick: Quick) -> None:
    quick.idea()
    quick.lab("experiment", "h1")
    quick.lab("result", "e1", "-v", "keep", "--metrics", '{"loss": 0.0002}')
    assert "keep claimed 0.0002" in quick.lab("log").out
    assert "e1 keep, 0.0002 claimed" in quick.lab("context").out
