"""Writing down: hypotheses, experiments that run elsewhere, verdicts, lessons."""

import json
from pathlib import Path

import pytest
from toy import Answer, Quick, Toy, slope


def elsewhere(toy: Toy, claim: str = "halve the learning rate") -> str:
    """Register an experiment that runs elsewhere; return its id."""
    return toy.lab("experiment", toy.idea(claim)).out.strip()


def show(toy: Toy, name: str) -> dict:
    """Return all that is known of an experiment or a hypothesis."""
    return toy.lab("show", name, "--json").json


def test_ids_count_up_and_are_all_that_is_printed(quick: Quick) -> None:
    said = [quick.lab("hypothesis", f"claim {word}", "-m", "why").out for word in "abc"]
    assert said == ["h1\n", "h2\n", "h3\n"]
    assert quick.lab("experiment", "h2").out == "e1\n"
    assert quick.lab("experiment", "h1", "--json").json == {"experiment": "e2", "hypothesis": "h1"}


def test_a_hypothesis_keeps_all_it_was_given(quick: Quick) -> None:
    options = ["--observe", "steps > 1.1x", "--min-effect", "0.001", "--axis", "lr"]
    made = quick.lab("hypothesis", " halve the lr\n", "-m", "noise", *options, "--json").json
    assert made == {"hypothesis": "h1", "leaf": "toy", "near_duplicates": []}
    found = show(quick, "h1")
    assert (found["claim"], found["mechanism"]) == ("halve the lr", "noise")
    assert (found["observe"], found["min_effect"], found["axis"]) == ("steps > 1.1x", 0.001, "lr")
    assert found["experiments"] == []


def test_the_same_claim_not_yet_run_keeps_its_id(quick: Quick) -> None:
    first = quick.idea("halve the lr")
    again = quick.lab("hypothesis", "halve the lr", "-m", "another reason")
    assert again.out.strip() == first
    assert again.err == "none near this\n"
    quick.lab("experiment", first)
    later = quick.lab("hypothesis", "halve the lr", "-m", "another reason")
    assert later.out == "h2\n"
    assert later.err == "near: h1 e1 (running): halve the lr\n"


def test_the_same_claim_by_another_campaign_is_another_hypothesis(quick: Quick) -> None:
    here, there = quick.campaign("ada"), quick.campaign("bob")
    assert quick.idea("halve the lr", cwd=here) == "h1"
    answer = quick.lab("hypothesis", "halve the lr", "-m", "why", cwd=there)
    assert answer.out == "h2\n"
    assert "by toy/ada" in answer.err


def test_a_near_duplicate_comes_with_its_outcome_and_parent_on_stderr(toy: Toy, campaign) -> None:
    idea = toy.idea("halve the learning rate", cwd=campaign)
    slope(campaign, 0.5)
    run = toy.lab("run", idea, "--json", cwd=campaign).json
    toy.lab("result", "e2", "-v", "discard", cwd=campaign)
    answer = toy.lab("hypothesis", "reduce LR by 50%", "-m", "other words", "--json", cwd=campaign)
    (near,) = answer.json["near_duplicates"]
    assert (near["hypothesis"], near["experiment"], near["verdict"]) == ("h1", "e2", "discard")
    assert near["gain"] == pytest.approx(run["gain"])
    assert near["parent"] == run["parent"]
    assert answer.err.startswith("near: h1 e2 (discard, gain -")
    assert f"on {run['parent'][:9]}" in answer.err


def test_an_experiment_elsewhere_takes_claimed_metrics(quick: Quick) -> None:
    name = elsewhere(quick)
    assert show(quick, name)["status"] == "running"
    metrics = {"loss": 0.5, "steps": 12}
    done = quick.lab("result", name, "-v", "keep", "--metrics", json.dumps(metrics), "--json").json
    assert (done["value"], done["claimed"], done["metric"]) == (0.5, True, "loss")
    found = show(quick, name)
    assert (found["status"], found["verdict"], found["claimed"]) == ("finished", "keep", True)
    assert found["results"][0]["metrics"] == metrics
    assert found["measured"] == {}


def test_a_claimed_value_is_never_the_leafs_best_nor_an_incumbent(quick: Quick) -> None:
    name = elsewhere(quick)
    quick.lab("result", name, "-v", "keep", "--metrics", '{"loss": 0.0}')
    found = quick.lab("context", "--json").json
    assert found["best"] is None
    assert found["incumbent"] is None


def test_claimed_metrics_stand_beside_measured_ones_and_never_replace_them(
    toy: Toy, campaign
) -> None:
    idea = toy.idea(cwd=campaign)
    slope(campaign, 0.5)
    run = toy.lab("run", idea, "--json", cwd=campaign).json
    claim = ["--metrics", '{"loss": 0.0001}']
    toy.lab("result", "e2", "-v", "discard", *claim, cwd=campaign)
    found = show(toy, "e2")
    assert found["value"] == found["measured"]["loss"] == run["value"]
    assert not found["claimed"]
    assert found["results"][0]["metrics"] == {"loss": 0.0001}


def test_a_second_verdict_supersedes_the_first_and_both_stay_readable(quick: Quick) -> None:
    name = elsewhere(quick)
    quick.lab("result", name, "-v", "keep", "--metrics", '{"loss": 0.5}')
    revision = ["--mechanism-refuted", "--theory-revision", "it was the seed"]
    quick.lab("result", name, "-v", "discard", *revision)
    found = show(quick, name)
    assert [one["verdict"] for one in found["results"]] == ["keep", "discard"]
    assert found["verdict"] == "discard"
    assert (found["value"], found["claimed"]) == (0.5, True)
    assert found["lesson"] == "it was the seed"
    assert (found["mechanism_outcome"], found["mechanism_source"]) == ("refuted", "claimed")
    page = quick.lab("show", name).out
    assert page.count("verdict keep") == page.count("verdict discard") == 1


def test_a_keep_confirms_no_mechanism_and_a_discard_refutes_none(quick: Quick) -> None:
    for verdict in ("keep", "discard", "crash"):
        name = elsewhere(quick, f"try {verdict}")
        quick.lab("result", name, "-v", verdict)
        assert show(quick, name)["mechanism_outcome"] is None
    name = elsewhere(quick, "seen at work")
    quick.lab("result", name, "-v", "discard", "--mechanism-confirmed")
    assert show(quick, name)["mechanism_outcome"] == "confirmed"


def test_both_mechanism_flags_are_a_usage_error_that_records_nothing(quick: Quick) -> None:
    name = elsewhere(quick)
    flags = ["--mechanism-confirmed", "--mechanism-refuted"]
    answer = quick.lab("result", name, "-v", "keep", *flags, code=2)
    assert "exclude each other" in answer.err
    assert show(quick, name)["results"] == []


def test_a_lesson_carries_its_evidence_to_those_who_ask(quick: Quick) -> None:
    one, two = elsewhere(quick, "longer warm-up"), elsewhere(quick, "no warm-up")
    quick.lab("result", one, "-v", "discard")
    quick.lab("lesson", "warm-up only wastes steps here", "--evidence", f"{one}, {two}")
    found = quick.lab("context", "--json").json
    words = {"lesson": "warm-up only wastes steps here", "leaf": "toy", "evidence": [one, two]}
    assert found["lessons"] == [words]
    (failure,) = quick.lab("failures", "wastes steps", "--json").json
    assert (failure["experiment"], failure["lesson"]) == (one, "warm-up only wastes steps here")
    quick.lab("lesson", "and so twice", "--evidence", one, "--evidence", two)
    newest = quick.lab("context", "--json").json["lessons"]
    assert {"lesson": "and so twice", "leaf": "toy", "evidence": [one, two]} in newest


def test_a_lesson_for_everywhere_reaches_other_leaves(quick: Quick) -> None:
    quick.leaf("other")
    quick.commit()
    name = quick.lab("experiment", quick.idea("more threads"), "--leaf", "toy").out.strip()
    quick.lab("lesson", "only toys", "--evidence", name, "--leaf", "toy")
    quick.lab("lesson", "two threads collapse", "--evidence", name, "--everywhere", "--leaf", "toy")
    found = quick.lab("context", "--json", "--leaf", "other").json
    assert [one["lesson"] for one in found["lessons"]] == ["two threads collapse"]


def test_events_say_who_did_what_when(quick: Quick) -> None:
    name = elsewhere(quick)
    quick.lab("result", name, "-v", "keep")
    found = quick.lab("log", "--events", "--json").json
    assert [(one["verb"], one["subject"]) for one in found] == [
        ("result", "e1"),
        ("experiment", "e1"),
        ("hypothesis", "h1"),
    ]
    assert all(one["who"] and one["at"].endswith("Z") for one in found)


def refused(answer: Answer) -> str:
    """Return the refusal's first line, once it is sure that nothing was printed as data."""
    assert answer.out == ""
    return answer.err.splitlines()[0]


@pytest.fixture
def halved(toy: Toy, campaign: Path) -> Path:
    """A campaign that halved SLOPE and said so in no word of its claim, and lost."""
    toy.idea("a gentler start", "--axis", "start", cwd=campaign)
    slope(campaign, 0.5)
    toy.lab("run", "h1", cwd=campaign)
    toy.lab("result", "e2", "-v", "discard", cwd=campaign)
    return campaign


def near(toy: Toy, claim: str, cwd: Path) -> list[str]:
    """Return what is told beside a new claim."""
    return toy.here("hypothesis", claim, "-m", "to see", cwd=cwd).err.splitlines()


def test_an_idea_is_near_by_what_was_changed_whatever_was_said(toy: Toy, halved: Path) -> None:
    (told,) = near(toy, "halve the slope", halved)
    assert told.startswith("near: h1 e2 (discard, gain -")
    assert told.endswith("a gentler start [SLOPE 1.0 -> 0.5]")
    (found,) = toy.here("failures", "halve the slope", "--json", cwd=halved).json
    assert found["experiment"] == "e2"


def test_the_same_constant_at_the_same_value_is_as_near_as_can_be(toy: Toy, halved: Path) -> None:
    claim = "SLOPE at 0.5, since all else failed and nobody knows any better what to do about it"
    answer = toy.here("hypothesis", claim, "-m", "why", "--json", cwd=halved)
    (found,) = answer.json["near_duplicates"]
    assert (found["hypothesis"], found["score"], found["opposite"]) == ("h1", 1.0, False)
    assert found["changed"] == [["SLOPE", 1.0, 0.5]]


def test_another_value_of_the_same_constant_comes_before_what_sounds_alike(
    toy: Toy, halved: Path
) -> None:
    for words in ("take 0.4 for it, nobody knows why", "0.4 of it, nobody knows"):
        toy.idea(words, cwd=halved)
    for claim, way in (
        ("take SLOPE 0.4 for it, nobody knows", "near"),
        ("SLOPE to 2", "the other way"),
    ):
        first = near(toy, claim, halved)[0]
        assert first.partition(": ")[0].endswith(way)
        assert first.endswith("a gentler start [SLOPE 1.0 -> 0.5]")
    assert "[SLOPE 1.0 -> 0.5]" in near(toy, "milder slope, nobody knows why", halved)[0]


def test_a_near_line_says_nothing_twice(toy: Toy, halved: Path) -> None:
    toy.idea("SLOPE at 0.6", cwd=halved)
    slope(halved, 0.6)
    toy.lab("run", "h2", cwd=halved)
    toy.lab("result", "e3", "-v", "discard", cwd=halved)
    (first, *_) = near(toy, "SLOPE at 0.61", halved)
    assert first.endswith("): SLOPE at 0.6")
    assert "toy/ada" not in first


def test_a_constant_that_was_turned_often_is_told_by_its_values(toy: Toy, halved: Path) -> None:
    for number, value in enumerate((0.6, 0.7)):
        toy.idea(f"try the {number}th", cwd=halved)
        slope(halved, value)
        toy.lab("run", f"h{number + 2}", cwd=halved)
        toy.lab("result", f"e{number + 3}", "-v", "discard", cwd=halved)
    said = near(toy, "SLOPE at 0.8", halved)
    assert said[0].endswith("try the 1th [SLOPE 1.0 -> 0.7]")
    assert said[2].startswith("SLOPE, newest first: 0.7 -")
    assert said[2].count(" discard") == 3


def test_the_opposite_direction_is_told_as_such(toy: Toy, halved: Path) -> None:
    (told,) = near(toy, "a larger slope", halved)
    assert told.startswith("near, the other way: h1 e2 (discard")
    assert near(toy, "a smaller slope", halved)[0].startswith("near: h")


def test_what_was_kept_is_told_as_well(toy: Toy, campaign: Path) -> None:
    toy.idea("a steeper line", cwd=campaign)
    slope(campaign, 2.0)
    toy.lab("run", "h1", "--seeds", "3", cwd=campaign)
    toy.lab("result", "e2", "-v", "keep", "--because", "it fits", cwd=campaign)
    (told,) = near(toy, "double the slope", campaign)
    assert told.startswith("near: h1 e2 (keep, gain +")


def test_what_another_campaign_has_not_finished_is_being_tried(quick: Quick) -> None:
    here, there = quick.campaign("ada"), quick.campaign("bob")
    quick.idea("halve the learning rate", cwd=here)
    assert near(quick, "smaller step size", there) == [
        "near: h1 (being tried by toy/ada): halve the learning rate"
    ]


def test_at_most_two_are_told_and_nothing_far(quick: Quick) -> None:
    for rate in ("0.1", "0.2", "0.3"):
        quick.idea(f"learning rate {rate}")
    assert len(near(quick, "another learning rate", quick.root / "toy")) == 2
    assert near(quick, "paint the plots green", quick.root / "toy") == ["none near this"]


@pytest.mark.parametrize(
    ("metrics", "why"),
    [
        ('{"loss": ', "not JSON"),
        ("[1, 2]", "not a JSON object"),
        ("0.5", "not a JSON object"),
        ('{"loss": NaN}', "not finite"),
        ('{"loss": -Infinity}', "not finite"),
        ('{"loss": 1e999}', "not finite"),
        ('{"loss": 1' + "0" * 400 + "}", "not finite"),
        ('{"loss": "0.5"}', "not a number"),
        ('{"loss": true}', "not a number"),
        ('{"loss": null}', "not a number"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_metrics_that_are_no_finite_numbers_are_refused(
    quick: Quick, metrics: str, why: str
) -> None:
    name = elsewhere(quick)
    answer = quick.lab("result", name, "-v", "keep", "--metrics", metrics, code=2)
    assert why in refused(answer)
    assert show(quick, name)["results"] == []
