"""Check of imports: a leaf uses its own files, `shared`, Python's and `requires`."""

import ast
import functools
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from .. import leaf as leaves
from ..text import plural
from .case import Case
from .finding import Broken, Unproven

ASK = """
import importlib.metadata as m, json, sys
print(json.dumps([sorted(sys.stdlib_module_names), dict(m.packages_distributions())]))
"""
ASK_S = 60  # an interpreter on a cold network disk takes seconds to start


@dataclass(frozen=True)
class Import:
    """One import: the module's full name, where, and whether its absence is provided for."""

    name: str
    file: str
    line: int
    optional: bool

    @property
    def top(self) -> str:
        """The name of its package."""
        return self.name.partition(".")[0]


def check(case: Case) -> str:
    """Only the leaf's own files, shared, Python's and what requires names are imported."""
    found = [one for file in sources(case) for one in imported(case.leaf.folder, file)]
    own, others = own_modules(case), other_leaves(case)
    stdlib, distributions = known_to(_python(case))
    required = {plain_name(need) for need in _all(case)}
    for one in found:
        _refuse_strangers(one, others)
        ours = one.top == "shared" or one.name.startswith("labtree.shared")
        known = one.top in own or ours or one.top in stdlib or one.optional
        gives = {plain_name(name) for name in distributions.get(one.top, [one.top])}
        if not known and not gives & required:
            raise Broken(
                f"{one.file}:{one.line} imports {one.name}, which is neither the leaf's own, nor "
                "shared, nor named in requires",
                f'Add its package to requires in leaf.toml, or do without: "{min(gives)}"',
            )
    _unfrozen(case, own)
    used = sorted({one.top for one in found if not one.optional} - own - stdlib)
    lent = ", ".join(used) if used else "nothing"
    borrowed = _from_mutable(case, found)
    where = plural(len(sources(case)), "file")
    said = f"{plural(len(found), 'import')} in {where}; beyond Python's: {lent}"
    return f"{said}; {borrowed}" if borrowed else said


def _refuse_strangers(one: Import, others: list[str]) -> None:
    if one.top == "lab" or one.name.startswith("labtree.lab"):
        raise Broken(
            f"{one.file}:{one.line} imports {one.name}: a leaf never imports lab",
            "Report through shared, which is on its path",
        )
    for other in others:
        if one.name == other or one.name.startswith(f"{other}."):
            raise Broken(
                f"{one.file}:{one.line} imports {one.name}, of another leaf",
                "Copy what is needed, or move it to shared with its second user",
            )


def _python(case: Case) -> str:
    try:
        return case.python
    except Unproven:
        return sys.executable


def _all(case: Case) -> set[str]:
    """Return the requirements of every profile."""
    return {need for name in case.leaf.profiles for need in case.leaf.settings(name).requires}


def plain_name(need: str) -> str:
    """Return the name of a requirement, as names are compared.

    >>> plain_name("Scikit_Learn[extra]>=1.2")
    'scikit-learn'
    """
    name = re.split(r"[\s\[<>=!~]", need.strip(), maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


@functools.cache
def known_to(python: str) -> tuple[frozenset[str], dict[str, list[str]]]:
    """Return the modules of an interpreter's own library, and {module: distributions}."""
    try:
        asked = subprocess.run(
            [python, "-c", ASK], capture_output=True, text=True, timeout=ASK_S, check=True, cwd="/"
        )
        stdlib, distributions = json.loads(asked.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return frozenset(sys.stdlib_module_names), {}
    return frozenset(stdlib), distributions


# -- The walk -------------------------------------------------------------------


def sources(case: Case) -> list[str]:
    """Return the leaf's Python files from its folder; another leaf below it is its own."""
    folder = case.leaf.folder
    inner = [path.parent for path in folder.rglob("leaf.toml") if path.parent != folder]
    files = [
        path
        for path in folder.rglob("*.py")
        if not any(path.is_relative_to(other) for other in inner)
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.name != "sitecustomize.py"
    ]
    return sorted(path.relative_to(folder).as_posix() for path in files)


def own_modules(case: Case) -> set[str]:
    """Return the names under which the leaf's own files are imported."""
    return {PurePosixPath(file).parts[0].removesuffix(".py") for file in sources(case)}


def other_leaves(case: Case) -> list[str]:
    """Return the other leaves of the repository, as modules would be named."""
    names = [name for name in leaves.find(case.clone.root) if name != case.name]
    return [name.replace("/", ".") for name in names]


def imported(folder: Path, file: str) -> Iterator[Import]:
    """Yield what one file imports, wherever in it; Broken when it is not Python."""
    try:
        tree = ast.parse((folder / file).read_bytes())
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise Broken(f"{file}:{line} is not Python: {error.args[0]}", "Correct it") from None
    yield from _walk(tree, file, optional=False)


def _walk(node: ast.AST, file: str, *, optional: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, file, child.lineno, optional)
        elif isinstance(child, ast.ImportFrom) and child.module and not child.level:
            yield Import(child.module, file, child.lineno, optional)
        elif isinstance(child, ast.Try):
            excluded = optional or any(map(_catches_absence, child.handlers))
            for part in child.body:
                yield from _walk(ast.Module([part], []), file, optional=excluded)
            rest = ast.Module([*child.handlers, *child.orelse, *child.finalbody], [])  # type: ignore[list-item]
            yield from _walk(rest, file, optional=optional)
        else:
            yield from _walk(child, file, optional=optional)


def _catches_absence(handler: ast.ExceptHandler) -> bool:
    names = {
        node.id for node in ast.walk(handler.type or ast.Name("")) if isinstance(node, ast.Name)
    }
    return bool(names & {"ImportError", "ModuleNotFoundError"})


# -- What decides the score ---------------------------------------------------------


def _unfrozen(case: Case, own: set[str]) -> None:
    """Refuse a module of the yardstick that is neither frozen nor mutable: nobody watches it."""
    settings = case.settings
    todo = [w for w in (*settings.evaluate, *(settings.prepare or [])) if w.endswith(".py")]
    seen: set[str] = set()
    while todo:
        file = todo.pop()
        if file in seen or not (case.leaf.folder / file).is_file():
            continue
        seen.add(file)
        if any(leaves.within(file, path) for path in settings.mutable):
            continue
        if not any(leaves.within(file, path) for path in (*settings.frozen, "task")):
            raise Broken(
                f"{file}, which the yardstick imports, is neither frozen nor mutable: a change of "
                "it would go unnoticed",
                f'Add "{file}" to frozen in leaf.toml',
            )
        tops = {one.top for one in imported(case.leaf.folder, file)} & own
        todo += [path for path in sources(case) if PurePosixPath(path).parts[0] in
                 {*tops, *(f"{top}.py" for top in tops)}]  # fmt: skip


def _from_mutable(case: Case, found: list[Import]) -> str:
    """Return what the yardstick takes from a file that an experiment writes, "" for nothing."""
    stems = {PurePosixPath(path).parts[0].removesuffix(".py") for path in case.settings.mutable}
    taken = sorted({one.top for one in found if one.file in case.settings.evaluate} & stems)
    names = ", ".join(f"{name}.py" for name in taken)
    return (
        f"evaluate imports {names}, which is mutable: let serve import it (leaf.toml)"
        if taken
        else ""
    )
