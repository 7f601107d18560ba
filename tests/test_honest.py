"""Honest edits and habits: none is refused, and none is flagged."""

import textwrap
from pathlib import Path

import pytest
from toy import EVALUATE, LEAF, TRAIN, Toy, slope

END = '    print("trained")\n'
PREPARE = LEAF.replace("command = [", 'prepare = ["python", "-S", "prepare.py"]\ncommand = [')
PREPARE = PREPARE.replace('"program.md"]', '"program.md", "prepare.py"]')
MAKE = """
import os
from pathlib import Path

(Path(os.environ["LAB_CACHE_DIR"]) / "data.txt").write_text("3")
"""
# What a training may log at its first step, and do at its end.
FIRST = {
    "an infinite loss scale": '"loss": 1.0, "loss_scale": Infinity',
    "nothing validated yet": '"loss": 2.0, "val_loss": NaN',
    "nothing validated yet, as null": '"loss": 2, "val_loss": null, "nonfinite": ["val_loss"]',
    "no best so far": '"loss": 2.0, "best_so_far": Infinity',
    "no best loss so far": '"loss": 2.0, "best_val_loss": Infinity',
    "an infinite gradient": '"loss": 2.0, "grad_norm": Infinity',
}
LAST = {
    "a folder of wandb": "Path('wandb').mkdir()\nPath('wandb/run.json').write_text('{}')",
    "a file beside the leaf": "Path('../out.txt').write_text('x')",
    "a file in the leaf": "Path('curve.png').write_bytes(b'x')",
    "code that wandb copies": "copy = Path('wandb/run-1/files/code/train.py')\n"
    "copy.parent.mkdir(parents=True, exist_ok=True)\ncopy.write_text('raise SystemExit')",
    "a package in a tool's copy": "copy = Path('outputs/1/code/toy/__init__.py')\n"
    "copy.parent.mkdir(parents=True, exist_ok=True)\ncopy.write_text('')",
    "a page of text": "print('x' * 300_000)",
    "an earlier divergence": "print('diverged at step 3: from the last checkpoint')",
    "the metric with four digits": "w = json.loads((run / 'model.json').read_text())['w']\n"
    "print(f'---\\nloss: {(w - 3) ** 2:.4f}\\n---')",
    "a cache that is touched": "os.utime(Path(os.environ['LAB_CACHE_DIR']) / 'data.txt')",
    "a cache written as it was": "data = Path(os.environ['LAB_CACHE_DIR']) / 'data.txt'\n"
    "data.write_bytes(data.read_bytes())",
    "a child process": "import subprocess\nsubprocess.run(['true'], check=True)",
}


def trainings() -> dict[str, str]:
    """Return what to put at the end of the toy's training, by name."""
    log = "with (run / 'steps.jsonl').open('w') as log:\n    log.write('{\"step\": 1, ROW}\\n')"
    found = {name: log.replace("ROW", row) for name, row in FIRST.items()} | LAST
    return {name: textwrap.indent(f"{code}\n", "    ") for name, code in found.items()}


# Docstrings that other code gets hold of.
READ = """\
import functools


class Signature(dict):
    "A signature says it."


@functools.cache
def tool():
    "A decorator sees it."


def search():
    "An agent is given it."


tools = [search]
SLOPE = 1.0\
"""
# What agents, editors and tools leave in a worktree.
LEFT = (
    *(
        ".train.py.swp",
        ".claude/settings.json",
        ".idea/x.xml",
        ".vscode/settings.json",
        "train.py~",
    ),
    *("#train.py#", ".DS_Store", ".aider.chat.history.md", "train.py.orig", "wandb/run/x.json"),
    *("thoughts.txt", "curve.png"),
)
# What a yardstick may print around its block.
YARDSTICKS = {
    "long text after the block": EVALUATE + "print('x ' * 100_000)\n",
    "a second block after it": EVALUATE + "print('---\\nconfig: 3\\n---')\n",
    "3,000 metrics": EVALUATE.replace(
        "steps: 1", "{chr(10).join(f'layer_{n}/weights/norm: {n / 7}' for n in range(3000))}"
    ),
    "four digits": EVALUATE.replace("{(w - 3) ** 2!r}", "{(w - 3) ** 2:.4f}"),
}


def cached(toy: Toy) -> None:
    """Give the toy a prepared file."""
    toy.leaf(toml=PREPARE)
    (toy.root / "toy/prepare.py").write_text(MAKE)
    toy.commit("it prepares")
    toy.lab("run", "--baseline", "--seeds", "3", cwd=toy.root / "toy")


def test_what_honest_trainings_do_is_neither_refused_nor_flagged(toy: Toy) -> None:
    cached(toy)
    campaign = toy.campaign()
    bad = {}
    for name, more in trainings().items():
        slope(campaign, 0.9, more)
        words = ("run", toy.idea(name, cwd=campaign), "--json")
        found = toy.lab(*words, cwd=campaign, code=None).json
        toy.here("result", found["experiment"], "-v", "discard", cwd=campaign)
        if found["status"] != "finished" or found["flags"] or found["constraints"]["broken"]:
            bad[name] = (found["failure"], found["flags"], found["detail"])
    assert bad == {}


def test_what_tools_leave_in_a_worktree_is_no_reason_to_refuse(toy: Toy, campaign: Path) -> None:
    for name in LEFT:
        (campaign / name).parent.mkdir(parents=True, exist_ok=True)
        (campaign / name).write_text("{}")
    (campaign.parent / "beside.txt").write_text("a page")
    (campaign / ".gitignore").write_text("*.png\n")
    slope(campaign, 2.0)
    found = toy.lab("run", toy.idea(cwd=campaign), "--json", cwd=campaign)
    assert found.json["suggest"] == "keep"
    (told,) = (line for line in found.err.splitlines() if "goes without" in line)
    assert 'goes without "thoughts.txt": new, and not mutable' in told
    assert 'a person names it in toy/leaf.toml: mutable = [..., "thoughts.txt"]' in told
    (campaign / "helper.py").write_text("")
    slope(campaign, 2.5)
    toy.here("result", "e2", "-v", "keep", cwd=campaign)
    assert (
        "helper.py was changed" in toy.here("run", toy.idea(cwd=campaign), cwd=campaign, code=4).err
    )


@pytest.mark.parametrize("text", YARDSTICKS.values(), ids=YARDSTICKS)
def test_what_a_yardstick_prints_around_its_block_hides_it_not(toy: Toy, text: str) -> None:
    toy.leaf(evaluate=text)
    toy.commit("another yardstick")
    found = toy.lab("run", "--baseline", "--seeds", "3", "--json", cwd=toy.root / "toy").json
    assert (found["status"], found["flags"], len(found["runs"])) == ("finished", [], 3)
    campaign = toy.campaign()
    slope(campaign, 2.0)
    assert toy.lab("run", toy.idea(cwd=campaign), "--json", cwd=campaign).json["suggest"] == "keep"


def test_a_program_s_own_connection_error_is_its_bug(toy: Toy, campaign: Path) -> None:
    slope(campaign, 2.0, "    raise ConnectionError('no luck today')\n")
    found = toy.lab("run", toy.idea(cwd=campaign), "--json", cwd=campaign, code=1).json
    assert (found["failure"], len(found["runs"])) == ("bug", 1)


def test_a_coarse_metric_whose_seeds_tie_is_judged(toy: Toy) -> None:
    shares = EVALUATE.replace("{(w - 3) ** 2!r}", "{round(abs(w - 3) * 50) / 200!r}")
    toy.leaf(evaluate=shares)
    toy.commit("a share of 200")
    toy.lab("run", "--baseline", "--seeds", "3", cwd=toy.root / "toy")
    campaign = toy.campaign()
    for value, expected in ((1.001, "discard"), (1.02, "discard"), (1.4, "keep")):
        slope(campaign, value)
        found = toy.lab("run", toy.idea(str(value), cwd=campaign), "--json", cwd=campaign).json
        assert found["suggest"] == expected, found["why"]
        toy.here("result", found["experiment"], "-v", expected, cwd=campaign)


@pytest.mark.parametrize("ignored", [False, True], ids=["new", "new, of a kind that git ignores"])
def test_a_mutable_file_may_come_later_and_go_again(toy: Toy, ignored: bool) -> None:
    toy.leaf(toml=LEAF.replace('mutable = ["train.py"]', 'mutable = ["train.py", "model.cfg"]'))
    (toy.root / ".gitignore").write_text("*.cfg\n" if ignored else "")
    toy.commit("a file that is not there yet is mutable")
    toy.lab("run", "--baseline", "--seeds", "3", cwd=toy.root / "toy")
    campaign = toy.campaign()
    for value, file in ((0.9, False), (0.8, True), (0.7, False)):
        slope(campaign, value)
        if file:
            (campaign / "model.cfg").write_text("width = 2\n")
        found = toy.lab("run", toy.idea(str(value), cwd=campaign), "--json", cwd=campaign).json
        assert found["status"] == "finished"
        made = toy.git("show", "--name-only", "--format=", found["commit"]).splitlines()
        assert ("toy/model.cfg" in made) == file
        toy.here("result", found["experiment"], "-v", "discard", cwd=campaign)
        assert not (campaign / "model.cfg").exists()


@pytest.mark.parametrize("said", ["signature says", "decorator sees", "agent is given"])
def test_a_docstring_that_is_a_prompt_is_an_experiment(quick: Toy, said: str) -> None:
    text = TRAIN.replace("SLOPE = 1.0", READ)
    quick.leaf(train=text)
    quick.commit("docstrings that are read")
    campaign = quick.campaign()
    (campaign / "train.py").write_text(text.replace(said, f"{said} well"))
    refused = quick.lab("run", quick.idea(cwd=campaign), cwd=campaign, code=4)
    assert "there is no incumbent" in refused.err  # the edit is one: this is looked at after it


def test_a_baseline_with_another_prompt_is_another(toy: Toy) -> None:
    prompt = TRAIN.replace('"""Fit a line."""', '"""1.0"""').replace("= 1.0", "= float(__doc__)")
    for number in ("1.0", "2.0"):
        toy.leaf(train=prompt.replace('"""1.0', f'"""{number}'))
        toy.commit(number)
        toy.lab("run", "--baseline", "--seeds", "1", cwd=toy.root / "toy")
    values = [row["value"] for row in toy.here("log", "--json").json]
    assert [round(value) for value in values] == [1, 4]


READS_ITSELF = {
    "its comments": ("import inspect\n\nSLOPE = 1.0 * ('# 2' in inspect.getsource(main))", "# 2"),
    "its own file": ("SLOPE = 1.0 * ('# 2' in Path(__file__).read_text())", "# 2"),
    "through globals": ("SLOPE = float((globals()['main'].__doc__ or '1'))", "'2'"),
}


@pytest.mark.parametrize("name", READS_ITSELF)
def test_a_text_that_the_program_reads_is_part_of_it(toy: Toy, name: str) -> None:
    code, more = READS_ITSELF[name]
    text = TRAIN.replace("SLOPE = 1.0  # the truth is 3\nNOISE = 0.01\n", "NOISE = 0.01\n")
    text = text.replace("\n\nif __name__", f"\n\n{code}\nif __name__")
    toy.leaf(train=text)
    toy.commit("it reads itself")
    toy.lab("run", "--baseline", "--seeds", "1", cwd=toy.root / "toy")
    campaign = toy.campaign()
    (campaign / "train.py").write_text(text.replace("def main():\n", f"def main():\n    {more}\n"))
    found = toy.lab("run", toy.idea(cwd=campaign), "--json", cwd=campaign, code=None)
    assert "nothing was changed" not in found.err
