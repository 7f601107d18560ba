"""Every refusal of `lab run` says what is wrong and what to type, and does nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest
from toy import LEAF, TRAIN, Toy, slope

Prepare = Callable[[Toy, Path], None]


def _nothing(toy: Toy, campaign: Path) -> None:
    pass


def _stray(toy: Toy, campaign: Path) -> None:
    slope(campaign, 2.0)
    (campaign / "random.py").write_text("")


def _frozen(toy: Toy, campaign: Path) -> None:
    slope(campaign, 2.0)
    (campaign / "evaluate.py").write_text("print('---\\nloss: 0\\n---')\n")


def _toml(toy: Toy, campaign: Path) -> None:
    slope(campaign, 2.0)
    (campaign / "leaf.toml").write_text(LEAF.replace("budget_s = 5", "budget_s = 6"))


def _own_commit(toy: Toy, campaign: Path) -> None:
    slope(campaign, 2.0)
    toy.git("commit", "-qam", "mine", cwd=campaign)
    slope(campaign, 2.5)


def _frozen_commit(toy: Toy, campaign: Path) -> None:
    (campaign / "evaluate.py").write_text("print('---\\nloss: 0\\n---')\n")
    toy.git("commit", "-qam", "mine", cwd=campaign)
    slope(campaign, 2.5)


def _merge(toy: Toy, campaign: Path) -> None:
    slope(campaign, 2.0)
    toy.git("commit", "-qam", "mine", cwd=campaign)
    toy.git("switch", "-q", "-c", "other", "HEAD^", cwd=campaign)
    slope(campaign, 3.0)
    toy.git("commit", "-qam", "theirs", cwd=campaign)
    toy.git("switch", "-q", "lab/toy/ada", cwd=campaign)
    with pytest.raises(Exception, match="merge"):
        toy.git("merge", "other", cwd=campaign)


def _detached(toy: Toy, campaign: Path) -> None:
    slope(campaign, 2.0)
    toy.git("switch", "-q", "--detach", cwd=campaign)


def _no_command(toy: Toy, campaign: Path) -> None:
    _recommit(toy, campaign, LEAF.replace('"train.py"]\nevaluate', '"trian.py"]\nevaluate'))


def _requirement(toy: Toy, campaign: Path) -> None:
    _recommit(toy, campaign, LEAF.replace("budget_s", 'requires = ["nosuchthing>=3"]\nbudget_s', 1))


def _typo(toy: Toy, campaign: Path) -> None:
    _recommit(toy, campaign, LEAF.replace("timeout_s", "timout_s"))


def _no_incumbent(toy: Toy, campaign: Path) -> None:
    _recommit(toy, campaign, LEAF.replace("budget_s = 5", "budget_s = 6"))


def _recommit(toy: Toy, campaign: Path, table: str) -> None:
    """Begin the campaign anew from another leaf.toml."""
    (toy.root / "toy" / "leaf.toml").write_text(table)
    toy.commit("another leaf.toml")
    toy.git("reset", "-q", "--hard", "main", cwd=campaign)
    slope(campaign, 2.0)
    base = toy.git("rev-parse", "HEAD", cwd=campaign)
    import sqlite3

    with sqlite3.connect(toy.root / ".lab" / "notebook.db") as db:
        db.execute("drop trigger campaigns_kept")
        db.execute("update campaigns set base = ?", (base,))
    db.close()


@pytest.mark.parametrize(
    ("prepare", "code", "wrong", "hint"),
    [
        (_nothing, 4, "nothing was changed", "toy/train.py"),
        (_stray, 4, "toy/random.py was changed", "rm random.py"),
        (_frozen, 4, "toy/evaluate.py is frozen", "git checkout"),
        (_toml, 4, "toy/leaf.toml is frozen", "git checkout"),
        (_own_commit, 4, "commits here that lab did not make", "git reset --soft"),
        (_frozen_commit, 4, "commits here that lab did not make", "git reset --soft"),
        (_merge, 4, "a merge is under way", "git merge --abort"),
        (_detached, 4, "HEAD is detached", "git switch lab/toy/ada"),
        (_no_command, 4, "trian.py", "or change"),
        (_requirement, 6, "nosuchthing", "pip install"),
        (_typo, 4, "timout_s", "timeout_s"),
        (_no_incumbent, 4, "no incumbent", "lab run --baseline --seeds 3"),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)
def test_a_run_is_refused(
    toy: Toy, campaign: Path, prepare: Prepare, code: int, wrong: str, hint: str
) -> None:
    idea = toy.idea(cwd=campaign)
    prepare(toy, campaign)
    before = toy.git("status", "--porcelain", cwd=campaign)
    refused = toy.lab("run", idea, cwd=campaign, code=code)
    first, second = refused.err.strip().splitlines()
    assert first.startswith("Error: ")
    assert wrong in first
    assert hint in first + second
    assert toy.git("status", "--porcelain", cwd=campaign) == before
    assert [row["experiment"] for row in toy.lab("log", "--json").json] == ["e1"]


def test_a_run_outside_a_campaign_is_refused(toy: Toy) -> None:
    idea = toy.idea()
    refused = toy.lab("run", idea, cwd=toy.root / "toy", code=4)
    assert "lab worktree toy NAME" in refused.err


def test_a_hypothesis_of_another_leaf_is_refused(toy: Toy, campaign: Path) -> None:
    toy.leaf("other")
    toy.commit("another leaf")
    idea = toy.idea(cwd=toy.root / "other")
    slope(campaign, 2.0)
    refused = toy.lab("run", idea, cwd=campaign, code=4)
    assert "belongs to other" in refused.err


def test_a_hypothesis_of_another_campaign_is_refused(toy: Toy, campaign: Path) -> None:
    bob = toy.campaign("bob")
    theirs = toy.idea("bob's own", cwd=bob)
    slope(campaign, 2.0)
    refused = toy.here("run", theirs, cwd=campaign, code=4).err.splitlines()
    assert refused[0] == f"Error: {theirs} belongs to toy/bob; this is toy/ada."
    assert "lab hypothesis CLAIM" in refused[1]
    mine = [toy.idea(claim, cwd=campaign) for claim in ("one of ada's", "a newer one of ada's")]
    refused = toy.here("run", theirs, cwd=campaign, code=4).err.splitlines()
    assert refused[1].endswith(f"lab run {mine[1]}")
    persons = toy.idea("a person's, for whoever takes it up")
    assert toy.lab("run", persons, "--json", cwd=campaign).json["hypothesis"] == persons


@pytest.mark.parametrize(("value", "verdict"), [(0.5, "discard"), (2.0, "keep")])
def test_a_hypothesis_that_was_judged_is_run_again_only_when_asked(
    toy: Toy, campaign: Path, value: float, verdict: str
) -> None:
    idea = toy.idea(cwd=campaign)
    slope(campaign, value)
    toy.lab("run", idea, cwd=campaign)
    toy.here("result", "e2", "-v", verdict, "--because", "a test", cwd=campaign)
    slope(campaign, 2.5)
    refused = toy.here("run", idea, cwd=campaign, code=4).err.splitlines()
    assert refused[0] == f"Error: {idea} was tested by e2 ({verdict})."
    assert "lab hypothesis CLAIM" in refused[1]
    assert refused[1].endswith("--again")
    assert toy.lab("run", idea, "--again", "--json", cwd=campaign).json["experiment"] == "e3"


def test_a_hypothesis_that_crashed_may_be_mended(toy: Toy, campaign: Path) -> None:
    idea = toy.idea(cwd=campaign)
    slope(campaign, 2.0, "    raise ValueError(SLOPE)\n")
    toy.lab("run", idea, cwd=campaign, code=1)
    toy.here("result", "e2", "-v", "crash", cwd=campaign)
    slope(campaign, 2.0)
    assert toy.lab("run", idea, "--json", cwd=campaign).json["experiment"] == "e3"


def test_a_second_run_waits_for_the_first_one_s_verdict(toy: Toy, campaign: Path) -> None:
    idea = toy.idea(cwd=campaign)
    slope(campaign, 2.0)
    toy.lab("run", idea, cwd=campaign)
    slope(campaign, 2.5)
    refused = toy.lab("run", idea, cwd=campaign, code=4)
    assert "lab result e2 -v" in refused.err


@pytest.mark.parametrize("name", ["../up", "-x", "a b", "", ".hidden", "a/b", "x.lock", "a..b"])
def test_an_unsafe_name_is_refused(toy: Toy, name: str) -> None:
    refused = toy.lab("worktree", "toy", "--", name, code=2)
    assert "no name for a campaign" in refused.err
    assert not (toy.root / ".lab" / "worktrees").exists()


def test_a_name_that_is_taken_is_refused(toy: Toy) -> None:
    toy.campaign("ada")
    assert "already" in toy.lab("worktree", "toy", "ada", "--from", "main", code=4).err
    toy.git("branch", "lab/toy/bob")
    assert "branch lab/toy/bob" in toy.lab("worktree", "toy", "bob", code=4).err


def test_hooks_signing_and_a_missing_identity_stay_out_of_the_way(toy: Toy, campaign: Path) -> None:
    hook = toy.root / ".git" / "hooks" / "pre-commit"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    toy.git("config", "commit.gpgSign", "true")
    toy.git("config", "user.useConfigOnly", "true")
    idea = toy.idea(cwd=campaign)
    slope(campaign, 2.0)
    toy.lab("run", idea, cwd=campaign)
    assert toy.git("log", "-1", "--format=%an", cwd=campaign) == "labtree"


def test_a_baseline_measures_a_commit_and_nothing_else(toy: Toy) -> None:
    slope(toy.root / "toy", 2.0)
    done = toy.lab("run", "--baseline", "--json", cwd=toy.root / "toy")
    assert done.json["value"] == pytest.approx(4.0, abs=0.1)  # of SLOPE 1.0, as committed
    assert "without the edits of toy/train.py" in done.err
    assert "SLOPE = 2.0" in (toy.root / "toy" / "train.py").read_text()


def test_a_detached_run_needs_no_more_of_its_caller(toy: Toy, campaign: Path) -> None:
    (campaign / "train.py").write_text(TRAIN)
    for words in (["run"], ["run", "h1", "--baseline"], ["run", "h1", "--wait", "-1"]):
        assert toy.lab(*words, cwd=campaign, code=2).err.startswith("Error: ")
    assert "the newest is" in toy.lab("run", "e99", cwd=campaign, code=3).err
    assert "there is none yet" in toy.lab("run", "h99", cwd=campaign, code=3).err


def test_a_folder_is_no_mutable_file(quick: Toy) -> None:
    """It would be measured as if it were one, and then each edit in it refused."""
    (quick.root / "toy/src").mkdir()
    (quick.root / "toy/src/util.py").write_text("X = 1\n")
    for said in ("src/", "src", "later/"):
        quick.leaf(toml=LEAF.replace('mutable = ["train.py"]', f'mutable = ["train.py", "{said}"]'))
        quick.commit(f"{said} is mutable")
        for words in (("run", "--baseline"), ("worktree", "toy", "ada")):
            told = quick.lab(*words, cwd=quick.root / "toy", code=4).err.splitlines()
            assert told[0] == f"Error: toy/leaf.toml: mutable: {said!r} is a folder"
            name = "later/NAME.py" if said == "later/" else "src/util.py"
            assert told[1].endswith(f'mutable = ["{name}"]')
