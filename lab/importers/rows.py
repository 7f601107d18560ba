"""Rows that importers yield: an experiment of another tool, or a bad line."""

from dataclasses import dataclass

from .values import Outcome, Verdict


@dataclass(frozen=True)
class ImportedRow:
    """One experiment as the other tool wrote it down; what it did not say is None."""

    line: int  # of the file; in a database the row's number
    commit: str | None
    metric: str | None  # the deciding one, as its column is called
    value: float | None
    metrics: dict[str, float]
    verdict: Verdict | None
    claim: str
    mechanism: str
    lesson: str | None
    mechanism_outcome: Outcome | None
    at: str | None  # UTC, ISO 8601
    uid_seed: str  # the same for the same row each time the file, or a longer one, is read
    leaf: str | None = None  # what the other tool filed it under


@dataclass(frozen=True)
class Problem:
    """Something about a line that was not as it should be; `skipped` when there is no row of it."""

    line: int
    text: str
    skipped: bool = True
