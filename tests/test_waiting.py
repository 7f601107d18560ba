"""What somebody sees who waits for a run: who else has the device, and how far the run is."""

import os
import time
from pathlib import Path

import pytest
from toy import LEAF, Toy, slope

pytestmark = pytest.mark.children

SLOW = "\n    import time; time.sleep(6)\n"


def slow(toy: Toy, where: Path, value: float) -> str:
    """Make an idea whose training takes six seconds; return its id."""
    slope(where, value, SLOW)
    return toy.idea(f"slope {value}", cwd=where)


def test_a_run_behind_one_that_is_overdue_is_told_no_time(ready: Toy) -> None:
    quick = LEAF.replace("budget_s = 5", "budget_s = 1").replace("startup_s = 20", "startup_s = 1")
    ready.leaf(toml=quick)
    ready.commit("a quick leaf")
    ready.lab("run", "--baseline", "--seeds", "3", cwd=ready.root / "toy")
    for number, name in enumerate(("ada", "bob")):
        where = ready.campaign(name)
        slope(where, 2.0 + number, "    import time\n    time.sleep(25)\n")
        ready.lab("run", ready.idea(name, cwd=where), "--detach", cwd=where, code=5)
    until = time.monotonic() + 20
    while "longer than expected" not in (
        said := ready.lab("wait", "e4", "--wait", "0", code=5).out
    ):
        assert time.monotonic() < until, said
    assert "place 1 in the queue, longer than expected" in said
    ready.lab("stop", "--all")


def test_who_waits_for_a_device_is_told_who_has_it(toy: Toy, campaign: Path) -> None:
    other = toy.campaign("bob")
    toy.lab("run", slow(toy, campaign, 2.0), "--detach", cwd=campaign, code=5)
    deadline = time.monotonic() + 30
    while toy.lab("status", "--json").json["slots"] == []:
        assert time.monotonic() < deadline
    waited = toy.lab("run", slow(toy, other, 2.5), cwd=other)
    told = [line for line in waited.err.splitlines() if "waits for" in line]
    assert len(told) == 1
    assert told[0].startswith("e3 waits for the cpu, place 1")
    assert told[0].endswith("it is e2/0 of toy/ada that has it")


def test_who_has_the_device_is_told_of_no_queue(toy: Toy, campaign: Path) -> None:
    done = toy.lab("run", slow(toy, campaign, 2.0), cwd=campaign)
    assert "waits for" not in done.err


def test_a_line_now_and_then_says_how_far_the_run_is_ten_at_most(toy: Toy, campaign: Path) -> None:
    done = toy.lab("run", slow(toy, campaign, 2.0), cwd=campaign, LAB_SAY_S="0.2")
    lines = [line for line in done.err.splitlines() if "waited" in line]
    assert len(lines) == 10
    assert any("e2 seed 0 training" in line for line in lines)


def test_a_ticket_whose_maker_died_before_naming_it_is_removed(toy: Toy, campaign: Path) -> None:
    folder = toy.root / ".lab" / "slots"
    left = folder / ".ticket-00000000000000000001-1-1.json"
    left.write_text("{}")
    os.utime(left, (1, 1))
    slope(campaign, 2.0)
    toy.lab("run", toy.idea(cwd=campaign), cwd=campaign)
    assert not left.exists()
