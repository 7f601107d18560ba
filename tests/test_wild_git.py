"""Repositories as they are: shared worktrees, hooks, line ends, submodules, moves and copies."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from toy import EVALUATE, LEAF, TRAIN, Toy, slope

FAILING_HOOK = "#!/bin/sh\nexit 1\n"  # and it says nothing


def hook(toy: Toy, *names: str) -> None:
    for name in names:
        path = toy.root / ".git" / "hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(FAILING_HOOK)
        path.chmod(0o755)


def keep(toy: Toy, campaign: Path, value: float = 2.0) -> str:
    """Run an edit and keep it; return its id."""
    slope(campaign, value)
    idea = toy.idea(f"a slope of {value}", cwd=campaign)
    name = str(toy.lab("run", idea, "--json", cwd=campaign).json["experiment"])
    toy.here("result", name, "-v", "keep", "--because", "a test", cwd=campaign)
    return name


def baseline(toy: Toy, *words: str, code: int | None = 0, **env: str) -> tuple[str, str]:
    answer = toy.lab("run", "--baseline", "--leaf", "toy", *words, code=code, **env)
    return answer.out, answer.err


# -- What worktrees share -------------------------------------------------------


@pytest.mark.parametrize("file", ["train.py", "evaluate.py", "leaf.toml", "new.py"])
def test_a_baseline_measures_the_commit_whatever_lies_in_the_files(toy: Toy, file: str) -> None:
    wrong = {"leaf.toml": LEAF.replace('"loss"', '"other"'), "evaluate.py": "raise SystemExit(1)"}
    (toy.root / "toy" / file).write_text(edit := wrong.get(file, "raise SystemExit(1)\n"))
    out, err = baseline(toy)
    assert "finished: loss" in out
    assert f"without the edits of toy/{file}" in err
    assert (toy.root / "toy" / file).read_text() == edit


def test_no_hint_sends_two_campaigns_to_the_one_stash(toy: Toy, campaign: Path) -> None:
    name = keep(toy, campaign)
    slope(campaign, 9.0)
    (campaign / "new.txt").write_text("")
    moved = toy.here("move", "e1", cwd=campaign, code=4).err
    assert "git checkout HEAD -- train.py && rm new.txt" in moved
    slope(toy.root / "toy", 9.0)
    assert "git checkout HEAD -- toy/train.py" in toy.here("apply", name, code=4).err
    root = Path(__file__).parents[1] / "lab"
    pages = [path for path in root.rglob("*") if path.suffix in (".py", ".toml", ".md")]
    assert [path for path in pages if "git stash" in path.read_text()] == []


def test_hooks_and_settings_for_all_worktrees_are_nothing_to_a_campaign(
    toy: Toy, campaign: Path
) -> None:
    hook(toy, "reference-transaction", "post-index-change", "post-checkout", "post-merge")
    toy.git("config", "log.showSignature", "true")
    toy.git("config", "diff.relative", "true")
    name = keep(toy, campaign)
    toy.lab("apply", name, "--provisional")
    assert toy.git("log", "-1", "--format=%s") == f"{name}: a slope of 2.0"
    assert "apply-" not in toy.git("worktree", "list")


def test_an_apply_that_git_refuses_leaves_nothing_and_says_it_in_two_lines(
    toy: Toy, campaign: Path
) -> None:
    name = keep(toy, campaign)
    (toy.root / ".gitattributes").write_text("*.md filter=gone\n")
    toy.commit("a filter")
    toy.git("config", "filter.gone.smudge", "exit 1")
    toy.git("config", "filter.gone.required", "true")
    refused = toy.here("apply", name, "--provisional", code=None)
    assert refused.code != 0
    assert len(refused.err.strip().splitlines()) == 2
    assert "apply-" not in toy.git("worktree", "list")
    assert not list((toy.root / ".lab" / "exports").glob("apply-*"))


# -- The tree of a run is its commit's ------------------------------------------


@pytest.mark.parametrize("rule", ["evaluate.py export-ignore", "*.py export-subst", "* -text"])
def test_an_export_has_every_file_whatever_the_attributes_say(toy: Toy, rule: str) -> None:
    (toy.root / ".gitattributes").write_text(f"{rule}\n")
    told = TRAIN.replace('"""Fit a line."""', '"""$Format:%H$"""')
    (toy.root / "toy" / "train.py").write_text(
        told.replace('print("trained")', "assert __doc__ == '$Form' + 'at:%H$'")
    )
    toy.commit("attributes")
    assert "finished" in baseline(toy)[0]


def submodule(toy: Toy, inside: Path | None = None) -> Path:
    """Make a repository with a module, perhaps with another one inside; return its folder."""
    made = Toy(toy.root.parent / ("kit" if inside else "inner"))
    made.root.mkdir()
    made.git("init", "-q", "-b", "main")
    (made.root / "kit.py").write_text("import deep.kit\n" if inside else "")
    if inside:
        made.git(
            "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inside), "deep"
        )
    made.commit("a module")
    return made.root


@pytest.mark.parametrize("nested", [False, True], ids=["one", "nested"])
def test_a_submodule_is_part_of_the_export(toy: Toy, nested: bool) -> None:
    source = submodule(toy)
    source = submodule(toy, source) if nested else source
    allow = ("-c", "protocol.file.allow=always", "submodule", "--quiet")
    toy.git(*allow, "add", str(source), "toy/vendor")
    toy.git(*allow, "update", "--init", "--recursive")
    (toy.root / "toy" / "train.py").write_text(
        f"import sys\nsys.path.insert(0, 'vendor')\nimport kit\n{TRAIN}"
    )
    toy.commit("uses it")
    (toy.root / "toy" / "vendor" / "litter.pyc").write_text("")  # no edit of this repository
    out, err = baseline(toy)
    assert "finished" in out
    assert "edits" not in err
    toy.git("submodule", "--quiet", "deinit", "--force", "toy/vendor")
    _, err = baseline(toy, code=6)
    assert "the submodule toy/vendor is not checked out" in err
    assert "git submodule update --init --recursive toy/vendor" in err


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ("import words", "toy/words.py"),
        ("open('data/x.txt')", "toy/data/x.txt"),
        ("raise SystemExit('there is no ../table.bin')", "table.bin"),
    ],
    ids=["module", "file", "own words"],
)
def test_what_only_the_checkout_has_is_named(toy: Toy, line: str, missing: str) -> None:
    (toy.root / ".gitignore").write_text("words.py\ndata/\n*.bin\n")
    (toy.root / missing).parent.mkdir(exist_ok=True)
    (toy.root / missing).write_text("")
    (toy.root / "toy" / "train.py").write_text(f"{line}\n{TRAIN}")
    toy.commit("needs what git ignores")
    out, _ = baseline(toy, code=1)
    assert f"{missing} lies in the checkout, but git does not have it" in out
    assert f"git add -f {missing}" in out


def test_a_frozen_file_that_git_ignores_is_named_before_the_run(toy: Toy) -> None:
    toy.git("rm", "-q", "--cached", "toy/evaluate.py")
    (toy.root / ".gitignore").write_text("evaluate.py\n")
    toy.commit("ignored")
    assert "toy/evaluate.py is not committed" in baseline(toy, code=4)[1]


@pytest.mark.parametrize("name", ["random.py", "json/__init__.py"])
def test_a_module_at_the_root_hides_none_of_pythons(toy: Toy, name: str) -> None:
    (toy.root / name).parent.mkdir(exist_ok=True)
    (toy.root / name).write_text("raise SystemExit('not the one of Python')\n")
    (toy.root / "ours.py").write_text("")
    (toy.root / "toy" / "train.py").write_text(f"import ours\n{TRAIN}")
    toy.commit("a module at the root")
    assert "finished" in baseline(toy)[0]


def test_a_persons_pythonpath_stays_behind_the_export(toy: Toy, tmp_path: Path) -> None:
    for folder in (tmp_path / "site", toy.root / "src"):
        folder.mkdir()
        (folder / f"{folder.name}kit.py").write_text("WHICH = 1\n")
    (tmp_path / "site" / "ours.py").write_text("raise SystemExit('the wrong one')\n")
    (toy.root / "ours.py").write_text("")
    (toy.root / "toy" / "train.py").write_text(
        f"import ours, sitekit, srckit\nassert srckit.WHICH == 1\n{TRAIN}"
    )
    toy.commit("modules")
    (toy.root / "src" / "srckit.py").write_text("WHICH = 2  # not committed\n")
    paths = os.pathsep.join([str(tmp_path / "site"), "src"])
    assert "finished" in baseline(toy, PYTHONPATH=paths)[0]


# -- Line ends, times, kinds of hashes ------------------------------------------


@pytest.mark.parametrize("how", ["autocrlf", "eol", "ignored data"])
def test_two_checkouts_of_one_commit_have_one_yardstick(toy: Toy, how: str) -> None:
    if how == "eol":
        (toy.root / ".gitattributes").write_text("*.py text eol=crlf\n")
    (toy.root / "toy" / "task").mkdir()
    (toy.root / "toy" / "task" / "a.txt").write_text("a task\n")
    (toy.root / ".gitignore").write_text("*.bin\n")
    toy.commit("a task")
    if how == "ignored data":
        (toy.root / "toy" / "task" / "large.bin").write_text("only here")
    if how == "autocrlf":
        toy.git("config", "core.autocrlf", "true")
    baseline(toy)
    campaign = toy.campaign()
    crlf = b"\r\n" in (campaign / "evaluate.py").read_bytes()
    assert crlf == (how != "ignored data")
    slope(campaign, 2.0)
    found = toy.lab("run", toy.idea(cwd=campaign), "--json", cwd=campaign).json
    assert found["incumbent"]["experiment"] == "e1"


def test_the_yardstick_of_a_commit_is_that_of_its_bytes(toy: Toy) -> None:
    """Numbers measured before git was asked stay comparable."""
    from lab import leaf

    read = leaf.read(toy.root, "toy")
    settings = read.settings("cpu")
    head = toy.git("rev-parse", "HEAD")
    assert leaf.yardstick(read, settings, toy.root, head) == leaf.yardstick(read, settings)


@pytest.mark.parametrize("how", ["written again", "mode"])
def test_the_same_bytes_are_no_edit(toy: Toy, campaign: Path, how: str) -> None:
    slope(campaign, 0.5)
    toy.lab("run", toy.idea(cwd=campaign), cwd=campaign)
    file = campaign / "train.py"
    if how == "mode":
        file.chmod(0o755)
    else:
        os.utime(file, ns=(1, 1))
    toy.here("result", "e2", "-v", "discard", cwd=campaign)
    assert "SLOPE = 1.0" in file.read_text()


def test_a_repository_of_sha256_works(toy: Toy) -> None:
    shutil.rmtree(toy.root / ".git")
    toy.git("init", "-q", "-b", "main", "--object-format=sha256")
    toy.commit("a toy leaf")
    toy.lab("loop", "toy", "--agent", "tuner", "--name", "ada", "--experiments", "2")
    rows = toy.here("log", "--json").json
    assert len(rows) >= 3
    assert len(toy.git("rev-parse", "refs/lab/e2")) == 64


# -- Names ----------------------------------------------------------------------


@pytest.mark.parametrize("taken", ["lab", "lab/toy", "lab/toy/ada/mine"])
def test_a_branch_in_the_way_is_gone_around(toy: Toy, taken: str) -> None:
    toy.git("branch", taken)
    baseline(toy)
    campaign = toy.campaign()
    assert toy.git("branch", "--show-current", cwd=campaign) == "lab-toy-ada"
    keep(toy, campaign)
    toy.here("move", "e1", cwd=campaign)


def test_campaigns_of_nested_leaves_lie_in_no_worktree_of_another(toy: Toy) -> None:
    outer = toy.campaign("inner")
    toy.leaf("toy/inner")
    toy.commit("a leaf in a leaf")
    inner = toy.campaign("ada", "toy/inner")
    assert not inner.is_relative_to(outer.parent)
    toy.lab("run", "--baseline", cwd=inner)
    keep(toy, inner)
    (campaign,) = [c for c in toy.here("status", "--json").json["campaigns"] if c["experiments"]]
    assert campaign["campaign"] == "toy/inner/ada"


def test_a_campaign_of_a_leaf_with_a_long_name(toy: Toy) -> None:
    name = f"{'a' * 130}/{'b' * 130}"
    toy.leaf(name)
    toy.commit("deep down")
    toy.lab("run", "--baseline", "--leaf", name)
    toy.lab("loop", name, "--agent", "tuner", "--name", "ada", "--experiments", "1")


# -- Worktrees that are gone, moved, half made ----------------------------------


def test_a_campaign_whose_worktree_is_gone_goes_on_from_its_branch(
    toy: Toy, campaign: Path
) -> None:
    keep(toy, campaign)
    toy.here("gc", "--days", "0")
    assert not campaign.exists()
    assert toy.campaign() == campaign
    assert "SLOPE = 2.0" in (campaign / "train.py").read_text()
    shutil.rmtree(campaign.parent)  # by hand this time, git still knows it
    toy.lab("loop", "toy", "--agent", "tuner", "--name", "ada", "--experiments", "1")


@pytest.mark.parametrize("how", ["moved", "copied", "forgotten"])
def test_a_worktree_finds_its_repository_again(toy: Toy, campaign: Path, how: str) -> None:
    idea = toy.idea(cwd=campaign)
    slope(campaign, 2.0)
    root, before = toy.root, (campaign.parent / ".git").read_text()
    if how == "forgotten":
        shutil.rmtree(root / ".git" / "worktrees")
    else:
        toy.root = root.parent / how
        (shutil.move if how == "moved" else shutil.copytree)(root, toy.root)
    where = toy.root / campaign.relative_to(root)
    found = toy.lab("run", idea, "--json", cwd=where).json
    assert (found["status"], found["experiment"]) == ("finished", "e2")
    assert toy.git("rev-parse", "lab/toy/ada") == found["commit"]
    if how == "copied":
        assert (campaign.parent / ".git").read_text() == before
        assert toy.git("branch", "--show-current", cwd=campaign) == "lab/toy/ada"


def test_a_worktree_whose_repository_is_elsewhere_says_what_to_type(toy: Toy) -> None:
    toy.env["LAB_HOME"] = str(toy.root.parent / "notebook")
    campaign = toy.campaign()
    toy.root = toy.root.rename(toy.root.parent / "moved")
    refused = toy.here("log", cwd=campaign, code=6).err
    assert f"git worktree repair {campaign.parent}" in refused
    toy.lab("loop", "toy", "--agent", "tuner", "--name", "ada", "--experiments", "1")


def test_a_worktree_that_could_not_be_made_leaves_no_branch(toy: Toy) -> None:
    (toy.root / ".gitattributes").write_text("*.md filter=gone\n")
    toy.commit("a filter")
    toy.git("config", "filter.gone.smudge", "echo no such filter >&2; exit 1")
    toy.git("config", "filter.gone.required", "true")
    for _ in range(2):
        refused = toy.here("worktree", "toy", "ada", code=4).err
        assert "no such filter" in refused.splitlines()[0]
        assert toy.git("branch", "--list", "lab/*") == ""
    toy.git("config", "--unset", "filter.gone.required")
    toy.campaign()


def test_a_worktree_cut_off_while_it_was_made_is_finished(toy: Toy) -> None:
    folder = toy.root / ".lab" / "worktrees" / "toy" / "ada"
    toy.git("worktree", "add", "-q", "--lock", "-b", "lab/toy/ada", str(folder))
    (folder / "toy" / "train.py").unlink()
    campaign = toy.campaign()
    assert (campaign / "train.py").read_text() == TRAIN
    toy.here("gc", "--days", "0")
    assert not campaign.exists()


# -- Owners, a detached HEAD, commits of another repository ---------------------


def test_a_checkout_of_another_owner_says_what_to_type(toy: Toy) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a folder away")
    for path in (toy.root, toy.root / ".git"):
        os.chown(path, 12345, 12345)
    refused = toy.here("log", code=6).err
    assert "belongs to another user" in refused
    assert f"git config --global --add safe.directory {toy.root}" in refused


def test_apply_on_a_detached_head_says_where_it_went(toy: Toy, campaign: Path) -> None:
    name = keep(toy, campaign)
    toy.git("checkout", "-q", "--detach")
    assert toy.here("apply", name, "--provisional").out.startswith(f"applied {name}; HEAD at ")


def test_an_experiment_of_another_repository_can_be_fetched(
    toy: Toy, campaign: Path, tmp_path: Path
) -> None:
    name = keep(toy, campaign)
    records = tmp_path / "records.jsonl"
    records.write_text(toy.here("export").out)
    other = Toy(tmp_path / "other")
    toy.git("clone", "-q", "--no-local", "--single-branch", str(toy.root), str(other.root))
    other.here("import", str(records))
    for words in (["diff", name], ["apply", name], ["worktree", "toy", "bob", "--from", name]):
        refused = other.here(*words, code=4).err
        assert f"the commit of {name} is not in this repository" in refused
    hint = refused.splitlines()[1].partition("git fetch REMOTE ")[2].strip("'")
    other.git("fetch", "-q", "origin", hint.replace("REMOTE", "origin"))
    other.here("apply", name, "--provisional")
    assert "SLOPE = 2.0" in (other.root / "toy" / "train.py").read_text()
    assert json.loads(other.here("diff", name, "--json").out)["experiment"] == name


def test_replaced_objects_are_not_looked_at_in_a_batch(toy: Toy) -> None:
    from lab import repo

    real = toy.git("rev-parse", "HEAD:toy/evaluate.py")
    done = subprocess.run(
        ["git", "hash-object", "-w", "--stdin"],
        cwd=toy.root,
        input=b"print(1)\n",
        capture_output=True,
        check=True,
    )
    toy.git("replace", real, done.stdout.decode().strip())
    assert repo.blobs(toy.root, [real]) == {real: EVALUATE.encode()}
