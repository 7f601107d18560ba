"""`lab check`: prove that a leaf keeps its contract, in a temporary clone, by real runs."""

from .finding import Finding, Readiness, Report
from .proof import CHECKS, prove

__all__ = ["CHECKS", "Finding", "Readiness", "Report", "prove"]
