"""Judging: is a change better, or was it luck? Pure functions over numbers, no notebook.

student   Student's t, the only distribution needed
policy    every threshold with its reason
numbers   means and sums that overflow nothing
noise     what a change of seed does
machines  what another computer does
level     what an idea must beat, and how far a candidate is above it
pairs     how much of a seed's luck two programs share
verdict   keep, replicate or discard, and why
mechanism  did a metric move as the idea said, beyond luck
bag       near misses that are tried together once
prune     from which difference on a training is hopeless at a rung
audit     what is claimed of a row of keeps, measured in turn with where it began
"""

from .audit import Audited, conclude, due, turns
from .bag import together
from .level import SIGN, Distance, Record, Runs, best_of, distance, out_of_reach
from .machines import apart, between
from .mechanism import SURE, Luck, Seen, Wanted, moved, overall, settled_by, spread_of
from .noise import Group, Noise, beside, faded, pool, pooled
from .numbers import agrees, finite, is_count, mean, spread, step_of, total
from .pairs import Pairs, correlation
from .policy import Policy
from .student import student_cdf, student_quantile
from .verdict import AGAIN, BASELINE_RUNS, OUTNUMBER, Judgement, baseline, failed, judge, pruned

__all__ = [
    "AGAIN",
    "BASELINE_RUNS",
    "OUTNUMBER",
    "SIGN",
    "SURE",
    "Audited",
    "Distance",
    "Group",
    "Judgement",
    "Luck",
    "Noise",
    "Pairs",
    "Policy",
    "Record",
    "Runs",
    "Seen",
    "Wanted",
    "agrees",
    "apart",
    "baseline",
    "beside",
    "best_of",
    "between",
    "conclude",
    "correlation",
    "distance",
    "due",
    "faded",
    "failed",
    "finite",
    "is_count",
    "judge",
    "mean",
    "moved",
    "out_of_reach",
    "overall",
    "pool",
    "pooled",
    "pruned",
    "settled_by",
    "spread",
    "spread_of",
    "step_of",
    "student_cdf",
    "student_quantile",
    "together",
    "total",
    "turns",
]
