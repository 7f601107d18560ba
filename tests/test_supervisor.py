"""The supervisor owns a run: nothing that happens to whoever asked for it reaches it."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from killing import until
from toy import LEAF, TRAIN, Toy, slope

pytestmark = pytest.mark.children

# Trains until the file `go` appears in the leaf's cache, which a confined run sees too.
GATED = """
    import time
    until = time.monotonic() + 60
    while not Path(os.environ["LAB_CACHE_DIR"], "go").exists() and time.monotonic() < until:
        time.sleep(0.02)
"""
KEYS = {
    *("experiment", "hypothesis", "leaf", "profile", "platform", "yardstick", "commit", "parent"),
    *("status", "failure", "metric", "value", "runs", "metrics", "incumbent", "gain", "se"),
    *("noise", "p_better", "suggest", "reason", "mechanism", "constraints", "flags", "hints"),
    *("lines_changed", "log", "seconds", "cost_usd", "position", "eta_s", "next"),
}


def gated(toy: Toy, where: Path, value: float = 2.0) -> Path:
    """Edit the campaign's file so that it trains until the returned file is there."""
    slope(where, value, GATED)
    caches = (toy.root / ".lab" / "cache" / "toy").glob("*/*")
    return next(path for path in caches if path.is_dir()) / "go"


def at_work(toy: Toy) -> None:
    """Return once a run of e2 is training."""
    until(lambda: list((toy.root / ".lab" / "runs" / "e2").glob("*/steps.jsonl")))


def waiter(toy: Toy, campaign: Path, idea: str, stdin: int) -> "subprocess.Popen[str]":
    """Type `lab run` somewhere, and return once its run is at work."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "lab", "run", idea, "--json"],
        cwd=campaign,
        env=toy.environ(),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    at_work(toy)
    return process


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_a_caller_that_is_cut_off_takes_no_run_along(toy: Toy, campaign: Path, number: int) -> None:
    go = gated(toy, campaign)
    process = waiter(toy, campaign, toy.idea(cwd=campaign), subprocess.DEVNULL)
    os.killpg(process.pid, number)
    process.communicate(timeout=60)
    go.touch()
    assert process.returncode in (-number, 130)
    assert toy.lab("wait", "e2", "--json", cwd=campaign).json["status"] == "finished"


def test_ctrl_c_at_a_terminal_stops_the_run(toy: Toy, campaign: Path) -> None:
    head = toy.git("rev-parse", "HEAD", cwd=campaign)
    gated(toy, campaign)
    master, slave = os.openpty()
    process = waiter(toy, campaign, toy.idea(cwd=campaign), slave)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    os.close(master)
    os.close(slave)
    assert (process.returncode, json.loads(out)["failure"]) == (1, "interrupted")
    assert "stopping e2" in err
    assert toy.git("rev-parse", "HEAD", cwd=campaign) == head


def test_the_json_has_every_key_while_queued_and_when_done(toy: Toy, campaign: Path) -> None:
    other = toy.campaign("bob")
    go = gated(toy, campaign)
    slope(other, 2.1)
    toy.lab("run", toy.idea("a", cwd=campaign), "--detach", cwd=campaign, code=5)
    at_work(toy)
    queued = toy.lab(
        "run", toy.idea("b", cwd=other), "--wait", "6", "--json", cwd=other, code=5
    ).json
    assert set(queued) >= KEYS
    assert (queued["status"], queued["position"], queued["next"]) == ("queued", 1, "lab wait e3")
    assert queued["eta_s"] is not None
    seen = toy.lab("status", "--json").json
    assert [one["label"] for one in seen["slots"]] == ["e2/0"]
    go.touch()
    done = toy.lab("wait", "--json", cwd=other).json
    assert set(done) >= KEYS
    assert (done["experiment"], done["status"], done["position"]) == ("e3", "finished", None)
    assert set(done["runs"][0]) >= {"run", "seed", "value", "seconds", "device", "status"}
    assert toy.lab("wait", "e2", cwd=campaign).code == 0


def test_lab_wait_s_is_how_long_a_shell_call_may_take(toy: Toy, campaign: Path) -> None:
    go = gated(toy, campaign)
    idea = toy.idea(cwd=campaign)
    assert toy.lab("run", idea, cwd=campaign, code=5, LAB_WAIT_S="0.2").out.endswith(
        "next: lab wait e2\n"
    )
    wrong = toy.lab("wait", cwd=campaign, code=2, LAB_WAIT_S="soon").err
    assert "LAB_WAIT_S is 'soon'" in wrong
    go.touch()
    toy.lab("wait", cwd=campaign, LAB_WAIT_S="")


def test_a_prepare_that_fails_says_why_and_blames_no_idea(toy: Toy) -> None:
    table = LEAF.replace("budget_s = 5", 'prepare = ["python", "prepare.py"]\nbudget_s = 5')
    folder = toy.leaf(toml=table)
    (folder / "prepare.py").write_text("raise SystemExit('the corpus is not there')\n")
    toy.commit("a prepare that fails")
    found = toy.lab("run", "--baseline", "--json", "--leaf", "toy", code=1).json
    assert found["failure"] == "infra"
    assert "the corpus is not there" in found["detail"]["last"]
    assert len(found["runs"]) == 1


def test_the_second_export_is_as_it_was_committed(toy: Toy) -> None:
    cheat = "    (Path.cwd() / 'evaluate.py').chmod(0o600)\n"
    toy.leaf(train=TRAIN.replace('    print("trained")\n', cheat))
    toy.commit("touches the yardstick without writing")
    found = toy.lab("run", "--baseline", "--json", "--leaf", "toy").json
    assert found["status"] == "finished"


def test_a_supervisor_says_in_its_command_line_what_it_is(toy: Toy, campaign: Path) -> None:
    go = gated(toy, campaign)
    toy.lab("run", toy.idea(cwd=campaign), "--detach", cwd=campaign, code=5)
    lines = [_words(folder) for folder in Path("/proc").glob("[0-9]*")]
    mine = [words for words in lines if str(toy.root / ".lab") in words]
    assert [("lab.run.supervisor" in words) for words in mine] == [True]
    go.touch()
    toy.lab("wait", cwd=campaign)


def _words(folder: Path) -> list[str]:
    try:
        return (folder / "cmdline").read_text().split("\0")
    except OSError:
        return []


def where_it_trained(toy: Toy, campaign: Path, **env: str) -> Path:
    """Run an edit that writes down where it trains; return that folder."""
    slope(campaign, 2.0, "\n    (run / 'where').write_text(os.getcwd())\n")
    found = toy.lab("run", toy.idea(cwd=campaign), "--json", cwd=campaign, **env).json
    return Path((Path(found["log"]).parent / "where").read_text())


def test_exports_lie_where_they_are_told_to_and_are_removed(
    toy: Toy, campaign: Path, tmp_path: Path
) -> None:
    told = tmp_path / "scratch"
    assert told in where_it_trained(toy, campaign, LAB_EXPORTS_DIR=str(told)).parents
    until(lambda: not list(told.iterdir()) and not list((toy.root / ".lab/exports").iterdir()))


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no memory file system here")
def test_exports_of_a_small_repository_lie_in_memory_where_there_is_plenty(
    toy: Toy, campaign: Path
) -> None:
    plenty = shutil.disk_usage("/dev/shm").free > 2 << 30
    trained = where_it_trained(toy, campaign)
    assert (Path("/dev/shm") in trained.parents) == plenty
    until(lambda: not trained.exists())
