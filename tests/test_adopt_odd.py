"""`lab adopt` among odd output, odd repositories and odd names, as strangers have them."""

from pathlib import Path

import pytest
from test_adopt import adopted, refused, script, theirs  # noqa: F401  (a fixture)
from toy import Toy

from lab.adopt import candidates

EPOCHS = "".join(f"epoch {n} train_loss 0.{9 - n} val_loss 0.{8 - n}\n" for n in range(4))
BAR = "".join(f"\r{n * 20}%|##| {n}/5 [00:01<00:02, 3.2it/s, loss=0.{9 - n}]" for n in range(5))
REPORT = """\
              precision    recall  f1-score   support

           0       0.98      1.00      0.99        33

    accuracy                           0.97       100
"""
PRINTED = {
    "what is held out, of what goes on": (EPOCHS, "val_loss", 0.5, "minimize"),
    "a result, not progress": ("loss 3\nloss 2\nreward: 12.5\n", "reward", 12.5, "maximize"),
    "a bar, colours, percents": (
        f"{BAR}\n\x1b[32mtest acc\x1b[0m: \x1b[1m91.25%\x1b[0m\n",
        *("test_acc", 91.25, "maximize"),
    ),
    "thousands": ("Final cost: 1,234,567.8\n", "final_cost", 1234567.8, "minimize"),
    "an exponent": ("rmse = 1.2e-03\n", "rmse", 0.0012, "minimize"),
    "a power": ("R^2: 0.83\n", "r2", 0.83, "maximize"),
    "a table's row": (REPORT, "accuracy", 0.97, "maximize"),
    "a logger": ("2026-11-28 09:10:11,123 INFO val_acc=0.91\n", "val_acc", 0.91, "maximize"),
    "JSON": ('{"epoch": 3, "metrics": {"val_loss": 0.25}}\n', "val_loss", 0.25, "minimize"),
}


@pytest.mark.parametrize("name", PRINTED)
def test_the_score_is_found_among_what_is_printed(theirs: Toy, name: str) -> None:  # noqa: F811
    text, metric, value, direction = PRINTED[name]
    script(theirs, "train.py", f"print({text!r}, end='')\n")
    found = adopted(theirs, "train.py")
    assert (found["metric"], found["value"], found["direction"]) == (metric, value, direction)
    measured = theirs.lab("run", "--baseline", "--json").json
    assert measured["runs"][0]["value"] == value


def test_where_it_cannot_be_told_the_likeliest_is_named_and_why(theirs: Toy) -> None:  # noqa: F811
    script(theirs, "a b.py", "print('step 1 loss 2.5\\nfinal loss 0.5, test error 3, time 9 s')\n")
    said = refused(theirs, "a b.py", "--metric", "nosuch", code=3).err
    assert "It prints: step 1, loss 2.5, final_loss 0.5, test_error 3, time_s 9" in said
    assert adopted(theirs, "a b.py")["metric"] == "test_error"
    script(theirs, "x/c.py", "print('mse: 2\\nfinal mae: 0.5\\nrmse: 3')\n")
    said = refused(theirs, "x/c.py", "--", "7", code=2).err
    hint = "final_mae (a score by its name, as of the end, said once): "
    assert f"such as {hint}lab adopt x/c.py --metric final_mae -- 7" in said


@pytest.mark.parametrize("word", ["nan", "inf", "-Infinity"])
def test_a_score_that_is_no_number_is_told(theirs: Toy, word: str) -> None:  # noqa: F811
    script(theirs, "train.py", f"LR = 1.0\nprint('loss:', 0.5)\nprint('loss: {word}')\n")
    said = refused(theirs, "train.py", code=4).err
    assert f"prints loss: {float(word)}, which is no number to improve" in said
    script(theirs, "train.py", "LR = 1.0\nprint('loss:', LR)\n")
    adopted(theirs, "train.py")
    theirs.lab("run", "--baseline")
    campaign = Path(theirs.here("worktree", "root", "ada").out.strip())
    (campaign / "train.py").write_text(f"LR = 1.0\nprint('loss:', LR)\nprint('loss: {word}')\n")
    idea = theirs.here("hypothesis", "more", "-m", "more", cwd=campaign).out.strip()
    lines = theirs.lab("run", idea, cwd=campaign, code=1).out.splitlines()
    assert lines[:2] == ["e2 failed: no_metric", f"  not a finite number: loss: {float(word)}"]
    assert lines[3] == "  See in the log where it stopped being a number"
    theirs.here("result", "e2", "-v", "crash", cwd=campaign)
    (campaign / "train.py").write_text("LR = 1.0\nprint('done')\n")
    idea = theirs.here("hypothesis", "less", "-m", "less", cwd=campaign).out.strip()
    lines = theirs.lab("run", idea, cwd=campaign, code=1).out.splitlines()
    assert lines[1] == "  not printed: loss ('loss: {}')"
    assert lines[3] == "  Have it print that line again, as [printed] of leaf.toml has it"


ODD = {
    "input": ("x = input('which? ')\n", "asks for input", "lab adopt 'my dir/train.py' -- ANSWER"),
    "a package": ("import sklearn_, sklearn.nosuch\n", "imports sklearn_", "pip install sklearn_"),
    "pointer": ("float(open('d.csv').read())\n", "d.csv, of which commits have", "[sandbox] read"),
    "submodule": ("open('sub/x.txt')\n", "x.txt of the submodule sub", "[sandbox] read"),
}


@pytest.mark.parametrize("name", ODD)
def test_what_no_run_would_have_is_told(theirs: Toy, name: str, tmp_path: Path) -> None:  # noqa: F811
    text, says, hint = ODD[name]
    other = Toy(tmp_path / "other")
    other.root.mkdir()
    other.git("init", "-q")
    (other.root / "x.txt").write_text("1\n")
    other.commit()
    allow = ["-c", "protocol.file.allow=always"]
    theirs.git(*allow, "submodule", "--quiet", "add", str(other.root), "my dir/sub")
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n"
    script(theirs, "my dir/train.py", text, **{"my dir/d.csv": pointer})
    theirs.git("update-index", "--assume-unchanged", "my dir/d.csv")
    (theirs.root / "my dir/d.csv").write_text("1.5")  # as git-lfs writes it out
    first, second = refused(theirs, "my dir/train.py", code=1).err.strip().splitlines()
    assert says in first
    assert hint in second


def test_a_folder_with_blanks_is_typed_in_quotes(theirs: Toy) -> None:  # noqa: F811
    script(theirs, "my dir/ü/träin me.py", "LR = 0.1\nprint('loss:', (LR - 3) ** 2)\n")
    said = theirs.lab("adopt", "my dir/ü/träin me.py").out
    assert said.endswith("--leaf 'my dir/ü'; or: lab loop 'my dir/ü' --agent tuner\n")
    told = theirs.lab("run", "--baseline", "--leaf", "my dir/ü").out
    assert told.endswith("next: cd \"$(lab worktree 'my dir/ü' NAME)\"\n")
    ended = theirs.lab("loop", "my dir/ü", "--agent", "tuner", "--experiments", "1").out
    assert "1 experiment, " in ended


def test_what_belongs_to_a_project_in_a_folder_of_its_own(theirs: Toy) -> None:  # noqa: F811
    for name, need in (("one", "click>=7"), ("two", "click>=8")):
        text = f'[project]\nname = "{name}"\nversion = "1"\ndependencies = ["{need}"]\n'
        more = {f"{name}/pyproject.toml": text, f"{name}/src/lib/model.py": "z = 1\n"}
        own = "import click\nfrom lib.model import z\nLR = 0.1\nprint('loss:', LR + z)\n"
        script(theirs, f"{name}/src/train.py", own, **more)
        adopted(theirs, f"{name}/src/train.py")
        toml = (theirs.root / name / "src/leaf.toml").read_text()
        assert f'requires = ["{need}"]' in toml
        assert 'frozen = ["lib", "program.md"]' in toml


def test_the_likeliest_of_several_is_a_number() -> None:
    found = candidates.found("loss: nan\nacc: 0.5\n")
    assert candidates.suggested(candidates.chosen(found)).name == "acc"


def test_a_script_without_knobs_is_told_how_one_is_made(theirs: Toy) -> None:  # noqa: F811
    script(theirs, "train.py", "print('loss:', 1.5)\n")
    assert adopted(theirs, "train.py")["knobs"] == []
    said = theirs.lab("loop", ".", "--agent", "tuner", code=4).err
    assert "at the top of train.py (LR = 0.05) and name it in leaf.toml: [knobs.LR]" in said
