"""Killed at any instant: a truthful record, no process left, and a worktree that works."""

import os
import shutil
from pathlib import Path

import pytest
from killing import Killed, until
from toy import TRAIN, Toy, slope

from lab.run import exports

# Stands before git in PATH: kills whoever called it once its words hold $KILL_AT, $KILL_WHEN.
GIT = """#!/bin/sh
case "$*" in *"$KILL_AT"*)
    [ "$KILL_WHEN" != after ] || {git} "$@"
    kill -9 $PPID
    [ "$KILL_WHEN" = during ] || exit 0
    sleep 0.3
esac
exec {git} "$@"
"""
COMMIT, BACK, ADD = "commit --quiet", "reset --quiet --keep", "worktree add"


def armed(toy: Toy, at: str, when: str) -> dict[str, str]:
    """Return the environment in which the call of git that holds `at` kills its caller."""
    folder = toy.root.parent / "killing-git"
    folder.mkdir(exist_ok=True)
    git = folder / "git"
    git.write_text(GIT.format(git=shutil.which("git")))
    git.chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "KILL_AT": at, "KILL_WHEN": when}


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_waiters_lose_nothing(toy: Toy, campaign: Path, seed: int) -> None:
    killed = Killed(toy, campaign, seed)
    for number in range(4):
        killed.waiter(1.5, group=number % 2 == 1)
    assert killed.seen.total() == 4
    assert toy.lab("doctor", "--json").json["ok"]


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_supervisors_leave_the_truth_and_nobody(toy: Toy, campaign: Path, seed: int) -> None:
    killed = Killed(toy, campaign, seed)
    for _ in range(4):
        killed.supervisor(1.0)
    assert killed.seen.total() == 4
    assert toy.lab("doctor", "--json").json["ok"]


@pytest.mark.children
@pytest.mark.parametrize(
    ("at", "when"),
    [
        *((COMMIT, "before"), (COMMIT, "during"), (COMMIT, "after")),
        ("update-ref refs/lab/e2", "after"),
    ],
)
def test_a_start_that_was_killed_is_lost_and_undone(
    toy: Toy, campaign: Path, at: str, when: str
) -> None:
    idea = toy.idea(cwd=campaign)
    head = toy.git("rev-parse", "HEAD", cwd=campaign)
    slope(campaign, 2.0)
    edit = (campaign / "train.py").read_text()
    toy.lab("run", idea, cwd=campaign, code=-9, **armed(toy, at, when))
    found = toy.lab("wait", "--json", cwd=campaign, code=1)
    assert "e2 was lost" in found.err
    assert (found.json["failure"], found.json["runs"]) == ("lost", [])
    assert toy.git("rev-parse", "HEAD", cwd=campaign) == head
    assert toy.git("diff", "--cached", "--name-only", cwd=campaign) == ""
    assert (campaign / "train.py").read_text() == edit
    if found.json["commit"]:
        assert toy.git("rev-parse", "refs/lab/e2") == found.json["commit"]
    again = toy.lab("run", idea, "--json", cwd=campaign).json
    assert again["status"] == "finished"
    assert toy.git("rev-parse", "HEAD", cwd=campaign) == again["commit"]


@pytest.mark.children
@pytest.mark.parametrize(
    ("at", "when"),
    [
        *((BACK, "before"), (BACK, "during"), (BACK, "after")),
        *((COMMIT, "before"), (COMMIT, "after")),
    ],
)
def test_a_verdict_that_was_killed_is_finished_later(
    toy: Toy, campaign: Path, at: str, when: str
) -> None:
    first = toy.idea("lower", cwd=campaign)
    slope(campaign, 0.5)
    head = toy.lab("run", first, "--json", cwd=campaign).json["parent"]
    (campaign / "notes.md").write_text("lower is worse\n")
    toy.lab("result", "e2", "-v", "discard", cwd=campaign, code=-9, **armed(toy, at, when))
    until(lambda: not list((toy.root / ".git" / "worktrees" / "ada").glob("*.lock")))
    slope(campaign, 2.0)
    found = toy.lab("run", toy.idea("raise", cwd=campaign), "--json", cwd=campaign).json
    assert found["status"] == "finished"
    assert (campaign / "notes.md").read_text() == "lower is worse\n"
    line = toy.git("log", "--format=%s", f"{head}..HEAD", cwd=campaign).splitlines()
    assert [words for words in line if words.startswith("e")] == ["e3: raise"]


@pytest.mark.children
@pytest.mark.parametrize(("at", "when"), [(ADD, "before"), (ADD, "during"), (ADD, "after")])
def test_a_worktree_whose_maker_was_killed_is_made_by_the_same_words(
    toy: Toy, at: str, when: str
) -> None:
    toy.lab("worktree", "toy", "ada", code=-9, **armed(toy, at, when))
    where = toy.campaign()
    assert (where / "train.py").read_text() == TRAIN
    assert [one["campaign"] for one in toy.lab("status", "--json").json["campaigns"]] == ["toy/ada"]


@pytest.mark.children
@pytest.mark.parametrize("at", ["read-tree", "reset --quiet --mixed"])
def test_a_supervisor_killed_at_its_git_leaves_the_branch_where_it_belongs(
    toy: Toy, campaign: Path, at: str
) -> None:
    head = toy.git("rev-parse", "HEAD", cwd=campaign)
    idea = toy.idea(cwd=campaign)
    slope(campaign, 2.0, "    raise ValueError('no such layer')\n")
    edit = (campaign / "train.py").read_text()
    toy.lab("run", idea, cwd=campaign, code=None, **armed(toy, at, "before"))
    found = toy.lab("wait", "--json", cwd=campaign, code=1).json
    assert found["failure"] == ("lost" if at == "read-tree" else "bug")
    assert toy.git("rev-parse", "HEAD", cwd=campaign) == head
    assert (campaign / "train.py").read_text() == edit
    assert not list((toy.root / ".lab" / "exports").glob("*/*"))


def test_an_index_lock_of_a_git_that_was_killed_does_not_hold_up_the_next_run(
    toy: Toy, campaign: Path
) -> None:
    idea = toy.idea(cwd=campaign)
    slope(campaign, 2.0)
    lock = toy.root / ".git" / "worktrees" / "ada" / "index.lock"
    lock.touch()
    toy.lab("run", idea, cwd=campaign)
    assert not lock.exists()


def test_refs_of_another_notebook_are_never_moved(toy: Toy, campaign: Path) -> None:
    head = toy.git("rev-parse", "HEAD")
    toy.git("update-ref", "refs/lab/e2", head)
    slope(campaign, 2.0)
    found = toy.lab("run", toy.idea(cwd=campaign), "--json", cwd=campaign).json
    assert toy.git("rev-parse", "refs/lab/e2") == head
    assert toy.git("rev-parse", f"refs/lab/e2-{found['commit'][:12]}") == found["commit"]


def test_a_half_made_index_of_a_killed_commit_is_removed(toy: Toy, campaign: Path) -> None:
    idea = toy.idea(cwd=campaign)
    slope(campaign, 2.0)
    toy.lab("run", idea, cwd=campaign, code=-9, **armed(toy, COMMIT, "before"))
    left = toy.root / ".git" / "worktrees" / "ada" / "next-index-1.lock"  # as git names it
    left.write_text("")
    toy.lab("wait", cwd=campaign, code=1)
    assert not left.exists()


@pytest.mark.children
def test_exports_of_a_supervisor_killed_after_its_last_word_are_removed(
    toy: Toy, campaign: Path, tmp_path: Path
) -> None:
    toy.env["LAB_EXPORTS_DIR"] = str(tmp_path / "exports")
    slope(campaign, 2.0)
    toy.lab("run", toy.idea(cwd=campaign), cwd=campaign)
    until(lambda: not list((toy.root / ".lab" / "exports").iterdir()))
    left = (
        toy.root / ".lab" / "exports" / "job-2"
    )  # as it stands when its supervisor is not heard of
    left.mkdir()
    own = tmp_path / "exports" / exports._name(left)  # only a folder of that name is theirs
    (left / "where").write_text(str(own))
    own.mkdir()
    toy.lab("log")
    assert not left.exists()
    assert not own.exists()
