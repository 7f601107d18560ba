"""Thresholds of judging, each with its reason; a leaf's `[judge]` sets them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from ..text import nearest

RULES = ("audited", "strict")
# By the strict rule a change of one, two, three or more runs is kept above the first and dropped
# below the second, in noises of one run; between, it is run once more. Lower bars (3.5, 1.5, 0.8)
# gain 2 % more and keep luck twice as often, since three seeds know the noise only within a half.
STRICT_STEPS = ((6.0, 1.5), (2.7, 1.0), (1.6, 1.6))
STRICT_LUCK = 0.3  # of its number, which three runs blur less than one
GONE = {  # settings of the rule before, and what to set instead
    "keep": "keep_at",
    "keep_runs": 'rule = "strict"',
    "max_runs": 'rule = "strict"',
    "discard_first": "keep_at",
    "discard_later": "keep_at",
    "fresh_runs": "audit_runs",
    "simpler_margin": "simpler",
    "near_miss": "bag",
}


@dataclass(frozen=True)
class Policy:
    """Every threshold of a suggestion; distances are in noises, the deviation of one run.

    The figures are of simulated nights of 125 runs (`make bench-yield`), in true improvement by
    that of a gambler who keeps whatever is lower; those of other values of a setting are means of
    five distributions at one noise, 150 nights each, where these come to 0.91 (± 0.02).
    """

    # "audited": one run a change, claims by audits. "strict": every change by itself (0.78 of the
    # gambler over all eighteen nights instead of 1.01).
    rule: str = "audited"
    # One run this far above the level is kept; what lies below goes into the bag, so that the
    # branch holds fewer changes that are none. At 0 the nights gain 1.03, at 2 they gain 0.94.
    keep_at: float = 1.0
    # What luck added to a kept number: at 0 the level is one that only luck reaches again (0.87).
    # At 0.8 they gain 1.03; without a bag such a level sinks, and the branch can walk downhill.
    luck: float = 0.4
    # Changes above the level and below keep_at that are tried together once; 0 tries none (0.81).
    bag: int = 3
    # How far above what was last confirmed the level may rise before an audit. Each costs six runs:
    # at 20 nights of large gains end at 0.83 of the gambler, at 40 at 0.86.
    audit_at: float = 40.0
    # Runs of each side in an audit: 0.97 with two, whose own spread is one repeat each, 0.94 with
    # four. Three know a gain to 0.8 noises.
    audit_runs: int = 3
    # Expected runs of a campaign below which no audit starts by itself: six of thirty are dear.
    audit_least: int = 40
    # Fewer statements are kept up to this far below the level ...
    simpler: float = 0.3
    # ... and so often between audits, since each may cost that much.
    simpler_most: int = 3

    def __post_init__(self) -> None:
        for field in fields(self):
            _check(field.name, getattr(self, field.name))

    def bars(self, runs: int) -> tuple[float, float]:
        """Return how far above the level so many runs are kept, and up to where dropped.

        >>> Policy().bars(1), Policy(rule="strict").bars(2)
        ((1.0, 1.0), (2.7, 1.0))
        """
        if self.rule == "strict":
            return STRICT_STEPS[min(runs, len(STRICT_STEPS)) - 1]
        return self.keep_at, self.keep_at

    @classmethod
    def from_table(cls, table: Mapping[str, object]) -> "Policy":
        """Return the policy of a `[judge]` table; raise ValueError with a sentence.

        >>> Policy.from_table({"rule": "strict"}).luck
        0.3
        >>> Policy.from_table({"keep_et": 2})
        Traceback (most recent call last):
        ValueError: [judge] has no setting keep_et; did you mean keep_at?
        """
        names = [field.name for field in fields(cls)]
        for key in table:
            if key in GONE:
                raise ValueError(f"[judge] {key} is gone with the rule it belonged to: {GONE[key]}")
            if key not in names:
                near = nearest(key, names)
                told = f"did you mean {near}?" if near else f"there are {', '.join(names)}"
                raise ValueError(f"[judge] has no setting {key}; {told}")
        start = cls(luck=STRICT_LUCK) if table.get("rule") == "strict" else cls()
        return replace(start, **table)  # type: ignore[arg-type]  # __post_init__ checks every value


def _check(name: str, value: object) -> None:
    """Raise ValueError unless `value` is a sensible one for the setting `name`."""
    if name == "rule":
        if value not in RULES:
            raise ValueError(f"[judge] rule is {value!r}; choose {' or '.join(RULES)}")
        return
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if name in ("bag", "audit_runs", "audit_least", "simpler_most"):
        least = 2 if name == "audit_runs" else 0  # one run of each tells no spread of its own
        if not (number and isinstance(value, int) and value >= least):
            raise ValueError(
                f"[judge] {name} must be a whole number of at least {least}, not {value!r}"
            )
    elif not (number and 0 <= float(value) < math.inf):  # type: ignore[arg-type]
        raise ValueError(f"[judge] {name} must be a number of at least 0, not {value!r}")
