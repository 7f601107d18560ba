"""What `lab curve` prints as JSON."""

from typing import Literal, TypedDict

from .units import ExperimentId, Seconds


class Stretch(TypedDict):
    """A stretch of both trainings, a tenth of what they have in common."""

    start: float  # where it begins: a step, or seconds of training by the leaf's clock
    end: float  # where it ends
    mine: float  # the mean of the series over it, in this experiment
    theirs: float  # the same in the other one
    difference: float  # the first less the second
    apart: bool  # whether that is more than the curves scatter


class Reached(TypedDict):
    """How far a training came, a mean over the runs that are compared."""

    step: float  # the last step it logged
    elapsed_s: Seconds | None  # seconds of training by then, by the leaf's clock


class Curve(TypedDict):
    """The step logs of two experiments side by side, means over the seeds."""

    experiment: ExperimentId  # this one
    against: ExperimentId  # the other, its incumbent where none was named
    metric: str  # the series of the step log that is compared
    better: Literal["lower", "higher"] | None  # which way is better; null where its name says none
    seeds: list[int]  # of this one's runs that are compared
    their_seeds: list[int]  # of the other's: the same, but where notes say otherwise
    line: str  # all of it in a line, as `lab run` has it
    by_step: list[Stretch]  # at equal steps
    by_time: list[Stretch]  # at equal time; empty where the logs do not tell it
    mine: Reached  # how far this one came
    theirs: Reached  # how far the other came
    notes: list[str]  # what makes them hard to compare
