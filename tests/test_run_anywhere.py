"""A run works wherever its leaf is: nested, at the root, in a submodule, beside a bare clone."""

import sys
from pathlib import Path

import pytest
from toy import EVALUATE, LEAF, TRAIN, Toy

UP = TRAIN.replace("SLOPE = 1.0", "SLOPE = 2.5")


def lived(toy: Toy, leaf: str, cwd: Path, **env: str) -> dict:
    """Measure a baseline, make a campaign, keep a better edit; return the run's JSON."""
    toy.lab("run", "--baseline", "--seeds", "2", "--leaf", leaf, cwd=cwd, **env)
    where = Path(toy.lab("worktree", leaf, "ada", cwd=cwd, **env).out.strip())
    idea = toy.lab("hypothesis", "up", "-m", "the truth is 3", cwd=where, **env).out.strip()
    (where / "train.py").write_text(UP)
    found = toy.lab("run", idea, "--json", cwd=where, **env).json
    assert (found["status"], found["leaf"], found["experiment"]) == ("finished", leaf, "e2")
    assert toy.git("rev-parse", "HEAD", cwd=where) == found["commit"]
    toy.lab("result", "e2", "-v", "discard", cwd=where, **env)
    assert (where / "train.py").read_text() == TRAIN
    assert toy.git("status", "--porcelain", cwd=where) == ""
    return found


@pytest.mark.parametrize("name", ["contrib/kernels", "a leaf"])
def test_in_a_folder_of_any_name(toy: Toy, name: str) -> None:
    toy.leaf(name)
    toy.commit("another leaf")
    lived(toy, name, toy.root)


def test_at_the_root_of_the_repository(toy: Toy) -> None:
    toy.git("rm", "-rqf", "toy")
    toy.leaf(".")
    toy.commit("one leaf, which is everything")
    lived(toy, "root", toy.root)
    assert toy.git("status", "--porcelain") == ""


def test_in_a_submodule(toy: Toy, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    toy.git("init", "-q", "-b", "main", cwd=outer)
    toy.git(
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "add",
        "-q",
        str(toy.root),
        "inner",
        cwd=outer,
    )
    toy.git("commit", "-qm", "with a submodule", cwd=outer)
    lived(toy, "toy", outer / "inner")
    assert (outer / "inner" / ".lab" / "notebook.db").exists()


def test_beside_a_bare_repository(toy: Toy, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    toy.git("clone", "-q", "--bare", str(toy.root), str(bare))
    toy.git("worktree", "add", "-q", str(tmp_path / "main"), "main", cwd=bare)
    lived(toy, "toy", tmp_path / "main")
    assert (bare / ".lab" / "notebook.db").exists()


def test_with_the_notebook_elsewhere(toy: Toy, tmp_path: Path) -> None:
    lived(toy, "toy", toy.root, LAB_HOME=str(tmp_path / "else where"))
    assert not (toy.root / ".lab").exists()


def test_with_an_interpreter_of_its_own(toy: Toy, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\ntouch "{tmp_path}/asked"\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    lived(toy, "toy", toy.root, LAB_PYTHON=str(python))
    assert (tmp_path / "asked").exists()


def test_with_mutable_files_that_come_go_and_have_spaces(toy: Toy) -> None:
    names = '["train.py", "my model.py", "old.py", "new.py"]'
    toy.leaf(toml=LEAF.replace('["train.py"]', names))
    (toy.root / "toy" / "my model.py").write_text("WIDTH = 1\n")
    (toy.root / "toy" / "old.py").write_text("OLD = 1\n")
    toy.commit("several files")
    toy.lab("run", "--baseline", "--seeds", "2", "--leaf", "toy")
    where = toy.campaign()
    (where / "my model.py").write_text("WIDTH = 2\n")
    (where / "old.py").unlink()
    (where / "new.py").write_text("NEW = 1\n")
    found = toy.lab("run", toy.idea(cwd=where), "--json", cwd=where).json
    changed = toy.git("show", "--format=", "--name-status", found["commit"], cwd=where)
    assert changed.split("\n") == ["M\ttoy/my model.py", "A\ttoy/new.py", "D\ttoy/old.py"]
    toy.lab("result", "e2", "-v", "discard", cwd=where)
    assert toy.git("status", "--porcelain", cwd=where) == ""
    assert (where / "old.py").exists()
    assert not (where / "new.py").exists()


def test_a_new_mutable_file_that_crashed_stays_and_can_be_dropped(toy: Toy) -> None:
    toy.leaf(toml=LEAF.replace('["train.py"]', '["train.py", "new.py"]'))
    toy.commit("two files")
    toy.lab("run", "--baseline", "--seeds", "2", "--leaf", "toy")
    where = toy.campaign()
    (where / "train.py").write_text("import new\n" + TRAIN)
    (where / "new.py").write_text("raise ValueError\n")
    toy.lab("run", toy.idea(cwd=where), cwd=where, code=1)
    assert toy.git("status", "--porcelain", cwd=where) == "M toy/train.py\n?? toy/new.py"
    toy.lab("result", "e2", "-v", "crash", cwd=where)
    assert toy.git("status", "--porcelain", cwd=where) == ""


def test_profiles_have_their_own_incumbents_and_none_takes_no_slot(toy: Toy) -> None:
    toy.leaf(toml=LEAF + '\n[profiles.smoke]\nbudget_s = 1\nneeds = "none"\n')
    toy.commit("another profile")
    where = toy.campaign()
    toy.lab("run", "--baseline", cwd=where)
    (where / "train.py").write_text(UP)
    idea = toy.idea(cwd=where)
    assert "--profile smoke" in toy.lab("run", idea, "--profile", "smoke", cwd=where, code=4).err
    (where / "train.py").write_text(TRAIN)
    smoke = toy.lab("run", "--baseline", "--profile", "smoke", "--json", cwd=where).json
    assert (smoke["experiment"], smoke["profile"], smoke["platform"]) == ("e2", "smoke", "any")
    (where / "train.py").write_text(UP)
    found = toy.lab("run", idea, "--profile", "smoke", "--json", cwd=where).json
    assert found["incumbent"]["experiment"] == "e2"


def test_a_baseline_counts_wherever_an_ancestor_has_its_contents(toy: Toy) -> None:
    toy.lab("run", "--baseline", "--seeds", "2", "--leaf", "toy")
    (toy.root / "README.md").write_text("more\n")
    toy.commit("something else")
    where = toy.campaign()
    (where / "train.py").write_text(UP)
    found = toy.lab("run", toy.idea(cwd=where), "--json", cwd=where).json
    assert found["incumbent"]["experiment"] == "e1"
    toy.lab("result", "e2", "-v", "keep", "--because", "it holds", cwd=where)
    other = toy.campaign("bob", "toy", "--from", "e2")
    (other / "train.py").write_text(TRAIN.replace("SLOPE = 1.0", "SLOPE = 2.9"))
    found = toy.lab("run", toy.idea("more", cwd=other), "--json", cwd=other).json
    assert found["incumbent"]["experiment"] == "e2"
    assert EVALUATE in (other / "evaluate.py").read_text()
