"""What a leaf's files define and nobody reads: constants, functions and imports that do nothing."""

import ast
import importlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from .canonical import NOT_READ, nodes

# What binds or reads a name; all else is passed over.
NOTED = {
    *(ast.Attribute, ast.Constant, ast.Call, ast.ImportFrom, ast.alias, ast.arg),
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Global, ast.Nonlocal),
    *(ast.ExceptHandler, ast.MatchAs, ast.MatchStar, ast.MatchMapping),
}
Trees = Mapping[str, ast.Module]
Readers = Callable[[], Mapping[str, bytes]]

# Whoever names one of these may read a name that is a text, so that nothing counts as unread.
BY_TEXT = {"globals", "vars", "eval", "exec", "locals", "dir", "__import__", "compile"}
BY_PLACE = {
    *("__dict__", "modules", "attrgetter", "import_module", "__builtins__", "__all__"),
    "getmembers",
}
GETTERS = {"getattr", "setattr", "hasattr", "delattr"}
# Modules of the standard library that do nothing when they are imported.
QUIET = {
    *("abc", "argparse", "ast", "base64", "bisect", "collections", "collections.abc"),
    *("contextlib", "copy", "csv", "dataclasses", "datetime", "decimal", "enum"),
    *("fractions", "functools", "gc", "glob", "hashlib", "heapq", "io", "itertools", "json"),
    *("math", "numbers", "operator", "os", "os.path", "pathlib", "pickle", "pprint"),
    *("random", "re", "shutil", "statistics", "string", "struct", "subprocess", "sys"),
    *("tempfile", "textwrap", "threading", "time", "types", "typing", "uuid", "warnings"),
    "zlib",
}
PLAIN_TYPES = {
    *("int", "float", "str", "bool", "bytes", "object", "list", "dict", "tuple", "set"),
    "None",
}
ALL = "*"  # among names that are read: any may be
IN_BRACES = re.compile(r"{([^{}]*)}")
WORD = re.compile(r"[^\W\d]\w*")


def drop(trees: Trees, readers: Readers) -> None:
    """Take out of trees what nobody reads, here or in `readers`, the other files of the leaf.

    Those are asked for only where something here seems to be unread.
    """
    if not QUIET.isdisjoint(_modules(trees)):
        return  # a file of the leaf stands in a module's place
    for tree in trees.values():
        tree.body = _in_order(tree.body)
    seen = {path: _Seen(tree) for path, tree in trees.items()}
    if any(one.by_text for one in seen.values()):
        return
    read = sum((one.read for one in seen.values()), Counter[str]())
    kept: set[str] | None = None
    while found := list(_unread(trees, seen, read)):
        kept = _named_elsewhere(trees, readers()) if kept is None else kept
        found = [one for one in found if kept.isdisjoint({ALL, one[2]})]
        if not found:
            return
        for tree, node, _ in found:
            tree.body.remove(node)
            read -= _Seen(node).read


def _modules(paths: Iterable[str]) -> set[str]:
    """Return what files are called when they are imported."""
    return {path.rpartition("/")[2].removesuffix(".py") for path in paths}


class _Seen:
    """What a tree binds and reads, each name with how often."""

    def __init__(self, tree: ast.AST) -> None:
        self.bound: Counter[str] = Counter()
        self.read: Counter[str] = Counter()
        self.doubts = 0  # what may read a name that is no name here
        for node in nodes(tree):
            kind = type(node)
            if kind is ast.Name:  # two nodes in five, so that they are asked first
                self._name(node)  # type: ignore[arg-type]
            elif kind in NOTED:
                self._note(node)

    @property
    def by_text(self) -> bool:
        """Whether something may read a name by its text, or a whole module."""
        return self.doubts > 0

    def _name(self, node: ast.Name) -> None:
        name = node.id
        if type(node.ctx) is ast.Load:
            self.read[name] += 1
            self.doubts += name in BY_TEXT or name in BY_PLACE
        else:
            self.bound[name] += 1
            self.doubts += name in BY_PLACE

    def _note(self, node: ast.AST) -> None:
        match node:
            case ast.Attribute(attr=name, value=value):
                self.read[name] += 1
                of_sys = isinstance(value, ast.Name) and value.id == "sys"  # not a model's
                self.doubts += name in BY_PLACE and (name != "modules" or of_sys)
            case ast.Constant(value=str(text)):
                self.read.update(_names_in(text))
            case ast.Call(func=ast.Name(id=name)):
                self.doubts += name in GETTERS and not _names_it(node)
                self.doubts -= name == "vars" and _is_of_self(node)
            case ast.ImportFrom(names=aliases):
                self.read.update(alias.name for alias in aliases)
            case _:
                self._binds(node)

    def _binds(self, node: ast.AST) -> None:
        match node:
            case ast.arg(arg=name) | ast.ExceptHandler(name=str(name)):
                self.bound[name] += 1
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                self.bound[name] += 1
            case ast.ClassDef(name=name):
                self.bound[name] += 1
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                self.bound.update(names)
            case ast.alias(name=name, asname=renamed):
                self.doubts += name == "*" or name in BY_PLACE
                self.bound[renamed or name.partition(".")[0]] += 1
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                self.bound[name] += 1
            case ast.MatchMapping(rest=str(name)):
                self.bound[name] += 1


def _names_in(text: str) -> list[str]:
    """Return what a text may name: `train.LR`, or `{m.LR}` in a sentence; prose names nothing."""
    told = [text] if len(text.split()) == 1 else IN_BRACES.findall(text)
    return [word for part in told for word in WORD.findall(part)]


def _names_it(call: ast.Call) -> bool:
    """Return whether `getattr` and the like are given the name as it stands."""
    return len(call.args) > 1 and isinstance(call.args[1], ast.Constant)


def _is_of_self(call: ast.Call) -> bool:
    """Return whether `vars` is given an object, not a module."""
    return [ast.unparse(word) for word in call.args] == ["self"]


def _unread(
    trees: Trees, seen: Mapping[str, _Seen], read: Counter[str]
) -> Iterator[tuple[ast.Module, ast.stmt, str]]:
    """Yield each statement of a module that only binds a name, alone, which is unread."""
    for path, tree in trees.items():
        bound = seen[path].bound
        for node in tree.body:
            name = _binds_only(node, bound)
            if name is not None and bound[name] == 1 and not name.startswith("__"):
                itself = isinstance(node, ast.ImportFrom) and node.names[0].name == name
                if read[name] == itself:
                    yield tree, node, name


def _binds_only(node: ast.stmt, bound: Counter[str]) -> str | None:
    """Return the name that a statement binds, where it does nothing else whatever happens."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if _is_literal(value):
            return name
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            return name if _is_literal(value) and _is_plain(node.annotation, bound) else None
        case ast.FunctionDef(name=name, decorator_list=[]) if _is_simple(node, bound):
            return name
        case ast.Import(names=[alias]) | ast.ImportFrom(names=[alias]) if _is_quiet(node):
            return alias.asname or alias.name.partition(".")[0]
    return None


def _is_literal(value: ast.expr) -> bool:
    match value:
        case ast.Constant():
            return True
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=number)):
            return isinstance(number, int | float)
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return all(_is_literal(part) for part in parts)
    return False


def _is_plain(annotation: ast.expr | None, bound: Counter[str]) -> bool:
    """Return whether an annotation is a builtin type, which cannot be missing."""
    if annotation is None or isinstance(annotation, ast.Constant):
        return True
    names = PLAIN_TYPES - bound.keys()
    return isinstance(annotation, ast.Name) and annotation.id in names


def _is_simple(node: ast.FunctionDef, bound: Counter[str]) -> bool:
    """Return whether nothing can go wrong where a function is defined: it compiles, by itself."""
    given = node.args
    parts = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    annotations = [part.annotation for part in parts if part is not None]
    defaults = [one for one in (*given.defaults, *given.kw_defaults) if one is not None]
    if getattr(node, "type_params", ()) or not all(_is_literal(one) for one in defaults):
        return False
    if not all(_is_plain(one, bound) for one in (*annotations, node.returns)):
        return False
    try:
        compile(ast.Module([_with_body(node)], []), "unused", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, TypeError):
        return False
    return True


def _with_body(node: ast.FunctionDef) -> ast.FunctionDef:
    """Return a function as Python takes it: what does nothing was taken out of its body."""
    body = node.body or [ast.copy_location(ast.Pass(), node)]
    made = ast.FunctionDef(node.name, node.args, body, [], node.returns)
    return ast.fix_missing_locations(ast.copy_location(made, node))


# -- Imports --------------------------------------------------------------------------------


def _is_quiet(node: ast.Import | ast.ImportFrom) -> bool:
    """Return whether importing does nothing but bind names that are there."""
    if isinstance(node, ast.Import):
        return all(alias.name in QUIET for alias in node.names)
    if node.level or not node.module or node.module not in QUIET:
        return False
    module = importlib.import_module(node.module)
    return all(hasattr(module, alias.name) for alias in node.names)


def _in_order(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return statements with quiet imports apart, each once, those in a row by the alphabet."""
    made: list[ast.stmt] = []
    row: list[ast.Import | ast.ImportFrom] = []
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom) and _is_quiet(node):
            row += _apart(node)
            continue
        made += [*_sorted(row), node]
        row = []
    return made + _sorted(row)


def _sorted(row: list[ast.Import | ast.ImportFrom]) -> list[ast.Import | ast.ImportFrom]:
    """Return imports sorted, each once; as they were where two bind one name differently."""
    once = {ast.dump(node): node for node in row}
    bound = {node.names[0].asname or node.names[0].name for node in once.values()}
    return [once[key] for key in sorted(once)] if len(bound) == len(once) else row


def _apart(node: ast.Import | ast.ImportFrom) -> Iterator[ast.Import | ast.ImportFrom]:
    for alias in node.names:
        made: ast.Import | ast.ImportFrom = ast.Import([alias])
        if isinstance(node, ast.ImportFrom):
            made = ast.ImportFrom(node.module, [alias], 0)
        yield ast.copy_location(made, node)


# -- Other files ----------------------------------------------------------------------------


def _named_elsewhere(trees: Trees, files: Mapping[str, bytes]) -> set[str]:
    """Return what the leaf's other files may read of these; `ALL` where one is in a module's place.

    A file of Python that names none of these modules reads nothing of them.
    """
    modules, found = _modules(trees), set[str]()
    if not QUIET.isdisjoint(_modules(files)):
        return {ALL}
    for path, data in files.items():
        words = set(WORD.findall(data.decode("utf-8", "replace")))
        if not path.endswith(".py"):
            found |= words
        elif words & {*modules, "importlib", "runpy", "__import__"}:
            found |= _from_outside(data, words)
    return found


def _from_outside(data: bytes, words: set[str]) -> set[str]:
    """Return the names that a file imports, takes by a dot or has in a text; perhaps `ALL`."""
    try:
        seen = _Seen(ast.parse(data))
    except NOT_READ:
        return words
    return words | {ALL} if seen.by_text else set(seen.read)
