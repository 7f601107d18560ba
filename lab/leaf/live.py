"""Which constants of a leaf's files are still read by something that runs."""

import ast
from collections.abc import Iterable, Iterator, Mapping

from ..errors import Refused
from . import knobs

NOT_READ = (SyntaxError, ValueError, RecursionError, MemoryError)
BY_TEXT = {"globals", "vars", "getattr", "eval", "exec", "locals"}  # may read a name that is text


def constants(files: Mapping[str, bytes]) -> dict[str, object]:
    """Return the constants at the top of Python files that something reads, with their values.

    What is read is followed from what runs: the lines of a file itself, then the functions that
    they name. A file that reads names by their text (`getattr`, `globals`) reads all of its own.

    >>> constants({"a.py": b"LR = 1\\nOLD = 2\\ndef f():\\n    return OLD\\nprint(LR)"})
    {'LR': 1}
    """
    trees = {path: tree for path, data in files.items() if (tree := _tree(path, data))}
    read = _reached(trees.values())
    found: dict[str, object] = {}
    for path, tree in trees.items():
        all_of_it = not BY_TEXT.isdisjoint(_names(tree))
        for name, constant in _constants(path, files[path]).items():
            if name.isupper() and (all_of_it or name in read):
                found[name] = constant.value
    return found


def _tree(path: str, data: bytes) -> ast.Module | None:
    try:
        return ast.parse(data) if path.endswith(".py") else None
    except NOT_READ:
        return None


def _constants(path: str, data: bytes) -> dict[str, knobs.Constant]:
    try:
        return knobs.constants(data, path)
    except Refused:
        return {}


def _reached(trees: Iterable[ast.Module]) -> set[str]:
    """Return every name that is read on the way from what runs by itself."""
    bodies: dict[str, list[ast.AST]] = {}
    waiting: list[str] = []
    for node in (node for tree in trees for node in tree.body):
        names = _bound(node)
        for name in names:
            bodies.setdefault(name, []).append(node)
        if not names or any(isinstance(inner, ast.Call) for inner in _outside(node)):
            waiting += _names(node)
    read: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in read:
            read.add(name)
            waiting += (inner for body in bodies.get(name, ()) for inner in _names(body))
    return read


def _bound(node: ast.stmt) -> list[str]:
    """Return what a top-level statement defines and does nothing else; [] for one that runs."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []


def _outside(node: ast.stmt) -> Iterator[ast.AST]:
    """Yield what runs when a definition is read: its value or its decorators, not its body."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            for decorator in node.decorator_list:
                yield decorator
                yield ast.Call(decorator, [], [])  # decorating calls it
        case ast.Assign() | ast.AnnAssign() if node.value is not None:
            yield from ast.walk(node.value)


def _names(node: ast.AST) -> set[str]:
    """Return the names that a piece of code reads: its own, another module's, imported ones."""
    found = set()
    for inner in ast.walk(node):
        match inner:
            case ast.Name(id=name, ctx=ast.Load()) | ast.Attribute(attr=name):
                found.add(name)
            case ast.alias(name=name):
                found.add(name)
    return found


def all_constants(files: Mapping[str, bytes]) -> set[str]:
    """Return the constants at the top of Python files, read or not."""
    return {
        name
        for path, data in files.items()
        if path.endswith(".py")
        for name in _constants(path, data)
        if name.isupper()
    }


def missing(before: bytes, after: bytes) -> set[str]:
    """Return the names that a file reads and defines no more; all it had, where it is no Python.

    >>> missing(b"A = 1\\nB = 2\\nprint(A)", b"B = 2\\nprint(A)")
    {'A'}
    """
    old, new = _tree("a.py", before), _tree("a.py", after)
    had = {name for node in (old.body if old else ()) for name in _bound(node)}
    if new is None:
        return had
    has = {name for node in new.body for name in _bound(node)}
    return (had - has) & _names(new)
