"""The sealed set: measured at audits and at `lab apply`, told to a person and to nobody else."""

import os
import re
import signal
import time
from pathlib import Path

import pytest
from toy import LEAF, Toy, slope

from lab.confine import methods

pytestmark = pytest.mark.children
SEALED = LEAF.replace("budget_s = 5", 'prepare = ["python", "prepare.py"]\nbudget_s = 5')
SEALED = SEALED.replace("[profiles.cpu]", "[sealed]\n\n[profiles.cpu]")
PREPARE = """\
import os
from pathlib import Path

assert os.environ["LAB_SEALED_DIR"] != os.environ["LAB_HELD_OUT_DIR"]
(Path(os.environ["LAB_HELD_OUT_DIR"]) / "truth.txt").write_text("3.0")
(Path(os.environ["LAB_SEALED_DIR"]) / "truth.txt").write_text("{sealed}")
"""
EVALUATE = """\
import json
import os
import time
from pathlib import Path

assert "LAB_SEALED_DIR" not in os.environ
run = Path(os.environ["LAB_RUN_DIR"])
w = json.loads((run / "model.json").read_text())["w"]
truth, *slowly = (Path(os.environ["LAB_HELD_OUT_DIR"]) / "truth.txt").read_text().split()
truth = float(truth)
time.sleep(20 * len(slowly))
(run / "samples.jsonl").write_text(json.dumps({"prompt": truth, "completion": "", "reward": 1}))
print(f"---\\nloss: {(w - truth) ** 2!r}\\n---")
"""
UNTOLD = """\
    assert not [name for name in os.environ if "SEALED" in name or "HELD_OUT" in name]
    cache = Path(os.environ["LAB_CACHE_DIR"])
    assert {anywhere} or {{*cache.parent.glob("*")}} <= {{cache}}
"""
SIGN = "by the sealed set"


def measured(toy: Toy, truth: str = "3.1") -> Path:
    """Return a campaign on a measured leaf whose sealed set has that truth."""
    folder = toy.leaf(toml=SEALED, evaluate=EVALUATE)
    (folder / "prepare.py").write_text(PREPARE.format(sealed=truth))
    toy.commit("with a sealed set")
    toy.lab("run", "--baseline", "--seeds", "3", cwd=folder)
    return toy.campaign()


def kept(toy: Toy, campaign: Path) -> None:
    """Keep a change that is better by the yardstick, and look out for what it is told."""
    idea = toy.idea(cwd=campaign)
    unconfined = toy.env.get("LAB_CONFINE") == "none" or "LAB_ON" in toy.env
    anywhere = unconfined or not methods.best().confines
    slope(campaign, 2.0, UNTOLD.format(anywhere=anywhere))
    found = toy.lab("run", idea, "--json", cwd=campaign).json
    assert found["status"] == "finished", found
    toy.lab("result", "e2", "-v", "keep", cwd=campaign)


def everywhere(toy: Toy, campaign: Path) -> str:
    """Return all that an agent, a program or another notebook is told after an audit."""
    said = [toy.here("export").out, toy.here("report", "--json", "-o", "page.html").out]
    for name in ("board", "log", "leaves", "status"):
        said.append(toy.here(name, "--json").out)
    said += [toy.here("show", name, "--json").out for name in ("e1", "e2")]
    session = {"LAB_SESSION": "one"}
    for where, env in ((campaign, {}), (toy.root / "toy", session)):
        for words in (["board"], ["report", "--markdown"], ["context"], ["show", "e2"], ["log"]):
            said.append(toy.here(*words, cwd=where, **env).out)
    said += [path.read_text() for path in (toy.root / ".lab/runs").rglob("*.jsonl")]
    return "\n".join(said)


@pytest.mark.parametrize("confined", ["", "none"])
def test_an_audit_measures_both_sides_and_tells_a_person_alone(toy: Toy, confined: str) -> None:
    toy.env["LAB_CONFINE"] = confined
    campaign = measured(toy)
    kept(toy, campaign)
    assert SIGN not in toy.here("board").out
    audited = toy.lab("audit", cwd=campaign)
    assert "confirmed" in audited.out
    board, report = toy.here("board").out, toy.here("report", "--markdown").out
    found = re.search(r"e2 (1\.\d+) against (4\.\d+) of e1, gain \+3\.\d+, confirmed \+\d", board)
    assert found is not None, board
    assert "not to be seen" not in board + report
    assert SIGN in report.lower()
    toy.here("report")
    assert SIGN in (toy.root / ".lab/reports/all.html").read_text().lower()
    said = everywhere(toy, campaign) + audited.out
    assert SIGN not in said.lower()
    assert '"sealed"' not in said
    assert not any(number in said for number in found.groups())
    assert '"prompt": 3.1' not in said  # what the yardstick writes beside its number is gone
    assert not list((toy.root / ".lab/runs").rglob("*.sealed"))
    assert toy.lab("doctor").code == 0
    (data,) = (toy.root / ".lab/cache").glob("**/*.sealed/truth.txt")
    assert data.read_text() == "3.1"


def test_a_confirmed_gain_that_is_not_there_is_marked(toy: Toy) -> None:
    campaign = measured(toy, "1.4")  # where 1 is nearer than 2
    kept(toy, campaign)
    assert "confirmed" in toy.lab("audit", cwd=campaign).out
    board = " ".join(toy.here("board").out.split())
    assert re.search(r"e2! .*confirmed gain is not to be seen there", board)
    assert "**!** e2" in toy.here("report", "--markdown").out
    toy.here("report")
    assert "not shown" in (toy.root / ".lab/reports/all.html").read_text()


def test_what_is_brought_home_unaudited_is_measured_as_it_was_left(toy: Toy) -> None:
    campaign = measured(toy)
    kept(toy, campaign)
    applied = toy.lab("apply", "e2", "--provisional")
    assert "the sealed set measures e2 now" in applied.out
    states = {run["status"] for run in toy.here("log", "--json").json}
    assert states == {"finished"}  # and holds up nothing
    until = time.monotonic() + 60
    while SIGN not in (board := toy.here("board").out) and time.monotonic() < until:
        time.sleep(0.1)
    assert re.search(r"e2 1\.\d+", board.partition(SIGN)[2])
    toy.lab("wait", "e2")
    assert len(toy.here("show", "e2", "--json").json["runs"]) == 1  # nothing was trained
    assert toy.lab("doctor").code == 0
    toy.git("reset", "-q", "--hard", "HEAD~1")
    assert "by the sealed set e2 has 1." in toy.lab("apply", "e2", "--provisional").out


def test_where_nothing_is_left_nothing_is_trained_for_it(toy: Toy) -> None:
    campaign = measured(toy)
    kept(toy, campaign)
    for path in (toy.root / ".lab/runs/e2").rglob("model.json"):
        path.unlink()
    told = toy.lab("apply", "e2", "--provisional", LAB_SESSION="an agent's")
    assert "sealed" not in told.out + told.err
    toy.git("reset", "-q", "--hard", "HEAD~1")
    assert "no run of it is left here" in toy.lab("apply", "e2", "--provisional").out
    assert len(toy.here("show", "e2", "--json").json["runs"]) == 1


def test_a_yardstick_that_fails_by_the_sealed_set_costs_no_run(toy: Toy) -> None:
    campaign = measured(toy, "none")
    kept(toy, campaign)
    assert "confirmed" in toy.lab("audit", cwd=campaign).out
    assert "e2 - against - of e1, gain unknown" in toy.here("board").out


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="found through /proc")
def test_what_a_killed_supervisor_was_measuring_by_is_gone(toy: Toy) -> None:
    campaign = measured(toy, "3.1 slowly")
    kept(toy, campaign)
    child = toy.start("audit", cwd=campaign)
    copies, until = (toy.root / ".lab/runs").rglob, time.monotonic() + 60
    while not list(copies("*.sealed/evaluate.log")) and time.monotonic() < until:
        time.sleep(0.05)
    child.kill()
    child.communicate()
    (supervisor,) = (
        int(one.parent.name)
        for one in Path("/proc").glob("[0-9]*/cmdline")
        if f"lab.run.supervisor\0{toy.root}/.lab\0".encode() in one.read_bytes()
    )
    os.kill(supervisor, signal.SIGKILL)
    toy.lab("status")
    assert not list(copies("*.sealed"))


def test_a_leaf_without_one_has_none_and_a_full_table_is_refused(toy: Toy) -> None:
    toy.leaf(toml=f"{LEAF}\n[sealed]\nseed = 3\n")
    assert "sealed: must be an empty table" in toy.here("board", "toy", code=None).err + str(
        toy.here("leaves").out
    )
