"""What is judged comes from commits and the notebook: whatever an agent edits beside them."""

import json
import re
from pathlib import Path

import pytest
from toy import EVALUATE, LEAF, Toy, slope

LENIENT = f"{LEAF}\n[judge]\nkeep_at = 0\nluck = 5.0\n"


def measured(toy: Toy, campaign: Path, value: float, code: int | None = 0) -> dict[str, object]:
    """Run the toy with another slope for an idea of its own."""
    slope(campaign, value)
    words = ("run", toy.idea(f"slope {value}", cwd=campaign), "--json")
    found: dict[str, object] = toy.lab(*words, cwd=campaign, code=code).json
    return found


def test_thresholds_edited_in_the_worktree_change_no_suggestion(toy: Toy, campaign: Path) -> None:
    measured(toy, campaign, 0.9)
    (campaign / "leaf.toml").write_text(LENIENT)
    refused = toy.here("result", "e2", "-v", "keep", cwd=campaign, code=4)
    assert "the suggestion for e2 is discard, not keep" in refused.err
    assert toy.here("wait", "e2", "--json", cwd=campaign).json["suggest"] == "discard"
    toy.git("commit", "-qam", "mine", cwd=campaign)  # a commit of its own is as little
    assert toy.here("wait", "e2", "--json", cwd=campaign).json["suggest"] == "discard"


def test_the_mutable_files_are_those_the_campaign_began_with(toy: Toy, campaign: Path) -> None:
    wider = LEAF.replace('mutable = ["train.py"]', 'mutable = ["train.py", "evaluate.py"]')
    (campaign / "leaf.toml").write_text(wider.replace('frozen = ["evaluate.py", ', "frozen = ["))
    (campaign / "evaluate.py").write_text("print('---\\nloss: 0\\n---')\n")
    refused = toy.here("run", toy.idea(cwd=campaign), cwd=campaign, code=4)
    assert "is frozen and was changed" in refused.err


def test_a_ref_that_the_agent_sets_makes_no_commit_the_harness_s(toy: Toy, campaign: Path) -> None:
    slope(campaign, 0.1)
    toy.git("commit", "-qam", "mine", cwd=campaign)
    toy.git("update-ref", "refs/worktree/lab-tip", "HEAD", cwd=campaign)
    slope(campaign, 1.0, "    print('back')\n")
    for words in (["run", toy.idea(cwd=campaign)], ["run", "--baseline"]):
        assert "commits here that lab did not make" in toy.here(*words, cwd=campaign, code=4).err


def test_a_second_verdict_legitimises_no_foreign_commit(toy: Toy, campaign: Path) -> None:
    measured(toy, campaign, 0.9)
    toy.here("result", "e2", "-v", "discard", cwd=campaign)
    slope(campaign, 0.1)
    toy.git("commit", "-qam", "sabotage", cwd=campaign)
    toy.here("result", "e2", "-v", "discard", cwd=campaign)
    slope(campaign, 1.0, "    print('rescue')\n")
    refused = toy.here("run", toy.idea(cwd=campaign), cwd=campaign, code=4)
    assert "commits here that lab did not make" in refused.err


def test_a_campaign_s_change_is_no_baseline(toy: Toy, campaign: Path) -> None:
    measured(toy, campaign, 0.1)
    words = ("result", "e2", "-v", "keep", "--because", "to be rescued later")
    toy.here(*words, cwd=campaign)
    refused = toy.here("run", "--baseline", cwd=campaign, code=4)
    assert "no baseline: e2 made it" in refused.err


@pytest.mark.parametrize("begun", [False, True], ids=["from a revision", "its folder made before"])
def test_no_campaign_starts_from_a_commit_that_an_agent_made(
    toy: Toy, campaign: Path, begun: bool
) -> None:
    slope(campaign, 0.1)
    toy.git("commit", "-qam", "sabotage", cwd=campaign)
    bad = toy.git("rev-parse", "HEAD", cwd=campaign)
    words = ["--from", bad]
    if begun:
        folder = toy.root / ".lab/worktrees/toy/bob"
        toy.git("worktree", "add", "-q", "-b", "lab/toy/bob", str(folder), bad)
        words = []
    for env in ({"cwd": campaign}, {"cwd": toy.root, "LAB_SESSION": "x"}):
        refused = toy.here("worktree", "toy", "bob", *words, code=4, **env)  # type: ignore[arg-type]
        assert "nobody measured what it holds" in refused.err
    toy.here("worktree", "toy", "bob", *words)  # a person may
    toy.here("worktree", "toy", "eve", "--from", "best", cwd=campaign)


def test_no_campaign_starts_from_other_frozen_files(toy: Toy, campaign: Path) -> None:
    (campaign / "evaluate.py").write_text("print('---\\nloss: 0\\n---')\n")
    toy.git("commit", "-qam", "easier", cwd=campaign)
    refused = toy.here("worktree", "toy", "bob", "--from", "HEAD", cwd=campaign, code=4)
    assert "toy/evaluate.py is not what the main checkout has" in refused.err


def test_a_campaign_works_in_one_profile(toy: Toy, campaign: Path) -> None:
    measured(toy, campaign, 0.9)
    toy.here("result", "e2", "-v", "discard", cwd=campaign)
    slope(campaign, 2.0)
    small = ("--profile", "smoke")
    for words in (["--baseline"], [toy.idea(cwd=campaign)]):
        refused = toy.here("run", *words, *small, cwd=campaign, code=4)
        assert "toy/ada works in profile cpu" in refused.err


def test_a_check_in_a_campaign_measures_nothing_for_it(toy: Toy, campaign: Path) -> None:
    slope(campaign, 2.9)
    toy.git("config", "user.name", "ada")
    told = toy.lab("check", "toy", "--json", cwd=campaign, code=None)
    (found,) = told.json
    assert (found["figures"], len(found["checks"]) > 5) == ({}, True)
    said = re.sub(r'"seconds": [\d.]+', "", f"{told.out}{told.err}")  # a check may take 0.01 s
    assert "0.01" not in said  # the loss of 2.9
    refused = toy.here("check", "--keep", str(toy.root.parent / "kept"), cwd=campaign, code=4)
    assert "this is a campaign's worktree" in refused.err


def test_a_finding_can_be_told_without_its_numbers() -> None:
    from lab.checking.finding import Finding, Readiness, Report

    said = "loss 2.215 in 3.1 s a run, 1e-3 apart"
    ready = Readiness("a score", True, "loss 0.57 by a process of its own")
    told = Report("toy", [Finding("smoke", "ok", said)], [ready], {"values": [2.2]})
    text = f"{told.without_numbers().as_json()}{told.without_numbers().closing()}"
    assert not any(number in text for number in ("2.2", "3.1", "1e-3", "0.57"))


def test_a_notebook_elsewhere_is_told_on_each_experiment(toy: Toy, tmp_path: Path) -> None:
    toy.env["LAB_HOME"] = str(tmp_path / "elsewhere")
    found = toy.lab("run", "--baseline", "--json", cwd=toy.root / "toy").json
    assert found["flags"] == ["notebook_elsewhere"]


def test_presets_let_no_agent_move_a_branch_by_itself() -> None:
    from lab.agents import presets

    text = Path(presets.__file__).with_name("presets.toml").read_text()
    assert not any(words in text for words in ("git stash", "git reset", "git commit", "git push"))


def test_no_campaign_starts_from_what_has_no_verdict_yet(toy: Toy, campaign: Path) -> None:
    measured(toy, campaign, 2.0)
    words = ("worktree", "toy", "bob", "--from", "e2")
    refused = toy.here(*words, code=4, LAB_SESSION="x")
    assert "e2 was not kept (no verdict yet); a campaign starts from what was" in refused.err
    toy.here("result", "e2", "-v", "keep", cwd=campaign)
    toy.here(*words, LAB_SESSION="x")


def test_no_campaign_imports_what_is_said_of_experiments(toy: Toy, campaign: Path) -> None:
    file = toy.root.parent / "more.jsonl"
    toy.here("export", "-o", str(file))
    for where in ({"cwd": campaign}, {"cwd": toy.root, "LAB_SESSION": "x"}):
        refused = toy.here("import", str(file), code=4, **where)  # type: ignore[arg-type]
        assert "no import from a campaign" in refused.err
    assert "already" in toy.here("import", str(file)).out  # a person may


def test_a_number_by_other_variables_than_its_incumbents_says_so(toy: Toy, campaign: Path) -> None:
    slope(campaign, 2.0)
    words = ("run", toy.idea(cwd=campaign), "--json")
    found = toy.lab(*words, cwd=campaign, OMP_NUM_THREADS="3", LAB_CONFINE="none").json
    (mark,) = [one for one in found["marks"] if "run with another" in one]
    assert re.fullmatch("run with another .*OMP_NUM_THREADS.* than its incumbent e1", mark)
    free = "not confined, which its incumbent e1 was"
    confined = toy.here("show", "e1", "--json").json["runs"][0]["machine"]
    assert (free in found["marks"]) == ('"confined": "none"' not in confined)
    toy.here("result", "e2", "-v", "keep", cwd=campaign)
    assert "!: see lab show" in toy.here("board", "toy").out
    assert "run with another" in toy.here("report", "--markdown").out
    slope(campaign, 2.5)
    words = ("run", toy.idea("more", cwd=campaign), "--json")
    marks = toy.lab(*words, cwd=campaign).json["marks"]
    (mark,) = [one for one in marks if "run with another" in one]
    assert re.fullmatch("run with another .*OMP_NUM_THREADS.* than its incumbent e2", mark)


def test_the_yardstick_is_told_no_compiler_and_no_plugin(toy: Toy) -> None:
    tells = (
        '(Path(os.environ["LAB_RUN_DIR"]) / "told.json").write_text(json.dumps(list(os.environ)))'
    )
    listed = f"{EVALUATE}{tells}\n"
    toy.leaf(evaluate=listed)
    toy.commit("a yardstick that tells what it is told")
    told = {"CC": "/tmp/cc", "CUDA_INJECTION64_PATH": "/tmp/x.so", "HF_MODULES_CACHE": "/tmp/m"}
    found = toy.lab(
        "run", "--baseline", "--leaf", "toy", "--json", **told, OMP_NUM_THREADS="1"
    ).json
    seen = json.loads((Path(found["log"]).parent / "told.json").read_text())
    assert "OMP_NUM_THREADS" in seen
    assert not told.keys() & set(seen)
