"""Tunable hyperparameters: read and write the constants at the top of a Python file.

A constant is a name bound once at the top level, whose value is a literal or arithmetic on numbers
(`2**18`). Places come from the syntax tree, never from a pattern, so a comment or a string that
looks like the assignment is left alone.
"""

import ast
import io
import math
import operator
import re
import tokenize
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import Refused

ARITHMETIC: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: operator.pow,
}
LARGEST_POWER = 64  # 2**64 of anything is enough; 9**9**9 would never end
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")  # lines as Python counts them; \f ends none


@dataclass(frozen=True)
class Constant:
    """One assignment: its value, and where that stands in the file's UTF-8 bytes."""

    name: str
    value: Any
    start: int
    end: int


def constants(source: bytes, file: str = "the file") -> dict[str, Constant]:
    """Return the file's constants by name; Refused when it is not Python.

    >>> constants(b"LR = 2e-3  # step\\nBATCH = 2**4\\n")["BATCH"].value
    16
    """
    text, _ = _decoded(source, file)
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = error.lineno if isinstance(error, SyntaxError) else None
        where = f" (line {line})" if line else ""
        hint = f"Look at it: python -m py_compile {file}"
        raise Refused(f"{file} is not Python{where}.", hint) from None
    starts = _line_starts(text)
    bound = Counter(name for node in body for name in _binds(node))
    found = {}
    for node in body:
        name, value = _assignment(node)
        if name is not None and value is not None and bound[name] == 1:
            try:
                known = _evaluate(value)
            except (ValueError, TypeError, ArithmeticError):
                continue
            found[name] = Constant(name, known, *_place(value, starts))
    return found


def write(source: bytes, new: Mapping[str, Any], file: str = "the file") -> bytes:
    """Return the file with these constants set; Refused for a name that is no constant there.

    >>> write(b"LR = 0.1  # high\\nDEPTH: int = 4\\n", {"LR": 0.05, "DEPTH": 6})
    b'LR = 0.05  # high\\nDEPTH: int = 6\\n'
    """
    known = constants(source, file)
    for name in new:
        if name not in known:
            raise Refused(
                f"{file} has no constant {name} that is assigned once.",
                f"Write it at the top of {file}: {name} = {new[name]!r}",
            )
    text, encoding = _decoded(source, file)
    raw = text.encode("utf-8")
    for name in sorted(new, key=lambda name: known[name].start, reverse=True):
        place = known[name]
        raw = raw[: place.start] + literal(new[name]).encode("utf-8") + raw[place.end :]
    return raw.decode("utf-8").encode(encoding)


def literal(value: Any) -> str:
    """Return a value as Python writes it; ValueError for a number that is not finite."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is not a number")
    return repr(value)


def _decoded(source: bytes, file: str) -> tuple[str, str]:
    """Return the text and its encoding, by the file's own declaration."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        return source.decode(encoding), encoding
    except (SyntaxError, UnicodeDecodeError, LookupError):
        raise Refused(f"{file} is not text that Python reads.", "Save it as UTF-8.") from None


def _line_starts(text: str) -> list[int]:
    """Return the byte offset at which each line begins."""
    starts, at = [], 0
    for line in _LINE.findall(text):
        starts.append(at)
        at += len(line.encode("utf-8"))
    return starts


def _place(node: ast.expr, starts: list[int]) -> tuple[int, int]:
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    first = starts[node.lineno - 1] + node.col_offset
    return first, starts[node.end_lineno - 1] + node.end_col_offset


def _binds(node: ast.AST) -> Iterator[str]:
    """Yield every name that a top-level statement binds; what a function binds is its own."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
        return
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
        yield node.id
    for child in ast.iter_child_nodes(node):
        yield from _binds(child)


def _assignment(node: ast.stmt) -> tuple[str | None, ast.expr | None]:
    """Return the name and value of `NAME = value` or `NAME: type = value`."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target: ast.expr = node.targets[0]
    elif isinstance(node, ast.AnnAssign):
        target = node.target
    else:
        return None, None
    return (target.id if isinstance(target, ast.Name) else None), node.value


def _evaluate(node: ast.expr) -> Any:
    """Return what a literal, or arithmetic on literals, comes to; ValueError for anything else."""
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        left, right = _evaluate(node.left), _evaluate(node.right)
        if not all(isinstance(side, int | float) for side in (left, right)):
            raise ValueError("arithmetic on what is no number")
        if isinstance(node.op, ast.Pow) and abs(right) > LARGEST_POWER:
            raise ValueError("too large a power")
        return ARITHMETIC[type(node.op)](left, right)
    return ast.literal_eval(node)
