"""`--quick`: the tests that start no process and load nothing heavy, found by reading them.

A module that imports something heavy is not even collected. Of the others, a test is quick unless
its fixtures make a repository or it, or what it calls in its module, names something that starts a
process. A quick test that starts one all the same fails, in every run, so the choice stays true.
"""

import ast
import functools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HEAVY = {"modal", "modal_standin", "numpy", "torch", "importorskip"}
STARTS = {"Local", "Popen", "subprocess", "killing", "repo", "toys", "nights", "leaves", "browser"}
STARTS |= {"toy", "quick", "untouched", "measured", "large", "campaign", "fork", "spawn"}
STARTS |= {"find"}  # leaf.find asks git
EVENTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "pty.spawn"}
_now: list[str] = []  # the quick test that is running


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="only tests that start no process")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave a module out whose import would load something heavy."""
    heavy = collection_path.match("tests/test_*.py") and HEAVY & set(_imports(collection_path))
    return True if heavy and config.getoption("--quick") else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what is quick; with `--quick` leave out the others."""
    for item in items:
        if _is_quick(item):
            item.add_marker("quick")
    if config.getoption("--quick"):
        others = [item for item in items if item.get_closest_marker("quick") is None]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item.get_closest_marker("quick")]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Watch a quick test for a process that it starts."""
    if item.get_closest_marker("quick"):
        _now.append(item.name)
    try:
        return (yield)
    finally:
        _now.clear()


def _watch(event: str, args: tuple[Any, ...]) -> None:
    if event in EVENTS and _now:
        raise AssertionError(f"a quick test starts a process: {args[:2]}; see {__file__}")


def _is_quick(item: pytest.Item) -> bool:
    if not isinstance(item, pytest.Function):
        return True  # a doctest
    words = _words(item.path)
    seen: set[str] = set()
    todo = {item.originalname, *item.fixturenames}
    while todo:
        seen |= todo
        todo = {word for name in todo for word in words.get(name, ())} - seen
    return not seen & (STARTS | HEAVY)


@functools.cache
def _words(path: Path) -> dict[str, set[str]]:
    """Return every word that each definition at the top of a module uses; an import its module."""
    found: dict[str, set[str]] = {}
    for node in ast.parse(path.read_text()).body:
        used = {
            str(getattr(inner, field))
            for inner in ast.walk(node)
            for field in ("id", "attr", "arg", "value", "module")
            if hasattr(inner, field)
        }
        found |= dict.fromkeys(_names(node), used)
    return found


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.ImportFrom):
        return [alias.asname or alias.name for alias in node.names]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return []


def _imports(path: Path) -> Iterator[str]:
    """Yield the packages that a module's top level imports or cannot do without."""
    for node in ast.parse(path.read_text()).body:
        for inner in ast.walk(node) if not isinstance(node, ast.FunctionDef) else ():
            if isinstance(inner, ast.Import | ast.ImportFrom):
                yield from (alias.name.partition(".")[0] for alias in inner.names)
                yield (getattr(inner, "module", None) or "").partition(".")[0]
            elif isinstance(inner, ast.Attribute):
                yield inner.attr


sys.addaudithook(_watch)
