"""Rows that importers yield: an experiment of another tool, or a bad line."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .values import Direction, Outcome, Verdict


@dataclass(frozen=True)
class ImportedRow:
    """One experiment as the other tool wrote it down; what it did not say is None."""

    line: int  # of the file; in a database the row's number
    commit: str | None
    metrics: dict[str, float]
    verdict: Verdict | None
    claim: str
    mechanism: str
    lesson: str | None
    mechanism_outcome: Outcome | None
    at: str | None  # UTC, ISO 8601
    uid_seed: str  # the same for the same row each time the file, or a longer one, is read
    leaf: str | None = None  # what the other tool filed it under
    described: bool = True  # whether the claim is the log's own words
    names: tuple[str, ...] = ()  # the columns that may hold numbers, in order
    unread: Mapping[str, str] = field(default_factory=dict)  # what is written there instead of one
    section: int = 0  # rows under one header; a log may have several
    says: Direction | None = None  # which way is better, where the row says so
    # What `choice` makes of it:
    metric: str | None = None  # the deciding one, as its column is called
    value: float | None = None
    direction: Direction | None = None


@dataclass(frozen=True)
class Problem:
    """Something about a line that was not as it should be; `skipped` when there is no row of it."""

    line: int
    text: str
    skipped: bool = True


@dataclass
class Said:
    """What a log says of itself beside its rows: in comments, or in a line of settings."""

    metric: str | None = None
    direction: Direction | None = None


@dataclass(frozen=True)
class Wish:
    """What is known beforehand: asked for on the command line, or the leaf's own."""

    metric: str | None = None
    direction: Direction | None = None
    leaf_metric: str | None = None
    leaf_direction: Direction | None = None


@dataclass(frozen=True)
class Taken:
    """Which column was taken for the metric, which way is better, and why; said to whoever asks."""

    metric: str
    metric_why: str
    direction: Direction | None
    direction_why: str
