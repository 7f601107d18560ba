"""Knobs as coordinates: where in its range each stands, and steps from there."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..leaf import Knob
from .coordinates import coordinate, is_ordered, value_at

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
LEAP = 0.2  # share of turned knobs that go anywhere in their range


class Space:
    """The knobs of a leaf; a *place* has one coordinate for each, in their order.

    A number is told by where it lies in its range, 0 at the low end and 1 at the high one, choices
    that are numbers in order by where they are listed, any other choice by its index.
    """

    def __init__(self, knobs: Mapping[str, Knob]) -> None:
        self.knobs = dict(knobs)
        self.names = list(knobs)
        self.ordered = np.array([is_ordered(knob) for knob in knobs.values()], dtype=bool)

    def __len__(self) -> int:
        return len(self.names)

    def place(self, values: Mapping[str, Any]) -> Array | None:
        """Return where these values stand; None when one is outside of what its knob can be."""
        found = [coordinate(knob, values.get(name)) for name, knob in self.knobs.items()]
        if any(one is None for one in found):
            return None
        return np.array(found, dtype=float)

    def values(self, place: Array, base: Array) -> dict[str, Any]:
        """Return the value of each knob that is another one than at a base, as one writes it."""
        known = zip(self.knobs.items(), place, base, strict=True)
        return {
            name: new
            for (name, knob), at, was in known
            if (new := value_at(knob, float(at))) != value_at(knob, float(was))
        }

    def snapped(self, places: Array) -> Array:
        """Return places with each whole number and each choice at one that there is."""
        found = np.clip(places, 0.0, None)
        for column, knob in enumerate(self.knobs.values()):
            if self.ordered[column]:
                found[:, column] = np.minimum(found[:, column], 1.0)
            if knob.kind != "float":
                marks = _marks(knob)
                nearest = np.abs(found[:, column, None] - marks).argmin(axis=1)
                found[:, column] = marks[nearest]
        return found

    def stepped(
        self, centre: Array, chance: np.random.Generator, size: Array, turned: Flags
    ) -> Array:
        """Return one place for each row of `turned`, which says what knobs it turns.

        `size` is the deviation of a row's steps, as a share of the range; a knob of whole
        numbers or of choices goes at least to the next one.
        """
        steps = chance.standard_normal(turned.shape) * size[:, None]
        anywhere = (chance.random(turned.shape) < LEAP) & self.ordered
        steps = np.where(anywhere, chance.random(turned.shape) - centre, steps)
        for column, knob in enumerate(self.knobs.values()):
            if knob.kind == "float":
                continue
            if self.ordered[column]:
                least = 1 / max(1, len(_marks(knob)) - 1)
                wide = np.maximum(np.abs(steps[:, column]), least)
                steps[:, column] = np.copysign(wide, steps[:, column])
            else:
                others = chance.integers(1, max(2, len(knob.choices)), len(turned))
                new = (centre[column] + others) % len(knob.choices)
                steps[:, column] = new - centre[column]
        return np.where(turned, self.snapped(centre + steps), centre)


def _marks(knob: Knob) -> Array:
    """Return the coordinates that a knob of whole numbers or choices can have."""
    if knob.choices:
        found: Sequence[float | None] = [coordinate(knob, one) for one in knob.choices]
    else:
        assert knob.low is not None
        assert knob.high is not None
        span = range(int(knob.low), int(knob.high) + 1)
        wanted = span if len(span) <= 1000 else span[:: len(span) // 1000]
        found = [coordinate(knob, one) for one in wanted]
    return np.array([one for one in found if one is not None], dtype=float)
