"""`from labtree import notebook`: the notebook as plain objects and frames, from Python."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from toy import Toy, slope

from labtree import notebook

SCRIPT = """\
from labtree import notebook

made = notebook.record("a wider net", "more room", {"loss": 0.5}, "keep")
print(made, len(notebook.experiments()), len(notebook.runs("e1")), len(notebook.curves("e1")))
"""


def python(toy: Toy, code: str) -> subprocess.CompletedProcess[str]:
    """Run code in the toy's repository, as somebody does who has Labtree installed."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=toy.root,
        env=toy.environ(PYTHONPATH=str(Path(__file__).parent.parent)),
        capture_output=True,
        text=True,
    )


def test_the_notebook_is_read_as_objects(toy: Toy, campaign: Path) -> None:
    slope(campaign, 2.0)
    toy.lab("run", toy.idea(cwd=campaign), cwd=campaign)
    toy.here("result", "e2", "-v", "keep", cwd=campaign)
    first, second = notebook.experiments("toy", where=toy.root)
    assert (first.experiment, first.claim, first.verdict) == ("e1", None, "keep")
    assert (second.claim, second.gain is not None and second.gain > 0) == ("raise the slope", True)
    made = notebook.runs("e1", where=campaign)  # from a worktree as well
    assert [run.seed for run in made] == [0, 1, 2]
    assert made[0].metrics["loss"] == made[0].value
    assert len(notebook.runs(where=toy.root)) == 4
    (step, *_) = notebook.curves("e2", where=toy.root)
    assert (step.step, step.elapsed_s, step.metrics) == (1, 0.1, {"loss": 1.0})


def test_rows_are_frames_where_pandas_is(toy: Toy, campaign: Path) -> None:
    frame = notebook.runs("e1", where=toy.root).frame()
    assert list(frame["seed"]) == [0, 1, 2]
    assert frame["loss"].equals(frame["value"].rename("loss"))


def test_a_script_records_what_ran_elsewhere(toy: Toy, campaign: Path) -> None:
    done = python(toy, SCRIPT)
    assert (done.returncode, done.stdout) == (0, "e2 2 3 3\n"), done.stderr
    assert "claimed: a wider net" in toy.here("board", "toy").out


def test_what_is_not_there_is_told(toy: Toy, campaign: Path, tmp_path: Path) -> None:
    with pytest.raises(notebook.NotFound, match="e99"):
        notebook.runs("e99", where=toy.root)
    with pytest.raises(notebook.NotFound, match="not within a git repository"):
        notebook.experiments(where="/")
    with pytest.raises(notebook.Refused, match="is not"):
        notebook.record("c", "m", {}, "maybe", where=toy.root)


def test_a_training_logs_its_steps_in_one_line(toy: Toy) -> None:
    text = (toy.root / "toy/train.py").read_text()
    begins = text.index('    with (run / "steps.jsonl")')
    ends = text.index('    (run / "model.json")')
    text = (
        text[:begins]
        + "    for n in range(3):\n        steps.log(n, n / 10, loss=1.0 - n)\n"
        + text[ends:]
    )
    toy.leaf(train=text.replace("import json\n", "import json\nfrom labtree.shared import steps\n"))
    toy.commit("logged by the kit")
    toy.lab("run", "--baseline", "--leaf", "toy")
    assert [one.step for one in notebook.curves("e1", where=toy.root)] == [0, 1, 2]


def test_the_page_on_python_works_as_it_stands(toy: Toy, campaign: Path) -> None:
    page = (Path(__file__).parent.parent / "docs/python.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 3
    slope(campaign, 2.0)
    toy.lab("run", toy.idea(cwd=campaign), cwd=campaign)
    toy.here("result", "e2", "-v", "keep", cwd=campaign)
    for block in blocks:
        done = python(toy, block)
        assert done.returncode == 0, done.stderr
