"""`leaf.toml`: what is read from it, what is refused, and when two numbers are comparable."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import errors, leaf
from lab.leaf import model
from lab.leaf.commands import meets
from shared import run

LINE = """\
purpose = "Fit a line, to show what a leaf is."
metric = "val_loss"
direction = "minimize"
command = ["python", "train.py"]
evaluate = ["python", "evaluate.py"]
mutable = ["train.py"]
frozen = ["prepare.py", "evaluate.py"]
budget_s = 60
"""
KNOB = '[knobs.LR]\nwhy = "too low is slow"\n'


@pytest.fixture
def tree(tmp_path):
    """A git checkout with the leaf `line` and a shared folder."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    for path in ("line/train.py", "line/prepare.py", "line/evaluate.py", "shared/clock.py"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(f"# {path}\n")
    (tmp_path / "line/leaf.toml").write_text(LINE)
    return tmp_path


def write(tree: Path, extra: str = "", old: str = "", new: str = "") -> leaf.Leaf:
    """Change the leaf's table and read it again."""
    (tree / "line/leaf.toml").write_text(LINE.replace(old, new) + extra if old else LINE + extra)
    return leaf.read(tree, "line")


def hashes(tree: Path, profile: str = "gpu") -> tuple[str, str]:
    line = leaf.read(tree, "line")
    settings = line.settings(profile)
    return leaf.yardstick(line, settings), leaf.cache_key(line, settings)


def test_what_is_not_said_takes_its_default(tree):
    settings = leaf.read(tree, "line").settings("gpu")
    assert settings.timeout_s == 2 * 60 + 60
    assert (settings.startup_s, settings.eval_timeout_s) == (60, settings.timeout_s)
    assert (settings.prepare, settings.interpreter, settings.requires) == (None, None, ())
    assert (settings.clock, settings.network, settings.deterministic) == ("wall", None, False)


def test_a_profile_overrides_the_top_level_and_inherits_the_rest(tree):
    line = write(
        tree, '[profiles.cpu]\nbudget_s = 5\nmetric = "loss"\n[constraints]\nmb = "<= 9"\n'
    )
    cpu, gpu = line.settings("cpu"), line.settings("gpu")
    assert (cpu.budget_s, cpu.timeout_s, cpu.metric) == (5, 70, "loss")
    assert (gpu.budget_s, gpu.metric) == (60, "val_loss")
    assert [c.text for c in cpu.constraints] == ["mb <= 9"]


@pytest.mark.parametrize(
    ("extra", "profile", "needs"),
    [
        ("", "gpu", "gpu"),
        ("", "smoke", "cpu"),
        ('needs = "gpu"\n[profiles.cpu]\nbudget_s = 5\n', "cpu", "cpu"),
        ('needs = "none"\n[profiles.cpu]\nbudget_s = 5\n', "cpu", "none"),
        ("[profiles.big]\nbudget_s = 500\n", "big", "gpu"),
        ('[profiles.cpu]\nneeds = "gpu"\n', "cpu", "gpu"),
    ],
)
def test_the_cpu_profiles_inherit_no_gpu(tree, extra, profile, needs):
    assert write(tree, extra).settings(profile).needs == needs


@pytest.mark.parametrize("profile", ["gpu", "cpu", "smoke", "big"])
@pytest.mark.parametrize(
    "extra",
    [
        "[profiles.big]\n",
        "[profiles.smoke]\nbudget_s = 5\n[profiles.big]\n",
        'needs = "none"\n[profiles.cpu]\nneeds = "gpu"\n[profiles.big]\n',
        'clock = "cpu"\n[profiles.gpu]\nclock = "steps"\nbudget_s = 1e7\n[profiles.big]\n',
        "[data]\nneeds = 'cpu'\nbudget_s = 1\nclock = 'steps'\n[profiles.big]\nbudget_s = 9.25\n",
        "[data]\nrows = 9\nday = 2026-11-27\n[profiles.big.data]\nrows = nan\nsome = ['ü', {}]\n",
    ],
    ids=["plain", "cpu-by-name", "none", "own-gpu", "data-of-the-same-name", "dates"],
)
def test_a_script_started_by_hand_reads_leaf_toml_as_lab_does(extra, profile):
    table = tomllib.loads(LINE + extra)
    assert run.from_toml(table, profile) == model.resolve(table, profile).environ


SAID = st.fixed_dictionaries(
    {},
    optional={
        "needs": st.sampled_from(["gpu", "cpu", "none"]),
        "clock": st.sampled_from(["wall", "cpu", "steps"]),
        "budget_s": st.floats(0.001, 1e9) | st.integers(1, 10**9),
        "data": st.dictionaries(st.text(), st.integers() | st.text() | st.booleans()),
    },
)


@given(SAID, st.dictionaries(st.sampled_from(["gpu", "cpu", "smoke"]), SAID))
def test_whatever_a_profile_says_by_hand_it_means_the_same(top, profiles):
    table = {**tomllib.loads(LINE), **top, "profiles": profiles}
    for profile in ("gpu", "cpu", "smoke"):
        assert run.from_toml(table, profile) == model.resolve(table, profile).environ


@pytest.mark.parametrize(
    ("extra", "accelerator", "profile"),
    [("", True, "gpu"), ("", False, "gpu"), ("[profiles.cpu]\nbudget_s = 5\n", False, "cpu")],
)
def test_the_default_profile_is_the_machines_where_the_leaf_has_it(
    tree, extra, accelerator, profile
):
    assert leaf.default_profile(write(tree, extra), accelerator) == profile


def test_an_unknown_profile_is_refused_but_smoke_falls_back_to_the_top_level(tree):
    line = leaf.read(tree, "line")
    assert line.settings("smoke").budget_s == 60
    with pytest.raises(errors.NotFound, match="no profile 'gpx'") as refusal:
        line.settings("gpx")
    assert refusal.value.hint == "Its profiles: gpu. Did you mean: --profile gpu"


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("metric", "metrik", "metrik: no such key; the nearest is 'metric'"),
        ('metric = "val_loss"\n', "", "metric: missing; every leaf must say it"),
        ("budget_s = 60", "budget_s = -1", "budget_s: must be seconds above 0, not -1"),
        ("budget_s = 60", "budget_s = inf", "budget_s: must be seconds above 0, not inf"),
        ("budget_s = 60", "budget_s = true", "budget_s: must be seconds above 0, not True"),
        ('"minimize"', '"lower"', 'direction: must be "minimize" or "maximize", not \'lower\''),
        ('"val_loss"', '"val loss"', "metric: must be one word"),
        ('["python", "train.py"]', '"python train.py"', "command: must be a list of words"),
        ('mutable = ["train.py"]', "mutable = []", "mutable: must name at least one file"),
        ('["train.py"]', '["../x.py"]', "mutable: '../x.py' must be a path inside the leaf"),
        ('["train.py"]', '["/etc/x"]', "mutable: '/etc/x' must be a path inside the leaf"),
        ('["train.py"]', '["*.py"]', "mutable: '*.py' must name one file or folder"),
        ('["train.py"]', '["prepare.py"]', "mutable: 'prepare.py' is also frozen: 'prepare.py'"),
        ('["train.py"]', '["leaf.toml"]', "mutable: 'leaf.toml' is always frozen"),
        ('["train.py"]', '["task/x"]', "mutable: 'task/x' is always frozen"),
        ('["train.py"]', '["notes.md"]', "mutable: 'notes.md' is for findings"),
        ('["train.py"]', '["./train.py"]', "mutable: './train.py' is not as git writes it"),
        ("budget_s = 60", "budget_s = ", "not TOML: "),
    ],
)
def test_a_fault_at_the_top_is_refused_with_file_and_key(tree, old, new, fault):
    with pytest.raises(errors.Refused) as refusal:
        write(tree, old=old, new=new)
    assert refusal.value.message.startswith(f"line/leaf.toml: {fault}")
    assert refusal.value.hint == "Edit line/leaf.toml, then: lab check line"


@pytest.mark.parametrize(
    ("extra", "fault"),
    [
        ("[profiles.cpu]\nbudget = 5\n", "profiles.cpu.budget: no such key"),
        ("[profiles.cpu]\nbudget_s = 0\n", "profiles.cpu.budget_s: must be seconds"),
        ('[profiles."../x"]\nbudget_s = 1\n', "profiles.../x: a profile is named by letters"),
        ("[profiles]\ncpu = 5\n", "profiles.cpu: must be a table"),
        ('[profiles.cpu]\nfrozen = ["train.py"]\n', "mutable: 'train.py' is also frozen"),
        ("[constraints]\nmb = 5\n", 'constraints: mb = 5 is not a bound such as "<= 80000"'),
        ('[constraints]\nmb = "= 5"\n', "constraints: mb = '= 5' is not a bound"),
        ('[hints]\n"mb" = "x"\n', "hints: 'mb' is not a condition"),
        ('[hints]\n"mb > 1" = 3\n', "hints: 'mb > 1' must be followed by the advice"),
        ('requires = ["torch>2 or so"]\n', "requires: 'torch>2 or so' is not a requirement"),
        ('needs = "tpu"\n', 'needs: must be "gpu" or "cpu" or "none", not \'tpu\''),
        ('interpreter = "/usr/bin/python"\n', "interpreter: '/usr/bin/python' must be a path"),
        ("[judge]\nkeep_at = [1]\n", "judge.keep_at: must be a number or a text"),
        ("[knobs.LR]\nlow = 1\nhigh = 2\n", "knobs.LR.why: must be a text"),
        (KNOB + "low = 2\nhigh = 2\n", "knobs.LR.low: must be below high, but 2 >= 2"),
        (KNOB + "low = 0\nhigh = 2\nlog = true\n", "knobs.LR.low: must be above 0 with log"),
        (KNOB + "low = 0\n", "knobs.LR.high: must be a number"),
        (KNOB + "low = 0\nhigh = 2\nstep = 1\n", "knobs.LR.step: no such key"),
        (KNOB + "choices = [1]\n", "knobs.LR.choices: must list two or more"),
        (KNOB + "choices = [1, 2]\nlow = 1\n", "knobs.LR.low: does not go with choices"),
        (KNOB + 'kind = "int"\nlow = 0.5\nhigh = 2\n', "knobs.LR.kind: 'int' does not fit"),
    ],
)
def test_a_fault_in_a_table_is_refused_with_its_place(tree, extra, fault):
    with pytest.raises(errors.Refused) as refusal:
        write(tree, extra)
    assert refusal.value.message.startswith(f"line/leaf.toml: {fault}")


def test_a_mutable_link_out_of_the_leaf_is_refused(tree):
    (tree / "line/train.py").unlink()
    (tree / "line/train.py").symlink_to(tree / "shared/clock.py")
    with pytest.raises(errors.Refused, match=r"mutable: 'train.py' is a link that leads out"):
        leaf.read(tree, "line")


def test_knobs_are_whole_numbers_only_when_both_bounds_are(tree):
    knobs = write(
        tree,
        KNOB.replace("LR", "DEPTH") + "low = 2\nhigh = 8\n"
        "[knobs.LR]\nlow = 1e-4\nhigh = 1\nlog = true\nwhy = 'w'\n"
        "[knobs.ACT]\nchoices = ['relu', 'gelu']\nwhy = 'w'\n",
    ).knobs
    assert {n: (k.kind, k.low, k.high, k.log) for n, k in knobs.items()} == {
        "DEPTH": ("int", 2, 8, False),
        "LR": ("float", 1e-4, 1, True),
        "ACT": ("choice", None, None, False),
    }
    assert knobs["ACT"].choices == ("relu", "gelu")


def test_leaves_are_found_nested_and_untracked_but_not_where_git_ignores(tree):
    (tree / ".gitignore").write_text("runs/\n")
    for folder in ("contrib/kernels", "runs/old", ".hidden/leaf", "line/.venv/pkg"):
        (tree / folder).mkdir(parents=True)
        (tree / folder / "leaf.toml").write_text(LINE)
    assert leaf.find(tree) == ["contrib/kernels", "line"]


def test_a_deleted_leaf_is_no_longer_found(tree):
    subprocess.run(["git", "-C", tree, "add", "."], check=True)
    (tree / "line/leaf.toml").unlink()
    assert leaf.find(tree) == []


def test_leaves_are_found_without_git(tmp_path):
    for folder in ("line", "node_modules/x", ".venv/y"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "leaf.toml").write_text(LINE)
    assert leaf.find(tmp_path) == ["line"]


def test_a_checkout_that_is_itself_a_leaf_is_called_root(tmp_path):
    (tmp_path / "leaf.toml").write_text(LINE)
    assert leaf.find(tmp_path) == ["root"]
    assert leaf.here(tmp_path, tmp_path) == "root"
    whole = leaf.read(tmp_path, ".")
    assert (whole.name, whole.folder, whole.prefix) == ("root", tmp_path, "")


def test_one_stands_in_the_nearest_leaf_above(tree):
    (tree / "line/task/deep").mkdir(parents=True)
    assert leaf.read(tree, "line/").prefix == "line/"
    assert leaf.here(tree / "line/task/deep", tree) == "line"
    assert leaf.here(tree, tree) is None
    assert leaf.here(tree.parent, tree) is None


@pytest.mark.parametrize("name", ["lime", "../line", "/line", "line/train.py", "a\0b"])
def test_an_unknown_leaf_names_one_that_is_near_and_lists_all(tree, name):
    near = "; the nearest is 'line'" if name in ("lime", "../line", "/line") else ""
    with pytest.raises(errors.NotFound) as refusal:
        leaf.read(tree, name)
    assert refusal.value.message.endswith(f"{name!r}{near}")
    assert refusal.value.hint == "Leaves: line"


@pytest.mark.parametrize(
    "path", ["line/evaluate.py", "line/task/rows.csv", "shared/clock.py", "shared/new.py"]
)
def test_the_yardstick_changes_with_what_the_metric_depends_on(tree, path):
    before = hashes(tree)[0]
    (tree / path).parent.mkdir(exist_ok=True)
    (tree / path).write_text("changed\n")
    assert hashes(tree)[0] != before


@pytest.mark.parametrize(
    "path", ["line/train.py", "line/notes.md", "shared/README.md", "shared/__pycache__/c.pyc"]
)
def test_the_yardstick_ignores_the_experiment_prose_and_caches(tree, path):
    before = hashes(tree)[0]
    (tree / path).parent.mkdir(exist_ok=True)
    (tree / path).write_text("changed\n")
    assert hashes(tree)[0] == before


@pytest.mark.parametrize(
    ("extra", "moves"),
    [
        ("timeout_s = 999\n", True),
        ('clock = "cpu"\n', True),
        ('[constraints]\nmb = "<= 5"\n', True),
        ('[hints]\n"mb > 5" = "too big"\n', False),
        (KNOB + "low = 1\nhigh = 2\n", False),
        ('[data]\ncorpus = "stdlib"\n', True),
    ],
)
def test_the_yardstick_holds_limits_and_constraints_but_no_advice(tree, extra, moves):
    before = hashes(tree)[0]
    write(tree, extra)
    assert (hashes(tree)[0] != before) is moves


def test_a_file_moved_between_two_names_is_another_yardstick(tree):
    before = hashes(tree)[0]
    (tree / "shared/clock.py").rename(tree / "shared/watch.py")
    assert hashes(tree)[0] != before


def test_the_cache_follows_the_prepare_script_task_shared_code_and_profile_alone(tree):
    write(tree, 'prepare = ["python", "prepare.py"]\n[profiles.cpu]\nbudget_s = 5\n')
    first = hashes(tree)[1]
    (tree / "line/evaluate.py").write_text("changed\n")
    assert hashes(tree)[1] == first
    assert hashes(tree, "cpu")[1] != first
    (tree / "line/prepare.py").write_text("changed\n")
    second = hashes(tree)[1]
    write(tree, 'prepare = ["python", "prepare.py"]\n[data]\nrows = 9\n')
    assert hashes(tree)[1] not in (first, second)
    write(tree, 'prepare = ["python", "prepare.py"]\n[profiles.cpu]\nbudget_s = 5\n')
    (tree / "line/task").mkdir()
    (tree / "line/task/rows.csv").write_text("1,2\n")
    third = hashes(tree)[1]
    (tree / "shared/clock.py").write_text("# what prepare may import\n")
    assert len({first, second, third, hashes(tree)[1]}) == 4


@pytest.mark.parametrize(
    ("text", "metrics", "incumbent", "holds"),
    [
        ("loss<1.5", {"loss": 1.4}, None, True),
        ("loss >= 1.5", {"loss": 1.4}, None, False),
        ("steps > 1.1x", {"steps": 111}, {"steps": 100}, True),
        ("steps > 1.1x", {"steps": 109}, {"steps": 100}, False),
        ("steps > 1.1x", {"steps": 109}, None, None),
        ("steps > 1", {}, None, None),
        ("delta >= -1e-3", {"delta": 0.0}, None, True),
    ],
)
def test_a_condition_holds_fails_or_cannot_be_said(text, metrics, incumbent, holds):
    assert leaf.Condition.parse(text).holds(metrics, incumbent) is holds


@pytest.mark.parametrize(
    "text", ["", "loss", "loss < ", "< 3", "loss = 3", "loss < nan", "a b < 3"]
)
def test_what_is_no_condition_is_refused_with_an_example(text):
    with pytest.raises(errors.Usage, match="is not a condition") as refusal:
        leaf.Condition.parse(text)
    assert "steps > 1.1x" in refusal.value.hint


def test_a_missing_requirement_is_named_with_the_line_that_installs_it(tree):
    settings = write(tree, 'requires = ["click>=8", "no-such-thing>=2", "pytest<1"]\n').settings(
        "gpu"
    )
    with pytest.raises(errors.Environment) as refusal:
        leaf.check_requires(settings, sys.executable)
    assert "no-such-thing>=2 (not installed), pytest<1 (" in refusal.value.message
    assert refusal.value.hint.endswith("-m pip install 'no-such-thing>=2' 'pytest<1'")


def test_met_requirements_pass(tree):
    settings = write(tree, 'requires = ["click >= 8, < 99", "pytest"]\n').settings("gpu")
    leaf.check_requires(settings, sys.executable)


@pytest.mark.parametrize(
    ("version", "bounds", "met"),
    [
        ("2.13.0+cpu", ">=2.9", True),
        ("2.10", ">2.9", True),
        ("2.9", "==2.9.0", True),
        ("2.9.0rc1", ">=2.9", False),
        ("2.9.dev3", "<2.9a1", True),
        ("2.9.post1", ">2.9", False),  # a post-release is no later version, says PEP 440
        ("2.13.0+cpu", "==2.13.0", True),
        ("odd", ">=1", False),
        ("2.9.4", "~=2.9.1", True),
        ("2.10", "~=2.9.1", False),
        ("2.10", "~=2.9", True),
        ("2.9.1", "!=2.9.*", False),
        ("1!1.0", ">=2.0", True),
        ("1.5", ">=1,<1.5", False),
        ("odd", "===odd", True),
    ],
)
def test_versions_are_ordered_as_pep_440_says(version, bounds, met):
    assert meets(version, bounds) is met


def test_python_in_a_command_is_the_chosen_interpreter(tree):
    folder = tree / "line"
    words = leaf.argv(["python", "train.py", "-q"], sys.executable, folder)
    assert words == [sys.executable, "train.py", "-q"]


def test_a_missing_script_and_a_missing_program_are_told_apart(tree):
    with pytest.raises(errors.Refused, match=r"no gone\.py in"):
        leaf.argv(["python", "gone.py"], sys.executable, tree / "line")
    with pytest.raises(errors.Refused, match=r"no gone\.py in"):
        leaf.argv(["python", "-u", "gone.py"], sys.executable, tree / "line")
    assert leaf.argv(["python", "-m", "gone"], sys.executable, tree / "line")[1:] == ["-m", "gone"]
    with pytest.raises(errors.Environment, match="no program 'no-such-program' here"):
        leaf.argv(["no-such-program"], sys.executable, tree / "line")


def test_the_interpreter_is_labs_python_then_the_leafs_then_this_one(tree):
    (tree / "venv/bin").mkdir(parents=True)
    (tree / "venv/bin/python").symlink_to(sys.executable)
    plain = leaf.read(tree, "line").settings("gpu")
    own = write(tree, 'interpreter = "venv/bin/python"\n').settings("gpu")
    assert leaf.interpreter(plain, tree, {}) == sys.executable
    assert leaf.interpreter(own, tree, {}) == str(tree / "venv/bin/python")
    assert leaf.interpreter(own, tree, {"LAB_PYTHON": sys.executable}) == sys.executable


def test_an_interpreter_that_is_not_there_is_named(tree):
    own = write(tree, 'interpreter = "venv/bin/python"\n').settings("gpu")
    with pytest.raises(errors.Environment, match="interpreter: no venv/bin/python"):
        leaf.interpreter(own, tree, {})
    with pytest.raises(errors.Environment, match="LAB_PYTHON: no interpreter at /no/python"):
        leaf.interpreter(own, tree, {"LAB_PYTHON": "/no/python"})
