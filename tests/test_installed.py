"""Labtree as a wheel, installed into an empty environment, in somebody's own repository."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def typed(*words: str, cwd: Path, env: dict[str, str], code: int = 0) -> str:
    """Type a command; return what it printed."""
    done = subprocess.run(
        words, cwd=cwd, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == code, (words, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of what git has here."""
    folder = tmp_path_factory.mktemp("wheel")
    names = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True
    ).stdout.split(b"\0")
    for name in filter(None, map(os.fsdecode, names)):
        if (ROOT / name).is_file():
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / "source" / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    build = [*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    typed(*build, str(folder / "source"), cwd=folder, env=dict(os.environ))
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """The programs of an environment that holds that wheel and what it needs."""
    folder = wheel.parent / "empty"
    venv.create(folder, with_pip=True)
    pip = [str(folder / "bin/python"), "-m", "pip", "--disable-pip-version-check"]
    done = subprocess.run(
        [*pip, "install", "-q", str(wheel)], capture_output=True, text=True, cwd=folder
    )
    if done.returncode and ("connection" in done.stderr or "No matching" in done.stderr):
        pytest.skip("no package index can be reached")
    assert done.returncode == 0, done.stderr
    return folder / "bin"


@pytest.fixture
def theirs(installed: Path, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A repository with folders of its own that are called `lab` and `shared`."""
    bare = {k: v for k, v in os.environ.items() if not k.startswith(("LAB_", "GIT_", "PYTHON"))}
    who = {
        f"GIT_{role}_{what}": "a@b"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    env = bare | who | {
        "PATH": f"{installed}:{os.defpath}",
        "HOME": str(tmp_path),
        "LAB_SLOTS_DIR": str(tmp_path / "slots"),
    }  # fmt: skip
    root = tmp_path / "theirs"
    for name in ("lab", "shared"):
        (root / name).mkdir(parents=True)
        (root / name / "__init__.py").write_text(f"WHOSE = '{name} of theirs'\n")
    typed("git", "init", "-q", "-b", "main", cwd=root, env=env)
    typed("git", "add", "-A", cwd=root, env=env)
    typed("git", "commit", "-qm", "theirs", cwd=root, env=env)
    return root, env


def runs_an_edit(root: Path, leaf: str, env: dict[str, str]) -> None:
    """Try one edit of a leaf in a campaign of its own; it runs to its end."""
    campaign = Path(typed("lab", "worktree", leaf, "ada", cwd=root, env=env).strip())
    text = (campaign / "train.py").read_text()
    (campaign / "train.py").write_text(text.replace("LEARNING_RATE = 0.2", "LEARNING_RATE = 0.4"))
    idea = ("lab", "hypothesis", "a larger step", "-m", "it has not arrived when time is out")
    name = typed(*idea, cwd=campaign, env=env).split()[0]
    assert "e2 finished" in typed("lab", "run", name, cwd=campaign, env=env)


def test_a_wheel_brings_one_name_and_all_its_files(installed: Path) -> None:
    (packages,) = installed.parent.glob("lib/python*/site-packages")
    assert (packages / "labtree/lab/PROTOCOL.md").is_file()
    assert not (packages / "lab").exists()
    assert not (packages / "shared").exists()
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "lab", "shared"], cwd=ROOT, capture_output=True
    ).stdout.split(b"\0")
    for name in filter(None, map(os.fsdecode, tracked)):
        if (ROOT / name).is_file():
            assert (packages / "labtree" / name).is_file(), name


def test_a_leaf_runs_beside_folders_of_theirs_with_our_names(
    theirs: tuple[Path, dict[str, str]],
) -> None:
    root, env = theirs
    typed("lab", "new", "curve", cwd=root, env=env)
    train = (root / "curve/train.py").read_text()
    assert "from labtree.shared import" in train
    both = "import lab\nimport shared as own\n\nassert 'theirs' in lab.WHOSE + own.WHOSE\n"
    (root / "curve/train.py").write_text(train.replace("import random\n", f"import random\n{both}"))
    assert both in (root / "curve/train.py").read_text()
    typed("git", "add", "-A", cwd=root, env=env)
    typed("git", "commit", "-qm", "a leaf", cwd=root, env=env)
    said = typed("lab", "run", "--baseline", "--seeds", "3", "--leaf", "curve", cwd=root, env=env)
    assert "e1 finished: val_error" in said
    runs_an_edit(root, "curve", env)
    assert "theirs" in (root / "shared/__init__.py").read_text()
    told = typed("labtree", "--version", cwd=root, env=env)
    assert told.startswith("lab, version")


def test_what_an_extra_brings_is_installed_by_the_packages_name(
    theirs: tuple[Path, dict[str, str]],
) -> None:
    root, env = theirs
    typed("lab", "new", "curve", cwd=root, env=env)
    said = typed("lab", "plot", cwd=root, env=env, code=6)
    assert "bin/python -m pip install 'labtree[plot]'; or as a page, without it: lab rep" in said


def test_a_mutable_file_may_lie_in_a_folder_with_our_name(
    theirs: tuple[Path, dict[str, str]],
) -> None:
    root, env = theirs
    typed("lab", "new", "curve", cwd=root, env=env)
    shutil.move(root / "curve", root / "lab/curve")
    toml = root / "lab/curve/leaf.toml"
    toml.write_text(toml.read_text().replace('"curve"', '"lab/curve"'))
    for file in (root / "lab/curve").glob("*.py"):
        file.write_text(file.read_text().replace('"curve"', '"lab/curve"'))
    typed("git", "add", "-A", cwd=root, env=env)
    typed("git", "commit", "-qm", "a leaf in there", cwd=root, env=env)
    leaf = ("--leaf", "lab/curve")
    typed("lab", "run", "--baseline", "--seeds", "3", *leaf, cwd=root, env=env)
    runs_an_edit(root, "lab/curve", env)
