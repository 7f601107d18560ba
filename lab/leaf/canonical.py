"""Canonical form of code: what files share that differ in comments, docstrings, line ends."""

import ast
import hashlib
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

NOT_READ = (SyntaxError, ValueError, RecursionError, MemoryError)
# Code that names one of these may read any docstring.
READERS = {"__doc__", "getdoc", "inspect", "help", "globals", "vars", "modules", "__dict__"}
# ... and what does so may read all of its own text, comments too.
OF_SOURCE = {"getsource", "getsourcelines", "getcomments", "findsource", "linecache"}
OPENERS = {"open", "read_text", "read_bytes"}
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


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
    trees = {path: tree for path in files if (tree := _tree(path, files[path])) is not None}
    used = _used(trees.values())
    as_text = any(_reads_source(node) for tree in trees.values() for node in ast.walk(tree))
    total = hashlib.sha256()
    for path in sorted(files):
        plain = _plain(trees[path], used) if path in trees and not as_text else None
        digest = hashlib.sha256(files[path] if plain is None else plain).digest()
        total.update(path.encode() + b"\0" + digest)
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


def _tree(path: str, data: bytes) -> ast.Module | None:
    """Return the syntax tree of Python that can be read, else None: all of the file counts."""
    try:
        return ast.parse(data) if path.endswith(".py") else None
    except NOT_READ:
        return None


def _plain(tree: ast.Module, used: Collection[str]) -> bytes | None:
    """Return a tree as text, without what does nothing; None where it is too deep to be written."""
    try:
        return ast.dump(_stripped(tree, used)).encode("utf-8", "surrogatepass")
    except NOT_READ:
        return None


def _used(trees: Iterable[ast.AST]) -> set[str]:
    """Return the names that files do more with than call, and those that read docstrings."""
    nodes = [node for tree in trees for node in ast.walk(tree)]
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    found = set()
    for node in nodes:
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                if id(node) not in called or name in READERS:
                    found.add(name)
    return found


def _reads_source(node: ast.AST) -> bool:
    """Return whether this reads a program's own text; a file beside it (`parent`) is another's.

    >>> [_reads_source(ast.parse(f"{code}(__file__)").body[0].value) for code in ("open", "print")]
    [True, False]
    """
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) if name in OF_SOURCE:
            return True
        case ast.Call():
            names = {getattr(n, "id", getattr(n, "attr", None)) for n in ast.walk(node)}
            beside = {"parent", "parents", "with_name", "dirname"}
            return "__file__" in names and bool(names & OPENERS) and not names & beside
    return False


def _stripped(tree: ast.Module, used: Collection[str] | None = None) -> ast.Module:
    """Take out of a tree what does nothing: docstrings, other constants by themselves, `pass`.

    Of what somebody may read, by the names `used`, texts stay: a prompt, a tool's description.
    """
    read = [node for node in ast.walk(tree) if used is not None and _is_read(node, used)]
    kept = {id(inner) for node in read for inner in ast.walk(node)}
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            body = getattr(node, name, None)
            if isinstance(body, list):
                left = [one for one in body if not _does_nothing(one, id(one) in kept)]
                setattr(node, name, left)
    return tree


def _is_read(node: ast.AST, used: Collection[str]) -> bool:
    """Return whether code elsewhere gets hold of this: a base, a decorator, what it is passed to.

    Of all in a file, where some code names what reads docstrings.
    """
    if isinstance(node, ast.Module):
        return not READERS.isdisjoint(used)
    if not isinstance(node, DEFINITIONS):
        return False
    based = isinstance(node, ast.ClassDef) and bool(node.bases or node.keywords)
    return based or bool(node.decorator_list) or node.name in used


def _does_nothing(node: ast.AST, kept: bool) -> bool:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return not (kept and isinstance(node.value.value, str))
    return isinstance(node, ast.Pass)
