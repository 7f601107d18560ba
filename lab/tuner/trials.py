"""Trials: experiments that turned knobs and changed nothing else, and proposals of more."""

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import LabError
from ..leaf import Knob, knobs

_LITERAL = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^\s,]+"
_CHANGE = re.compile(rf"(\w+) ({_LITERAL}) -> ({_LITERAL})(?:, |$)")


@dataclass(frozen=True)
class Change:
    """One knob, from a value to another."""

    name: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"{self.name} {knobs.literal(self.old)} -> {knobs.literal(self.new)}"


@dataclass(frozen=True)
class PastTrial:
    """One judged experiment that turned knobs and changed nothing else."""

    experiment: int
    changes: tuple[Change, ...]
    gain: float | None  # positive is better; None when there is no number
    verdict: str
    near_miss: bool


@dataclass(frozen=True)
class Proposal:
    """A change of one knob or more, and why just this one."""

    changes: tuple[Change, ...]
    reason: str
    several: bool = False  # it puts near misses of a bag together


def turned_by(
    pairs: Iterable[tuple[bytes | None, bytes | None]], turned: Mapping[str, Knob]
) -> tuple[Change, ...]:
    """Return the knobs that differ; () when anything else does too."""
    found: list[Change] = []
    for old, new in pairs:
        if old == new:
            continue
        one = difference(old, new, turned) if old is not None and new is not None else ()
        if not one:
            return ()
        found += one
    return tuple(found)


def difference(old: bytes, new: bytes, turned: Mapping[str, Knob]) -> tuple[Change, ...]:
    """Return the knobs by which two files differ; () when they differ in anything else.

    A number written another way (`1e-2` for `0.01`) counts as the same.
    """
    try:
        before, after = knobs.constants(old), knobs.constants(new)
        changed = {
            name: after[name].value
            for name in turned
            if name in before and name in after and before[name].value != after[name].value
        }
        same = knobs.write(old, changed) == knobs.write(new, changed)
    except (LabError, ValueError):
        return ()
    if not same:
        return ()
    return tuple(Change(name, before[name].value, value) for name, value in changed.items())


def parse(claim: str) -> tuple[Change, ...]:
    """Return the changes that a claim of the tuner states; () for anybody else's.

    >>> parse("LR 0.1 -> 0.2, MODE 'a, b' -> 'c'")[1].old
    'a, b'
    """
    found, at = [], 0
    while match := _CHANGE.match(claim, at):
        try:
            old, new = ast.literal_eval(match[2]), ast.literal_eval(match[3])
        except (ValueError, SyntaxError):
            return ()
        found.append(Change(match[1], old, new))
        at = match.end()
    return tuple(found) if at == len(claim) else ()
