"""Pruning: from which difference on a training is hopeless beside its incumbent's, at a rung."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

from .noise import Noise
from .pairs import Pairs
from .student import student_quantile

LEAST_DF = 2  # three curves of one program: of two nobody knows how far luck goes
EVERY = 10  # of so many hopeless runs one goes on to its end, so that mistakes are counted
DIRECTIONS = ("minimize", "maximize")


@dataclass(frozen=True)
class Rules:
    """A leaf's `[prune]`."""

    metric: str  # of the step log
    direction: str  # of that series
    # Half and three quarters: on public curves no winner of one recipe died there, and earlier
    # the noise of a curve is half as large again.
    rungs: tuple[float, ...] = (0.5, 0.75)
    noises: float = 2.0  # beyond, what luck exceeds once in 44 times (Student's t)
    never_if: tuple[str, ...] = ()  # constants, functions, classes: patterns such as WARM*

    @classmethod
    def from_table(
        cls, table: Mapping[str, Any], metric: str = "", direction: str = "minimize"
    ) -> "Rules":
        """Return the rules of a `[prune]` table; raise ValueError with a sentence.

        `metric` and `direction` are the leaf's own, for a series of the same name.

        >>> Rules.from_table({"metric": "train_loss"}).direction
        'minimize'
        >>> Rules.from_table({"metric": "loss", "rungs": [1.5]})
        Traceback (most recent call last):
        ValueError: rungs: 1.5 is no share of the budget between 0 and 1
        """
        known = [one.name for one in fields(cls)]
        for key, value in table.items():
            if key not in known:
                raise ValueError(f"{key}: no such key; there are {', '.join(known)}")
            if fault := _fault(key, value):
                raise ValueError(f"{key}: {fault}")
        if "metric" not in table:
            raise ValueError("metric: missing; name a number of the step log, such as loss")
        series = table["metric"]
        way = direction if series == metric else "minimize" if "loss" in series else None
        if way is None and "direction" not in table:
            raise ValueError(f'direction: missing; is a lower {series} better ("minimize")?')
        said: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in table.items()}
        return cls(**{"direction": way, **said})

    def spares(self, touched: Sequence[str]) -> str | None:
        """Return the first of an edit's names that `never_if` lists."""
        return next((n for n in touched if any(fnmatchcase(n, p) for p in self.never_if)), None)


def _fault(key: str, value: Any) -> str:
    """Return what is wrong with a value, "" where nothing is."""
    if key == "metric":
        return "" if isinstance(value, str) and value.strip() else "must be the name of a number"
    if key == "direction":
        return "" if value in DIRECTIONS else f"must be minimize or maximize, not {value!r}"
    if key == "noises":
        fine = _is_number(value) and 1 <= value < math.inf
        return "" if fine else f"must be a number of at least 1, not {value!r}"
    if not isinstance(value, list) or not (value or key == "never_if"):
        return "must be a list that is not empty"
    if key == "never_if":
        bad = [one for one in value if not isinstance(one, str) or not one]
        return f"{bad[0]!r} is no name" if bad else ""
    bad = [one for one in value if not (_is_number(one) and 0 < one < 1)]
    return f"{bad[0]!r} is no share of the budget between 0 and 1" if bad else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def of_difference(noise: Noise | None, pairs: Pairs | None) -> Noise | None:
    """Return the noise of a difference at equal seeds; None where too few curves tell it.

    >>> of_difference(Noise(1.0, 2), Pairs(rho=0.5, runs=9)), of_difference(Noise(1.0, 1), None)
    (Noise(sd=1.0, df=2), None)
    """
    if noise is None or noise.df < LEAST_DF or noise.sd == 0:
        return None
    rho = pairs.rho if pairs else 0.0
    return Noise(noise.sd * math.sqrt(2 * (1 - rho)), noise.df)


def bar(noises: float, df: int) -> float:
    """Return how many noises luck exceeds as seldom as a normal number exceeds `noises`.

    >>> round(bar(2.0, 2), 1), round(bar(2.0, 20), 1)
    (4.5, 2.1)
    """
    return student_quantile(0.5 * math.erfc(-noises / math.sqrt(2)), df)


def is_spared(before: int) -> bool:
    """Return whether the next hopeless run, after so many, goes on to its end.

    >>> [before for before in range(30) if is_spared(before)]
    [9, 19, 29]
    """
    return (before + 1) % EVERY == 0
