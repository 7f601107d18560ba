"""`lab loop LEAF --agent tuner`: whole rounds, cut at any moment, and what it refuses."""

import contextlib
import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
import time
from typing import Any

import pytest
from toy import LEAF, TRAIN, Toy

TUNE = ("loop", "toy", "--agent", "tuner")


def rows(toy: Toy, query: str) -> list[Any]:
    with sqlite3.connect(toy.root / ".lab" / "notebook.db") as db:
        found = db.execute(query).fetchall()
    db.close()
    return found


def experiments(toy: Toy) -> list[dict[str, Any]]:
    """Every experiment but the baseline, oldest first."""
    log = toy.lab("log", "toy", "-n", "100", "--json").json
    return [one for one in reversed(log) if one["hypothesis"]]


def started(toy: Toy, count: int, *words: str) -> "subprocess.Popen[str]":
    """Start a loop and wait until `count` experiments have their supervisor."""
    process = toy.start(*TUNE, *words)
    until = time.monotonic() + 120
    owned = (
        "select 1 from jobs j join experiments e on e.id = j.experiment where j.keeper is not null"
    )
    while len(rows(toy, f"{owned} and e.hypothesis is not null")) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)
    return process


def test_the_tuner_measures_a_person_s_commit_before_it_turns_anything(ready: Toy) -> None:
    (ready.root / "toy" / "train.py").write_text(TRAIN.replace("SLOPE = 1.0", "SLOPE = 2.0"))
    ready.commit("a person's idea")
    ready.lab(*TUNE, "--experiments", "1")
    (one,) = experiments(ready)
    shown = ready.here("show", one["experiment"], "--json").json
    assert shown["judgements"][-1]["incumbent"] == 2
    assert len(ready.here("show", "e2", "--json").json["runs"]) == 3


@pytest.mark.children
def test_five_rounds_on_a_fresh_clone_agree_with_their_numbers(toy: Toy) -> None:
    done = toy.lab(*TUNE, "--experiments", "5")
    log = experiments(toy)
    assert len(log) == 5
    tree = toy.root / ".lab/worktrees/toy/tuner"
    best = toy.lab("show", "e1", "--json").json
    assert [run["seed"] for run in best["runs"]] == [0, 1, 2]
    for one in log:
        shown = toy.lab("show", one["experiment"], "--json").json
        assert re.fullmatch(r"((, )?(SLOPE|NOISE) [\d.e-]+ -> [\d.e-]+)+", shown["claim"])
        said = r"a model of \d+ runs expects \S+ ± \S+ over e\d+; nearest: e\d"
        assert re.search(said, shown["mechanism"])
        assert "the truth is 3" in shown["mechanism"] or "the seed" in shown["mechanism"]
        assert shown["results"][-1]["suggested"] == shown["verdict"]
        assert (shown["verdict"] == "keep") == (
            shown["judgements"][-1]["reason"] in ("better", "simpler")
        )
        assert shown["claim"] in shown["lesson"]
        assert toy.git("log", "-1", "--format=%s", f"refs/lab/{one['experiment']}") == (
            f"{one['experiment']}: {shown['claim']}"
        )
    kept = [one["experiment"] for one in log if one["verdict"] == "keep"]
    subjects = toy.git("log", "--reverse", "--format=%s", "main..lab/toy/tuner").splitlines()
    assert [line.partition(":")[0] for line in subjects] == kept
    assert toy.git("status", "--porcelain", cwd=tree) == ""
    assert "5 experiments" in done.out
    assert all(f"{one['experiment']} {one['verdict']}" in done.out for one in log)
    assert "best so far" in done.err
    assert re.search(r"e1 (seed \d \w+|starting)", done.err)  # a quick run skips stages
    assert toy.lab("doctor", "--json").json["ok"]


def test_the_slope_comes_near_the_truth(ready: Toy) -> None:
    found = ready.lab(*TUNE, "--experiments", "5", "--json").json
    assert found["value"] < 1  # it began at 4, two away from the truth
    assert found["incumbent"] in found["kept"]
    lessons = ready.lab("context", "--json", cwd=ready.root / "toy").json["lessons"]
    assert any(found["incumbent"] in lesson["evidence"] for lesson in lessons)


@pytest.mark.children
def test_on_a_terminal_a_live_line_shows_stage_and_best(ready: Toy) -> None:
    leader, follower = pty.openpty()
    words = [sys.executable, "-P", "-m", "lab", *TUNE, "--experiments", "1"]
    environ = ready.environ(TERM="xterm", COLUMNS="160", LINES="24")
    with subprocess.Popen(
        words,
        cwd=ready.root,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=follower,
        stderr=follower,
    ) as process:
        os.close(follower)
        shown = b""
        with contextlib.suppress(OSError):  # the terminal is gone once the loop has ended
            while data := os.read(leader, 65536):
                shown += data
    os.close(leader)
    text = shown.decode()
    assert process.returncode == 0, text
    assert "\x1b[2K" in text  # a line that is written over
    assert re.search(r"e2 (starting|seed \d (preparing|training|evaluating))", text)
    assert "0 of 1 judged, best so far 3.9" in text
    assert "e2 keep" in text or "e2 discard" in text


def test_the_same_command_after_an_ending_by_limit_adds_as_many_again(ready: Toy) -> None:
    ready.lab(*TUNE, "--experiments", "1")
    ready.lab(*TUNE, "--experiments", "2")
    assert len(experiments(ready)) == 3


@pytest.mark.parametrize("cuts", [(0.3, 0.9, 1.7), (0.6, 1.3, 2.4)])
def test_after_a_kill_the_same_command_goes_on_towards_its_number(
    ready: Toy, cuts: tuple[float, ...]
) -> None:
    for seconds in cuts:
        process = ready.start(*TUNE, "--experiments", "6")
        time.sleep(seconds)
        assert process.poll() is None, "it was to be killed on its way"
        process.kill()
        process.communicate()
    ready.lab(*TUNE, "--experiments", "6")
    log = experiments(ready)
    lost = [one for one in log if one["verdict"] == "crash"]  # killed before its supervisor stood
    assert [one["failure"] for one in lost] == ["lost"] * len(lost)
    judged = [one["claim"] for one in log if one["verdict"] in ("keep", "discard")]
    assert len(set(judged)) == len(judged) == 6
    assert {one["claim"] for one in lost} <= set(judged)  # an idea that was lost is run again
    assert len(judged) + len(lost) == len(log)
    assert rows(ready, "select count(*) from pending") == [(0,)]
    assert ready.lab("doctor", "--json").json["ok"]


def test_a_run_left_by_a_killed_loop_is_waited_for_and_judged(ready: Toy) -> None:
    process = started(ready, 1, "--experiments", "1")
    process.kill()
    process.communicate()
    assert "1 of 1" in ready.lab(*TUNE, "--experiments", "1").err
    (one,) = experiments(ready)
    assert one["verdict"] in ("keep", "discard")


@pytest.mark.children
def test_ctrl_c_stops_the_run_and_leaves_the_truth(ready: Toy) -> None:
    process = ready.start(*TUNE, "--experiments", "2")
    until = time.monotonic() + 60
    while not rows(ready, "select 1 from runs where started is not null and ended is null"):
        assert time.monotonic() < until
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1, (out, err)
    assert "stopped on request" in out
    assert rows(ready, "select 1 from jobs where ended is null") == []
    ready.lab(*TUNE, "--experiments", "2")
    assert len([one for one in experiments(ready) if one["verdict"] != "crash"]) == 2


def test_lab_stop_ends_a_campaign_by_its_name(ready: Toy) -> None:
    process = started(ready, 1, "--experiments", "50")
    status = ready.lab("status", "--json").json
    assert [one["alive"] for one in status["campaigns"]] == [True]
    assert "toy/tuner stopped" in ready.lab("stop", "tuner").out
    process.communicate(timeout=30)
    assert process.returncode == 1


def test_the_target_ends_the_loop(ready: Toy) -> None:
    found = ready.lab(*TUNE, "--target", "100", "--json").json
    assert (found["ending"], found["experiments"]) == ("target", 0)


def test_a_hopeless_search_stops_and_says_why(toy: Toy) -> None:
    knob = '[knobs.SLOPE]\nchoices = [1.0, 0.5]\nwhy = "worse"\n'
    toy.leaf(toml=LEAF.partition("[knobs")[0] + knob)
    toy.commit("only one other value")
    found = toy.lab(*TUNE, "--experiments", "9", "--json").json
    assert (found["ending"], found["discarded"]) == ("stagnation", 1)
    assert "are all that another run is worth" in found["why"]


def test_the_page_of_the_task_may_be_uncommitted(toy: Toy) -> None:
    toy.git("rm", "-q", "toy/program.md")
    toy.git("commit", "-qm", "no page yet")
    (toy.root / "toy" / "program.md").write_text("# toy\n\nto be committed tomorrow\n")
    toy.lab(*TUNE, "--experiments", "1")
    assert len(experiments(toy)) == 1


@pytest.mark.children
def test_an_edit_that_nobody_ran_is_set_aside(ready: Toy) -> None:
    ready.lab(*TUNE, "--experiments", "1")
    file = ready.root / ".lab/worktrees/toy/tuner/toy/train.py"
    file.write_text(file.read_text() + "# my own idea\n")
    ready.lab(*TUNE, "--experiments", "1")
    assert "my own idea" not in file.read_text()
    (aside,) = (ready.root / ".lab/campaigns/toy/tuner").glob("set-aside-*.diff")
    assert "+# my own idea" in aside.read_text()


def test_what_crashes_is_a_crash_and_the_search_goes_on(toy: Toy) -> None:
    train = TRAIN.replace(
        "    random.seed", "    assert SLOPE == 1.0, 'too steep'\n    random.seed"
    )
    toy.leaf(train=train, toml=LEAF.partition("[knobs.NOISE]")[0])
    toy.commit("any other slope fails")
    found = toy.lab(*TUNE, "--experiments", "2", "--json").json
    assert (found["ending"], found["crashed"]) == ("limit", 2)
    assert "too steep" in found["learned"][0]
    tree = toy.root / ".lab/worktrees/toy/tuner/toy/train.py"
    assert tree.read_text() == train


def test_a_leaf_that_does_not_run_at_all_ends_the_loop(toy: Toy) -> None:
    toy.leaf(train="raise SystemExit('no data here')\n\nSLOPE = 1.0\n")
    toy.commit("broken")
    failed = toy.lab(*TUNE, "--experiments", "2", code=1)
    assert "the baseline did not run" in failed.err
    assert "lab show e1" in failed.err


@pytest.mark.parametrize(
    ("words", "code", "wrong", "hint"),
    [
        (("toy", "--agent", "cluade"), 3, "'claude'", "--agent claude"),
        (("toy", "--agent", "nosuchprogram {prompt_file}"), 6, "not on the PATH", "whole path"),
        (("toy", "--agent", "'"), 2, "--agent", "Quote"),
        (("toy", "--agent", ""), 2, "empty", "tuner, claude, codex, gemini"),
        (("toy", "--agent", "tuner", "--experiments", "0"), 2, "0 is no limit", "--experiments 5"),
        (("toy", "--agent", "tuner", "--hours", "nan"), 2, "no limit", "--hours 8"),
        (("toy", "--agent", "tuner", "--max-cost", "-1"), 2, "-1 is no limit", "--max-cost 20"),
        (("toy", "--agent", "tuner", "--target", "inf"), 2, "no number", "--target"),
        (("tyo", "--agent", "tuner"), 3, "'toy'", "Leaves: toy"),
        (("toy", "--agent", "tuner", "--profile", "cup"), 3, "no profile", "--profile cpu"),
        (("toy", "--agent", "tuner", "--name", "../x"), 2, "no name", "Letters"),
        (("toy",), 2, "--agent", "lab loop --help"),
    ],
)
def test_bad_input_is_refused_and_makes_nothing(
    toy: Toy, words: tuple[str, ...], code: int, wrong: str, hint: str
) -> None:
    refused = toy.lab("loop", *words, code=code, PATH="/usr/bin:/bin")
    first, second = refused.err.strip().splitlines()[-2:]
    assert wrong in first
    assert hint in second
    assert not (toy.root / ".lab" / "worktrees").exists()


@pytest.mark.parametrize(
    ("name", "install"),
    [
        ("claude", "@anthropic-ai/claude-code"),
        ("codex", "@openai/codex"),
        ("gemini", "@google/gemini-cli"),
    ],
)
def test_a_preset_that_is_not_installed_says_how_to_install_it(
    toy: Toy, name: str, install: str
) -> None:
    refused = toy.lab("loop", "toy", "--agent", name, code=6, PATH="/usr/bin:/bin")
    assert f"{name} is not on the PATH" in refused.err
    assert f"npm install -g {install}" in refused.err


@pytest.mark.parametrize(
    ("toml", "train", "wrong", "hint"),
    [
        (LEAF.partition("[knobs")[0], TRAIN, "no knobs", "[knobs.LR]"),
        (
            LEAF,
            TRAIN.replace("SLOPE = 1.0", "SLOPE = f()").replace("NOISE = ", "OISE = "),
            "none of",
            "SLOPE = 1.0",
        ),
        (LEAF, "SLOPE = = 1\n", "train.py is not Python (line 1)", "py_compile"),
    ],
    ids=["none", "not_in_the_file", "not_python"],
)
def test_a_leaf_the_tuner_cannot_turn_is_refused(
    toy: Toy, toml: str, train: str, wrong: str, hint: str
) -> None:
    toy.leaf(toml=toml, train=train)
    toy.commit("another")
    refused = toy.lab(*TUNE, code=4)
    assert wrong in refused.err
    assert hint in refused.err


def test_the_name_of_a_campaign_at_work_is_refused(ready: Toy) -> None:
    process = started(ready, 1, "--experiments", "50")
    refused = ready.lab(*TUNE, code=4)
    assert "toy/tuner is at work already" in refused.err
    assert "--name tuner-2" in refused.err
    process.terminate()
    process.communicate(timeout=30)


def test_a_worktree_that_a_killed_command_left_half_made_is_taken_up(ready: Toy) -> None:
    tree = ready.root / ".lab/worktrees/toy/tuner"
    tree.parent.mkdir(parents=True)
    ready.git("worktree", "add", "-q", "-b", "lab/toy/tuner", str(tree), "main")
    ready.lab(*TUNE, "--experiments", "1")
    assert rows(ready, "select name, agent from campaigns") == [("toy/tuner", "tuner")]
    assert len(experiments(ready)) == 1


def test_events_tell_the_story_of_a_loop(ready: Toy) -> None:
    ready.lab(*TUNE, "--experiments", "1")
    events = ready.lab("log", "--events", "-n", "50", "--json").json
    told = [(one["verb"], one["who"]) for one in reversed(events) if one["who"] == "toy/tuner"]
    verbs = [verb for verb, _ in told]
    assert verbs.index("loop") < verbs.index("hypothesis") < verbs.index("result")
    assert verbs[-1] == "loop ended"
    asked = json.loads(next(one["detail"] for one in events if one["verb"] == "loop"))
    assert (asked["agent"], asked["experiments"]) == ("tuner", 1)
