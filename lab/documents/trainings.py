"""What `lab curve` and `lab timing` print as JSON."""

from typing import Literal, TypedDict

from .units import Chance, ExperimentId, Seconds


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


class Spent(TypedDict):
    """Where one run's time went."""

    experiment: ExperimentId  # whose run it is
    run: int  # its number in the notebook
    seed: int  # what LAB_SEED was
    setup_s: Seconds | None  # to export the commit and prepare data
    startup_s: Seconds | None  # from the training's start to its first step; null where not seen
    steps_s: Seconds | None  # from its first step to its end; without a first step, all of it
    evaluation_s: Seconds | None  # the yardstick's
    rest_s: Seconds | None  # between those: looking for tampering, and the record
    seconds: Seconds | None  # all of these together
    waited_s: Seconds | None  # for a device, before: in none of them
    cpu_s: Seconds | None  # of the training with its start-up, in CPU seconds
    steps: float | None  # the last step that it logged
    steps_per_cpu_s: float | None  # between the first and the last step that were seen
    steps_per_s: float | None  # the same for a wall second
    wall_per_cpu_s: float | None  # wall seconds for a CPU second, in between
    delayed: Chance | None  # the share of its time that it waited for a core


class Timing(TypedDict):
    """Where the time of a run went, beside a run of its incumbent's."""

    experiment: ExperimentId  # this one
    against: ExperimentId | None  # the other, its incumbent where none was named; null without
    mine: Spent  # this one's run
    theirs: Spent | None  # the other's, at the same seed where there is one
    pace: str | None  # how the machine differed over all their runs; null where it did not
