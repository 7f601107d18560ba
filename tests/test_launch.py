"""Several campaigns at once, detached: started, watched, told of, stopped."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from toy import Toy


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
    assert "2 campaigns, 1 CPU slot" in started.err
    assert started.out.count("started: lab output") == 2
    until(lambda: told.exists() and told.read_text().count("limit (1 experiments)") == 2)
    until(lambda: alive(toy) == [])
    rows = toy.lab("log", "toy", "--json", "-n", "50").json
    judged = [row for row in rows if row["hypothesis"]]
    assert len(judged) == 2
    assert all(row["verdict"] for row in judged)
    printed = toy.lab("output", "ada").out
    assert "toy/ada: limit (1 experiments)" in printed
    assert toy.lab("doctor", "--json").json["ok"]


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
