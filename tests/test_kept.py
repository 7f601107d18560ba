"""What lies beside the notebook and is gone: told by `lab doctor`, mended where that can be."""

import shutil

from toy import Toy, slope


def said(toy: Toy) -> list[str]:
    return list(toy.here("doctor", "--json", code=None).json["problems"])


def measured(toy: Toy) -> str:
    """Measure the baseline here; return its commit."""
    toy.lab("run", "--baseline", "--leaf", "toy")
    assert said(toy) == []
    return toy.git("rev-parse", "refs/lab/e1")


def test_a_deleted_ref_is_told_and_made_again(toy: Toy) -> None:
    commit = measured(toy)
    toy.git("update-ref", "-d", "refs/lab/e1")
    assert said(toy) == [f"refs/lab/e1 is gone, and git may soon lose what e1 ran ({commit[:12]})"]
    refused = toy.here("doctor", code=1)
    assert "problem: refs/lab/e1 is gone" in refused.out
    assert "lab doctor --fix" in refused.err
    toy.here("doctor", "--fix")
    assert toy.git("rev-parse", "refs/lab/e1") == commit


def test_a_commit_that_git_lost_is_told_until_a_person_knows(toy: Toy) -> None:
    commit = measured(toy)
    toy.git("update-ref", "-d", "refs/lab/e1")
    toy.git("update-ref", "-d", "refs/heads/main")
    shutil.rmtree(toy.root / ".git/logs")
    (toy.root / ".git" / "index").unlink()
    toy.git("prune", "--expire=now")
    assert said(toy) == [
        f"refs/lab/e1 is gone, and this repository no longer has what e1 ran ({commit[:12]})"
    ]
    assert toy.here("doctor", "--fix", "--json").json["ok"]
    assert said(toy) == []


def test_a_runs_folder_that_is_gone_is_told_and_one_that_gc_thinned_is_not(toy: Toy) -> None:
    measured(toy)
    campaign = toy.campaign()
    slope(campaign, 0.5)
    toy.lab("run", toy.idea(cwd=campaign), cwd=campaign)
    toy.here("result", "e2", "-v", "discard", cwd=campaign)
    toy.here("gc")
    folder = toy.root / ".lab/runs/e2/2"
    assert not (folder / "model.json").exists()
    assert said(toy) == []
    shutil.rmtree(folder)
    assert said(toy) == [f"e2: the folder of its run 2 is gone, with its log: {folder}"]
    toy.here("doctor", "--fix")
    assert said(toy) == []


def test_what_another_notebook_ran_is_not_missed_here(toy: Toy) -> None:
    measured(toy)
    file = toy.root.parent / "all.jsonl"
    toy.here("export", "-o", str(file))
    there = {"LAB_HOME": str(toy.root.parent / "elsewhere")}
    toy.here("import", str(file), **there)
    shutil.rmtree(toy.root / ".lab/runs")
    toy.git("update-ref", "-d", "refs/lab/e1")
    assert toy.here("doctor", "--json", **there).json["ok"]
