"""`lab new`: a leaf that works at once, from a template or another leaf; names that may not be."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import toy as toys
from toy import Toy

from lab.leaf import scaffold

PAGE = Path(__file__).resolve().parents[1] / "docs" / "leaf.md"
NAMES_ITSELF = '''\
"""Says who it is."""

LEAF = "toy"
NOTE = "toy story"  # another text
print(LEAF, 'toy')
'''


@pytest.mark.children
def test_a_new_leaf_has_few_files_and_says_what_to_edit_first(toy: Toy) -> None:
    told = toy.lab("new", "contrib/kernels/rmsnorm").out
    made = sorted(path.name for path in (toy.root / "contrib/kernels/rmsnorm").iterdir())
    assert made == [
        *("evaluate.py", "leaf.toml", "notes.md", "prepare.py", "program.md", "serve.py"),
        "train.py",
    ]
    edits = re.findall(r"^  \d\. contrib/kernels/rmsnorm/(\S+) ", told, flags=re.M)
    assert edits == ["program.md", "prepare.py", "evaluate.py", "train.py", "leaf.toml"]
    assert "Prove it: lab check contrib/kernels/rmsnorm\n" in told
    assert toy.lab("leaves", "--json").json[0]["leaf"] == "contrib/kernels/rmsnorm"


def test_a_new_leaf_runs_at_once_and_its_seeds_tell_a_spread(toy: Toy) -> None:
    toy.lab("new", "curve/")
    toy.commit("a new leaf")
    found = toy.lab("run", "--baseline", "--seeds", "3", "--json", "--leaf", "curve").json
    assert found["metric"] == "val_error"
    assert 0.2 < found["value"] < 0.6
    assert found["noise"] > 0
    assert found["flags"] == []


def test_json_names_the_leaf_its_files_and_the_next_line(toy: Toy) -> None:
    found = toy.lab("new", "./curve", "--json").json
    assert (found["leaf"], found["next"]) == ("curve", "lab check curve")
    assert set(found["edit"]) < set(found["files"])


@pytest.mark.children
@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [
        ("../x", 2, "is no name for a leaf"),
        ("/tmp/x", 2, "is no name for a leaf"),
        ("a b", 2, "is no name for a leaf"),
        ("-x", 2, "no such option '-x'"),
        (".hidden", 2, "is no name for a leaf"),
        ("a//b", 2, "is no name for a leaf"),
        ("", 2, "is no name for a leaf"),
        ("x\n", 0, ""),
        ("toy", 4, "toy exists already"),
        ("toy/inner", 4, "toy is a leaf itself"),
        ("README/x", 4, "README is no folder of this repository"),
        ("json", 4, "'json' is also a module of Python"),
        ("click", 4, "'click' is also an installed package"),
        ("torch9", 4, "'torch9' is also a package that a leaf here requires"),
        ("lab", 4, "'lab' is taken by lab itself"),
        ("shared/x", 4, "'shared/x' is taken by lab itself"),
        ("Root", 4, "'Root' is taken by lab itself"),
        ("runs/x", 4, "git ignores runs/x"),
        ("out/x", 4, "out is no folder of this repository"),
        ("contrib/click", 0, ""),
    ],
)
def test_a_name_that_may_not_be_is_refused_and_nothing_is_made(
    toy: Toy, tmp_path: Path, name: str, code: int, reason: str
) -> None:
    (toy.root / "README").write_text("a file")
    (toy.root / "out").symlink_to(tmp_path)
    (toy.root / ".gitignore").write_text("runs/\n")
    table = toys.LEAF.replace("budget_s", 'requires = ["torch9>=2"]\nbudget_s', 1)
    toy.leaf("other", toml=table)
    before = sorted(toy.root.rglob("*.toml"))
    answer = toy.lab("new", name, code=code)
    assert reason.lower() in answer.err.lower()
    assert (sorted(toy.root.rglob("*.toml")) == before) == (code != 0)


@pytest.mark.children
def test_from_another_leaf_copies_it_as_it_stands_but_for_its_findings(toy: Toy) -> None:
    folder = toy.root / "toy"
    (folder / "notes.md").write_text("toy: 0.1 better\n")
    (folder / "who.py").write_text(NAMES_ITSELF)  # nobody committed it
    (folder / "program.md").write_text("# toy\n\nAbout toy.\n")
    toy.lab("new", "contrib/second", "--from", "toy")
    made = toy.root / "contrib/second"
    assert (made / "train.py").read_text() == (folder / "train.py").read_text()
    assert "0.1 better" not in (made / "notes.md").read_text()
    assert (made / "program.md").read_text() == "# contrib/second\n\nAbout toy.\n"
    said = subprocess.run([sys.executable, made / "who.py"], capture_output=True, text=True)
    assert said.stdout == "contrib/second contrib/second\n"
    assert 'NOTE = "toy story"  # another text' in (made / "who.py").read_text()


def test_a_source_that_is_no_leaf_is_named(toy: Toy) -> None:
    answer = toy.lab("new", "second", "--from", "tox", code=3)
    assert "--from: no leaf 'tox'; the nearest is 'toy'" in answer.err
    assert not (toy.root / "second").exists()


def test_a_leaf_that_cannot_be_read_is_not_copied(toy: Toy) -> None:
    (toy.root / "toy/leaf.toml").write_text("metric = 3\n")
    toy.lab("new", "second", "--from", "toy", code=4)
    assert not (toy.root / "second").exists()


@pytest.mark.children
def test_outside_a_repository_it_is_said_how_to_make_one(toy: Toy, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    answer = toy.lab("new", "curve", cwd=alone, code=3)
    assert answer.err.splitlines()[1] == "Go to one, or make one: git init"


@pytest.mark.children
def test_in_a_campaign_it_is_refused(toy: Toy) -> None:
    answer = toy.lab("new", "curve", cwd=toy.campaign(), code=4)
    assert "this is a campaign's worktree" in answer.err


def test_the_template_is_as_clean_as_our_own_code(toy: Toy) -> None:
    toy.lab("new", "contrib/curve")
    for words in (["check"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *words, "--no-cache", "--line-length", "100"]
        more = ["--select", "E,F,I,B,UP,SIM,RUF,C4,PT"] if words == ["check"] else []
        found = subprocess.run(
            [*command, *more, toy.root / "contrib/curve"], capture_output=True, text=True
        )
        assert found.returncode == 0, found.stdout
    assert set(scaffold.FIRST) < {path.name for path in (toy.root / "contrib/curve").iterdir()}


def test_the_walk_through_works_in_a_repository_of_one_s_own(tmp_path: Path) -> None:
    toy = Toy(tmp_path / "mine")
    toy.root.mkdir()
    toy.git("init", "-q", "-b", "main")
    (tmp_path / "bin").mkdir()
    shim = tmp_path / "bin" / "lab"
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m lab "$@"\n')
    shim.chmod(0o755)
    toy.env["PATH"] = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    lines = re.findall(r"^\$ (.+)$", PAGE.read_text(), flags=re.M)
    assert len(lines) >= 6
    for line in lines:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", line],
            cwd=toy.root,
            env=toy.environ(),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=500,
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
    board = toy.lab("board", "contrib/curve", "--json").json
    assert len(board["experiments"]) >= 3
