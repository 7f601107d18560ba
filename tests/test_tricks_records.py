"""Tricks with what is kept beside a run, and with what judges it, played through the CLI."""

import dataclasses
import json
import os
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from test_tricks import PREPARE, PREPARES, run
from test_tricks_budget import CLOCKED, clocked
from toy import LEAF, TRAIN, Toy, slope

from lab import leaf
from lab.run import budget


def marks(toy: Toy, experiment: str) -> str:
    found: list[str] = toy.here("show", experiment, "--json").json["marks"]
    return "; ".join(found)


def problems(toy: Toy) -> str:
    return toy.here("doctor", code=None).out


# -- The unit of the CPU clock ----------------------------------------------------------


def test_the_unit_of_the_cpu_clock_is_the_recorded_one(toy: Toy) -> None:
    campaign = clocked(toy, "cpu")
    (file,) = (toy.root / ".lab/cache").rglob("*.reference")
    file.write_text(f"{float(file.read_text()) / 2:.9f}")
    (campaign / "train.py").write_text(CLOCKED.replace("SLOPE = 1.0", "SLOPE = 2.0"))
    run(toy, campaign)
    with sqlite3.connect(toy.root / ".lab/notebook.db") as db:
        told = db.execute("select json_extract(machine, '$.reference_s') from runs").fetchall()
    assert len(set(told)) == 1
    assert "another unit" not in marks(toy, "e2")


# -- What judges ------------------------------------------------------------------------


def test_a_git_of_ones_own_that_changes_the_yardstick_is_found(
    toy: Toy, campaign: Path, tmp_path: Path
) -> None:
    own = tmp_path / "bin"
    own.mkdir()
    git = own / "git"
    git.write_text(
        "#!/bin/sh\n"
        f'{shutil.which("git")} "$@"; code=$?\n'
        'case "$*" in *read-tree*)\n'
        "  for file in $(find . -name evaluate.py); do\n"
        "    sed -i 's/- 3) \\*\\* 2/- 3) ** 4 * 0.1/' $file\n"
        "  done;;\nesac\nexit $code\n"
    )
    git.chmod(git.stat().st_mode | stat.S_IXUSR)
    slope(campaign, 2.0)
    idea = toy.idea(cwd=campaign)
    path = f"{own}:{toy.environ()['PATH']}"
    found = toy.lab("run", idea, "--json", cwd=campaign, PATH=path).json
    assert found["value"] < 0.2  # it was measured by that yardstick
    assert found["suggest"] == "discard"
    assert "git wrote other frozen files than for e1" in str(found["constraints"])


def test_a_filter_that_a_commit_asks_for_is_no_other_yardstick(toy: Toy) -> None:
    (toy.root / ".gitattributes").write_text("evaluate.py text eol=crlf\n")
    toy.commit("line ends")
    run(toy, toy.root / "toy", "--baseline", "--seeds", "3")
    campaign = toy.campaign()
    slope(campaign, 2.0)
    assert run(toy, campaign)["suggest"] == "keep"


def test_prepared_data_that_were_rewritten_with_what_tells_of_them_are_marked(toy: Toy) -> None:
    toy.leaf(toml=LEAF.replace("budget_s = 5", PREPARES))
    (toy.root / "toy" / "prepare.py").write_text(PREPARE)
    toy.commit("a leaf with prepared data")
    run(toy, toy.root / "toy", "--baseline", "--seeds", "3")
    campaign = toy.campaign()
    slope(campaign, 2.0)
    assert "prepared" not in marks(toy, str(run(toy, campaign)["experiment"]))
    toy.here("result", "e2", "-v", "discard", cwd=campaign)
    (ready,) = (toy.root / ".lab/cache").rglob("*.ready")
    cache = ready.with_name(ready.name.removesuffix(".ready"))
    (cache / "data.txt").write_text("easier")
    made: list[dict[str, Any]] = json.loads(ready.read_text())
    made[0] = noted(cache)
    ready.write_text(json.dumps(made))
    slope(campaign, 2.5)
    run(toy, campaign)
    assert "on other prepared data than its incumbent e1" in marks(toy, "e3")


def noted(cache: Path) -> dict[str, Any]:
    """Return what the harness writes down of prepared data, as anybody can."""
    from lab.run.manifest import hashes, look

    return {"stamps": look(cache, strict=True), "hashes": hashes(cache)}


# -- What is told of a number -------------------------------------------------------------


def test_a_checkpoint_in_the_script_is_marked(toy: Toy, campaign: Path) -> None:
    weights = f'WEIGHTS = "{"0123456789abcdef" * 2000}"\n'
    (campaign / "train.py").write_text(TRAIN.replace("SLOPE = 1.0", f"{weights}SLOPE = 2.0"))
    run(toy, campaign)
    assert "its edit adds 32.0 kB of numbers, or of letters" in marks(toy, "e2")
    toy.here("result", "e2", "-v", "keep", cwd=campaign)
    text = (campaign / "train.py").read_text()
    (campaign / "train.py").write_text(text.replace("SLOPE = 2.0", "SLOPE = 2.5"))
    run(toy, campaign)
    assert "its edit adds" not in marks(toy, "e3")


def test_a_gain_over_what_was_kept_against_the_suggestion_says_so(toy: Toy, campaign: Path) -> None:
    slope(campaign, 0.5)
    assert run(toy, campaign)["suggest"] == "discard"
    toy.here("result", "e2", "-v", "keep", "--because", "a base for more", cwd=campaign)
    slope(campaign, 1.0, "    print('back')\n")
    assert run(toy, campaign)["suggest"] == "keep"
    assert "its incumbent e2 was kept against the suggestion" in marks(toy, "e3")


def test_a_gain_that_the_agent_discarded_is_no_dead_end(toy: Toy, campaign: Path) -> None:
    slope(campaign, 2.0)
    assert run(toy, campaign)["suggest"] == "keep"
    toy.here("result", "e2", "-v", "discard", cwd=campaign)
    assert re.search(r"^e2 unsettled, gain \+", toy.here("failures", cwd=campaign).out, re.M)
    slope(campaign, 0.5)
    assert run(toy, campaign)["suggest"] == "discard"
    toy.here("result", "e3", "-v", "discard", cwd=campaign)
    assert re.search(r"^e3 dead end", toy.here("failures", cwd=campaign).out, re.M)


# -- Who is the person --------------------------------------------------------------------


def test_nobody_is_the_person_in_a_worktree_of_ones_own(ready: Toy) -> None:
    own = ready.root.parent / "own"
    ready.git("worktree", "add", "-q", str(own))
    text = TRAIN.replace("NOISE = 0.01", "NOISE = 1e-6")
    (own / "toy/train.py").write_text(text)
    ready.git("commit", "-qam", "steady", cwd=own)
    refused = ready.here("run", "--baseline", "--seeds", "9", cwd=own / "toy", code=4)
    assert "only a person in the main checkout" in refused.err
    assert "only a person" in ready.here("doctor", "--fix", cwd=own, code=4).err


def test_a_baseline_steady_on_purpose_hardly_lowers_the_noise(toy: Toy, campaign: Path) -> None:
    before = toy.here("context", "--json", cwd=campaign).json["noise"]["sd"]
    for number, noise in enumerate(("0.0005", "0.0004")):
        text = TRAIN.replace("NOISE = 0.01", f"NOISE = {noise}")
        (toy.root / "toy/train.py").write_text(text)
        toy.commit(f"steady {number}")
        run(toy, toy.root / "toy", "--baseline", "--seeds", "7")
        after = toy.here("context", "--json", cwd=campaign).json["noise"]
        assert after["sd"] > before / 3
        assert "e1" not in after.get("without", [])


# -- What is kept beside the notebook -----------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="a supervisor is found through /proc")
def test_an_unlucky_run_cannot_be_undone_by_a_copy_of_the_notebook(
    toy: Toy, campaign: Path
) -> None:
    idea, folder = toy.idea(cwd=campaign), toy.root / ".lab"
    with sqlite3.connect(folder / "notebook.db") as db:
        db.execute("pragma wal_checkpoint(truncate)")
    copy = (folder / "notebook.db").read_bytes()
    slope(campaign, 0.5, "    import time\n    time.sleep(60)\n")
    toy.lab("run", idea, "--detach", cwd=campaign, code=5)
    while not list((folder / "runs/e2").glob("*/steps.jsonl")):
        time.sleep(0.05)
    os.kill(toy.supervisor(), signal.SIGKILL)  # it looks unlucky
    (folder / "notebook.db").write_bytes(copy)
    for name in ("notebook.db-wal", "notebook.db-shm"):
        (folder / name).unlink(missing_ok=True)
    assert "which git knows" in problems(toy)


@pytest.mark.parametrize("trick", ["delete from ideas", "delete from axes"])
def test_a_search_index_that_was_emptied_is_found_and_made_again(
    toy: Toy, campaign: Path, trick: str
) -> None:
    slope(campaign, 0.5)
    run(toy, campaign)
    toy.here("result", "e2", "-v", "discard", cwd=campaign)
    with sqlite3.connect(toy.root / ".lab/notebook.db") as db:
        db.execute(trick)
    assert "is not what the records say" in problems(toy)
    toy.here("doctor", "--fix")
    assert "e2" in toy.here("failures", "raise the slope", cwd=campaign).out


def test_a_log_that_was_rewritten_or_removed_is_found(toy: Toy, campaign: Path) -> None:
    slope(campaign, 2.0)
    run(toy, campaign, toy.idea(cwd=campaign), "--seeds", "2")
    assert "problem" not in problems(toy)
    first, second = sorted((toy.root / ".lab/runs/e2").glob("*/run.log"))
    first.write_text("all was well\n")
    second.unlink()
    said = problems(toy)
    assert said.count("run.log of its run") == 2
    toy.here("doctor", "--fix")
    assert "problem" not in problems(toy)


def test_apply_writes_through_no_link(toy: Toy, campaign: Path, tmp_path: Path) -> None:
    slope(campaign, 2.0)
    run(toy, campaign)
    toy.here("result", "e2", "-v", "discard", cwd=campaign)
    outside = tmp_path / "outside"
    outside.write_text("a file of somebody's\n")
    file = campaign / "train.py"
    file.unlink()
    file.symlink_to(outside)
    toy.here("apply", "e2", "--edit", cwd=campaign, code=None)
    assert outside.read_text() == "a file of somebody's\n"


# -- Verdicts and branches that an agent has no say in ------------------------------------


def test_a_branch_put_back_behind_what_was_kept_is_refused(toy: Toy, campaign: Path) -> None:
    slope(campaign, 2.0)
    run(toy, campaign)
    toy.here("result", "e2", "-v", "keep", cwd=campaign)
    toy.git("reset", "--quiet", "--hard", "HEAD~1", cwd=campaign)
    slope(campaign, 1.5)
    idea = toy.idea("less steep", cwd=campaign)
    told = toy.here("run", idea, cwd=campaign, code=4).err
    assert "the branch was put back behind e2, which was kept" in told
    toy.git("checkout", "--quiet", "--", "train.py", cwd=campaign)
    toy.here("move", "e2", cwd=campaign)
    toy.here("move", "e1", cwd=campaign)  # by our own hand it may stand there
    slope(campaign, 1.5)
    toy.lab("run", idea, cwd=campaign)


def test_no_agent_judges_a_baseline_and_a_person_s_word_has_a_way_back(
    toy: Toy, campaign: Path
) -> None:
    for verdict in ("discard", "crash"):
        told = toy.here("result", "e1", "-v", verdict, cwd=campaign, code=4).err
        assert "e1 is a baseline, which stands for every campaign" in told
    toy.here("result", "e1", "-v", "discard")
    told = toy.here("run", "--baseline", "--leaf", "toy", code=4).err
    assert "e1 measured these contents and was taken back (discard)" in told
    assert "lab result e1 -v keep" in told
    toy.here("result", "e1", "-v", "keep")
    slope(campaign, 2.0)
    assert run(toy, campaign)["suggest"] == "keep"


def test_what_gave_a_number_did_not_crash(toy: Toy, campaign: Path) -> None:
    slope(campaign, 0.5)
    run(toy, campaign)
    told = toy.here("result", "e2", "-v", "crash", cwd=campaign, code=4).err
    assert "e2 gave a number; it did not crash" in told
    assert "lab result e2 -v discard" in told


@pytest.mark.parametrize(
    "data", [f"SOLUTION = '{'abcdefgh' * 60}'", f"WEIGHTS = {[n / 7 for n in range(40)]}"]
)
def test_results_that_an_edit_brings_along_are_marked(toy: Toy, campaign: Path, data: str) -> None:
    slope(campaign, 2.0, f"    {data}\n    assert len({data.split()[0]})\n")
    run(toy, campaign)
    assert "kB of numbers, or of letters that are no words" in marks(toy, "e2")


def test_an_audit_under_load_confirms_nothing_that_is_bought_beside_it(toy: Toy) -> None:
    """By figures as runs under load have: a run alone may use three times its baseline's then."""
    settings = leaf.read(toy.root, "toy").settings("cpu")
    steps = dataclasses.replace(settings, clock="steps", budget_s=10)
    base = [{"cpu_s": 4.0, "delayed": 0.4}, {"cpu_s": 5.5, "delayed": 0.5}]
    dearer = [{"cpu_s": 11.0, "delayed": 0.4}, {"cpu_s": 9.0, "delayed": 0.1}]
    told = budget.in_turn(steps, dearer, base)
    assert told == "its own CPU 10.0 s a run beside 4.8 s in turn with it"
    assert budget.in_turn(steps, base, dearer) is None
    assert budget.in_turn(dataclasses.replace(settings, clock="wall"), dearer, base) is None


# -- Late verdicts, and stops that are washed ---------------------------------------------


def test_a_seed_that_was_stopped_stays_failed_when_the_same_is_run_again(
    toy: Toy, campaign: Path
) -> None:
    slow = "    import time\n    time.sleep(20)\n"
    idea = toy.idea(cwd=campaign)
    slope(campaign, 2.0, slow)
    toy.lab("run", idea, "--detach", cwd=campaign, code=5)
    until, begun = time.monotonic() + 60, False
    while not begun and time.monotonic() < until:
        time.sleep(0.05)
        begun = any(made["started"] for made in toy.here("show", "e2", "--json").json["runs"])
    toy.here("stop", "e2", cwd=campaign)
    stopped = toy.here("wait", "e2", "--json", cwd=campaign, code=None).json
    assert stopped["failure"] == "stopped"
    assert stopped["next"] == "lab result e2 -v crash"  # and no line that is refused
    toy.here("result", "e2", "-v", "discard", cwd=campaign)
    slope(campaign, 2.0, slow.replace("20", "0"))
    assert toy.lab("run", idea, "--again", "--json", cwd=campaign).json["suggest"] == "keep"
    toy.here("result", "e3", "-v", "discard", cwd=campaign)  # another program: it sleeps less
    slope(campaign, 2.0, slow)
    again = toy.lab("run", idea, "--again", "--json", cwd=campaign).json
    assert (again["suggest"], again["reason"]) == ("discard", "failed")
    told = toy.here("result", "e4", "-v", "keep", "--because", "x", cwd=campaign, code=4).err
    assert "1 of the seeds of e4 failed" in told


def test_what_others_stand_on_is_not_taken_back_by_a_late_verdict(toy: Toy, campaign: Path) -> None:
    for value in (2.0, 2.6):
        slope(campaign, value)
        found = run(toy, campaign)
        toy.here("result", found["experiment"], "-v", "keep", cwd=campaign)
    told = toy.here("result", "e2", "-v", "discard", cwd=campaign, code=4).err
    assert "e3 was kept on top of it" in told
    toy.lab("audit", cwd=campaign)
    told = toy.here("result", "e3", "-v", "discard", cwd=campaign, code=4).err
    assert "an audit has confirmed it" in told
    toy.here("result", "e3", "-v", "discard")  # a person may


def test_of_two_baselines_of_one_commit_the_named_one_is_moved_to(toy: Toy) -> None:
    shutil.copytree(toy.root / "toy", toy.root / "other")
    toy.commit("two leaves")
    for name in ("toy", "other"):
        toy.lab("run", "--baseline", "--seeds", "2", "--leaf", name)
    campaign = toy.campaign()
    slope(campaign, 2.0)
    toy.here("result", run(toy, campaign)["experiment"], "-v", "keep", cwd=campaign)
    assert toy.here("move", "e1", "--json", cwd=campaign).json["experiment"] == "e1"
    assert "e2 belongs to other" in toy.here("move", "e2", cwd=campaign, code=4).err


def test_what_runs_elsewhere_is_not_waited_for_and_counts_as_claimed(
    toy: Toy, campaign: Path
) -> None:
    idea = toy.idea("on my laptop", cwd=campaign)
    name = toy.here("experiment", idea, cwd=campaign).out.split()[0]
    told = toy.here("context", cwd=campaign).out
    assert f"Next: lab result {name} -v discard --metrics" in told
    toy.here("result", name, "-v", "keep", "--metrics", '{"loss": 0.1}', cwd=campaign)
    assert "claimed: on my laptop" in toy.here("board", "toy").out
    slope(campaign, 0.5)
    toy.here("result", run(toy, campaign)["experiment"], "-v", "discard", cwd=campaign)
    found = toy.here("context", "--json", cwd=campaign).json
    assert found["since_keep"] == 2  # what was typed in is no progress


def test_a_noisy_program_is_judged_by_its_own_noise(toy: Toy) -> None:
    text = (toy.root / "toy/train.py").read_text()
    toy.leaf(train=text.replace("NOISE = 0.01", "NOISE = 0.2"))
    toy.commit("a noisy program")
    toy.lab("run", "--baseline", "--seeds", "9", cwd=toy.root / "toy")
    for value in range(3):  # steady ones, each with repeats that nobody selected
        toy.leaf(train=text.replace("SLOPE = 1.0", f"SLOPE = 1.{value}"))
        toy.commit("a steady program")
        toy.lab("run", "--baseline", "--seeds", "4", cwd=toy.root / "toy")
    first = toy.here("show", "e1", "--json").json["commit"]
    campaign = toy.campaign("gus", "toy", "--from", first)
    slope(campaign, 1.0, "    pass\n")
    path = campaign / "train.py"
    path.write_text(path.read_text().replace("NOISE = 0.01", "NOISE = 0.2001"))
    found = run(toy, campaign)
    assert found["incumbent"]["experiment"] == "e1"
    assert found["noise"] > 0.3  # of the loss: twice the slope's, by the slope's distance


def test_practice_beyond_its_budget_ends_the_run(tmp_path: Path) -> None:
    folder = Path(__file__).parent.parent / "contrib/lookup"
    code = "import world; world.Office().tasks({}, (1, 1), 'x'{})"
    env = {**os.environ, "LAB_DATA": '{"steps": 160}'}
    held = ", held_out=True"
    for count, more, says in (
        (200, "", ""),
        (201, "", "practice is over: 160 questions"),
        (1, held, "held-out questions are for the yardstick"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code.format(count, more)],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, says in done.stderr) == (int(bool(says)), True)


def test_an_edit_that_imports_what_judges_it_is_marked(toy: Toy, campaign: Path) -> None:
    slope(campaign, 2.0, "    if SLOPE < 0:\n        import evaluate\n")
    assert run(toy, campaign)["suggest"] == "keep"
    assert "its edit imports evaluate, which is frozen" in marks(toy, "e2")
