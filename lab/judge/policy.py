"""Thresholds of judging (keep, discard), each with its reason; `[judge]` sets them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Policy:
    """Every threshold of a suggestion.

    False keeps below are of a simulated night: 125 ideas of no effect, 5 baseline seeds, with or
    without one true gain of 3 noise among them (benchmarks/simulate_nights.py). The first draft was
    keep 0.99, discards 0.8 and 0.5: 0.51 false keeps, 0.61 with that gain among them. These
    come to 0.36 and 0.41, with 92 % of the true gains of 3 kept.
    """

    # P(better) below which one run is enough to drop an idea. At 0.5 a night takes 1.8 runs an idea
    # instead of 1.4; at 0.8 a true gain of 3 noise is dropped at once one time in thirty.
    discard_first: float = 0.75
    # The same after later runs: at 0.5 ideas of no effect linger, 1.7 runs an idea, and more of
    # them get there by luck (0.46 and 0.53 false keeps).
    discard_later: float = 0.75
    # P(better) of a keep. Looking again after each run gives luck several chances, so that 0.99
    # would be too little; 0.95 keeps four times as much luck (1.4 and 1.8).
    keep: float = 0.993
    # A single run is never kept: among 125 ideas the luckiest run is 2.6 noise better than it is.
    keep_runs: int = 2
    # Runs of a candidate, and of an incumbent for a candidate's sake. Four would keep only 79 % of
    # true gains of 3 noise; six more would buy only a 1.4 times finer look.
    max_runs: int = 6
    # Runs of a new incumbent after its keep; those that won it its place flatter it. Three tell
    # the board's expected gain within a tenth; one errs by a sixth.
    fresh_runs: int = 3
    # Fewer lines are kept when P(true gain > -simpler_margin x noise) reaches this. In simulation
    # 2 % of the changes that cost one noise slip through, and a fifth of those that cost nothing.
    simpler: float = 0.95
    simpler_margin: float = 1.0
    # P(true gain > 0) from which a change that is not kept is worth combining with another: half a
    # standard error to the wrong side could as well be a gain.
    near_miss: float = 0.3

    def __post_init__(self) -> None:
        for field in fields(self):
            _check(field.name, getattr(self, field.name))
        if self.keep_runs > self.max_runs:
            raise ValueError(
                f"[judge] keep_runs = {self.keep_runs} is above max_runs = {self.max_runs}"
            )
        if self.keep <= max(self.discard_first, self.discard_later):
            raise ValueError(f"[judge] keep = {self.keep} must be above both discard thresholds")

    @classmethod
    def from_table(cls, table: Mapping[str, object]) -> "Policy":
        """Return the policy of a `[judge]` table; raise ValueError with a sentence.

        >>> Policy.from_table({"max_runs": 4}).max_runs
        4
        >>> Policy.from_table({"max_run": 4})
        Traceback (most recent call last):
        ValueError: [judge] has no setting max_run; did you mean max_runs?
        """
        names = [field.name for field in fields(cls)]
        for key in table:
            if key not in names:
                import difflib  # only a refusal pays for it

                near = difflib.get_close_matches(key, names, n=1, cutoff=0)[0]
                raise ValueError(f"[judge] has no setting {key}; did you mean {near}?")
        return cls(**table)  # type: ignore[arg-type]  # __post_init__ checks every value


def _check(name: str, value: object) -> None:
    """Raise ValueError unless `value` is a sensible number for the setting `name`."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if name.endswith("_runs"):
        if not (number and isinstance(value, int) and value >= 1):
            raise ValueError(f"[judge] {name} must be a whole number of at least 1, not {value!r}")
    elif name.endswith("_margin"):
        if not (number and 0 <= float(value) < math.inf):  # type: ignore[arg-type]
            raise ValueError(f"[judge] {name} must be a number of at least 0, not {value!r}")
    elif not (number and 0 < float(value) < 1):  # type: ignore[arg-type]
        raise ValueError(f"[judge] {name} is a probability between 0 and 1, not {value!r}")
