"""Pruning: a run that is hopeless beside its incumbent's curve ends early, and is discarded."""

import pytest
from hopeless import PRUNE, TRAIN, edited, pruning, tried
from toy import LEAF, Quick, Toy, make


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> Toy:
    """Return a repository whose leaf prunes, with a baseline of four seeds."""
    toy = pruning(tmp_path_factory.mktemp("pruning"))
    toy.lab("run", "--baseline", "--seeds", "4", cwd=toy.root / "toy")
    return toy


def test_a_hopeless_run_ends_at_its_rung_and_is_discarded(toy):
    where = toy.campaign("ada")
    before, head = (where / "train.py").read_text(), toy.git("rev-parse", "HEAD", cwd=where)
    found = tried(toy, where, -1.0, code=1)
    assert (found["status"], found["verdict"], found["value"]) == ("pruned", "discard", None)
    assert found["reason"] == "pruned"
    assert "worse by" in found["why"]
    rung = found["hopeless"]
    assert (rung["rung"], rung["incumbent"], rung["spared"]) == (0.5, "e1", False)
    assert rung["value"] > rung["incumbent_value"]
    assert rung["margin"] > rung["bar"] > 2
    assert found["next"] == "lab context"
    assert (where / "train.py").read_text() == before
    assert toy.git("rev-parse", "HEAD", cwd=where) == head
    log = toy.root / ".lab/runs" / found["experiment"][1:]
    steps = next(toy.root.glob(f".lab/runs/{found['experiment']}/*/steps.jsonl"), log)
    assert 5 <= len(steps.read_text().splitlines()) < 11


def test_a_pruned_run_is_told_everywhere(toy):
    where = toy.campaign("board")
    name = tried(toy, where, -2.0, code=1)["experiment"]
    assert f"{name} pruned: train_loss" in toy.here("wait", name, cwd=where, code=1).out
    shown = toy.here("show", name, cwd=where).out
    assert "discard (pruned)" in shown
    assert "seed 0: pruned" in shown
    assert f"{name} toy discard (pruned)" in toy.here("log", cwd=where).out
    told = toy.here("failures", "a slope of -2.0", cwd=where).out
    assert f"{name} dead end, pruned worse at 50% by" in told
    assert "dead end, pruned worse at 50%" in toy.here("context", cwd=where).out
    board = toy.here("board", "--json", cwd=where).json["pruning"]
    assert board["pruned"] >= 1
    assert board["saved_s"] >= 0
    assert board["winners"] == 0
    assert f"{board['pruned']} pruned, " in toy.here("board", cwd=where).out


def test_the_same_contents_are_refused_and_go_on_to_their_end_when_asked(toy):
    where = toy.campaign("again")
    first = tried(toy, where, -3.0, code=1)["experiment"]
    edited(where, "SLOPE = 1.0", "SLOPE = -3.0")
    idea = toy.idea("the same once more", cwd=where)
    refused = toy.lab("run", idea, cwd=where, code=4)
    assert f"{first} ran the very same contents (discard)" in refused.err
    whole = toy.lab("run", first, "--json", cwd=where).json
    assert [run["status"] for run in whole["runs"]] == ["pruned", "finished"]
    assert {run["seed"] for run in whole["runs"]} == {0}
    assert (whole["status"], whole["verdict"], whole["suggest"]) == ("finished", None, "discard")


@pytest.mark.parametrize(
    ("old", "new"),
    [("WARMUP = 0.1", "WARMUP = 0.2"), ("return 1 - at", "return 2 - 2 * at")],
)
def test_a_change_of_the_schedule_is_not_pruned(toy, old, new):
    where = toy.campaign(f"schedule-{len(new)}")
    edited(where, old, new)
    found = tried(toy, where, -1.5 - len(new) / 100, code=0)
    assert (found["status"], found["hopeless"]) == ("finished", None)


def test_what_is_asked_for_is_run_to_its_end(toy):
    where = toy.campaign("whole")
    found = tried(toy, where, -4.0, "--no-prune", code=0)
    assert found["status"] == "finished"
    toy.lab("result", found["experiment"], "-v", "discard", cwd=where)
    assert tried(toy, where, -5.0, "--seeds", "2", code=0)["status"] == "finished"


def test_a_gain_and_a_little_loss_go_on(toy):
    where = toy.campaign("good")
    worse = tried(toy, where, 0.995, code=0)
    assert (worse["status"], worse["hopeless"]) == ("finished", None)
    toy.lab("result", worse["experiment"], "-v", "discard", cwd=where)
    assert tried(toy, where, 2.0, code=0)["suggest"] == "keep"


def test_an_edit_made_meanwhile_stays(toy):
    where = toy.campaign("busy")
    edited(where, "SLOPE = 1.0", "SLOPE = -6.0")
    idea = toy.idea("a steep one", cwd=where)
    toy.lab("run", idea, "--detach", cwd=where, code=5)
    mine = edited(where, "SLOPE = -6.0", "SLOPE = 2.5")
    found = toy.lab("wait", "--json", cwd=where, code=1).json
    assert (found["status"], found["verdict"]) == ("pruned", "discard")
    assert (where / "train.py").read_text() == mine
    assert toy.git("status", "--porcelain", cwd=where) == "M toy/train.py"


def test_every_tenth_hopeless_run_goes_on_to_its_end(tmp_path):
    toy = pruning(tmp_path)
    toy.lab("run", "--baseline", "--seeds", "4", cwd=toy.root / "toy")
    where = toy.campaign("ten")
    found = [tried(toy, where, -float(number)) for number in range(1, 11)]
    assert [one["status"] for one in found] == ["pruned"] * 9 + ["finished"]
    assert found[-1]["hopeless"]["spared"]
    assert found[-1]["suggest"] == "discard"
    board = toy.here("board", "--json", cwd=where).json["pruning"]
    assert (board["pruned"], board["went_on"], board["winners"]) == (9, 1, 0)
    told = " ".join(toy.here("board", cwd=where).out.split())
    assert "of 1 hopeless run that went on to the end 0 would have been kept" in told
    assert (
        "and went on as every tenth does"
        in toy.here("show", found[-1]["experiment"], cwd=where).out
    )


def test_two_curves_tell_no_luck(tmp_path):
    toy = pruning(tmp_path)
    toy.lab("run", "--baseline", "--seeds", "2", cwd=toy.root / "toy")
    assert tried(toy, toy.campaign(), -1.0, code=0)["status"] == "finished"


@pytest.mark.parametrize(
    ("clock", "train"),
    [
        ('clock = "steps"\n', TRAIN.replace("step / 2", "0.0")),
        ('clock = "steps"\n[data]\nsteps = 10\n', TRAIN.replace("step / 2", "0.0")),
        ('clock = "cpu"\n', TRAIN),
    ],
)
def test_progress_is_told_by_each_clock(tmp_path, clock, train):
    toml = LEAF.replace("timeout_s = 30\n", f"timeout_s = 30\n{clock}") + PRUNE
    toy = pruning(tmp_path, toml, train)
    toy.lab("run", "--baseline", "--seeds", "4", cwd=toy.root / "toy")
    assert tried(toy, toy.campaign(), -1.0, code=1)["hopeless"]["rung"] == 0.5


def test_the_tuner_goes_on_after_a_pruned_run(tmp_path):
    toml = LEAF.replace("low = 0.5\nhigh = 5.0", "choices = [1.0, -1.0, -2.0]") + PRUNE
    toy = pruning(tmp_path, toml.partition("[knobs.NOISE]")[0] + PRUNE)
    done = toy.lab("loop", "toy", "--agent", "tuner", "--experiments", "2", "--json").json
    assert (done["experiments"], done["discarded"], done["crashed"]) == (2, 2, 0)
    assert toy.here("board", "toy", "--json").json["pruning"]["pruned"] == 2
    assert "is no better: train_loss" in toy.here("failures", "--leaf", "toy").out


def test_a_metric_that_is_never_logged_is_told_and_breaks_nothing(tmp_path):
    toy = pruning(tmp_path, (LEAF + PRUNE).replace("train_loss", "val_loss"))
    found = toy.lab("run", "--baseline", "--seeds", "3", "--json", cwd=toy.root / "toy").json
    assert "[prune] metric = 'val_loss' is not in the step log" in found["hints"][0]
    assert "it has train_loss: a person names one of them in leaf.toml" in found["hints"][0]
    assert tried(toy, toy.campaign(), -1.0, code=0)["status"] == "finished"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("rungs = [0.5, 1.0]", "prune.rungs: 1.0 is no share of the budget between 0 and 1"),
        ("rungs = []", "prune.rungs: must be a list that is not empty"),
        ("rung = [0.5]", "prune.rung: no such key; there are metric, direction, rungs"),
        ("noises = 0.1", "prune.noises: must be a number of at least 1, not 0.1"),
        ("never_if = [1]", "prune.never_if: 1 is no name"),
        ('metric = "speed"', 'prune.direction: missing; is a lower speed better ("minimize")?'),
        ("metric = 3", "prune.metric: must be the name of a number"),
        ("", "prune.metric: missing; name a number of the step log, such as loss"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused_in_two_lines(tmp_path, table, said):
    toy = Quick(make(tmp_path).root)
    metric = "" if "metric" in table or not table else 'metric = "train_loss"\n'
    toy.leaf(toml=f"{LEAF}\n[prune]\n{metric}{table}\n")
    refused = toy.lab("run", "--baseline", cwd=toy.root / "toy", code=4)
    assert f"toy/leaf.toml: {said}" in refused.err
    assert refused.err.strip().count("\n") == 1
    assert "lab check toy" in refused.err
