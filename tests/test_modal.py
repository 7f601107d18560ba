"""Runs on a stand-in of Modal's servers: the real client, a real server process, real sandboxes.

The real service was not contacted by these tests.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from test_sealed import kept as keep_a_change
from test_sealed import measured as sealed_leaf
from toy import LEAF, TRAIN, Toy, slope

ROOT = Path(__file__).resolve().parents[1]
pytest.importorskip("modal", reason="the Modal client is not installed: pip install '.[modal]'")


@dataclass
class Cloud:
    """The stand-in: its address and folder."""

    folder: Path
    env: dict[str, str]

    def fault(self, **faults: object) -> None:
        """Inject faults from now on."""
        (self.folder / "faults.json").write_text(json.dumps(faults))

    def alive(self) -> list[str]:
        """Return the sandboxes that nobody has ended."""
        folders = (self.folder / "sandboxes").glob("*")
        return [one.name for one in folders if not (one / "ended").exists()]


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """A stand-in server in a process of its own."""
    folder = tmp_path / "cloud"
    folder.mkdir()
    script = Path(__file__).with_name("modal_standin.py")
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with subprocess.Popen(
        [sys.executable, str(script), str(folder)], stdout=subprocess.PIPE, text=True, env=env
    ) as server:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        token = {"MODAL_TOKEN_ID": "ak-standin", "MODAL_TOKEN_SECRET": "as-standin"}
        quiet = {"MODAL_CONFIG_PATH": str(folder / "none.toml"), "PYTHONWARNINGS": "default"}
        yield Cloud(folder, {"MODAL_SERVER_URL": address, **token, **quiet})
        server.terminate()


@pytest.fixture
def rented(toy: Toy, cloud: Cloud) -> Toy:
    """The toy repository, its `lab` pointed at the stand-in."""
    toy.env |= cloud.env | {"LAB_INFRA_PAUSE_S": "0.1"}
    return toy


def baseline(toy: Toy, on: str = "modal:T4", code: int | None = 0) -> dict:
    """Measure the baseline in a sandbox."""
    words = ("run", "--baseline", "--leaf", "toy", "--on", on, "--json")
    return toy.lab(*words, code=code).json


def until(true: Callable[[], object], seconds: float = 60) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.children
@pytest.mark.parametrize("on", ["modal:T4", "modal"])
def test_a_run_in_a_sandbox_has_the_same_record_as_one_here(
    rented: Toy, cloud: Cloud, on: str
) -> None:
    there = baseline(rented, on)
    here = rented.lab("run", "--baseline", "--leaf", "toy", "--json").json
    assert there["status"] == "finished"
    assert there["value"] == here["value"]
    assert there["metrics"] == here["metrics"]
    assert there["platform"] == ("T4" if on == "modal:T4" else "modal-cpu")
    assert there["experiment"] != here["experiment"]  # another platform is another scope
    assert there["cost_usd"] > 0
    folder = Path(there["log"]).parent
    assert (folder / "model.json").exists()
    assert (folder / "steps.jsonl").read_text().count("loss") == 1
    assert (folder / "run.log").read_text() == "trained\n"
    assert cloud.alive() == []


@pytest.mark.children
def test_a_script_in_a_sandbox_is_told_of_its_profile(rented: Toy) -> None:
    names = '("LAB_PROFILE", "LAB_BUDGET_S", "LAB_CLOCK", "LAB_NEEDS", "LAB_DATA")'
    told = f'    (run / "told.json").write_text(json.dumps([os.environ[n] for n in {names}]))\n'
    rented.leaf(
        toml=f"{LEAF}[data]\nrows = 9\n", train=TRAIN.replace("    print(", f"{told}    print(")
    )
    rented.commit("a leaf with data of its own")
    found = json.loads(Path(baseline(rented)["log"]).with_name("told.json").read_text())
    assert found == ["gpu", "5", "wall", "gpu", '{"rows": 9}']


@pytest.mark.children
def test_a_crash_in_a_sandbox_has_its_class_and_place(rented: Toy, cloud: Cloud) -> None:
    rented.leaf(
        train=TRAIN.replace("    print(", "    raise ValueError('no such layer')\n    print(")
    )
    rented.commit("a crash")
    found = baseline(rented, code=1)
    assert (found["failure"], found["detail"]["last"]) == ("bug", "ValueError: no such layer")
    assert found["detail"]["place"].startswith("train.py:")
    assert cloud.alive() == []


def test_a_file_that_training_may_not_write_is_seen_in_the_sandbox_too(
    rented: Toy, cloud: Cloud
) -> None:
    cheat = "    Path('evaluate.py').write_text('print(1)')\n    print("
    rented.leaf(train=TRAIN.replace("    print(", cheat))
    rented.commit("a cheat")
    assert baseline(rented, code=1)["failure"] == "tampered"
    assert cloud.alive() == []


def test_what_the_service_drops_once_is_not_even_noticed(rented: Toy, cloud: Cloud) -> None:
    cloud.fault(SandboxCreate=["UNAVAILABLE", 2])
    found = baseline(rented)
    assert [run["status"] for run in found["runs"]] == ["finished"]


@pytest.mark.children
def test_a_service_that_fails_is_tried_again_with_the_same_seed(rented: Toy, cloud: Cloud) -> None:
    cloud.fault(TaskExecStart=["FAILED_PRECONDITION", 1])
    found = baseline(rented)
    assert [run["failure"] for run in found["runs"]] == ["infra", None]
    assert {run["seed"] for run in found["runs"]} == {0}
    assert cloud.alive() == []


def test_a_sandbox_that_goes_away_says_nothing_about_the_idea(rented: Toy, cloud: Cloud) -> None:
    slow = TRAIN.replace("    print(", "    import time; time.sleep(60)\n    print(")
    rented.leaf(train=slow, toml=LEAF.replace("timeout_s = 30", "timeout_s = 90"))
    rented.commit("slow")
    words = ("run", "--baseline", "--leaf", "toy", "--on", "modal:T4")
    rented.lab(*words, "--detach", code=5)
    until(lambda: list((cloud.folder / "sandboxes").glob("*/labtree/run/steps.jsonl")))
    cloud.fault(SandboxCreate=["INVALID_ARGUMENT", 99])
    (name,) = cloud.alive()
    end_from_outside(cloud, name)
    found = rented.lab("wait", "e1", "--json", code=1).json
    assert {run["failure"] for run in found["runs"]} == {"infra"}
    assert rented.lab("failures", "--leaf", "toy", "--json").json == []
    assert cloud.alive() == []


def end_from_outside(cloud: Cloud, name: str) -> None:
    """End a sandbox as its owner might, with the client."""
    code = "import modal, sys; modal.Sandbox.from_id(sys.argv[1]).terminate()"
    env = {**os.environ, **cloud.env}
    subprocess.run([sys.executable, "-c", code, name], env=env, check=True)


@pytest.mark.children
def test_a_killed_supervisor_is_replaced_and_the_run_goes_on(rented: Toy, cloud: Cloud) -> None:
    slow = TRAIN.replace("    print(", "    import time; time.sleep(4)\n    print(")
    rented.leaf(train=slow)
    rented.commit("slow")
    words = ("run", "--baseline", "--leaf", "toy", "--on", "modal:T4")
    rented.lab(*words, "--detach", code=5)
    until(lambda: list((cloud.folder / "sandboxes").glob("*/labtree/run/steps.jsonl")))
    kill_supervisors(rented)
    found = rented.lab("wait", "e1", "--json")
    assert "another supervisor goes on" in found.err
    assert found.json["status"] == "finished"
    assert [run["status"] for run in found.json["runs"]] == ["finished"]
    assert (Path(found.json["log"])).read_text() == "trained\n"
    assert cloud.alive() == []


@pytest.mark.children
def test_a_stream_that_breaks_is_taken_up_or_run_again(rented: Toy, cloud: Cloud) -> None:
    cloud.fault(TaskExecStdioRead=["INTERNAL", 1])
    found = baseline(rented)
    assert found["runs"][-1]["status"] == "finished"
    assert {run["failure"] for run in found["runs"]} <= {None, "infra"}
    assert {run["seed"] for run in found["runs"]} == {0}
    assert cloud.alive() == []


def test_a_slow_stream_loses_nothing(rented: Toy, cloud: Cloud) -> None:
    text = "    for number in range(50):\n        print('line', number)\n    print("
    rented.leaf(train=TRAIN.replace("    print(", text, 1))
    rented.commit("talks")
    cloud.fault(slow=0.3)
    found = baseline(rented)
    lines = Path(found["log"]).read_text().splitlines()
    assert lines == [*(f"line {number}" for number in range(50)), "trained"]


def test_the_hard_limit_holds_in_a_sandbox(rented: Toy, cloud: Cloud) -> None:
    slow = TRAIN.replace("    print(", "    import time; time.sleep(60)\n    print(")
    rented.leaf(train=slow, toml=LEAF.replace("timeout_s = 30", "timeout_s = 2"))
    rented.commit("endless")
    found = baseline(rented, code=1)
    assert [run["failure"] for run in found["runs"]] == ["timeout"]
    assert cloud.alive() == []


def test_a_sandbox_whose_own_limit_ran_out_says_nothing_about_the_idea(
    rented: Toy, cloud: Cloud
) -> None:
    slow = TRAIN.replace("    print(", "    import time; time.sleep(60)\n    print(")
    rented.leaf(train=slow, toml=LEAF.replace("timeout_s = 30", "timeout_s = 90"))
    rented.commit("slow")
    cloud.fault(lives=3)
    found = baseline(rented, code=1)
    assert {run["failure"] for run in found["runs"]} == {"infra"}
    assert len(found["runs"]) == 3
    assert cloud.alive() == []


@pytest.mark.children
def test_without_capacity_it_waits_says_so_and_goes_on(rented: Toy, cloud: Cloud) -> None:
    rented.env["LAB_CAPACITY_PAUSE_S"] = "5"
    cloud.fault(SandboxCreate=["RESOURCE_EXHAUSTED", 1])
    words = ("run", "--baseline", "--leaf", "toy", "--on", "modal:T4")
    rented.lab(*words, "--detach", code=5)

    def stage() -> str:
        return "".join(one["stage"] for one in rented.lab("status", "--json").json["runs"])

    until(lambda: "waiting for capacity" in stage())
    found = rented.lab("wait", "e1", "--json").json
    assert [run["failure"] for run in found["runs"]] == [None]
    assert cloud.alive() == []


def test_sixteen_campaigns_have_sixteen_runs_in_flight(rented: Toy, cloud: Cloud) -> None:
    rented.leaf(toml=LEAF.replace("timeout_s = 30", "timeout_s = 300"))
    rented.commit("patient")
    baseline(rented)
    gate = cloud.folder / "go"
    wait = (
        f"    import time\n    while not os.path.exists({str(gate)!r}):\n        time.sleep(0.1)\n"
    )
    places = [rented.campaign(f"agent{number}") for number in range(16)]
    for number, where in enumerate(places):
        slope(where, 0.1 + 0.01 * number, wait)
        idea = rented.idea(f"idea {number}", cwd=where)
        rented.lab("run", idea, "--on", "modal:T4", "--detach", cwd=where, code=5)
    until(lambda: len(cloud.alive()) == 16, 120)
    held = rented.lab("status", "--json").json
    assert (len(held["runs"]), held["slots"], held["queue"]) == (16, [], [])
    gate.touch()
    for where in places:
        assert rented.lab("wait", "--json", cwd=where).json["status"] == "finished"
    rows = [row for row in rented.lab("log", "--json", "-n", "50").json if row["hypothesis"]]
    assert sorted(row["experiment"] for row in rows) == sorted(f"e{n}" for n in range(2, 18))
    assert {row["status"] for row in rows} == {"finished"}
    assert cloud.alive() == []


def test_a_killed_supervisor_leaves_the_same_record_as_one_that_lived(
    rented: Toy, cloud: Cloud
) -> None:
    slow = TRAIN.replace("    print(", "    import time; time.sleep(3)\n    print(")
    rented.leaf(train=slow)
    rented.commit("slow")
    lived = baseline(rented)
    words = ("run", "e1", "--seeds", "1", "--on", "modal:T4")
    before = len(list((cloud.folder / "sandboxes").glob("*")))
    rented.lab(*words, "--detach", code=5)
    steps = "sandboxes/*/labtree/run/steps.jsonl"
    until(lambda: len(list(cloud.folder.glob(steps))) > before)
    kill_supervisors(rented)
    found = rented.lab("wait", "e1", "--json").json
    first, second = found["runs"]
    assert {**first, "run": 0, "seed": 0, "value": 0, "seconds": 0} == {
        **second,
        **{"run": 0, "seed": 0, "value": 0, "seconds": 0},
    }
    assert found["metrics"].keys() == lived["metrics"].keys()
    folders = [Path(one["log"]).parent for one in (lived, found)]
    names = [{path.name for path in folder.iterdir()} for folder in folders]
    assert names[0] == names[1]
    assert cloud.alive() == []


def kill_supervisors(toy: Toy) -> None:
    """Kill every supervisor of this notebook."""
    words = ["pgrep", "-f", f"lab.run.supervisor {toy.root}/.lab"]
    for pid in subprocess.run(words, capture_output=True, text=True).stdout.split():
        os.kill(int(pid), signal.SIGKILL)


@pytest.mark.children
def test_stop_ends_the_sandbox(rented: Toy, cloud: Cloud) -> None:
    slow = TRAIN.replace("    print(", "    import time; time.sleep(60)\n    print(")
    rented.leaf(train=slow, toml=LEAF.replace("timeout_s = 30", "timeout_s = 90"))
    rented.commit("slow")
    words = ("run", "--baseline", "--leaf", "toy", "--on", "modal:T4")
    rented.lab(*words, "--detach", code=5)
    until(lambda: list((cloud.folder / "sandboxes").glob("*/labtree/run/steps.jsonl")))
    rented.lab("stop", "e1")
    assert rented.lab("wait", "e1", "--json", code=1).json["failure"] == "interrupted"
    assert cloud.alive() == []


def test_without_a_token_it_refuses_with_two_ways_to_fix_it(rented: Toy) -> None:
    del rented.env["MODAL_TOKEN_ID"]
    words = ("run", "--baseline", "--leaf", "toy", "--on", "modal:T4")
    refused = rented.lab(*words, code=6)
    assert "modal token new" in refused.err
    assert "MODAL_TOKEN_ID" in refused.err
    assert rented.lab("log", "--json").json == []


@pytest.mark.children
def test_a_bad_token_is_refused_with_two_ways_to_fix_it(rented: Toy, cloud: Cloud) -> None:
    cloud.fault(AppGetOrCreate=["UNAUTHENTICATED", 99])
    words = ("run", "--baseline", "--leaf", "toy", "--on", "modal:T4")
    refused = rented.lab(*words, code=6)
    assert "refuses this token" in refused.err
    assert "modal token new; or export MODAL_TOKEN_ID" in refused.err
    assert rented.lab("log", "--json").json == []


def test_a_server_that_takes_calls_and_is_silent_is_noticed(rented: Toy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        rented.env["MODAL_SERVER_URL"] = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        words = ("run", "--baseline", "--leaf", "toy", "--on", "modal:T4")
        began = time.monotonic()
        refused = rented.lab(*words, code=6)
    assert "does not answer" in refused.err
    assert time.monotonic() - began < 30  # the client itself would try for a minute
    assert rented.lab("log", "--json").json == []


def test_a_server_that_does_not_answer_is_noticed_before_anything_is_written(toy: Toy) -> None:
    toy.env |= {
        "MODAL_SERVER_URL": "http://127.0.0.1:9",
        "MODAL_TOKEN_ID": "ak-x",
        "MODAL_TOKEN_SECRET": "as-x",
        "MODAL_CONFIG_PATH": "/nonexistent",
        "PYTHONWARNINGS": "default",
    }
    refused = toy.lab("run", "--baseline", "--leaf", "toy", "--on", "modal:T4", code=6)
    assert "does not answer" in refused.err
    assert toy.lab("log", "--json").json == []


def test_what_could_cost_too_much_is_refused_before_it_is_spent(rented: Toy, cloud: Cloud) -> None:
    words = ("run", "--baseline", "--leaf", "toy", "--on", "modal:H100", "--max-cost", "0.001")
    refused = rented.lab(*words, code=4)
    assert "could cost $" in refused.err
    assert "rates of" in refused.err
    unknown = rented.lab("run", "--baseline", "--leaf", "toy", "--on", "modal:Z9", code=4)
    assert "no rate is known for Z9" in unknown.err
    assert rented.lab("log", "--json").json == []
    assert cloud.alive() == []


def test_a_campaign_spends_no_more_than_it_may(rented: Toy, cloud: Cloud) -> None:
    slow = TRAIN.replace('print("trained")', '__import__("time").sleep(0.5)')
    page = LEAF.replace("timeout_s = 30", "timeout_s = 5") + '\n[tuner]\nsampler = "tpe"\n'
    rented.leaf(toml=page, train=slow)  # which goes on for longer than there is something to win
    rented.commit("a short limit")
    words = ("loop", "toy", "--agent", "tuner", "--on", "modal:T4", "--experiments", "30")
    refused = rented.lab(*words, "--max-cost", "0.001", code=4)
    assert "could cost $" in refused.err
    assert rented.lab("log", "--json").json == []
    assert not (cloud.folder / "sandboxes").exists()
    # Both limits of a run are 10 s: at $0.59 an hour three such cost half a cent, real ones less.
    done = rented.lab(*words, "--max-cost", "0.0055", "--json").json
    assert done["ending"] == "limit"
    assert "could cost" in done["why"]
    assert done["cost_usd"] < 0.0055
    assert done["experiments"] < 30
    assert cloud.alive() == []


@pytest.mark.children
def test_doctor_finds_and_ends_a_sandbox_that_no_run_owns(rented: Toy, cloud: Cloud) -> None:
    baseline(rented)
    code = (
        "import modal; app = modal.App.lookup('labtree', create_if_missing=True);"
        "modal.Sandbox.create(app=app, image=modal.Image.debian_slim(), gpu='T4', timeout=300)"
    )
    env = {**os.environ, **cloud.env}
    subprocess.run([sys.executable, "-c", code], env=env, check=True)
    (left,) = cloud.alive()
    assert left in rented.lab("doctor", code=1).err + rented.lab("doctor", code=1).out
    rented.lab("doctor", "--fix")
    assert cloud.alive() == []


def test_an_edit_runs_there_and_is_judged_against_its_own_platform(rented: Toy) -> None:
    baseline(rented)
    where = rented.campaign()
    slope(where, 2.0)
    idea = rented.idea(cwd=where)
    found = rented.lab("run", idea, "--on", "modal:T4", "--json", cwd=where).json
    assert found["incumbent"]["experiment"] == "e1"
    assert found["platform"] == "T4"


@pytest.mark.children
def test_an_audit_in_sandboxes_is_measured_by_the_sealed_set(rented: Toy) -> None:
    rented.env["LAB_ON"] = "modal:T4"
    campaign = sealed_leaf(rented)
    keep_a_change(rented, campaign)
    assert "confirmed" in rented.lab("audit", cwd=campaign).out
    assert "of e1, gain +3." in rented.here("board").out


def test_pretrain_trains_in_a_sandbox_as_it_does_here(rented: Toy, cloud: Cloud) -> None:
    for name in ("torch", "numpy", "tokenizers"):
        pytest.importorskip(name)
    for name in ("pretrain", "shared"):
        bare = shutil.ignore_patterns("runs", "__pycache__")
        shutil.copytree(ROOT / name, rented.root / name, ignore=bare)
    shutil.copy(ROOT / "constraints.txt", rented.root)
    rented.commit("pretrain")
    words = ("run", "--baseline", "--leaf", "pretrain", "--profile", "smoke", "--json")
    there = rented.lab(*words, "--on", "modal:T4").json
    assert (there["status"], there["platform"]) == ("finished", "T4")
    assert 1.0 < there["value"] < 8.0
    steps = Path(there["log"]).with_name("steps.jsonl").read_text().splitlines()
    assert len(steps) > 1
    assert cloud.alive() == []
