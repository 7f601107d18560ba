"""Fixtures: a toy repository, with and without a baseline."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import many
import toy as toys
from inprocess import (  # noqa: F401  (hooks)
    pytest_addoption,
    pytest_collection_modifyitems,
    pytest_ignore_collect,
    pytest_runtest_call,
)
from skips import pytest_sessionfinish, pytest_terminal_summary  # noqa: F401  (hooks)
from toy import Quick

# A slow machine is no failure of what is tested.
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")

collect_ignore_glob = ["agents/*"]  # programs that tests start, not tests


@pytest.fixture(autouse=True)
def _children(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure child processes only where marked: elsewhere it is twice the time, few lines more."""
    if request.node.get_closest_marker("children") is None:
        for name in ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START"):
            monkeypatch.delenv(name, raising=False)


@pytest.fixture
def toy(tmp_path: Path) -> Iterator[toys.Toy]:
    """A repository with one committed toy leaf."""
    made = toys.make(tmp_path)
    yield made
    if (made.root / ".lab").exists():  # else nothing was ever started
        made.here("stop", "--all", code=None)


@pytest.fixture(scope="session")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a repository with one committed toy leaf, to copy."""
    return toys.make(tmp_path_factory.mktemp("untouched")).root


@pytest.fixture
def quick(untouched: Path, tmp_path: Path) -> Quick:
    """A repository with one committed toy leaf, for commands that start no run."""
    shutil.copytree(untouched, tmp_path / "repo", symlinks=True)
    return Quick(tmp_path / "repo")


@pytest.fixture(scope="session")
def large(untouched: Path, tmp_path_factory: pytest.TempPathFactory) -> Quick:
    """A repository whose notebook holds 3,000 measured experiments; not to be written to."""
    folder = tmp_path_factory.mktemp("large")
    shutil.copytree(untouched, folder / "repo", symlinks=True)
    made = Quick(folder / "repo")
    many.write(made, 3_000, folder / "records.jsonl")
    made.lab("import", str(folder / "records.jsonl"))
    return made


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a repository whose baseline e1 was measured with three seeds, to copy."""
    made = toys.make(tmp_path_factory.mktemp("measured"))
    made.lab("run", "--baseline", "--seeds", "3", cwd=made.root / "toy")
    return made.root


@pytest.fixture
def ready(measured: Path, toy: toys.Toy) -> toys.Toy:
    """The toy repository with its baseline e1 measured."""
    shutil.rmtree(toy.root)
    shutil.copytree(measured, toy.root, symlinks=True)
    return toy


@pytest.fixture
def campaign(ready: toys.Toy) -> Path:
    """A campaign `ada` on the toy leaf, its baseline measured with three seeds."""
    return ready.campaign()
