"""Canonical form of code: what files share that differ in comments, docstrings, line ends."""

import ast
import hashlib
from collections.abc import Mapping
from typing import NamedTuple

NOT_READ = (SyntaxError, ValueError, RecursionError, MemoryError)


class Size(NamedTuple):
    """How much code there is."""

    statements: int
    nodes: int  # of the syntax tree: two assignments in one statement have no fewer


def code_id(files: Mapping[str, bytes]) -> str:
    """Return one id for what files do: of Python its syntax tree, of anything else its bytes.

    >>> code_id({"a.py": b"LR = 1  # why"}) == code_id({"a.py": b"'''Doc.'''; LR = (1)"})
    True
    >>> code_id({"a.py": b"LR = 1"}) == code_id({"a.py": b"LR = 2"})
    False
    """
    total = hashlib.sha256()
    for path in sorted(files):
        total.update(path.encode() + b"\0" + hashlib.sha256(_plain(path, files[path])).digest())
    return total.hexdigest()[:16]


def size(source: str | bytes | None) -> Size:
    """Return how much code a Python file has; lines where it cannot be read.

    >>> size("a = 1; b = 2"), size("a, b = 1, 2")
    (Size(statements=2, nodes=8), Size(statements=1, nodes=11))
    >>> size("def f():\\n    'Doc.'\\n    return 1  # why").statements
    2
    """
    try:
        tree = _stripped(ast.parse(source or ""))
    except NOT_READ:
        lines = [line for line in (source or "").splitlines() if line.strip()]
        return Size(len(lines), len(lines))
    nodes = list(ast.walk(tree))[1:]
    return Size(sum(isinstance(node, ast.stmt) for node in nodes), len(nodes))


def less(old: str | bytes | None, new: str | bytes | None) -> int:
    """Return statements added less those removed; none were where the tree did not shrink too.

    >>> less("a = 1\\nb = 2", "a, b = 1, 2"), less("a = 1\\nb = 2", "a = 1")
    (0, -1)
    """
    before, after = size(old), size(new)
    more = after.statements - before.statements
    return more if more > 0 or after.nodes < before.nodes else 0


def _plain(path: str, data: bytes) -> bytes:
    """Return what counts of a file: the syntax tree of Python that can be read, else all of it."""
    if not path.endswith(".py"):
        return data
    try:
        return ast.dump(_stripped(ast.parse(data))).encode("utf-8", "surrogatepass")
    except NOT_READ:
        return data


def _stripped(tree: ast.Module) -> ast.Module:
    """Take out of a tree what does nothing: docstrings, other constants by themselves, `pass`."""
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            body = getattr(node, name, None)
            if isinstance(body, list):
                setattr(node, name, [one for one in body if not _does_nothing(one)])
    return tree


def _does_nothing(node: ast.AST) -> bool:
    constant = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return constant or isinstance(node, ast.Pass)
