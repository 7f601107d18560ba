"""Sealed set on board and report: a line an audit, for a person and never for an agent."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..notebook import Notebook, sealed
from ..text import num

TITLE = "by the sealed set, which no agent is told of"


@dataclass(frozen=True)
class Line:
    """What is told of one experiment; `is_missed`: a confirmed gain that is not there."""

    experiment: int
    words: str
    is_missed: bool


def lines(book: Notebook, leaf: str) -> list[Line]:
    """Return what the sealed set says of a leaf's audits, then of what was measured by itself."""
    found = [_audited(one) for one in sealed.audits(book, leaf)]
    return found + [_alone(number, values) for number, values in sealed.alone(book, leaf)]


def _audited(one: sealed.Sealed) -> Line:
    values = f"{num(one.tip_value)} against {num(one.base_value)} of e{one.base}"
    gain = "gain unknown" if one.gain is None else f"gain {num(one.gain, sign=True)}"
    claimed = f", {one.conclusion} {num(one.claimed, sign=True)}" if one.claimed is not None else ""
    missed = "; the confirmed gain is not to be seen there" if one.is_missed else ""
    return Line(one.tip, f"{values}, {gain}{claimed}{missed}", one.is_missed)


def _alone(number: int, values: Sequence[float]) -> Line:
    told = ", ".join(map(num, values)) or "its yardstick gave no number"
    return Line(number, told, False)
