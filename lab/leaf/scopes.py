"""Scopes of Python: which name in a syntax tree is which variable, and one name for each local."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

# Whoever names one of these may see what a local is called: no local is renamed then.
SEES_LOCALS = {"locals", "vars", "dir", "eval", "exec", "breakpoint", "__builtins__"}
SEES_FRAMES = {
    *("_getframe", "currentframe", "f_locals", "f_code", "f_back", "tb_frame", "gi_frame"),
    *("cr_frame", "ag_frame", "__code__", "co_varnames", "__closure__", "__annotations__"),
    *("settrace", "setprofile", "getsource", "capture_locals"),
}
# Modules that look into their caller's frame, or read a function's source.
READERS = {
    *("inspect", "builtins", "traceback", "dis", "pdb", "bdb", "marshal", "dill"),
    *("cloudpickle", "numexpr", "pandas", "polars", "duckdb", "numba", "varname"),
    *("icecream", "IPython"),
}
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(eq=False)
class Scope:
    """A module, a class, a function or a comprehension, with the names that it binds."""

    kind: str
    above: "Scope | None" = None
    bound: set[str] = field(default_factory=set)
    fixed: set[str] = field(default_factory=set)  # bound to what others may call by name
    is_global: set[str] = field(default_factory=set)
    is_nonlocal: set[str] = field(default_factory=set)

    def owner(self, name: str) -> "Scope":
        """Return the scope whose variable a name is; the module's where no other has it."""
        scope = self
        while scope.above is not None:
            if name in scope.is_global:
                return scope.module()
            seen = scope.kind != "class" or scope is self
            if seen and name in scope.bound and name not in scope.is_nonlocal:
                return scope
            scope = scope.above
        return scope

    def module(self) -> "Scope":
        """Return the outermost scope."""
        return self if self.above is None else self.above.module()


@dataclass
class Reading:
    """What is found in a tree: each place of a name, each call; in the order of the text."""

    names: list[tuple[ast.AST, str, str, Scope]] = field(default_factory=list)
    nonlocals: list[tuple[ast.Nonlocal, Scope]] = field(default_factory=list)
    calls: list[tuple[ast.Call, Scope]] = field(default_factory=list)
    is_odd: bool = False  # something may see what locals are called, or is not understood here


def read(tree: ast.Module) -> Reading:
    """Return the names and calls of a tree with their scopes."""
    reading = Reading()
    _Visitor(reading).body(tree.body, Scope("module"))
    return reading


def rename(reading: Reading) -> None:
    """Call each local variable by the order in which it first appears: `%0`, `%1`, and so on.

    Parameters keep their names, which callers write; so do functions, classes and imports.
    """
    if reading.is_odd:
        return
    known: dict[tuple[int, str], str] = {}

    def renamed(scope: Scope, name: str) -> str:
        owner = scope.owner(name)
        if owner.kind not in ("function", "comprehension") or _is_fixed(owner, name):
            return name
        return known.setdefault((id(owner), name), f"%{len(known)}")

    for node, attribute, name, scope in reading.names:
        setattr(node, attribute, renamed(scope, name))
    for statement, scope in reading.nonlocals:
        statement.names = [renamed(scope, name) for name in statement.names]


def _is_fixed(owner: Scope, name: str) -> bool:
    """Return whether a variable keeps its name; a class changes those that begin with `__`."""
    mangled = name.startswith("__") and any(one.kind == "class" for one in _outwards(owner))
    return name in owner.fixed or mangled


def _outwards(scope: Scope | None) -> Iterator[Scope]:
    while scope is not None:
        yield scope
        scope = scope.above


class _Visitor:
    """Goes through a tree once, with the scope that each node is in."""

    def __init__(self, reading: Reading) -> None:
        self.reading, self.harmless = reading, set[int]()

    def body(self, nodes: list[ast.stmt], scope: Scope) -> None:
        for node in nodes:
            self.visit(node, scope)

    def visit(self, node: ast.AST, scope: Scope) -> None:
        """Go through one node."""
        match node:
            case ast.Name():
                self.name(node, scope)
            case ast.Constant():
                node.kind = None  # u"" is ""
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                self.function(node, scope)
            case ast.ClassDef():
                self.class_(node, scope)
            case ast.NamedExpr():
                self.visit(node.target, _around(scope))
                self.visit(node.value, scope)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                self.comprehension(node, scope)
            case _:
                self.other(node, scope)
                self.inside(node, scope)

    def inside(self, node: ast.AST, scope: Scope) -> None:
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, ast.AST):
                self.visit(value, scope)
            elif isinstance(value, list):
                for inner in value:
                    if isinstance(inner, ast.AST):
                        self.visit(inner, scope)

    def other(self, node: ast.AST, scope: Scope) -> None:
        """Note what a node binds beside the names below it."""
        match node:
            case ast.Call(func=called):
                self.reading.calls.append((node, scope))
                if isinstance(called, ast.Name) and called.id in ("vars", "dir") and node.args:
                    self.harmless.add(id(called))  # of something else than the locals here
            case ast.Attribute(attr=name):
                self.reading.is_odd |= name in SEES_FRAMES
            case ast.keyword(arg=name):
                self.reading.is_odd |= name in SEES_FRAMES
            case ast.ExceptHandler(name=str(name)):
                scope.bound.add(name)
                self.reading.names.append((node, "name", name, scope))
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                self.imports(node, aliases, scope)
            case ast.Global(names=names):
                scope.is_global.update(names)
            case ast.Nonlocal(names=names):
                scope.is_nonlocal.update(names)
                self.reading.nonlocals.append((node, scope))
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                _fix(scope, name)
            case ast.MatchMapping(rest=str(name)):
                _fix(scope, name)
            case _ if type(node).__name__ == "TypeAlias":
                self.reading.is_odd = True

    def imports(self, node: ast.AST, aliases: list[ast.alias], scope: Scope) -> None:
        for alias in aliases:
            origin = getattr(node, "module", None) or alias.name
            self.reading.is_odd |= origin.partition(".")[0] in READERS
            self.reading.is_odd |= alias.name in SEES_FRAMES
            _fix(scope, alias.asname or alias.name.partition(".")[0])

    def name(self, node: ast.Name, scope: Scope) -> None:
        self.reading.is_odd |= node.id in SEES_LOCALS and id(node) not in self.harmless
        if not isinstance(node.ctx, ast.Load):
            scope.bound.add(node.id)
        self.reading.names.append((node, "id", node.id, scope))

    def function(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, scope: Scope
    ) -> None:
        """Decorators, defaults and annotations belong outside; the arguments and body inside."""
        inner = Scope("function", scope)
        self.reading.is_odd |= bool(getattr(node, "type_params", ()))
        given = node.args
        parts = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        for argument in (part for part in parts if part is not None):
            _fix(inner, argument.arg)
            if argument.annotation is not None:
                self.visit(argument.annotation, scope)
        for default in (*given.defaults, *given.kw_defaults):
            if default is not None:
                self.visit(default, scope)
        if isinstance(node, ast.Lambda):
            self.visit(node.body, inner)
            return
        _fix(scope, node.name)
        for outside in (*node.decorator_list, *([node.returns] if node.returns else ())):
            self.visit(outside, scope)
        self.body(node.body, inner)

    def class_(self, node: ast.ClassDef, scope: Scope) -> None:
        _fix(scope, node.name)
        self.reading.is_odd |= bool(getattr(node, "type_params", ()))
        for outside in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(outside, scope)
        self.body(node.body, Scope("class", scope))

    def comprehension(self, node: ast.expr, scope: Scope) -> None:
        """The first of what is gone through belongs outside, all else inside."""
        inner = Scope("comprehension", scope)
        generators: list[ast.comprehension] = node.generators  # type: ignore[attr-defined]
        for number, one in enumerate(generators):
            self.visit(one.iter, inner if number else scope)
            self.visit(one.target, inner)
            for condition in one.ifs:
                self.visit(condition, inner)
        for part in _made(node):
            self.visit(part, inner)


def _made(node: ast.expr) -> Iterator[ast.expr]:
    """Yield what a comprehension makes."""
    if isinstance(node, ast.DictComp):
        yield from (node.key, node.value)
    else:
        yield node.elt  # type: ignore[attr-defined]


def _fix(scope: Scope, name: str) -> None:
    """Bind a name that stays."""
    scope.bound.add(name)
    scope.fixed.add(name)


def _around(scope: Scope) -> Scope:
    """Return where `:=` binds: outside of comprehensions."""
    while scope.kind == "comprehension" and scope.above is not None:
        scope = scope.above
    return scope
