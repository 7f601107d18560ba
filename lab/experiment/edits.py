"""What an edit is about: the constant or function that it touches, and the words it changes."""

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import Refused
from ..leaf import knobs

NAMED = 60  # different words of one edit that are looked for: more is a rewrite, about everything
_WORD = re.compile(r"[^\W\d_]{2,}[^\W_]*")
_NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)"
_APART = r"[^\d.;]{0,15}?(?<![\d.])"  # "at", "=", "from", "lowered to"
_TO = r"\s*(?:to|->|\u2192|=>)\s*"
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")  # between the words of batchSize

DATA = (tokenize.STRING, tokenize.NUMBER, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", -1))
LONGEST_WORD = 60  # letters without a space: a path, an address, a pattern

Turned = tuple[str, Any, Any]  # a constant, its value before and after


def axis(old: str | None, new: str | None) -> str | None:
    """Return the name of the first constant, else function or class, that differs.

    >>> axis("LR = 1\\nDEPTH = 2\\n", "LR = 1\\nDEPTH = 3\\n")
    'depth'
    >>> axis("def f(): pass\\n", "def f(): return 1\\n")
    'f'
    """
    found = touched(old, new)
    return found[0].lower()[:60] if found else None


def touched(old: str | None, new: str | None) -> list[str]:
    """Return the names of all constants, functions and classes that differ, constants first.

    >>> touched("LR = 1\\ndef f(): pass\\n", "LR = 2\\ndef f(): return 1\\n")
    ['LR', 'f']
    """
    try:
        before, after = _parts(old or ""), _parts(new or "")
    except (SyntaxError, ValueError, RecursionError):
        return []
    names = [name for name in {**after, **before} if before.get(name) != after.get(name)]
    return sorted(names, key=lambda name: not name.isupper())


def _parts(source: str) -> dict[str, str]:
    """Return {name: its syntax tree as text} for what stands at the top level."""
    found: dict[str, str] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found[node.name] = ast.dump(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for name in (t.id for t in targets if isinstance(t, ast.Name)):
                found[name] = ast.dump(node)
        else:
            found["script"] = found.get("script", "") + ast.dump(node)
    return found


def turned(old: str | None, new: str | None) -> list[Turned]:
    """Return the constants whose value differs, each with both.

    >>> turned("LR = 1\\nDEPTH = 2\\n", "LR = 1\\nDEPTH = 3\\n")
    [('DEPTH', 2, 3)]
    """
    try:
        before, after = (knobs.constants((text or "").encode()) for text in (old, new))
    except Refused:
        return []
    return [
        (name, before[name].value, after[name].value)
        for name in after
        if name in before and before[name].value != after[name].value
    ]


def words(old: str | None, new: str | None) -> list[str]:
    """Return the words that an edit brings in or takes out, those it says most often first.

    >>> words("x = relu(x)", "x = swish(layerNorm(x))")
    ['swish', 'layer', 'norm', 'relu']
    """
    before, after = (Counter(_WORD.findall(_HUMP.sub(" ", text or ""))) for text in (old, new))
    found = [*(after - before).most_common(), *(before - after).most_common()]
    return list(dict.fromkeys(word.lower() for word, _ in found))[:NAMED]


def asked(claim: str, constants: Mapping[str, Any]) -> list[Turned]:
    """Return what a claim would turn: constants it names with a number, and what they are now.

    >>> asked("BATCH_X at 0.5, more updates", {"BATCH_X": 1.0, "LR": 0.1})
    [('BATCH_X', 1.0, 0.5)]
    >>> asked("LR 0.1 -> 0.3", {"LR": 0.1})
    [('LR', 0.1, 0.3)]
    """
    found = []
    for name, value in constants.items():
        said = re.search(rf"\b{re.escape(name)}\b{_APART}{_NUMBER}(?:{_TO}{_NUMBER})?", claim)
        if said and _is_number(value):
            new = float(said[2] or said[1])
            found += [(name, value, new)] if new != value else []
    return found


def named(claim: str, constants: Iterable[str]) -> list[str]:
    """Return the constants that a claim names, in whatever letters, with or without a number.

    >>> named("a milder head lr", ["HEAD_LR", "LR", "DEPTH"])
    ['HEAD_LR', 'LR']
    """
    spelled = {name: re.escape(name).replace("_", "[_ -]") for name in constants}
    return [name for name, how in spelled.items() if re.search(rf"\b{how}\b", claim, re.IGNORECASE)]


def as_words(change: Turned) -> str:
    """Return one constant's change as it would be said: "BATCH_X 1.0 to 0.5 halve".

    >>> as_words(("BATCH_X", 1.0, 0.5)), as_words(("ACT", "relu", "gelu"))
    ('BATCH_X 1.0 to 0.5 halve', 'ACT relu to gelu')
    """
    name, old, new = change
    ratio = new / old if _is_number(old) and _is_number(new) and old else None
    said = {0.5: " halve", 2: " double"}.get(ratio or 0, "")
    return f"{name} {old} to {new}{said}"[:200]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def literals(text: str | None) -> int:
    """Return how many characters of a text are texts, numbers and comments: all, of no program.

    >>> literals("a = 'bcd'  # e"), literals("a, = [10")
    (8, 8)
    """
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text or "").readline))
    except (tokenize.TokenError, SyntaxError):
        return len(text or "")
    return sum(len(token.string) for token in tokens if token.type in DATA)


def packed(text: str | None) -> int:
    """Return how many characters of a text are data: numbers, and long texts without a space.

    >>> packed("a = [1.5, 2]; b = 'a sentence of words'"), packed(f"a = '{'x' * 90}'")
    (4, 92)
    """
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text or "").readline))
    except (tokenize.TokenError, SyntaxError):
        return 0
    return sum(len(token.string) for token in tokens if _is_packed(token))


def _is_packed(token: tokenize.TokenInfo) -> bool:
    if token.type == tokenize.STRING:
        return max(map(len, token.string.split()), default=0) > LONGEST_WORD
    return token.type == tokenize.NUMBER
