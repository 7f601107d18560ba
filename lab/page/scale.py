"""Axis of a figure: where a value lies, and which round numbers are written there."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..text import num
from ..views.plot import scale_of

ROOM = 0.08  # of the height, left free above and below
SIZE = 1000  # a figure's own units, both ways; it is stretched to the page


@dataclass(frozen=True)
class Axis:
    """A linear, logarithmic or symmetric logarithmic axis between two values."""

    kind: str
    low: float
    high: float
    unit: float = 1.0  # below it a symmetric axis is linear

    @classmethod
    def around(cls, values: Sequence[float], low: float, high: float, least: float = 0.0) -> "Axis":
        """Return the axis for `values`, which lie between low and high; `least` is room to leave.

        >>> round(Axis.around([1.0, 2.0], 1.0, 2.0).place(1.5), 6)
        0.5
        """
        kind = scale_of(values) if values else "linear"
        unit = min((abs(value) for value in values if value), default=1.0)
        bare = cls(kind, low, high, unit)
        bottom, top = bare.bent(low), bare.bent(high)
        if not top > bottom:
            wide = 0.1 * (abs(bottom) or 1.0)
            bottom, top = bottom - wide, top + wide
        room = max(ROOM * (top - bottom), least if kind == "linear" else 0.0)
        return cls(kind, bare.straight(bottom - room), bare.straight(top + room), unit)

    def bent(self, value: float) -> float:
        """Return a value on the axis's own scale."""
        if self.kind == "log":
            return math.log10(max(value, 1e-300))
        return math.asinh(value / self.unit) if self.kind == "symlog" else value

    def straight(self, bent: float) -> float:
        """Return the value of a place on the axis's own scale."""
        if self.kind == "log":
            return float(10 ** max(-300.0, min(300.0, bent)))
        bent = max(-690.0, min(690.0, bent)) if self.kind == "symlog" else bent  # e^710 is infinite
        return math.sinh(bent) * self.unit if self.kind == "symlog" else bent

    def place(self, value: float) -> float:
        """Return where a value lies, 0 at the low end and 1 at the high one; cut off beyond."""
        return min(1.0, max(0.0, self.share(value)))

    def share(self, value: float) -> float:
        """Return the same for a line that leaves the picture: below 0 and above 1 too."""
        low, high = self.bent(self.low), self.bent(self.high)
        return (self.bent(value) - low) / (high - low) if high > low else 0.5

    def ticks(self, count: int = 5) -> list[tuple[float, str]]:
        """Return about `count` round values with their names."""
        if self.kind == "linear":
            return ticks(self.low, self.high, count)
        low, high = self.bent(self.low), self.bent(self.high)
        inside = [self.straight(low + (high - low) * at / count) for at in range(1, count)]
        rounded = [float(f"{value:.0e}") for value in inside]
        kept = dict.fromkeys(value for value in rounded if self.low <= value <= self.high)
        return [(value, num(value)) for value in kept]


def ticks(low: float, high: float, count: int) -> list[tuple[float, str]]:
    """Return round values between two ends, with as many decimals as tell them apart.

    >>> ticks(0.97, 1.01, 4)
    [(0.97, '0.97'), (0.98, '0.98'), (0.99, '0.99'), (1.0, '1.00'), (1.01, '1.01')]
    """
    raw = (high - low) / count
    if not (raw > 0 and math.isfinite(raw)):
        return [(low, num(low))]
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * f for f in (1, 2, 5, 10) if power * f >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    found = []
    for place in range(first, min(last, first + 3 * count) + 1):
        value = round(place * step, decimals + 2)
        plain = max(abs(low), abs(high)) < 1e6 and decimals <= 6
        found.append((value, f"{value:.{decimals}f}" if plain else f"{value:.4g}"))
    return found
