"""The yardstick apart: it never runs an experiment's code, and alone knows what is held out."""

from pathlib import Path

import pytest
from toy import LEAF, Toy, slope

pytestmark = pytest.mark.children
ANYWHERE = ["", "none"]  # confined as well as this machine can, and not at all
HELD_OUT = """\
import os
from pathlib import Path

for name in ("CACHE", "HELD_OUT"):
    with (Path(os.environ[f"LAB_{name}_DIR"]) / f"{name.lower()}.txt").open("a") as file:
        file.write("truth")
"""
PREPARED = LEAF.replace("budget_s = 5", 'prepare = ["python", "prepare.py"]\nbudget_s = 5')
BLOCK = "---\\nval_error: 0.001\\n---\\n"
# What an experiment may put where its model is loaded, to have another number printed.
TAKES_OVER = {
    "prints a block": f"print({BLOCK!r}, flush=True)",
    "prints it at the end": f"import atexit; atexit.register(print, {BLOCK!r}, flush=True)",
    "prints it and stops": f"import os; os.write(1, {BLOCK.encode()!r}); os._exit(0)",
    "another way to report": "from shared import summary; summary.report = lambda found: "
    "print('---\\nval_error: 0.001\\n---')",
    "another square root": "import math; math.fsum = lambda values: 0.0",
    "into every open file": "import os\n    for fd in range(3, 20):\n        try: os.write(fd, "
    f"{BLOCK.encode()!r})\n        except OSError: pass",
}


@pytest.fixture
def curve(toy: Toy) -> Path:
    """A new leaf of the template, measured; the leaf's folder in a campaign."""
    toy.lab("new", "curve")
    toml = toy.root / "curve/leaf.toml"
    toml.write_text(toml.read_text().replace("steps = 4000", "steps = 400"))
    toy.commit("a new leaf")
    toy.env["LAB_PROFILE"] = "smoke"
    toy.lab("run", "--baseline", "--seeds", "3", "--leaf", "curve")
    return toy.campaign("ada", "curve")


@pytest.mark.parametrize("confined", ANYWHERE)
@pytest.mark.parametrize("how", sorted(TAKES_OVER))
def test_what_loads_the_model_cannot_print_its_number(
    toy: Toy, curve: Path, how: str, confined: str
) -> None:
    script = curve / "train.py"
    body = '    model = json.loads((run_dir / "model.json").read_text())\n'
    script.write_text(script.read_text().replace(body, f"    {TAKES_OVER[how]}\n{body}"))
    idea = toy.idea(how, cwd=curve)
    words = ("run", idea, "--no-dry-run", "--json")  # which would refuse some of them
    found = toy.lab(*words, cwd=curve, code=None, LAB_CONFINE=confined).json
    honest = toy.lab("show", "e1", "--json").json["runs"][0]["value"]
    assert found["value"] in (None, pytest.approx(honest))


def prepared(toy: Toy, more: str, confined: str, evaluate: str | None = None) -> dict:
    """Run a change of a leaf that prepares data; return what `lab run` says."""
    folder = toy.leaf(toml=PREPARED, **({"evaluate": evaluate} if evaluate else {}))
    (folder / "prepare.py").write_text(HELD_OUT)
    toy.commit("with prepare")
    toy.lab("run", "--baseline", "--seeds", "3", "--leaf", "toy", LAB_CONFINE=confined)
    where = toy.campaign()
    slope(where, 2.0, more)
    idea = toy.idea(cwd=where)
    return dict(toy.lab("run", idea, "--json", cwd=where, code=None, LAB_CONFINE=confined).json)


@pytest.mark.parametrize("confined", ANYWHERE)
def test_training_is_not_told_what_is_held_out(toy: Toy, confined: str) -> None:
    more = (
        '    assert "LAB_HELD_OUT_DIR" not in os.environ\n'
        '    assert [one.name for one in Path(os.environ["LAB_CACHE_DIR"]).iterdir()] == '
        '["cache.txt"]\n'
    )
    found = prepared(toy, more, confined)
    assert (found["status"], found["flags"]) == ("finished", [])
    (data,) = (toy.root / ".lab/cache").rglob("held_out.txt")
    assert data.read_text() == "truth"


def test_data_changed_within_their_size_and_time_are_found_and_made_anew(toy: Toy) -> None:
    more = (
        '    file = Path(os.environ["LAB_CACHE_DIR"]) / "cache.txt"\n'
        "    at = file.stat()\n"
        '    file.write_text("false")\n'
        "    os.utime(file, ns=(at.st_atime_ns, at.st_mtime_ns))\n"
    )
    assert prepared(toy, more, "none")["failure"] == "tampered"
    assert not list((toy.root / ".lab/cache").rglob("*.txt"))


def test_what_lies_changed_before_a_run_is_made_anew(toy: Toy) -> None:
    prepared(toy, "", "none")
    (data,) = (toy.root / ".lab/cache").rglob("held_out.txt")
    data.write_text("false")
    toy.lab("run", "e1", "--seeds", "1", LAB_CONFINE="none")
    (data,) = (toy.root / ".lab/cache").rglob("held_out.txt")
    assert data.read_text() == "truth"


def test_a_file_left_in_the_data_for_the_next_run_is_told(toy: Toy) -> None:
    more = '    (Path(os.environ["LAB_CACHE_DIR"]) / "left.txt").write_text("warm start")\n'
    assert prepared(toy, more, "none")["flags"] == ["new_prepared_files"]


def test_data_changed_while_the_yardstick_ran_give_no_number(toy: Toy) -> None:
    more = (
        '    (run / "late.py").write_text("import os, pathlib; pathlib.Path(os.environ['
        "'LAB_HELD_OUT_DIR'], 'held_out.txt').write_text('mine')\")\n"
    )
    evaluate = (
        "import os, runpy\nlate = os.path.join(os.environ['LAB_RUN_DIR'], 'late.py')\n"
        "if os.path.exists(late): runpy.run_path(late)\nprint('---\\nloss: 1.0\\n---')\n"
    )
    assert prepared(toy, more, "none", evaluate)["failure"] == "tampered"


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no memory that is a file here")
def test_a_yardstick_written_to_through_memory_is_found(toy: Toy) -> None:
    more = """\
    import mmap
    for file in Path.cwd().parent.parent.rglob("evaluate.py"):
        with file.open("r+b") as opened, mmap.mmap(opened.fileno(), 0) as memory:
            memory[:3] = b'##"'
"""
    toy.env["LAB_EXPORTS_DIR"] = "/dev/shm"
    assert prepared(toy, more, "none")["failure"] == "tampered"
