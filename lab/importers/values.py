"""Cell values in other tools' logs: verdicts, numbers, times, metrics."""

import math
import re
from datetime import UTC, datetime
from typing import Literal

Verdict = Literal["keep", "discard", "crash"]
Outcome = Literal["confirmed", "refuted"]

STATUSES: dict[Verdict, str] = {
    "keep": "keep kept accept accepted adopt adopted win winner improved best baseline success"
    " merged",
    "discard": "discard discarded reject rejected revert reverted worse dropped no_gain loss"
    " regression neutral invalid",
    "crash": "crash crashed error failed fail failure oom timeout timed_out diverged nan killed"
    " aborted bug broken",
}
VERDICTS: dict[str, Verdict] = {
    word: verdict for verdict, words in STATUSES.items() for word in words.split()
}
_UNDECIDED = """
    inconclusive tentative pending running in_progress partial blocked skipped skip exploratory
    repair idea discovery proposed testing tested baseline_reset interrupted todo completed done
    finished null none na n/a - ?
"""
UNDECIDED = frozenset(_UNDECIDED.split())
OUTCOMES: dict[str, Outcome] = {
    "yes": "confirmed", "true": "confirmed", "1": "confirmed", "confirmed": "confirmed",
    "no": "refuted", "false": "refuted", "0": "refuted", "refuted": "refuted",
}  # fmt: skip


def verdict(status: str) -> tuple[Verdict | None, bool]:
    """Return the verdict a status stands for, and whether the status is one we know.

    >>> verdict("KEEP (best)"), verdict("tentative"), verdict("purple")
    (('keep', True), (None, True), (None, False))
    """
    word = status.strip().lower()
    for form in (re.sub(r"[\s-]+", "_", word), (re.findall(r"[a-z]+", word) or [""])[0]):
        if form in VERDICTS:
            return VERDICTS[form], True
        if form in UNDECIDED or word in UNDECIDED:
            return None, True
    return None, not word


def number(text: str) -> float | None:
    """Return a finite number, or None: "0.86mv", "na", "inf" and "1_000" are not numbers."""
    if not re.fullmatch(r"\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*", text, re.ASCII | re.I):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def when(text: str | None) -> str | None:
    """Return a time as UTC ISO 8601, or None when it is not one; without a zone it is UTC.

    >>> when("2026-03-08T01:02:03+02:00"), when("yesterday")
    ('2026-03-07T23:02:03.000Z', None)
    """
    try:
        time = datetime.fromisoformat((text or "").strip())
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def deciding(names: list[str]) -> str | None:
    """Pick the column a log decides by: one that sounds like a score, before costs and counts.

    >>> deciding(["memory_gb", "tok_per_sec", "val_bpb"])
    'val_bpb'
    """
    score = r"(^|_)(val|eval|test|dev|holdout)_|bpb|loss|score|reward|acc|rmse|metric|perplexity"
    cost = r"mem|vram|mfu|tok|second|time|_s$|_ms$|step|param|size|delta|improv|cost|usd|rate|cycle"
    found = [n for n in names if re.search(score, n.lower()) and not re.match("delta", n.lower())]
    rest = [n for n in names if not re.search(cost, n.lower())]
    return next(iter([*found, *rest, *names]), None)


def measured(metrics: dict[str, float], verdict: Verdict | None) -> dict[str, float]:
    """Leave out zeros that mean "never measured": a crash's, and all where even memory is zero."""
    memory = [v for name, v in metrics.items() if re.search("mem|vram", name.lower())]
    if verdict == "crash" or (memory and not any(memory)):
        return {name: value for name, value in metrics.items() if value}
    return metrics
