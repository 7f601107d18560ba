"""`--experiments`, `--hours`, `--target`, `--max-cost`: when a campaign is over, and why it was."""

import math
from dataclasses import dataclass

from ..documents.campaigns import How
from ..errors import Usage


@dataclass(frozen=True)
class Limits:
    """When a loop is over; None is no limit."""

    experiments: int | None = None
    hours: float | None = None
    target: float | None = None
    max_cost: float | None = None
    audit: bool = False  # also where so few runs are expected that none starts by itself

    def check(self) -> None:
        """Refuse a limit that would end the loop before it begins."""
        for option, value, example in (
            ("--experiments", self.experiments, "5"),
            ("--hours", self.hours, "8"),
            ("--max-cost", self.max_cost, "20"),
        ):
            if value is not None and not 0 < value < math.inf:
                raise Usage(f"{option} {value:g} is no limit.", f"Type: {option} {example}")
        if self.target is not None and not math.isfinite(self.target):
            raise Usage(f"--target {self.target} is no number.", "Type: --target 0.98")


@dataclass(frozen=True)
class Ending:
    """Why a loop is over."""

    how: How
    why: str


class Over(Exception):
    """The loop is over in the middle of something; what is half done is picked up next time."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.why)
        self.ending = ending
