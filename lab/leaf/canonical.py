"""Canonical form of code: what files share that differ in comments, docstrings, line ends."""

import ast
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

NOT_READ = (SyntaxError, ValueError, RecursionError, MemoryError)
# Code that names one of these may read any docstring.
READERS = {"__doc__", "getdoc", "inspect", "help", "globals", "vars", "modules", "__dict__"}
# ... and what does so may read all of its own text, comments too.
OF_SOURCE = {"getsource", "getsourcelines", "getcomments", "findsource", "linecache"}
OPENERS = {"open", "read_text", "read_bytes"}
BESIDE = {"parent", "parents", "with_name", "dirname"}
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
    trees = stripped_trees(files)
    return digest(files, {path: plain(tree) for path, tree in trees.items()})


def stripped_trees(files: Mapping[str, bytes]) -> dict[str, ast.Module]:
    """Return the syntax trees of Python files that can be read, without what does nothing.

    {} where a file reads its own text: then each byte may do something.
    """
    trees = {path: tree for path in files if (tree := parsed(path, files[path])) is not None}
    if any(map(_reads_source, trees.values())):
        return {}
    used = used_names(trees.values())
    return {path: stripped(tree, used) for path, tree in trees.items()}


def digest(files: Mapping[str, bytes], texts: Mapping[str, bytes | None]) -> str:
    """Return one id for files: of those that have a text by that, of others by their bytes."""
    total = hashlib.sha256()
    for path in sorted(files):
        text = texts.get(path)
        found = hashlib.sha256(files[path] if text is None else text).digest()
        total.update(path.encode() + b"\0" + found)
    return total.hexdigest()[:16]


def size(source: str | bytes | None) -> Size:
    """Return how much code a Python file has; lines where it cannot be read.

    >>> size("a = 1; b = 2"), size("a, b = 1, 2")
    (Size(statements=2, nodes=8), Size(statements=1, nodes=11))
    >>> size("def f():\\n    'Doc.'\\n    return 1  # why").statements
    2
    """
    try:
        tree = stripped(ast.parse(source or ""))
    except NOT_READ:
        lines = [line for line in (source or "").splitlines() if line.strip()]
        return Size(len(lines), len(lines))
    below = nodes(tree)[1:]
    return Size(sum(isinstance(node, ast.stmt) for node in below), len(below))


def less(old: str | bytes | None, new: str | bytes | None) -> int:
    """Return statements added less those removed; none were where the tree did not shrink too.

    >>> less("a = 1\\nb = 2", "a, b = 1, 2"), less("a = 1\\nb = 2", "a = 1")
    (0, -1)
    """
    before, after = size(old), size(new)
    more = after.statements - before.statements
    return more if more > 0 or after.nodes < before.nodes else 0


def nodes(tree: ast.AST) -> list[ast.AST]:
    """Return a tree's nodes, itself first; `ast.walk` in a third of its time, in another order."""
    found = [tree]
    for node in found:
        for value in node.__dict__.values():
            if isinstance(value, ast.AST):
                found.append(value)
            elif type(value) is list:
                found += [one for one in value if isinstance(one, ast.AST)]
    return found


def parsed(path: str, data: bytes) -> ast.Module | None:
    """Return the syntax tree of Python that can be read, else None: all of the file counts."""
    try:
        return ast.parse(data) if path.endswith(".py") else None
    except NOT_READ:
        return None


def plain(tree: ast.Module) -> bytes | None:
    """Return a tree as text; None where it is too deep to be written."""
    try:
        return ast.dump(tree).encode("utf-8", "surrogatepass")
    except NOT_READ:
        return None


def used_names(trees: Iterable[ast.AST]) -> set[str]:
    """Return the names that files do more with than call, and those that read docstrings."""
    found: set[str] = set()
    for tree in trees:
        every = nodes(tree)
        called = {id(node.func) for node in every if isinstance(node, ast.Call)}
        for node in every:
            if isinstance(node, ast.Name | ast.Attribute):
                name = node.id if isinstance(node, ast.Name) else node.attr
                if id(node) not in called or name in READERS:
                    found.add(name)
    return found


def _reads_source(tree: ast.AST) -> bool:
    """Return whether code reads its own text; a file beside it (`parent`) is another's.

    >>> [_reads_source(ast.parse(f"{code}(__file__)")) for code in ("open", "print")]
    [True, False]
    """
    every = nodes(tree)
    named = _names(every)
    if named & OF_SOURCE:
        return True
    if "__file__" not in named or not named & OPENERS:
        return False  # nearly every file: saves a look at each call
    called = (_names(nodes(node)) for node in every if isinstance(node, ast.Call))
    return any("__file__" in names and names & OPENERS and not names & BESIDE for names in called)


def _names(every: Sequence[ast.AST]) -> set[str]:
    """Return what nodes name, alone or behind a dot."""
    found = {node.id for node in every if isinstance(node, ast.Name)}
    return found | {node.attr for node in every if isinstance(node, ast.Attribute)}


def stripped(tree: ast.Module, used: Collection[str] | None = None) -> ast.Module:
    """Take out of a tree what does nothing: docstrings, other constants by themselves, `pass`.

    Of what somebody may read, by the names `used`, texts stay: a prompt, a tool's description.
    """
    every = nodes(tree)
    read = [node for node in every if used is not None and _is_read(node, used)]
    kept = {id(inner) for node in read for inner in nodes(node)}
    for node in every:
        for name in ("body", "orelse", "finalbody"):
            body = node.__dict__.get(name)
            if type(body) is list:
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
