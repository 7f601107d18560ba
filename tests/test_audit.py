"""Audits: only what was measured again, beside where the branch began, is ever claimed."""

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from toy import LEAF, TRAIN, Toy, slope

LUCKY = "2.0 if os.environ['LAB_SEED'] == '0' else {}"  # one seed's luck, and the truth


def keep(toy: Toy, campaign: Path, claim: str, value: object) -> str:
    """Run an edit and keep it; return its experiment."""
    idea = toy.idea(claim, cwd=campaign)
    slope(campaign, value)  # type: ignore[arg-type]  # it is only written down
    found = toy.lab("run", idea, "--json", cwd=campaign).json
    toy.lab("result", found["experiment"], "-v", found["suggest"], cwd=campaign)
    return str(found["experiment"])


def audit(toy: Toy, campaign: Path, *words: str, code: int = 0) -> dict[str, object]:
    found: dict[str, object] = toy.lab("audit", *words, "--json", cwd=campaign, code=code).json
    return found


def status(toy: Toy, campaign: Path, experiment: str) -> str | None:
    found = toy.lab("wait", experiment, "--json", cwd=campaign).json
    return found["gain_status"]  # type: ignore[no-any-return]


def _until_begun(toy: Toy, experiment: str, count: int) -> None:
    """Wait until so many runs of an experiment have begun to train."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        runs = toy.here("show", experiment, "--json").json["runs"]
        if len(runs) == count and runs[-1]["started"]:
            return
        time.sleep(0.05)


def test_an_audit_says_beforehand_how_long_it_takes(toy: Toy, campaign: Path) -> None:
    keep(toy, campaign, "raise the slope", 2.0)
    told = toy.lab("audit", cwd=campaign).err
    assert "an audit is 6 runs, about" in told
    assert "goes on when typed again" in told


def test_a_true_gain_is_provisional_until_it_was_measured_again(toy: Toy, campaign: Path) -> None:
    keep(toy, campaign, "raise the slope", 2.0)
    keep(toy, campaign, "raise it more", 2.6)
    board = toy.lab("board", "toy", "--json").json
    assert (board["confirmed_gain"], board["provisional_gain"] > 3) == (None, True)
    assert status(toy, campaign, "e3") == "provisional"
    found = audit(toy, campaign)
    assert (found["conclusion"], found["tip"], found["base"]) == ("confirmed", "e3", "e1")
    assert found["since"] == ["e2", "e3"]
    board = toy.lab("board", "toy", "--json").json
    assert board["confirmed_gain"] == board["expected_gain"] == found["gain"]
    assert board["provisional_gain"] == 0
    assert [status(toy, campaign, name) for name in ("e2", "e3")] == ["confirmed"] * 2
    assert f"confirmed {found['gain']:+.4g}"[:14] in toy.lab("context", cwd=campaign).out


def test_runs_are_taken_in_turn_at_new_seeds_that_both_sides_share(
    toy: Toy, campaign: Path
) -> None:
    keep(toy, campaign, "raise the slope", 2.0)
    audit(toy, campaign)
    runs = [
        (run["id"], name, run["seed"])
        for name in ("e1", "e2")
        for run in toy.lab("show", name, "--json").json["runs"]
        if run["seed"] >= 1000
    ]
    assert [name for _, name, _ in sorted(runs)] == ["e2", "e1", "e1", "e2", "e2", "e1"]
    seeds = {name: [seed for _, one, seed in sorted(runs) if one == name] for name in ("e1", "e2")}
    assert seeds["e1"] == seeds["e2"]


def test_a_lucky_seed_is_caught_and_the_branch_goes_back(toy: Toy, campaign: Path) -> None:
    start = toy.git("rev-parse", "HEAD", cwd=campaign)
    keep(toy, campaign, "a lucky one", LUCKY.format("0.5"))
    (campaign / "notes.md").write_text("what I think\n")
    found = audit(toy, campaign)
    assert (found["conclusion"], found["try_alone"]) == ("back", [])
    assert toy.git("rev-parse", "HEAD~1", cwd=campaign) == start  # then the notes, committed
    assert (campaign / "notes.md").read_text() == "what I think\n"
    assert "SLOPE = 1.0" in (campaign / "train.py").read_text()
    shown = toy.lab("show", "e2", "--json").json
    assert [result["verdict"] for result in shown["results"]] == ["keep", "discard"]
    assert "audit" in shown["results"][-1]["because"]
    assert status(toy, campaign, "e2") == "not_confirmed"
    assert toy.lab("board", "toy", "--json").json["confirmed_gain"] is None
    assert toy.git("cat-file", "-t", "refs/lab/e2") == "commit"  # nothing is lost
    context = toy.lab("context", "--json", cwd=campaign).json
    assert context["incumbent"]["experiment"] == "e1"
    assert toy.lab("doctor").code == 0


def test_of_several_taken_back_it_says_which_had_evidence_of_their_own(
    toy: Toy, campaign: Path
) -> None:
    keep(toy, campaign, "a lucky one", LUCKY.format("0.5"))
    keep(toy, campaign, "on top of it", LUCKY.replace("2.0", "2.5").format("0.5"))
    told = toy.lab("audit", cwd=campaign).out
    assert "taken back: e2, e3; surely better by their own runs: e2, e3\n" in told
    assert "to be run as an idea: lab apply e2 --edit\n" in told
    found = toy.here("audit", "--json", cwd=campaign, code=None)
    assert found.code == 4  # nothing is left to audit
    toy.here("apply", "e2", "--edit", cwd=campaign)


def test_what_is_neither_stays_and_claims_nothing(toy: Toy, campaign: Path) -> None:
    keep(toy, campaign, "no change but for one seed", LUCKY.format("1.0"))
    found = audit(toy, campaign)
    assert (found["conclusion"], found["gain"]) == ("open", 0.0)
    context = toy.lab("context", "--json", cwd=campaign).json
    assert (context["incumbent"]["experiment"], context["confirmed_gain"]) == ("e2", None)
    assert context["level"] > 3.5  # what its audit measured, not the lucky run
    again = toy.lab("audit", cwd=campaign, code=4)
    assert "e2 was audited" in again.err  # another try would be another chance for luck


def test_a_level_that_an_audit_moved_is_told_beside_the_gain_as_judged(
    toy: Toy, campaign: Path
) -> None:
    keep(toy, campaign, "no change but for one seed", LUCKY.format("1.0"))
    keep(toy, campaign, "worse than that luck", 1.5)
    assert "as it is now" not in toy.here("show", "e3").out
    audit(toy, campaign)
    ended = toy.lab("wait", "e2", cwd=campaign).out
    assert " over 3 runs: " in ended
    assert "; not over " in ended
    assert " (seed 0) which newer runs, that chose nothing, replace" in ended
    shown = toy.here("show", "e2").out
    assert shown.count("not in the mean: ") == 1
    moved = toy.here("show", "e3").out
    judged = next(line for line in moved.splitlines() if line.startswith("judged: "))
    assert "; gain -1." in judged
    assert "; +1." in judged
    assert " by e2's level as it is now, " in judged
    assert moved.count("gain ") == 1


def test_what_is_not_confirmed_is_not_brought_home_unless_asked(toy: Toy, campaign: Path) -> None:
    keep(toy, campaign, "raise the slope", 2.0)
    refused = toy.lab("apply", "e2", code=4)
    assert "lab audit toy/ada" in refused.err
    taken = toy.lab("apply", "e2", "--provisional")
    assert "applied e2" in taken.out
    assert "provisional" in toy.git("log", "-1", "--format=%B")
    audit(toy, campaign)
    toy.git("reset", "-q", "--hard", "HEAD~1")
    assert "applied e2" in toy.lab("apply", "e2").out
    assert "provisional" not in toy.git("log", "-1", "--format=%B")


def test_a_killed_audit_goes_on_with_what_it_has(toy: Toy, campaign: Path) -> None:
    keep(toy, campaign, "raise the slope", 2.0)
    child = toy.start("audit", cwd=campaign)
    until = time.monotonic() + 60
    while len(toy.here("show", "e2", "--json").json["runs"]) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    found = audit(toy, campaign)
    assert (found["conclusion"], found["runs"]) == ("confirmed", 6)
    seeds = [run["seed"] for run in toy.lab("show", "e2", "--json").json["runs"]]
    assert len(seeds) == len(set(seeds)) == 4


def test_a_detached_audit_is_waited_for(toy: Toy, campaign: Path) -> None:
    keep(toy, campaign, "raise the slope", 2.0)
    begun = toy.lab("audit", "--detach", cwd=campaign, code=5)
    assert "started" in begun.err
    found = toy.lab("audit", "ada", "--wait", "60", "--json").json  # from the main checkout
    assert (found["conclusion"], found["tip"]) == ("confirmed", "e2")


def test_a_seed_that_fails_counts_against_the_change(toy: Toy, campaign: Path) -> None:
    idea = toy.idea(cwd=campaign)
    slope(campaign, "2.0 if os.environ['LAB_SEED'] != '1' else 1 / 0")  # type: ignore[arg-type]
    found = toy.lab("run", idea, "--seeds", "3", "--json", cwd=campaign, code=None).json
    assert (found["suggest"], found["reason"]) == ("discard", "failed")
    assert "1 of 3 seeds failed" in found["why"]
    because = ("--because", "the others are good")
    refused = toy.here("result", "e2", "-v", "keep", *because, cwd=campaign, code=4)
    assert "1 of the seeds of e2 failed" in refused.err


def test_a_tip_of_which_all_new_seeds_fail_goes_back(toy: Toy, campaign: Path) -> None:
    keep(toy, campaign, "only for few seeds", "2.0 if int(os.environ['LAB_SEED']) < 9 else 1 / 0")
    found = audit(toy, campaign)
    assert (found["conclusion"], found["gain"], found["try_alone"]) == ("back", None, [])
    assert "3 of 3 runs of e2 failed" in str(found["why"])


def test_a_tip_that_crashes_at_times_is_not_claimed_and_stays(toy: Toy, campaign: Path) -> None:
    keep(toy, campaign, "raise the slope", 2.0)
    # The baseline is runs 1 to 3, the two keeps 4 and 5: this is the first of the audit.
    keep(toy, campaign, "raise it more", "1 / 0 if os.environ['LAB_RUN_DIR'][-1:] == '6' else 2.6")
    slope_is = (campaign / "train.py").read_text()
    said = toy.lab("audit", cwd=campaign).out
    assert "the branch stays" in said
    assert "nothing is claimed" in said
    assert "1 of 2 runs of e3 failed (seed " in said
    assert "next: lab show e3" in said
    assert "lab move e1 && lab apply e3 --edit" in said
    assert "it said: ZeroDivisionError" in toy.here("show", "e3").out
    assert (campaign / "train.py").read_text() == slope_is
    assert [status(toy, campaign, name) for name in ("e2", "e3")] == ["not_confirmed"] * 2
    keep(toy, campaign, "raise it further", 2.8)
    assert audit(toy, campaign)["tries"] == 2  # ending what looks unlucky is no new chance


def test_there_is_nothing_to_audit_before_a_keep_and_after_an_audit(
    toy: Toy, campaign: Path
) -> None:
    assert "nothing was kept" in toy.lab("audit", cwd=campaign, code=4).err
    keep(toy, campaign, "raise the slope", 2.0)
    audit(toy, campaign)
    assert "e2 was audited" in toy.lab("audit", cwd=campaign, code=4).err
    assert "no campaign nobody" in toy.lab("audit", "nobody", code=3).err


def test_an_edit_that_going_back_would_lose_comes_first(toy: Toy, campaign: Path) -> None:
    keep(toy, campaign, "raise the slope", 2.0)
    slope(campaign, 2.5)
    refused = toy.lab("audit", cwd=campaign, code=4)
    assert "has edits" in refused.err
    assert "git checkout" in refused.err or "git restore" in refused.err


def test_a_script_that_ignores_its_seed_gains_and_claims_nothing(toy: Toy) -> None:
    toy.leaf(train=(toy.root / "toy/train.py").read_text().replace("NOISE = 0.01", "NOISE = 0"))
    toy.commit("no luck at all")
    toy.lab("run", "--baseline", "--seeds", "3", cwd=toy.root / "toy")
    campaign = toy.campaign()
    text = (campaign / "train.py").read_text()
    idea = toy.idea(cwd=campaign)
    (campaign / "train.py").write_text(text.replace("SLOPE = 1.0", "SLOPE = 2.0"))
    found = toy.lab("run", idea, "--json", cwd=campaign).json
    assert (found["suggest"], found["noise"]) == ("keep", 0.0)
    toy.lab("result", "e2", "-v", "keep", cwd=campaign)
    done = audit(toy, campaign)
    assert (done["conclusion"], "seed changes nothing" in str(done["why"])) == ("open", True)


def test_a_leaf_that_says_it_is_deterministic_claims_what_it_measures(toy: Toy) -> None:
    train = (toy.root / "toy/train.py").read_text().replace("NOISE = 0.01", "NOISE = 0")
    toy.leaf(toml=LEAF.replace("budget_s = 5", "budget_s = 5\ndeterministic = true"), train=train)
    toy.commit("no luck, and it says so")
    toy.lab("run", "--baseline", cwd=toy.root / "toy")
    campaign = toy.campaign()
    idea = toy.idea(cwd=campaign)
    (campaign / "train.py").write_text(train.replace("SLOPE = 1.0", "SLOPE = 2.0"))
    assert toy.lab("run", idea, "--json", cwd=campaign).json["suggest"] == "keep"
    toy.lab("result", "e2", "-v", "keep", cwd=campaign)
    assert audit(toy, campaign)["conclusion"] == "confirmed"


def test_the_strict_rule_certifies_each_change_by_itself(toy: Toy) -> None:
    toy.leaf(toml=f'{LEAF}\n[judge]\nrule = "strict"\n')
    toy.commit("strict")
    toy.lab("run", "--baseline", "--seeds", "3", cwd=toy.root / "toy")
    campaign = toy.campaign()
    keep(toy, campaign, "raise the slope", 2.0)
    assert status(toy, campaign, "e2") == "confirmed"
    board = toy.lab("board", "toy", "--json").json
    assert board["confirmed_gain"] > 2.9
    assert "applied e2" in toy.lab("apply", "e2").out


def test_settings_of_the_rule_before_name_their_successors(toy: Toy) -> None:
    toy.leaf(toml=f"{LEAF}\n[judge]\nfresh_runs = 3\n")
    toy.commit("as it was")
    refused = toy.lab("run", "--baseline", cwd=toy.root / "toy", code=4)
    assert "fresh_runs is gone" in refused.err
    assert "audit_runs" in refused.err
    assert "docs/judging.md" in refused.err


@pytest.mark.children
def test_a_loop_audits_what_it_kept_when_asked_or_long_enough(toy: Toy, campaign: Path) -> None:
    words = ("loop", "toy", "--agent", "tuner", "--name", "ada", "--experiments")
    short = toy.lab(*words, "3", "--json")
    kept = json.loads(short.out)["kept"]
    assert kept
    assert toy.lab("board", "toy", "--json").json["confirmed_gain"] is None
    asked = toy.lab(*words, "1", "--audit", "--json")
    assert "in turn" in asked.err
    board = toy.lab("board", "toy", "--json").json
    assert board["confirmed_gain"] > 0


def test_an_export_carries_audits_to_another_notebook(
    toy: Toy, campaign: Path, tmp_path: Path
) -> None:
    keep(toy, campaign, "raise the slope", 2.0)
    audit(toy, campaign)
    path = tmp_path / "all.jsonl"
    toy.lab("export", "-o", str(path))
    there = {"LAB_HOME": str(tmp_path / "other")}
    read = toy.lab("import", str(path), "--json", **there).json
    assert (read["skipped"], read["problems"]) == (0, [])
    board = toy.lab("board", "toy", "--json").json
    again = toy.lab("board", "toy", "--json", **there).json
    assert again["confirmed_gain"] == board["confirmed_gain"] > 0
    assert toy.lab("doctor", **there).code == 0


# -- What an agent in a hurry would do ------------------------------------------------------


def test_no_stretch_of_a_branch_is_claimed_twice(toy: Toy, campaign: Path) -> None:
    keep(toy, campaign, "raise the slope", 2.0)
    keep(toy, campaign, "raise it more", 2.6)
    whole = audit(toy, campaign)["gain"]
    toy.lab("move", "e2", cwd=campaign)
    assert audit(toy, campaign)["conclusion"] == "confirmed"  # of e2 alone
    toy.lab("move", "e3", cwd=campaign)
    assert toy.lab("board", "toy", "--json").json["confirmed_gain"] == whole


def test_what_an_audit_took_back_is_not_kept_again_without_a_reason(
    toy: Toy, campaign: Path
) -> None:
    keep(toy, campaign, "a lucky one", LUCKY.format("0.5"))
    audit(toy, campaign)
    refused = toy.lab("result", "e2", "-v", "keep", cwd=campaign, code=4)
    assert "an audit took e2 back" in refused.err
    toy.lab("result", "e2", "-v", "keep", "--because", "I like it", cwd=campaign)
    toy.lab("move", "e2", cwd=campaign)
    assert "e2 was audited" in toy.lab("audit", cwd=campaign, code=4).err
    keep(toy, campaign, "a true one on top", 2.5)
    assert audit(toy, campaign)["conclusion"] == "confirmed"
    assert status(toy, campaign, "e2") == "not_confirmed"
    assert toy.lab("apply", "e2", code=4).err.startswith("Error: the gain of e2 is not confirmed")


def test_a_constraint_that_breaks_at_new_seeds_breaks_the_claim(toy: Toy) -> None:
    evaluate = (toy.root / "toy/evaluate.py").read_text()
    model = "json.loads((Path(os.environ['LAB_RUN_DIR']) / 'model.json').read_text())"
    size = f"size: {{{model}['size']}}"
    evaluate = evaluate.replace("steps: 1", size)
    train = (toy.root / "toy/train.py").read_text()
    train = train.replace("gauss(0, NOISE)}", "gauss(0, NOISE), 'size': SIZE}")
    train = train.replace("SLOPE = 1.0", "SIZE = 1\nSLOPE = 1.0")
    toml = f'{LEAF}\n[constraints]\nsize = "<= 10"\n'
    toy.leaf(toml=toml, train=train, evaluate=evaluate)
    toy.commit("a size")
    toy.lab("run", "--baseline", "--seeds", "3", cwd=toy.root / "toy")
    campaign = toy.campaign()
    idea = toy.idea(cwd=campaign)
    big = "99 if int(os.environ['LAB_SEED']) >= 1000 else 1"
    text = train.replace("SIZE = 1", f"SIZE = {big}").replace("SLOPE = 1.0", "SLOPE = 2.0")
    (campaign / "train.py").write_text(text)
    toy.lab("run", idea, cwd=campaign)
    toy.lab("result", "e2", "-v", "keep", cwd=campaign)
    found = audit(toy, campaign)
    assert (found["conclusion"], "size <= 10" in str(found["why"])) == ("back", True)


def test_seeds_of_a_change_add_nothing_to_the_noise(toy: Toy, campaign: Path) -> None:
    idea = toy.idea("quiet", cwd=campaign)
    text = (campaign / "train.py").read_text().replace("NOISE = 0.01", "NOISE = 0.0001")
    (campaign / "train.py").write_text(text)
    before = toy.lab("context", "--json", cwd=campaign).json["noise"]
    toy.lab("run", idea, "--seeds", "6", cwd=campaign)
    assert toy.lab("context", "--json", cwd=campaign).json["noise"] == before


def test_a_seed_that_its_own_campaign_stopped_has_failed(toy: Toy, campaign: Path) -> None:
    idea = toy.idea(cwd=campaign)
    wait = "    import time\n    time.sleep(60 * (os.environ['LAB_SEED'] == '1'))\n"
    slope(campaign, 2.0, wait)
    toy.lab("run", idea, "--seeds", "2", "--detach", cwd=campaign, code=5)
    _until_begun(toy, "e2", 2)
    toy.here("worktree", "toy", "bob")
    other = toy.root / ".lab/worktrees/toy/bob/toy"
    for words in (["e2"], ["ada"], ["--all"]):
        assert "this is toy/bob" in toy.here("stop", *words, cwd=other, code=4).err
    toy.here("stop", "e2", cwd=campaign)
    found = toy.here("wait", "e2", "--json", cwd=campaign, code=None).json
    assert (found["suggest"], found["why"]) == ("discard", "1 of 2 seeds failed")
    assert found["runs"][1]["failure"] == "stopped"
    assert "failed" in toy.here("result", "e2", "-v", "keep", cwd=campaign, code=4).err
    assert "stop e2 by toy/ada" in toy.here("log", "--events", cwd=campaign).out


def test_a_seed_that_a_person_stopped_is_due_before_a_keep(toy: Toy, campaign: Path) -> None:
    idea = toy.idea(cwd=campaign)
    slope(campaign, 2.0, "    import time; time.sleep(60 * (os.environ['LAB_SEED'] == '1'))\n")
    toy.lab("run", idea, "--seeds", "2", "--detach", cwd=campaign, code=5)
    _until_begun(toy, "e2", 2)
    toy.here("stop", "e2")
    found = toy.here("wait", "e2", "--json", cwd=campaign, code=None).json
    assert (found["suggest"], found["next"]) == ("replicate", "lab run e2 --seeds 1")
    assert "1 of 2 seeds were stopped" in found["why"]
    refused = toy.here("result", "e2", "-v", "keep", cwd=campaign, code=4)
    assert "1 run of e2 ended before a number; a keep needs 1 more" in refused.err


def test_a_branch_that_was_edited_during_its_audit_loses_nothing(toy: Toy, campaign: Path) -> None:
    lucky = LUCKY.format("0.5") + "\n__import__('time').sleep(2)"
    keep(toy, campaign, "a lucky one", lucky)
    idea = toy.idea("meanwhile", cwd=campaign)
    child = toy.start("audit", cwd=campaign)
    until = time.monotonic() + 60
    while len(toy.here("show", "e2", "--json").json["runs"]) < 3 and time.monotonic() < until:
        time.sleep(0.05)
    for words in (
        ("run", idea),
        ("move", "e1"),
        ("apply", "e1"),
        ("result", "e2", "-v", "discard"),
    ):
        assert "audit of toy/ada is under way" in toy.here(*words, cwd=campaign, code=5).err
    text = (campaign / "train.py").read_text()
    (campaign / "train.py").write_text(f"{text}# mine\n")
    (campaign / "notes.md").write_text("mine too\n")
    out, _ = child.communicate(timeout=120)
    assert (child.returncode, "train.py was edited meanwhile and stays" in out) == (0, True)
    assert (campaign / "train.py").read_text().endswith("# mine\n")
    assert (campaign / "notes.md").read_text() == "mine too\n"
    assert status(toy, campaign, "e2") == "not_confirmed"  # what was measured stands
    base = toy.here("show", "e1", "--json").json["commit"]
    assert toy.git("rev-parse", "HEAD", cwd=campaign).strip() == base
    assert "e2 ran the very same code" in toy.lab("run", "h2", cwd=campaign, code=4).err


def test_a_detached_audit_is_refused_like_another_and_tells_no_older_one(
    toy: Toy, campaign: Path
) -> None:
    assert "nothing was kept" in toy.lab("audit", "--detach", cwd=campaign, code=4).err
    keep(toy, campaign, "raise the slope", 2.0)
    first = audit(toy, campaign)
    assert audit(toy, campaign, "--wait", "9") == first  # it has ended, and is told
    keep(toy, campaign, "raise it more", "2.6\n__import__('time').sleep(6)")
    text = (campaign / "train.py").read_text()
    (campaign / "train.py").write_text(f"{text}# mine\n")
    refused = toy.lab("audit", "--detach", cwd=campaign, code=4)
    assert ("has edits" in refused.err, "started" in refused.err) == (True, False)
    (campaign / "train.py").write_text(text)
    toy.lab("audit", "--detach", cwd=campaign, code=5)
    waiting = toy.start("audit", "--wait", "60", cwd=campaign)
    _until_begun(toy, "e3", 2)
    time.sleep(3)  # until somebody waits
    toy.here("stop", "e3")
    out, err = waiting.communicate(timeout=120)
    assert (waiting.returncode, out) == (4, "")
    assert "the audit came to no end" in err
    (log,) = [word for word in err.split() if word.endswith("audit.log")]
    assert "it goes on" in Path(log).read_text()


def test_a_level_that_another_audit_moved_makes_no_keep_of_an_old_discard(toy: Toy) -> None:
    text = (toy.root / "toy/train.py").read_text()
    lucky = "SLOPE = 1.5 if int(__import__('os').environ['LAB_SEED']) < 1000 else 1.0"
    toy.leaf(train=text.replace("SLOPE = 1.0", lucky))
    toy.commit("three lucky seeds")
    toy.lab("run", "--baseline", "--seeds", "3", cwd=toy.root / "toy")
    ada, bob = toy.campaign("ada"), toy.campaign("bob")
    for campaign, slope_is in ((ada, "1.4"), (bob, "2.0")):
        (campaign / "train.py").write_text(text.replace("SLOPE = 1.0", f"SLOPE = {slope_is}"))
        found = toy.lab("run", toy.idea(slope_is, cwd=campaign), "--json", cwd=campaign).json
        toy.here("result", found["experiment"], "-v", found["suggest"], cwd=campaign)
    assert audit(toy, bob)["conclusion"] == "confirmed"  # and e1's new seeds were worse
    refused = toy.here("result", "e2", "-v", "keep", cwd=ada, code=4)
    assert "discarded by these very runs" in refused.err
    assert toy.lab("run", "e2", "--seeds", "1", "--json", cwd=ada).json["suggest"] == "keep"
    toy.here("result", "e2", "-v", "keep", cwd=ada)


def test_one_change_has_one_gain_wherever_it_is_told(toy: Toy, campaign: Path) -> None:
    slope(campaign, 2.0)
    found = toy.lab("run", toy.idea(cwd=campaign), "--json", cwd=campaign).json
    toy.here("result", "e2", "-v", "keep", cwd=campaign)
    answer = toy.lab("audit", "--json", cwd=campaign)
    audited = answer.json
    assert audited["conclusion"] == "confirmed"
    assert "audit of toy/ada: e2 runs again" in answer.err  # somebody may be waiting
    said = f"{audited['gain']:+.4g}"
    (row,) = [one for one in toy.here("board", "toy", "--json").json["experiments"] if one["claim"]]
    (kept,) = toy.here("context", "--json", cwd=campaign).json["kept"]
    assert row["gain"] == kept["gain"] == audited["gain"] != found["gain"]
    toy.here("apply", "e2")
    message = toy.git("log", "-1", "--format=%B")
    assert "by an audit" in message
    assert said[:5] in message
    before = toy.here("show", "e2", "--json").json["judgements"]
    toy.lab("reproduce", "e2")
    assert toy.here("show", "e2", "--json").json["judgements"] == before


def test_after_a_baseline_the_next_thing_is_a_worktree(toy: Toy) -> None:
    said = toy.lab("run", "--baseline", "--leaf", "toy").out
    assert 'next: cd "$(lab worktree toy NAME)"' in said
    assert (
        'Next: cd "$(lab worktree toy NAME)" && lab hypothesis'
        in toy.here("context", "--leaf", "toy").out
    )


def test_whoever_comes_back_is_told_where_to_go_on(toy: Toy, campaign: Path) -> None:
    slope(campaign, 2.0)
    toy.lab("run", toy.idea(cwd=campaign), cwd=campaign)
    said = toy.here("context", "--leaf", "toy").out
    assert 'Next: cd "$(lab worktree toy ada)"  # e2 there has no verdict yet' in said
    toy.here("result", "e2", "-v", "keep", cwd=campaign)
    assert "no verdict yet" not in toy.here("context", "--leaf", "toy").out
    shutil.copytree(toy.root / "toy", toy.root / "another")
    toy.commit("a second leaf")
    refused = toy.here("context", code=2)
    assert "Say which: --leaf toy" in refused.err


def test_a_baseline_in_the_queue_is_waited_for(toy: Toy) -> None:
    waits = TRAIN.replace('    print("trained")\n', '    print("trained")\n    time.sleep(5)\n')
    toy.leaf(train=f"import time\n{waits}")
    toy.commit("a slow script")
    toy.lab("run", "--baseline", "--leaf", "toy", "--detach", code=5)
    assert "Next: lab wait e1" in toy.here("context", "--leaf", "toy").out
    toy.lab("wait", "e1")


def test_what_was_kept_in_another_profile_says_so(toy: Toy, campaign: Path) -> None:
    slope(campaign, 2.0)
    toy.lab("run", toy.idea(cwd=campaign), cwd=campaign)
    toy.here("result", "e2", "-v", "keep", cwd=campaign)
    own = toy.here("context", "--leaf", "toy").out
    other = toy.here("context", "--leaf", "toy", "--profile", "smoke").out
    assert ("in profile cpu" in own, "in profile cpu" in other) == (False, True)
