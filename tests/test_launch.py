"""Several campaigns at once, detached: started, watched, told of, stopped."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from toy import TRAIN, Toy

pytestmark = pytest.mark.children


def until(true: Callable[[], object], seconds: float = 120) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def alive(toy: Toy) -> list[str]:
    """Return the campaigns whose loop is at work."""
    found = toy.lab("status", "--json").json["campaigns"]
    return sorted(one["campaign"] for one in found if one["alive"])


def test_two_campaigns_work_side_by_side_and_tell_of_their_end(toy: Toy, tmp_path: Path) -> None:
    told = tmp_path / "told"
    script = tmp_path / "tell.py"
    script.write_text(f"import sys; open({str(told)!r}, 'a').write(sys.stdin.read())\n")
    started = toy.lab(
        *("launch", "toy:ada", "toy:bob", "--agent", "tuner", "--experiments", "1"),
        *("--notify", f"{sys.executable} {script}"),
    )
    assert "2 campaigns, 1 CPU slot: about 4 runs each, a baseline's among them" in started.err
    assert started.out.count("started: lab output") == 2
    until(lambda: told.exists() and told.read_text().count("limit (1 experiment)") == 2)
    until(lambda: alive(toy) == [])
    rows = toy.lab("log", "toy", "--json", "-n", "50").json
    judged = [row for row in rows if row["hypothesis"]]
    assert len(judged) == 2
    assert all(row["verdict"] for row in judged)
    printed = toy.lab("output", "ada").out
    assert "toy/ada: limit (1 experiment)" in printed
    assert toy.lab("doctor", "--json").json["ok"]


@pytest.mark.parametrize(
    ("agent", "told"),
    [
        ("sh -c 'echo \"usage limit reached|{later}\"; exit 1'", "toy/ada: waiting until 20"),
        ("sh -c 'sleep 60'", "toy/ada: session 1 stalled (no lab call, no output and no run"),
        ("sh -c 'echo Please run /login; exit 1'", "toy/ada: stopped (sh: Please run /login)"),
    ],
    ids=["a limit", "a stall", "no sign-in"],
)
def test_what_holds_a_campaign_up_is_told(toy: Toy, tmp_path: Path, agent: str, told: str) -> None:
    heard, script = tmp_path / "heard", tmp_path / "hear.py"
    script.write_text(f"import sys; open({str(heard)!r}, 'a').write(sys.stdin.read())\n")
    toy.env |= {"LAB_STALL_S": "1", "LAB_PAUSE_S": "60"}
    words = ("launch", "toy:ada", "--agent", agent.format(later=int(time.time()) + 600))
    toy.lab(*words, "--notify", f"{sys.executable} {script}")
    until(lambda: heard.exists() and told in heard.read_text())


def test_a_live_campaign_is_refused_followed_and_stopped(toy: Toy) -> None:
    toy.lab("launch", "toy:ada", "--agent", "tuner", "--hours", "1")
    assert alive(toy) == ["toy/ada"]
    refused = toy.lab("launch", "toy:ada", "--agent", "tuner", code=4)
    assert "lab stop toy/ada" in refused.err
    toy.lab("stop", "ada")
    assert alive(toy) == []
    assert toy.lab("status", "--json").json["runs"] == []
    followed = toy.lab("output", "ada", "-f")
    assert "baseline" in followed.out


def test_bad_words_are_refused_before_anything_starts(toy: Toy) -> None:
    twice = toy.lab("launch", "toy", "toy", "--agent", "tuner", code=2)
    assert "named twice" in twice.err
    assert "no leaf" in toy.lab("launch", "tyo", "--agent", "tuner", code=3).err
    assert "no limit" in toy.lab("launch", "toy", "--agent", "tuner", "--hours", "0", code=2).err
    (toy.root / "toy" / "evaluate.py").write_text("print(1)\n")
    frozen = toy.lab("launch", "toy", "--agent", "tuner", code=4)
    assert "not committed" in frozen.err
    assert alive(toy) == []
    assert "no campaign" in toy.lab("output", "nobody", code=3).err


def confined(toy: Toy, tmp_path: Path, limit: str) -> None:
    """Make an agent `mine` whose commands run behind a limit on the files they may write."""
    box = tmp_path / "box"
    box.write_text(f'#!/bin/sh\n{limit}\nexec "$@"\n')
    box.chmod(0o755)
    table = f'[mine]\ncommand = ["sh", "-c", "exit 0"]\nprobe = ["{box}"]\n'
    (toy.root / ".lab").mkdir(exist_ok=True)
    (toy.root / ".lab" / "agents.toml").write_text(table)


def test_an_agent_whose_sandbox_cannot_write_is_refused_before_anything_starts(
    toy: Toy, tmp_path: Path
) -> None:
    confined(toy, tmp_path, "ulimit -f 0")
    refused = toy.lab("launch", "toy", "--agent", "mine", code=6)
    assert f"mine could not write {toy.root / 'toy'}" in refused.err
    assert "relay = true" in refused.err
    assert toy.lab("status", "--json").json["campaigns"] == []


def test_a_sandbox_that_cannot_be_tried_is_told_and_one_that_writes_is_not(
    toy: Toy, tmp_path: Path
) -> None:
    toy.env["LAB_PAUSE_S"] = "60"  # after a session that did nothing
    confined(toy, tmp_path, "exit 3")
    assert "sandbox could not be tried" in toy.lab("launch", "toy:ada", "--agent", "mine").out
    confined(toy, tmp_path, "true")
    assert "tried" not in toy.lab("launch", "toy:bob", "--agent", "mine").out
    assert list(toy.root.rglob(".lab-probe-*")) == []


def test_status_says_what_each_campaign_is_at(toy: Toy, tmp_path: Path) -> None:
    toy.env["LAB_PAUSE_S"] = "60"
    toy.env["LAB_CONFINE"] = "none"  # the script looks at a file of ours
    seen_at_work = tmp_path / "seen"
    waits = f"    while not Path({str(seen_at_work)!r}).exists():\n        time.sleep(0.1)\n"
    toy.leaf(train=TRAIN.replace("    print(", f"    import time\n\n{waits}    print("))
    toy.commit("until it was seen")
    toy.lab("launch", "toy:ada", "--agent", "tuner", "--experiments", "2")

    def seen(name: str) -> dict:
        found = toy.lab("status", "--json").json["campaigns"]
        return next(one for one in found if one["campaign"] == name)

    until(lambda: (seen("toy/ada")["run"] or {}).get("stage", "").startswith("e1 seed 0 training"))
    seen_at_work.touch()
    until(lambda: seen("toy/ada")["state"] == "ended")
    ada = seen("toy/ada")
    assert ada["why"] == "limit: 2 experiments"
    assert ada["began_at"]["experiment"] == "e1"
    assert ada["last_line"].startswith("e")
    assert (ada["experiments"], ada["run"], ada["session"]) == (2, None, None)

    said = f"Claude AI usage limit reached|{int(time.time()) + 600}"
    busy = f"sh -c 'echo \"{said}\"; exit 1'"
    toy.lab("launch", "toy:bob", "--agent", busy)
    until(lambda: seen("toy/bob")["state"] == "waiting")
    assert seen("toy/bob")["waiting_until"] > "2026"
    assert "waiting until" in toy.lab("status").out
    toy.lab("stop", "bob")
    assert seen("toy/bob")["state"] == "stopped"

    toy.lab("launch", "toy:cy", "--agent", "sh -c 'sleep 60'")
    until(lambda: seen("toy/cy")["session"])
    assert seen("toy/cy")["session"]["alive"]
    record = json.loads((toy.root / ".lab/locks/loop+toy+cy.lock").read_text())
    os.kill(int(record["process"].partition(":")[0]), signal.SIGKILL)
    until(lambda: seen("toy/cy")["state"] == "dead")
    assert "the command that started it goes on: lab launch toy:cy" in toy.lab("status").out
    assert not seen("toy/cy")["session"]["alive"]
