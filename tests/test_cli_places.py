"""One notebook, wherever one stands: folders, worktrees, bare repositories, submodules."""

from pathlib import Path

import pytest
from toy import Quick, Toy


def notebook(toy: Toy, where: Path, **env: str) -> str:
    """Return the notebook's path as `lab doctor` names it in a folder."""
    toy.lab("hypothesis", f"from {where}", "-m", "why", cwd=where, **env)
    found: str = toy.lab("doctor", "--json", cwd=where, **env).json["notebook"]
    return found


def test_every_folder_and_worktree_shares_the_main_checkouts_notebook(
    quick: Quick, tmp_path: Path
) -> None:
    quick.git("worktree", "add", "-q", str(tmp_path / "linked"))
    campaign = quick.campaign()
    places = [quick.root, quick.root / "toy", tmp_path / "linked" / "toy", campaign]
    main = str(quick.root / ".lab" / "notebook.db")
    assert {notebook(quick, where) for where in places} == {main}
    assert quick.git("status", "--porcelain") == ""
    ids = [e["subject"] for e in quick.lab("log", "--events", "--json").json]
    assert [one for one in ids if one.startswith("h")] == ["h4", "h3", "h2", "h1"]


def test_the_notebooks_folder_is_ignored_without_touching_a_tracked_file(quick: Quick) -> None:
    quick.idea()
    assert quick.git("status", "--porcelain") == ""
    exclude = (quick.root / ".git" / "info" / "exclude").read_text().splitlines()
    assert exclude.count("/.lab/") == 1
    quick.idea("another")
    assert (quick.root / ".git" / "info" / "exclude").read_text().splitlines() == exclude


def test_in_a_bare_repository_it_lies_inside(quick: Quick, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    quick.git("clone", "-q", "--bare", str(quick.root), str(bare))
    quick.git("worktree", "add", "-q", str(tmp_path / "one"), "main", cwd=bare)
    quick.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "two"), "main", cwd=bare)
    main = str(bare / ".lab" / "notebook.db")
    assert notebook(quick, tmp_path / "one") == notebook(quick, tmp_path / "two" / "toy") == main
    assert len(quick.lab("log", "--events", "--json", cwd=bare).json) == 2


def test_in_a_submodule_it_lies_at_its_own_top(quick: Quick, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    quick.git("init", "-q", cwd=outer)
    allow = ["-c", "protocol.file.allow=always"]
    quick.git(*allow, "submodule", "--quiet", "add", str(quick.root), "inner", cwd=outer)
    inner = outer / "inner"
    assert notebook(quick, inner / "toy") == str(inner / ".lab" / "notebook.db")
    assert quick.git("status", "--porcelain", cwd=inner) == ""
    assert not (outer / ".lab").exists()


def test_lab_home_overrides_the_folder(quick: Quick, tmp_path: Path) -> None:
    home = tmp_path / "elsewhere" / "deep"
    assert notebook(quick, quick.root, LAB_HOME=str(home)) == str(home / "notebook.db")
    assert not (quick.root / ".lab").exists()


def test_the_leaf_is_the_one_stood_in_or_the_only_one_or_asked_for(quick: Quick) -> None:
    assert quick.lab("context", "--json").json["leaf"] == "toy"
    quick.leaf("contrib/kernels")
    quick.commit()
    inside = quick.root / "contrib" / "kernels"
    assert quick.lab("context", "--json", cwd=inside).json["leaf"] == "contrib/kernels"
    refused = quick.lab("context", code=2)
    assert "2 leaves: contrib/kernels, toy" in refused.err
    assert "--leaf contrib/kernels" in refused.err
    asked = quick.lab("context", "--json", "--leaf", "./contrib/kernels/").json
    assert asked["leaf"] == "contrib/kernels"


def test_at_the_root_log_and_board_cover_all_leaves(quick: Quick) -> None:
    quick.leaf("other")
    quick.commit()
    for leaf in ("toy", "other"):
        idea = quick.lab("hypothesis", f"in {leaf}", "-m", "why", "--leaf", leaf).out.strip()
        quick.lab("experiment", idea)
    assert [one["leaf"] for one in quick.lab("log", "--json").json] == ["other", "toy"]
    inside = quick.lab("log", "--json", cwd=quick.root / "toy").json
    assert [one["leaf"] for one in inside] == ["toy"]
    assert [one["leaf"] for one in quick.lab("board", "--json").json] == ["other", "toy"]


def test_python_dash_m_lab_is_the_same_program(toy: Toy) -> None:
    assert toy.lab("--version").out.startswith("lab, version ")


def test_an_idea_names_its_leaf_at_the_root_of_several(toy: Toy) -> None:
    toy.leaf("other")
    toy.commit("two leaves")
    idea = toy.idea()
    refused = toy.here("run", idea, code=4).err
    assert 'cd "$(lab worktree toy' in refused


@pytest.mark.parametrize(
    ("where", "word"),
    [
        *((".", word) for word in ("lone/leaf", "./lone/leaf/", "lone", ".", "lone/leaf/train.py")),
        *(("lone/leaf/deep", word) for word in (".", "..", "../", "lone/leaf", "../../leaf")),
        ("lone", "leaf"),
    ],
)
def test_a_leaf_is_named_by_its_name_or_by_any_path_to_it(
    quick: Quick, where: str, word: str
) -> None:
    quick.git("mv", "toy", "lone")
    folder = quick.leaf("lone/leaf")
    quick.git("rm", "-rqf", *(f"lone/{file.name}" for file in (quick.root / "lone").glob("*.*")))
    (folder / "deep").mkdir()
    (folder / "deep" / "data.txt").write_text("1\n")
    quick.commit()
    cwd = quick.root / where
    for typed in (("board", word), ("context", "--leaf", word)):
        assert quick.lab(*typed, "--json", cwd=cwd).json["leaf"] == "lone/leaf"
    assert quick.lab("log", word, cwd=cwd).out.endswith("--seeds 3 --leaf lone/leaf\n")
    assert "# Facts of lone/leaf" in quick.lab("brief", word, cwd=cwd).out
    path = quick.lab("worktree", word, "ada", cwd=cwd).out.strip()
    assert path.endswith("worktrees/lone/leaf/ada/lone/leaf")
    refused = quick.lab("launch", f"{word}:ada", f"{word}:ada", "--agent", "x", cwd=cwd, code=2)
    assert "lone/leaf/ada is named twice" in refused.err


def test_a_word_that_means_several_leaves_or_none_is_refused(quick: Quick) -> None:
    quick.leaf("some/one")
    assert quick.lab("context", "--json", cwd=quick.root / "some").json["leaf"] == "some/one"
    quick.leaf("some/two")
    assert quick.lab("log").out.endswith("--seeds 3 --leaf some/one\n")
    (quick.root / "docs").mkdir()
    quick.commit()
    for typed in (("board", "some"), ("report", "./some/"), ("worktree", "some", "ada")):
        said = quick.lab(*typed, code=2).err
        assert "has 2 leaves: some/one, some/two.\nSay which: some/one" in said
    assert "no leaf 'docs'" in quick.lab("board", "docs", code=3).err
    assert "Say which: some/one" in quick.lab("loop", ".", "--agent", "tuner", code=2).err


def test_a_leaf_at_the_root_is_called_root_and_does_not_hide_others(quick: Quick) -> None:
    quick.leaf(".")
    quick.commit()
    assert quick.lab("context", "--json").json["leaf"] == "root"
    for word in (".", "./", "root", str(quick.root)):
        assert quick.lab("board", word, "--json").json["leaf"] == "root"
    assert quick.lab("worktree", ".", "ada").out.strip().endswith("worktrees/root/ada")
    assert [one["leaf"] for one in quick.lab("board", "--json").json] == ["root", "toy"]
