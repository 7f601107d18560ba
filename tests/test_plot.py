"""The picture: every experiment is in it, whatever its numbers, and no two names touch."""

import random
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from toy import Toy

from lab.views import plot as plots

matplotlib = pytest.importorskip("matplotlib")

from matplotlib.collections import PathCollection  # noqa: E402  (after the skip)
from matplotlib.text import Annotation  # noqa: E402

PLAIN: dict[str, Any] = {
    **{"status": "finished", "verdict": "discard", "value": 1.0, "gain": None, "claimed": 0},
    "failure": None,
    **{"kind": "run", "metric": "loss", "direction": "minimize", "claim": "a claim"},
}
CRASH = {"status": "failed", "verdict": "crash", "value": None}
LOG = "commit\tval_bpb\tmemory_gb\tstatus\tdescription\n"


def night(count: int, **same: Any) -> list[dict[str, Any]]:
    """Return a baseline and `count` - 1 experiments: every seventh kept, every ninth crashed."""
    chance = random.Random(count)
    points = [PLAIN | {"experiment": 1, "kind": "baseline", "verdict": "keep", "claim": None}]
    best = 1.0
    for number in range(2, count + 1):
        point = PLAIN | {"experiment": number, "value": best + chance.expovariate(20)}
        if number % 7 == 0:
            gain = chance.expovariate(100)
            best -= gain
            point |= {
                "verdict": "keep",
                "value": best,
                "gain": gain,
                "claim": f"idea {number} " * 4,
            }
        elif number % 9 == 0:
            point |= CRASH
        points.append(point | same)
    return points


def marks(figure: Any) -> int:
    """Return how many experiments were drawn."""
    found = figure.axes[0].findobj(PathCollection)
    return sum(len(collection.get_offsets()) for collection in found)


def names(figure: Any) -> list[Annotation]:
    return [note for note in figure.axes[0].findobj(Annotation) if note.get_text()]


@pytest.mark.parametrize(
    "points",
    [
        night(1),
        night(40),
        night(5000),
        [PLAIN | CRASH | {"experiment": n} for n in range(9)],
        [PLAIN | {"experiment": n, "value": 10.0 ** (5 - n)} for n in range(11)],
        [PLAIN | {"experiment": n, "value": (-1) ** n * 10.0 ** (5 - n)} for n in range(11)],
        [PLAIN | {"experiment": n, "value": 7.0} for n in range(5)],
        [PLAIN | {"experiment": n, "value": 0.0} for n in range(5)],
        [PLAIN | {"experiment": n, "value": 1e300 * n} for n in range(5)],
        [*night(40), PLAIN | {"experiment": 41, "value": 900.0}],
        [PLAIN | {"experiment": 1, "verdict": None, "status": "running", "value": None}],
        [PLAIN | {"experiment": 1, "claimed": 1}, PLAIN | {"experiment": 2}],
        night(40, direction="maximize"),
        night(9, metric="a_{b}$x$", claim="\x1b[31m $\\frac{1}{0}$ 漢字 <b>"),
    ],
    ids=[
        *("one", "forty", "five thousand", "all crashed", "ten orders", "ten orders, signs"),
        *("constant", "zeros", "huge", "one far off", "running", "claimed", "maximize", "markup"),
    ],
)
def test_every_experiment_is_in_the_picture(points, tmp_path):
    with plots._quiet():
        figure = plots.draw(points, "toy", 0.003)
        figure.savefig(tmp_path / "plot.png")
    assert marks(figure) == len(points)
    assert (tmp_path / "plot.png").read_bytes()[1:4] == b"PNG"


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_names_of_kept_changes_neither_touch_nor_leave_the_frame(direction):
    figure = plots.draw(night(120, direction=direction), "toy", 0.003)
    figure.draw_without_rendering()
    boxes = [name.get_window_extent() for name in names(figure)]
    frame = figure.axes[0].get_window_extent().padded(3)
    assert len(boxes) > 8
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 for box in boxes)


def test_one_diverged_run_does_not_flatten_the_rest():
    points = [*night(60), PLAIN | {"experiment": 61, "value": 9.0}]
    _, high = plots.interesting(points)
    assert high < 2
    figure = plots.draw(points, "toy", None)
    assert "off the scale (1)" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_the_scale_follows_the_spread():
    ten = [
        PLAIN | {"experiment": n, "value": 10.0 ** (5 - n), "verdict": "keep"} for n in range(11)
    ]
    assert plots.draw(ten, "toy", None).axes[0].get_yscale() == "log"
    assert plots.draw(night(30), "toy", None).axes[0].get_yscale() == "linear"


def test_an_empty_notebook_is_drawn_with_what_to_do_first(toy: Toy) -> None:
    answer = toy.lab("plot", "-o", "night.svg")
    assert answer.out == "night.svg\n"
    assert answer.err == "Nothing to draw yet. Begin with: lab run --baseline --seeds 3\n"
    assert (toy.root / "night.svg").read_text().startswith("<?xml")


def test_a_log_is_drawn_twice_the_same(toy: Toy) -> None:
    rows = [f"c{n}\t{1 - n / 1e3}\t4.0\tkeep\tstep {n}" for n in range(9)]
    (toy.root / "log.tsv").write_text(LOG + "\n".join(rows) + "\n")
    toy.lab("import", "log.tsv", "--leaf", "old")
    found = toy.lab("plot", "old", "-o", "a.svg", "--json").json
    assert found == {"leaf": "old", "file": "a.svg", "shown": 9, "left_out": 0}
    toy.lab("plot", "old", "-o", "b.svg")
    assert (toy.root / "a.svg").read_bytes() == (toy.root / "b.svg").read_bytes()


@pytest.mark.parametrize("words", [["-o", "a.pdf"], ["-o", "a"]], ids=["other", "no"])
def test_an_unknown_ending_is_refused(toy: Toy, words: list[str]) -> None:
    answer = toy.lab("plot", *words, code=2)
    assert answer.err.endswith("Type: -o plot.png or plot.svg\n")


def test_a_leaf_nobody_knows_and_a_folder_that_is_not_there_are_refused(toy: Toy) -> None:
    assert "no leaf 'tiy'" in toy.lab("plot", "tiy", code=3).err
    assert "none/a.png" in toy.lab("plot", "-o", "none/a.png", code=6).err


def test_without_matplotlib_one_line_says_what_to_install(toy: Toy) -> None:
    (toy.root / "matplotlib.py").write_text("raise ImportError('no module named matplotlib')\n")
    done = subprocess.run(
        [sys.executable, "-m", "lab", "plot"],
        cwd=toy.root,
        env=toy.environ(PYTHONPATH=str(toy.root)),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 6
    clone = Path(__file__).resolve().parents[1]
    assert done.stderr.splitlines()[1] == (
        f"Install it: {sys.executable} -m pip install -e '{clone}[plot]'; "
        "or as a page, without it: lab report toy"
    )
