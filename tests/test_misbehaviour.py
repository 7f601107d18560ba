"""Training scripts that misbehave: each ends in the right class, and nobody is left behind."""

import time
from pathlib import Path

import pytest
from toy import EVALUATE, LEAF, TRAIN, Toy, slope

SHORT = LEAF.replace("timeout_s = 30", "timeout_s = 2").replace(
    'needs = "cpu"', 'needs = "cpu"\ntimeout_s = 2\neval_timeout_s = 20'
)
DAEMON = """
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.closerange(0, 3)
            import time
            time.sleep(120)
        os._exit(0)
    import time
    time.sleep(120)
"""
OOM = """
    import site; site.main()  # toys start without
    import torch
    raise torch.OutOfMemoryError("CUDA out of memory. PastTrial to allocate 20.00 GiB.")
"""
NAN = """
    with (run / "steps.jsonl").open("a") as log:
        log.write('{"step": 2, "elapsed_s": 0.2, "loss": NaN}\\n')
    import time
    time.sleep(20)
"""


def run(toy: Toy, campaign: Path, more: str, **env: str) -> dict:
    """Run an edit with `more` at the end of main()."""
    slope(campaign, 2.0, more)
    return toy.lab("run", toy.idea(cwd=campaign), "--json", cwd=campaign, code=None, **env).json


@pytest.mark.parametrize(
    ("more", "failure"),
    [
        ("    raise ValueError('no such layer')\n", "bug"),
        (OOM, "oom"),
        (NAN, "diverged"),
        ("    raise SystemExit('diverged at step 3: loss is nan; lower SLOPE')\n", "diverged"),
        ("    (run / 'model.json').write_text('{}')\n", "bug"),
        ("    Path('random.py').write_text('')\n", "tampered"),
        ("    Path('../random.py').write_text('')\n", "tampered"),
        ("    Path('json').mkdir(); Path('json/__init__.py').write_text('')\n", "tampered"),
        ("    Path('toy').mkdir(); Path('toy/train.py').write_text('')\n", "tampered"),
        ("    Path('evaluate.py').write_text('print(1)')\n", "tampered"),
        ("    raise OSError(28, 'No space left on device')\n", "infra"),
    ],
    ids=[
        *("traceback", "oom", "nan", "sentence", "artefact"),
        *("new-file", "new-file-above", "package", "same-name", "frozen-file", "disk"),
    ],
)
def test_a_failure_has_the_right_class(toy: Toy, campaign: Path, more: str, failure: str) -> None:
    found = run(toy, campaign, more, LAB_INFRA_PAUSE_S="0.1")
    assert (found["status"], found["failure"]) == ("failed", failure)
    assert found["value"] is None
    assert found["detail"]["says"]
    shown = toy.lab("failures", "--json", cwd=campaign).json
    assert [row["failure"] for row in shown] == ([failure] if failure != "infra" else [])
    assert all(row["kind"] == "unsettled" for row in shown)


def test_what_only_the_machine_did_is_tried_three_times(toy: Toy, campaign: Path) -> None:
    more = "    raise OSError(28, 'No space left on device')\n"
    found = run(toy, campaign, more, LAB_INFRA_PAUSE_S="0.1")
    assert [row["failure"] for row in found["runs"]] == ["infra"] * 3
    assert {row["seed"] for row in found["runs"]} == {0}


def test_a_run_that_failed_by_the_machine_is_run_again_as_the_same_experiment(
    toy: Toy, campaign: Path, tmp_path: Path
) -> None:
    flag = tmp_path / "full"
    flag.touch()
    idea = toy.idea(cwd=campaign)
    slope(campaign, 2.0, f"    if Path({str(flag)!r}).exists(): raise OSError(28, 'full')\n")
    env = {"LAB_INFRA_PAUSE_S": "0.1", "LAB_CONFINE": "none"}  # the script looks at a file of ours
    toy.lab("run", idea, cwd=campaign, code=1, **env)
    flag.unlink()
    found = toy.lab("run", idea, "--json", cwd=campaign, **env).json
    assert (found["experiment"], found["status"]) == ("e2", "finished")
    assert toy.git("rev-parse", "HEAD", cwd=campaign) == found["commit"]
    toy.lab("result", "e2", "-v", "discard", cwd=campaign)


@pytest.mark.parametrize(
    "evaluate",
    [
        EVALUATE.replace('\\n---")', '")'),
        EVALUATE.replace("{(w - 3) ** 2!r}", "nan"),
        EVALUATE.replace("loss:", "other:"),
    ],
    ids=["torn", "nan", "another-metric"],
)
def test_a_yardstick_without_a_whole_block_gives_no_metric(toy: Toy, evaluate: str) -> None:
    toy.leaf(evaluate=evaluate)
    toy.commit("a broken yardstick")
    found = toy.lab("run", "--baseline", "--json", "--leaf", "toy", code=1).json
    assert (found["failure"], found["metrics"].get("loss")) == ("no_metric", None)


def test_a_hang_ends_at_the_hard_limit_with_its_last_descendant(toy: Toy, tmp_path: Path) -> None:
    text = TRAIN.replace('    print("trained")\n', DAEMON)
    toy.leaf(toml=SHORT, train=text)
    toy.commit("a hang")
    found = toy.lab("run", "--baseline", "--json", "--leaf", "toy", code=1).json
    assert found["failure"] == "timeout"
    assert _processes_of(toy) == []


def test_a_flood_of_output_is_capped_and_does_no_harm(toy: Toy, campaign: Path) -> None:
    more = "    for _ in range(40):\n        print('x' * 1_000_000)\n"
    found = run(toy, campaign, more)
    assert found["status"] == "finished"
    assert Path(found["log"]).stat().st_size < 6 << 20


def test_training_past_the_budget_breaks_the_constraint(toy: Toy) -> None:
    table = LEAF.replace("budget_s = 5", "budget_s = 0.2").replace(
        "startup_s = 20", "startup_s = 0.3"
    )
    toy.leaf(
        toml=table,
        train=TRAIN.replace("    run = Path", "    import time; time.sleep(1)\n    run = Path"),
    )
    toy.commit("too long")
    found = toy.lab("run", "--baseline", "--json", "--leaf", "toy").json
    assert any(name.startswith("budget") for name in found["constraints"]["broken"])


@pytest.mark.parametrize(("burnt_s", "broken"), [(1.2, False), (3.5, True)])
def test_a_cpu_clock_has_slack_for_a_busy_machine_and_no_more(
    toy: Toy, burnt_s: float, broken: bool
) -> None:
    table = LEAF.replace("budget_s = 5", 'clock = "cpu"\nbudget_s = 0.6')
    burn = f"    import time\n    while time.process_time() < {burnt_s}: pass\n    run = Path"
    toy.leaf(
        toml=table.replace("startup_s = 20", "startup_s = 0.4"),  # 1.0 s, 2.2 s where it is busy
        train=TRAIN.replace("    run = Path", burn),
    )
    toy.commit("one that does not look at its clock")
    found = toy.lab("run", "--baseline", "--json", "--leaf", "toy").json
    assert any(name.startswith("budget") for name in found["constraints"]["broken"]) == broken


def test_what_breaks_a_constraint_cannot_be_kept(toy: Toy) -> None:
    toy.leaf(toml=LEAF + '\n[constraints]\nsteps = "< 1"\n')
    toy.commit("a constraint that nothing holds")
    toy.lab("run", "--baseline", "--seeds", "3", "--leaf", "toy")
    campaign = toy.campaign()
    found = run(toy, campaign, "")
    assert (found["suggest"], found["reason"]) == ("discard", "constraint")
    refused = toy.lab("result", "e2", "-v", "keep", "--because", "I like it", cwd=campaign, code=4)
    assert "steps < 1" in refused.err


def test_a_hint_is_shown_when_it_holds(toy: Toy) -> None:
    toy.leaf(toml=LEAF + '\n[hints]\n"steps < 2" = "too easy: raise the difficulty"\n')
    toy.commit("a hint")
    found = toy.lab("run", "--baseline", "--json", "--leaf", "toy").json
    assert found["hints"] == ["too easy: raise the difficulty"]


def test_a_run_writes_nothing_into_the_live_worktree(toy: Toy, campaign: Path) -> None:
    run(
        toy,
        campaign,
        "    Path('made-here.txt').write_text('')\n    Path('made-here.txt').unlink()\n",
    )
    assert not (campaign / "made-here.txt").exists()
    assert not (campaign / "__pycache__").exists()
    assert toy.git("status", "--porcelain", cwd=campaign) == ""
    assert not any((toy.root / ".lab" / "exports").glob("*"))


def test_prepare_runs_once_and_its_data_may_not_be_changed(toy: Toy) -> None:
    table = LEAF.replace("budget_s = 5", 'prepare = ["python", "prepare.py"]\nbudget_s = 5')
    folder = toy.leaf(toml=table)
    (folder / "prepare.py").write_text(
        "import os, pathlib\np = pathlib.Path(os.environ['LAB_CACHE_DIR'])\n"
        "with open(p / 'held-out.txt', 'a') as f: f.write('truth')\n"
    )
    toy.commit("with prepare")
    toy.lab("run", "--baseline", "--seeds", "3", "--leaf", "toy")
    (data,) = (toy.root / ".lab" / "cache").rglob("held-out.txt")
    assert data.read_text() == "truth"
    campaign = toy.campaign()
    cheat = "    (Path(os.environ['LAB_CACHE_DIR']) / 'held-out.txt').write_text('mine')\n"
    assert run(toy, campaign, cheat, LAB_CONFINE="none")["failure"] == "tampered"
    slope(campaign, 2.5)
    found = toy.lab("run", toy.idea("honest", cwd=campaign), "--json", cwd=campaign).json
    assert found["status"] == "finished"  # the next run does not pay for it: prepared anew
    (data,) = (toy.root / ".lab" / "cache").rglob("held-out.txt")
    assert data.read_text() == "truth"


def test_a_person_s_stop_ends_the_run_and_says_nothing_about_the_idea(
    toy: Toy, campaign: Path
) -> None:
    idea = toy.idea(cwd=campaign)
    head = toy.git("rev-parse", "HEAD", cwd=campaign)
    slope(campaign, 2.0, "    import time; time.sleep(60)\n")
    toy.lab("run", idea, "--detach", cwd=campaign, code=5)
    _until(lambda: _processes_of(toy))
    toy.lab("stop", "e2")  # from the main checkout
    found = toy.lab("wait", "e2", "--json", cwd=campaign, code=1).json
    assert found["failure"] == "interrupted"
    assert _processes_of(toy) == []
    assert toy.git("rev-parse", "HEAD", cwd=campaign) == head
    assert toy.lab("failures", "--json", cwd=campaign).json == []


def _processes_of(toy: Toy) -> list[str]:
    """Return the living processes that belong to a run of this repository."""
    marker = f"LAB_RUN_DIR={toy.root}/.lab/runs/".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if marker in (folder / "environ").read_bytes():
                found.append(folder.name)
        except OSError:
            continue
    return found


def _until(true: object, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_second_export_is_watched_while_training_runs(toy: Toy, campaign: Path) -> None:
    reach = """
    for other in Path.cwd().parent.parent.glob("*/toy/evaluate.py"):
        if other.parent != Path.cwd():
            seen = other.stat()
            text = other.read_text()
            other.write_text(text.replace("(w - 3) ** 2", "(w - 3) ** 8"))
            os.utime(other, ns=(seen.st_atime_ns, seen.st_mtime_ns))
"""
    found = run(toy, campaign, reach, LAB_CONFINE="none")
    assert found["failure"] == "tampered"
    assert "evaluate: toy/evaluate.py" in found["detail"]["last"]


@pytest.mark.parametrize(
    "plant",
    [
        "(other / 'json.py').write_text('raise SystemExit')",
        "(other / '__pycache__').mkdir(); (other / '__pycache__/x.pyc').write_text('')",
        "(other / 'random').symlink_to('/tmp')",
    ],
    ids=["a module", "compiled", "a link"],
)
def test_nothing_may_be_planted_beside_the_yardstick(toy: Toy, campaign: Path, plant: str) -> None:
    reach = f"""
    for other in Path.cwd().parent.parent.glob("*/toy"):
        if other != Path.cwd():
            {plant}
"""
    assert run(toy, campaign, reach, LAB_CONFINE="none")["failure"] == "tampered"


def test_a_metric_that_a_constraint_needs_must_be_reported(toy: Toy) -> None:
    toy.leaf(toml=LEAF + '\n[constraints]\npeak_mb = "<= 100"\n')
    toy.commit("a constraint")
    found = toy.lab("run", "--baseline", "--leaf", "toy", "--json").json
    assert found["constraints"]["broken"] == ["peak_mb <= 100 (not reported)"]


def test_a_log_is_not_written_through_a_link(toy: Toy, campaign: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    run(toy, campaign, f"\n    (run / 'evaluate.log').symlink_to({str(victim)!r})\n")
    assert victim.read_text() == "mine"


def test_a_baseline_of_ones_own_commit_is_no_way_around_a_verdict(toy: Toy, campaign: Path) -> None:
    slope(campaign, 2.9)
    toy.git("commit", "-qam", "better, trust me", cwd=campaign)
    refused = toy.lab("run", "--baseline", cwd=campaign, code=4)
    assert "commits here that lab did not make" in refused.err
    tree = toy.git("rev-parse", "HEAD^{tree}", cwd=campaign)
    parents = ["-p", "HEAD", "-p", "HEAD^"]
    merge = toy.git("commit-tree", tree, *parents, "-m", "merged", cwd=campaign)
    toy.git("reset", "-q", "--hard", merge, cwd=campaign)
    assert "did not make" in toy.lab("run", "--baseline", cwd=campaign, code=4).err


def test_a_campaign_gives_no_verdict_on_anothers_experiment(toy: Toy, campaign: Path) -> None:
    slope(campaign, 2.0)
    toy.lab("run", toy.idea(cwd=campaign), cwd=campaign)
    other = toy.campaign("bob")
    refused = toy.lab("result", "e2", "-v", "discard", cwd=other, code=4)
    assert "e2 belongs to toy/ada, this is toy/bob" in refused.err
    toy.lab("result", "e2", "-v", "discard")


def test_a_replaced_object_is_not_what_runs(toy: Toy, campaign: Path) -> None:
    blob = toy.git("rev-parse", "HEAD:toy/evaluate.py", cwd=campaign)
    other = toy.root.parent / "other.py"
    other.write_text((campaign / "evaluate.py").read_text().replace("** 2", "** 2 - 1000"))
    toy.git("replace", blob, toy.git("hash-object", "-w", str(other)))
    found = run(toy, campaign, "")
    assert found["value"] >= 0


def test_a_claim_from_elsewhere_takes_no_best_line_off_the_board(toy: Toy, campaign: Path) -> None:
    idea = toy.idea("on another machine")
    name = toy.lab("experiment", idea).out.strip()
    toy.lab("result", name, "-v", "discard", "--metrics", '{"loss": -1e308}')
    assert toy.lab("board", "toy", "--json").json["best"]["experiment"] == "e1"
