"""A campaign as an agent lives it: worktree, hypothesis, edit, run, wait, verdict."""

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from toy import LEAF, TRAIN, Toy, slope

pytestmark = pytest.mark.children
ROOT = Path(__file__).resolve().parents[1]
SEEDED = 'random.seed(int(os.environ["LAB_SEED"]))'
TIMED = """\
import json
import os
import time
from pathlib import Path

w = json.loads((Path(os.environ["LAB_RUN_DIR"]) / "model.json").read_text())["w"]
print(f"---\\nscore: {SCORE}\\nproblems: 200\\neval_s: {time.perf_counter()}\\n---")
"""
COUNTS = TIMED.replace("SCORE", "0.97 if w > 0 else 0")  # 194 of 200 are right at every seed
CURVE = """\
    with (run / "steps.jsonl").open("w") as log:
        for step in range(20):
            row = {"step": step, "elapsed_s": time.perf_counter(), "loss": random.random()}
            log.write(json.dumps(row) + "\\n")
    print("trained")
"""
TOLD = """\
    from shared import run as runs
    here = runs.here(__file__)
    told = [here.profile, here.needs, here.clock, here.budget_s, here.settings]
    (here.dir / "told.json").write_text(json.dumps([*told, "LAB_DATA" in os.environ]))
"""


def test_a_better_edit_is_kept_by_one_run_and_the_branch_stays(toy: Toy, campaign: Path) -> None:
    base = toy.git("rev-parse", "HEAD")
    idea = toy.idea(cwd=campaign)
    slope(campaign, 2.0)
    first = toy.lab("run", idea, "--json", cwd=campaign).json
    assert first["status"] == "finished"
    assert first["incumbent"]["experiment"] == "e1"
    assert (first["suggest"], first["next"]) == ("keep", "lab result e2 -v keep")
    toy.lab("result", "e2", "-v", "keep", cwd=campaign)
    found = toy.lab("wait", "e2", "--json", cwd=campaign).json
    assert [run["seed"] for run in found["runs"]] == [0]
    assert (found["gain"], found["level"]) == (first["gain"], first["level"])
    assert found["gain_status"] == "provisional"
    assert toy.git("rev-parse", "HEAD", cwd=campaign) == found["commit"]
    assert toy.git("rev-parse", "refs/lab/e2") == found["commit"]
    assert found["parent"] == base
    assert toy.git("log", "-1", "--format=%s", cwd=campaign) == "e2: raise the slope"
    assert toy.git("status", "--porcelain", cwd=campaign) == ""


def test_a_worse_edit_is_discarded_and_remembered(toy: Toy, campaign: Path) -> None:
    idea = toy.idea("lower the slope", cwd=campaign)
    slope(campaign, 0.5)
    found = toy.lab("run", idea, "--json", cwd=campaign).json
    assert (found["suggest"], found["reason"]) == ("discard", "worse")
    toy.lab("result", "e2", "-v", "discard", "--theory-revision", "up, not down", cwd=campaign)
    assert (campaign / "train.py").read_text() == TRAIN
    assert toy.git("rev-parse", "HEAD", cwd=campaign) == found["parent"]
    assert "SLOPE = 0.5" in toy.git("show", "refs/lab/e2:toy/train.py")
    (failure,) = toy.lab("failures", "--json", cwd=campaign).json
    assert failure["kind"] == "dead_end"
    assert failure["lesson"] == "up, not down"
    assert failure["gain"] < 0


def test_a_crash_leaves_the_edit_and_puts_the_branch_back(toy: Toy, campaign: Path) -> None:
    head = toy.git("rev-parse", "HEAD", cwd=campaign)
    idea = toy.idea(cwd=campaign)
    slope(campaign, 2.0, "    raise ValueError('no such layer')\n")
    found = toy.lab("run", idea, "--json", cwd=campaign, code=1).json
    assert (found["status"], found["failure"]) == ("failed", "bug")
    assert found["detail"]["last"] == "ValueError: no such layer"
    assert found["detail"]["place"].startswith("train.py:")
    assert toy.git("rev-parse", "HEAD", cwd=campaign) == head
    assert "no such layer" in (campaign / "train.py").read_text()
    assert toy.git("diff", "--cached", "--name-only", cwd=campaign) == ""
    slope(campaign, 2.0)
    again = toy.lab("run", idea, "--json", cwd=campaign).json
    assert (again["experiment"], again["status"]) == ("e3", "finished")
    shown = toy.lab("show", "e3", "--json", cwd=campaign).json
    assert shown["attempt"] == 2


def test_a_second_bug_of_an_idea_ends_it(toy: Toy, campaign: Path) -> None:
    idea = toy.idea(cwd=campaign)
    for number, following in ((2, f"lab run {idea}  # or: "), (3, "lab result e3 -v crash")):
        slope(campaign, 2.0, f"    raise ValueError({number})\n")
        said = toy.lab("run", idea, cwd=campaign, code=1).out
        assert said.splitlines()[-1].startswith(f"next: {following}")
    toy.here("result", "e3", "-v", "crash", cwd=campaign)
    assert toy.here("wait", "e3", cwd=campaign, code=1).out.endswith("next: lab context\n")


def test_a_crash_that_is_dropped_takes_its_edit_with_it(toy: Toy, campaign: Path) -> None:
    idea = toy.idea(cwd=campaign)
    slope(campaign, 2.0, "    raise ValueError('no such layer')\n")
    toy.lab("run", idea, cwd=campaign, code=1)
    said = toy.lab("result", "e2", "-v", "crash", cwd=campaign).out
    assert (campaign / "train.py").read_text() == TRAIN
    assert "toy/train.py as before it; to mend its edit: lab apply e2 --edit" in said
    said = toy.lab("apply", "e2", "--edit", cwd=campaign).out
    assert "no such layer" in (campaign / "train.py").read_text()
    assert said.endswith(f"next: mend it, then lab run {idea}\n")


def test_a_keep_typed_elsewhere_says_what_can_be_typed_then(toy: Toy, campaign: Path) -> None:
    slope(campaign, 2.5)
    toy.lab("run", toy.idea(cwd=campaign), cwd=campaign)
    assert toy.lab("result", "e2", "-v", "keep").out.endswith("next: lab audit toy/ada\n")
    said = toy.lab("audit", "toy/ada").out
    assert said.endswith("next: lab apply e2, which brings it to this branch\n")
    assert toy.lab("result", "e2", "-v", "keep").out.endswith("next: lab apply e2\n")
    toy.lab("apply", "e2")
    assert toy.lab("result", "e1", "-v", "keep").out.endswith("next: lab context --leaf toy\n")


def test_dropping_a_crash_refuses_to_take_a_newer_edit_along(toy: Toy, campaign: Path) -> None:
    idea = toy.idea(cwd=campaign)
    slope(campaign, 2.0, "    raise ValueError('no such layer')\n")
    toy.lab("run", idea, cwd=campaign, code=1)
    slope(campaign, 4.0)
    refused = toy.lab("result", "e2", "-v", "crash", cwd=campaign, code=4)
    assert "--keep-edits" in refused.err
    toy.lab("result", "e2", "-v", "crash", "--keep-edits", cwd=campaign)
    assert "SLOPE = 4.0" in (campaign / "train.py").read_text()


def test_the_next_idea_may_be_edited_while_a_run_is_at_work(toy: Toy, campaign: Path) -> None:
    idea = toy.idea(cwd=campaign)
    slope(campaign, 2.0, "    import time; time.sleep(1.5)\n")
    started = toy.lab("run", idea, "--detach", "--json", cwd=campaign, code=5).json
    assert started["status"] in ("queued", "running")
    assert started["next"] == "lab wait e2"
    slope(campaign, 2.5)
    found = toy.lab("wait", "--json", cwd=campaign).json
    assert found["experiment"] == "e2"
    assert abs(found["value"] - 1.0) < 0.2  # (2 - 3)², not (2.5 - 3)²
    refused = toy.lab("result", "e2", "-v", "discard", cwd=campaign, code=4)
    assert "--keep-edits" in refused.err
    toy.lab("result", "e2", "-v", "discard", "--keep-edits", cwd=campaign)
    assert "SLOPE = 2.5" in (campaign / "train.py").read_text()
    assert toy.git("rev-parse", "HEAD", cwd=campaign) == found["parent"]


def test_typing_the_same_run_again_attaches_to_it(toy: Toy, campaign: Path) -> None:
    idea = toy.idea(cwd=campaign)
    slope(campaign, 2.0, "    import time; time.sleep(1.5)\n")
    toy.lab("run", idea, "--detach", cwd=campaign, code=5)
    slope(campaign, 9.0)
    found = toy.lab("run", idea, "--json", cwd=campaign)
    assert found.json["experiment"] == "e2"
    assert len(found.json["runs"]) == 1
    assert "attached" in found.err


def test_another_run_is_refused_while_the_tip_is_at_work(toy: Toy, campaign: Path) -> None:
    idea = toy.idea(cwd=campaign)
    other = toy.idea("another", cwd=campaign)
    slope(campaign, 2.0, "    import time; time.sleep(1.5)\n")
    toy.lab("run", idea, "--detach", cwd=campaign, code=5)
    slope(campaign, 9.0)
    refused = toy.lab("run", other, cwd=campaign, code=4)
    assert "lab wait e2" in refused.err
    toy.lab("wait", "e2", cwd=campaign)


def test_the_very_same_contents_are_not_run_twice(toy: Toy, campaign: Path) -> None:
    idea = toy.idea(cwd=campaign)
    slope(campaign, 0.5)
    toy.lab("run", idea, cwd=campaign)
    toy.lab("result", "e2", "-v", "discard", cwd=campaign)
    other = toy.idea("the same under another name", cwd=campaign)
    slope(campaign, 0.5)
    refused = toy.lab("run", other, cwd=campaign, code=4)
    assert "e2 ran the very same contents" in refused.err
    assert "--again" in refused.err
    assert toy.lab("run", other, "--again", "--json", cwd=campaign).json["experiment"] == "e3"


def test_notes_survive_every_verdict_and_are_committed_alone(toy: Toy, campaign: Path) -> None:
    idea = toy.idea(cwd=campaign)
    slope(campaign, 0.5)
    toy.lab("run", idea, cwd=campaign)
    (campaign / "notes.md").write_text("lower is worse\n")
    toy.lab("result", "e2", "-v", "discard", cwd=campaign)
    assert (campaign / "notes.md").read_text() == "lower is worse\n"
    assert toy.git("show", "--format=%s", "--name-only", "HEAD", cwd=campaign).split("\n")[-1] == (
        "toy/notes.md"
    )
    slope(campaign, 2.0)
    toy.lab("run", toy.idea("up", cwd=campaign), cwd=campaign)


def test_the_numbers_are_measured_and_a_claim_never_replaces_them(toy: Toy, campaign: Path) -> None:
    idea = toy.idea(cwd=campaign)
    slope(campaign, 0.5, '    print("---\\nloss: 0.0\\n---")\n')
    found = toy.lab("run", idea, "--json", cwd=campaign).json
    assert found["value"] > 6
    assert "claim_differs" in found["flags"]
    toy.lab("result", "e2", "-v", "discard", "--metrics", '{"loss": 0.0}', cwd=campaign)
    shown = toy.lab("show", "e2", "--json", cwd=campaign).json
    assert shown["value"] > 6
    assert shown["results"][0]["metrics"] == {"loss": 0.0}


def test_an_observable_is_measured_and_outranks_a_claim(toy: Toy, campaign: Path) -> None:
    idea = toy.idea("up", "--observe", "loss < 0.5x", cwd=campaign)
    slope(campaign, 2.5)
    found = toy.lab("run", idea, "--json", cwd=campaign).json
    seen = found["mechanism"]
    assert (seen["outcome"], seen["source"]) == ("confirmed", "measured")
    assert seen["observable"] == "loss < 0.5x"
    told = toy.lab(
        "result",
        "e2",
        "-v",
        "keep",
        "--because",
        "test",
        "--mechanism-refuted",
        "--json",
        cwd=campaign,
    ).json
    assert told["mechanism"]["outcome"] == "confirmed"


def test_an_observable_that_holds_already_is_told_of(toy: Toy, campaign: Path) -> None:
    words = ("hypothesis", "raise the slope", "-m", "the truth is 3", "--observe")
    assert (
        "holds for the incumbent already (e1 has steps 1)"
        in toy.lab(*words, "steps < 2", cwd=campaign).err
    )
    assert "already" not in toy.lab(*words, "steps > 1.1x", cwd=campaign).err


def test_a_keep_against_the_suggestion_needs_a_reason(toy: Toy, campaign: Path) -> None:
    idea = toy.idea(cwd=campaign)
    slope(campaign, 0.5)
    toy.lab("run", idea, cwd=campaign)
    refused = toy.lab("result", "e2", "-v", "keep", cwd=campaign, code=4)
    assert "--because" in refused.err
    toy.lab("result", "e2", "-v", "keep", "--because", "it is simpler to explain", cwd=campaign)
    board = toy.lab("board", "toy", "--json").json
    assert board["counts"]["overruled"] == 1


def test_two_runs_of_one_experiment_have_seeds_of_their_own(toy: Toy, campaign: Path) -> None:
    found = toy.lab("run", "e1", "--seeds", "2", "--json", cwd=campaign).json
    assert [run["seed"] for run in found["runs"]] == [0, 1, 2, 3, 4]
    assert len({run["value"] for run in found["runs"]}) == 5


def test_a_seed_that_is_ignored_is_flagged_and_counts_once(toy: Toy, campaign: Path) -> None:
    idea = toy.idea(cwd=campaign)
    text = TRAIN.replace("SLOPE = 1.0", "SLOPE = 2.0").replace(
        'random.seed(int(os.environ["LAB_SEED"]))', "random.seed(0)"
    )
    (campaign / "train.py").write_text(text)
    found = toy.lab("run", idea, "--seeds", "2", "--json", cwd=campaign).json
    assert "seed_ignored" in found["flags"]
    shown = toy.lab("board", "toy", "--json").json["experiments"][-1]
    assert shown["runs"] == 1


def scored(toy: Toy, train: str, evaluate: str) -> dict[str, Any]:
    """Measure a baseline of such a leaf with three seeds."""
    toml = LEAF.replace('"loss"', '"score"').replace("minimize", "maximize")
    toy.leaf(toml=toml, train=train, evaluate=evaluate)
    toy.commit("another leaf")
    words = ("run", "--baseline", "--leaf", "toy", "--seeds", "3", "--json")
    return dict(toy.lab(*words).json)


def test_scores_that_are_equal_by_chance_all_count(toy: Toy) -> None:
    found = scored(toy, TRAIN, COUNTS)
    assert found["flags"] == []
    assert found["noise"] == 0.01  # the step of such shares, since seeds that tie prove no less
    noise = toy.lab("context", "--leaf", "toy", "--json").json["noise"]
    assert (noise["sd"], noise["df"]) == (0.01, 2)
    assert toy.lab("board", "toy", "--json").json["experiments"][0]["runs"] == 3


@pytest.mark.parametrize("score", ["0.97", "w"])
def test_a_script_that_ignores_its_seed_is_found_though_it_prints_a_time(
    toy: Toy, score: str
) -> None:
    found = scored(toy, TRAIN.replace(SEEDED, "random.seed(0)"), TIMED.replace("SCORE", score))
    assert found["flags"] == ["seed_ignored"]
    assert toy.lab("board", "toy", "--json").json["experiments"][0]["runs"] == 1


@pytest.mark.parametrize(("seed", "flags"), [("0", ["seed_ignored"]), ("", [])])
def test_the_curve_tells_where_the_artefact_holds_a_time(
    toy: Toy, seed: str, flags: list[str]
) -> None:
    text = TRAIN.replace("import random", "import random\nimport time")
    text = text.replace(SEEDED, f"random.seed({seed})")
    text = text.replace("SLOPE + ", "time.perf_counter() + ")
    found = scored(toy, text.replace('    print("trained")\n', CURVE), COUNTS)
    assert found["flags"] == flags


def test_doctor_proves_what_is_derived(toy: Toy, campaign: Path) -> None:
    idea = toy.idea(cwd=campaign)
    slope(campaign, 2.0)
    toy.lab("run", idea, "--seeds", "2", cwd=campaign)
    toy.lab("result", "e2", "-v", "keep", cwd=campaign)
    assert toy.lab("doctor", "--json").json["ok"]


def test_an_export_read_twice_changes_nothing(toy: Toy, campaign: Path, tmp_path: Path) -> None:
    idea = toy.idea(cwd=campaign)
    slope(campaign, 0.5)
    toy.lab("run", idea, cwd=campaign)
    toy.lab("result", "e2", "-v", "discard", cwd=campaign)
    toy.lab("lesson", "up, not down", "--evidence", "e2", cwd=campaign)
    path = tmp_path / "all.jsonl"
    toy.lab("export", "-o", str(path))
    again = toy.lab("import", str(path), "--json").json
    assert (again["new"], again["skipped"]) == (0, 0)
    there = {"LAB_HOME": str(tmp_path / "other")}
    first = toy.lab("import", str(path), "--json", **there).json
    assert first["new"] == len(path.read_text().splitlines())
    copy = toy.lab("export", **there).out
    assert [json.loads(line) for line in copy.splitlines()] == [
        json.loads(line) for line in path.read_text().splitlines()
    ]
    assert toy.lab("doctor", "--json", **there).json["ok"]


def test_every_run_of_a_leaf_counts_cpu_seconds_in_one_unit_and_names_its_machine(toy: Toy) -> None:
    shutil.copytree(ROOT / "shared", toy.root / "shared")
    unit = '    print("trained")\n    (run / "unit").write_text(os.environ["LAB_REFERENCE_S"])\n'
    said = "    from shared import run as runs; runs.here(__file__)\n"
    toy.leaf(
        toml=LEAF.replace("budget_s = 5", 'clock = "cpu"\nbudget_s = 5'),
        train=TRAIN.replace('    print("trained")\n', f"{said}{unit}"),
    )
    toy.commit("a leaf by the CPU clock")
    toy.lab("run", "--baseline", "--leaf", "toy", "--seeds", "2")
    runs = toy.lab("show", "e1", "--json").json["runs"]
    told = {Path(run["log"]).with_name("unit").read_text() for run in runs}
    machines = [json.loads(run["machine"]) for run in runs]
    assert {f"{machine['reference_s']:.9f}" for machine in machines} == told
    assert len(told) == 1
    for machine in machines:
        assert machine["host"] == os.uname().nodename
        assert machine["device"] == runs[0]["device"]
        assert machine["python"] == platform.python_version()
        assert machine.keys() >= {"boot"}


def measured_by(toy: Toy, host: str, more: float) -> None:
    """Let what was measured here have been measured on another machine, by so much higher."""
    lines = [json.loads(line) for line in toy.lab("export").out.splitlines()]
    for line in lines:
        machine = json.loads(line.get("machine") or "{}")
        if machine.get("host") == os.uname().nodename:
            line["machine"] = json.dumps(machine | {"host": host})
            line["value"] += more
    shutil.rmtree(toy.root / ".lab")
    toy.git("worktree", "prune")
    moved = toy.root.parent / f"{host}.jsonl"
    moved.write_text("".join(json.dumps(line) + "\n" for line in lines))
    toy.lab("import", str(moved))


def test_what_another_machine_moves_is_part_of_the_noise(toy: Toy) -> None:
    toy.lab("run", "--baseline", "--leaf", "toy", "--seeds", "3")
    measured_by(toy, "bob", 0.5)
    where = toy.campaign()
    slope(where, 1.1)
    found = toy.lab("run", toy.idea(cwd=where), "--json", cwd=where).json
    assert found["noise"] < 0.1
    assert "what that moves is unknown: lab run e1 --seeds 3" in found["hints"][0]
    toy.lab("run", "e1", "--seeds", "3", cwd=where)
    measured_by(toy, "carol", 0.0)  # whose machine and bob's both know e1
    where = toy.campaign("eve")
    slope(where, 1.2)
    found = toy.lab("run", toy.idea(cwd=where), "--json", cwd=where).json
    assert found["noise"] > 0.35  # the deviation of 0 and a half, and a run's own
    assert "of the noise is that" in found["hints"][0]


def test_a_script_is_told_what_it_would_read_by_hand(toy: Toy, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "shared", toy.root / "shared")
    data = "[data]\nrows = 9\nwords = 'ü'\n[profiles.smoke]\nbudget_s = 2.5\ndata = {rows = 3}\n"
    toy.leaf(toml=f"{LEAF}{data}", train=TRAIN.replace('    print("trained")\n', TOLD))
    toy.commit("a leaf with data of its own")
    words = ("run", "--baseline", "--leaf", "toy", "--profile", "smoke", "--json")
    log = Path(toy.lab(*words).json["log"])
    by_hand = toy.environ(LAB_PROFILE="smoke", LAB_SEED="0", LAB_RUN_DIR=str(tmp_path))
    subprocess.run(
        [sys.executable, "-S", "train.py"],
        cwd=toy.root / "toy",
        env=by_hand | {"PYTHONPATH": str(toy.root)},
        check=True,
    )
    told = ["smoke", "cpu", "wall", 2.5, {"rows": 3, "words": "ü"}]
    assert json.loads(log.with_name("told.json").read_text()) == [*told, True]
    assert json.loads((tmp_path / "told.json").read_text()) == [*told, False]


def test_a_deletion_that_changes_nothing_is_kept_as_simpler(toy: Toy, campaign: Path) -> None:
    text = (campaign / "train.py").read_text()
    (campaign / "train.py").write_text(text.replace('    print("trained")\n', ""))
    found = toy.lab("run", toy.idea("say less", cwd=campaign), "--json", cwd=campaign).json
    while found["suggest"] == "replicate":
        words = found["next"].split()[1:]
        toy.lab(*words, cwd=campaign)
        found = toy.lab("wait", "e2", "--json", cwd=campaign).json
    assert (found["suggest"], found["reason"]) == ("keep", "simpler"), found["why"]
