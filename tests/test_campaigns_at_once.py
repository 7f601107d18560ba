"""Several campaigns on one leaf and one CPU slot: everything is recorded, one trains at a time."""

import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from toy import TRAIN, Toy, slope

pytestmark = pytest.mark.children

CAMPAIGNS, RUNS = 4, 2
# The leaf's own clock: when training began and ended, and the same in the yardstick.
LIVED = """
    import time
    with (run / "lived.log").open("a") as out:
        out.write(json.dumps([began, time.time()]) + "\\n")
"""


def test_one_trains_at_a_time_and_each_is_recorded(toy: Toy, campaign: Path) -> None:
    places = [toy.campaign(f"agent{number}") for number in range(CAMPAIGNS)]
    with ThreadPoolExecutor(CAMPAIGNS) as agents:
        names = list(agents.map(lambda place: _live(toy, place), places))
    made = sorted(name for mine in names for name in mine)
    count = CAMPAIGNS * RUNS
    assert made == sorted(f"e{number}" for number in range(2, 2 + count))
    rows = [row for row in toy.lab("log", "--json").json if row["hypothesis"]]
    assert [(row["status"], row["verdict"]) for row in rows] == [("finished", "discard")] * count

    files = (toy.root / ".lab" / "runs").glob("*/*/lived.log")
    lives = sorted(json.loads(line) for path in files for line in path.read_text().splitlines())
    assert len(lives) == count
    assert all(first[1] <= second[0] for first, second in itertools.pairwise(lives))
    assert toy.lab("doctor", "--json").json["ok"]
    for place in places:
        assert (place / "train.py").read_text() == TRAIN
        assert toy.git("status", "--porcelain", cwd=place) == ""


def _live(toy: Toy, place: Path) -> list[str]:
    """Try and discard a few ideas, as one campaign's agent; return the experiments."""
    made = []
    number = int(place.parent.name.removeprefix("agent"))
    for run in range(RUNS):
        claim = ("hypothesis", f"idea {run} of {number}", "-m", "the truth is 3")
        idea = toy.lab(*claim, cwd=place).out.strip()
        slope(place, 0.1 + 0.1 * number + 0.01 * run, LIVED)
        text = (place / "train.py").read_text()
        text = text.replace("def main():\n", "def main():\n    import time; began = time.time()\n")
        (place / "train.py").write_text(text)
        found = toy.lab("run", idea, "--json", cwd=place).json
        toy.lab("result", found["experiment"], "-v", "discard", cwd=place)
        made.append(found["experiment"])
    return made
