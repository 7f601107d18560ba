"""Judging: is a change better, or was it luck? Pure functions over numbers, no notebook.

student   Student's t, the only distribution needed
policy    every threshold with its reason
numbers   means and sums that overflow nothing
noise     what a change of seed does, and the runs an incumbent is known by
verdict   keep, replicate or discard, and why
board     claimed gain, and the true one to expect
"""

from .board import Kept, claimed_gain, expected_gain, shrunk
from .noise import Group, Noise, Side, pool, pooled
from .numbers import finite, mean, spread, total
from .policy import Policy
from .student import student_cdf, student_quantile
from .verdict import SIGN, Judgement, failed, judge

__all__ = [
    "SIGN",
    "Group",
    "Judgement",
    "Kept",
    "Noise",
    "Policy",
    "Side",
    "claimed_gain",
    "expected_gain",
    "failed",
    "finite",
    "judge",
    "mean",
    "pool",
    "pooled",
    "shrunk",
    "spread",
    "student_cdf",
    "student_quantile",
    "total",
]
