"""What code does, whatever its words: one id for files that differ in names or idle parts."""

import ast
from collections.abc import Callable, Mapping

from . import scopes, unused
from .canonical import NOT_READ, digest, plain, stripped_trees

# Builtins that take their keyword arguments one by one, in whatever order.
BUILTINS = {"enumerate", "int", "max", "min", "open", "print", "round", "sorted", "sum", "zip"}
# Modules of torch whose functions and classes do: what they make depends on no order.
TORCH = {"torch", "torch.nn", "torch.nn.functional", "torch.optim"}


def behaviour_id(
    files: Mapping[str, bytes], readers: Callable[[], Mapping[str, bytes]] = dict
) -> str:
    """Return one id for what files do, other than `code_id` also under other words.

    Not told apart: names of locals, order of constant keyword arguments, imports in another order
    or unused, constants and functions that neither these files nor `readers`, the leaf's others,
    read. What cannot be proved to be the same has another id.

    >>> one, two = b"def f(x):\\n a = x\\n return a", b"N = 1\\ndef f(x):\\n b = x\\n return b"
    >>> behaviour_id({"a.py": one + b"\\nf(1)"}) == behaviour_id({"a.py": two + b"\\nf(1)"})
    True
    """
    return ids(files, readers)[1]


def ids(files: Mapping[str, bytes], readers: Callable[[], Mapping[str, bytes]]) -> tuple[str, str]:
    """Return `code_id` and `behaviour_id` of files, which are read once for both."""
    trees = stripped_trees(files)
    code = digest(files, {path: plain(tree) for path, tree in trees.items()})
    try:
        unused.drop(trees, readers)
        return code, digest(files, {path: _text(tree) for path, tree in trees.items()})
    except NOT_READ:  # too deep for a walk
        return code, digest(files, {})


def _text(tree: ast.Module) -> bytes:
    """Return a tree as text, its locals by number and its keyword arguments by the alphabet."""
    reading = scopes.read(tree)
    callees = _Callees(tree)
    for call, scope in reading.calls:
        named = [word.arg or "" for word in call.keywords]
        plain_words = len(named) > 1 and all(named) and all(map(_is_plain, call.keywords))
        if plain_words and callees.any_order(call.func, scope):
            call.keywords.sort(key=lambda word: str(word.arg))
    scopes.rename(reading)
    return ast.dump(tree).encode("utf-8", "surrogatepass")


def _is_plain(value: ast.AST) -> bool:
    """Return whether nothing happens where a value is looked up."""
    match value:
        case ast.keyword(value=given):
            return _is_plain(given)
        case ast.Constant() | ast.Name():
            return True
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant()):
            return True
        case ast.Tuple(elts=parts):
            return all(_is_plain(part) for part in parts)
    return False


class _Callees:
    """Which functions do not see in what order they are given keyword arguments.

    One with `**words` does, and so does any that is not known.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.here: dict[str, bool] = {}
        self.modules: dict[str, str] = {}
        for node in tree.body:
            self._note(node)

    def _note(self, node: ast.stmt) -> None:
        match node:
            case ast.FunctionDef(name=name):
                plain = node.args.kwarg is None and not node.decorator_list
                self.here[name] = plain and name not in self.here
            case ast.Import(names=aliases):
                for alias in aliases:
                    whole = alias.asname or "." not in alias.name
                    name = alias.asname or alias.name.partition(".")[0]
                    self.modules[name] = alias.name if whole else name
            case ast.ImportFrom(module=str(module), names=aliases, level=0):
                for alias in aliases:
                    self.modules[alias.asname or alias.name] = f"{module}.{alias.name}"

    def any_order(self, called: ast.expr, scope: scopes.Scope) -> bool:
        """Return whether a call may have its keyword arguments in any order."""
        root = called
        while isinstance(root, ast.Attribute):
            root = root.value
        if not isinstance(root, ast.Name):
            return False
        module = scope.module()
        if scope.owner(root.id) is not module:
            return False
        if isinstance(called, ast.Name) and root.id not in module.bound:
            return root.id in BUILTINS
        if isinstance(called, ast.Name) and root.id in self.here:
            return self.here[root.id]
        origin = self.modules.get(root.id)
        path = ast.unparse(called).replace(root.id, origin or "", 1)
        return origin is not None and path.rpartition(".")[0] in TORCH
