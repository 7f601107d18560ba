"""Wording that the page and the write-up share."""

import math
from datetime import datetime
from typing import Any

from ..judge import finite
from ..notebook.read import Found
from ..notebook.replicates import SAYS_NOTHING
from ..text import num, plain, plural, span

MARKS = {"keep": "●", "discard": "○", "crash": "\u00d7", "open": "◐"}
FAILURES = {
    "oom": "out of memory",
    "no_metric": "no metric",
    "constraint": "a constraint",
    "infra": "the machine's fault",
    "tampered": "frozen files changed",
}


def when(at: str | None) -> str:
    """Return a time as people read it, in UTC.

    >>> when("2026-01-31T22:05:09.123Z")
    '2026-01-31 22:05'
    """
    return plain(at or "-")[:16].replace("T", " ")


def since(report: Found) -> str:
    """Return what the report looks back on."""
    if not report["since"]:
        return "from the beginning"
    try:
        made, start = (datetime.fromisoformat(report[k]) for k in ("made", "since"))
        past = (made - start).total_seconds()
        if past < 0:
            raise ValueError("it is still to come")
        back = f" ({past / 86400:.0f} days)" if past > 2 * 86400 else f" ({span(past)})"
    except (ValueError, TypeError):
        back = ""
    return f"since {when(report['since'])} UTC{back}"


def better(direction: str | None) -> str:
    """Return which way is up."""
    return {"minimize": "lower is better", "maximize": "higher is better"}.get(direction or "", "-")


def gain(row: Found) -> str:
    """Return a gain with its standard error.

    >>> gain({"gain": 0.0123456, "se": 0.00123}), gain({"gain": None, "se": None})
    ('+0.0123 ± 0.0012', '-')
    """
    if row["gain"] is None:
        return "-"
    if not row["se"]:
        return num(row["gain"], sign=True)
    decimals = 1 - math.floor(math.log10(row["se"]))  # as many as the error has: two digits
    if not 0 <= decimals <= 6:
        return f"{row['gain']:+.3g} ± {row['se']:.2g}"
    return f"{row['gain']:+.{decimals}f} ± {row['se']:.{decimals}f}"


def probability(value: float | None) -> str:
    """Return a probability; a certain one is not called 1.00.

    >>> probability(0.87097), probability(0.99997), probability(None)
    ('0.871', '>0.999', '-')
    """
    if value is None:
        return "-"
    return ">0.999" if value > 0.999 else "<0.001" if value < 0.001 else f"{value:.3f}"


def outcome(row: Found) -> str:
    """Return what became of an experiment."""
    if row["failure"]:
        return FAILURES.get(row["failure"], str(row["failure"]))
    baseline = row["kind"] == "baseline" and row["verdict"] == "keep"
    return "baseline" if baseline else str(row["verdict"] or row["status"])


def mark(row: Found) -> str:
    """Return the sign for it."""
    if row["failure"] in SAYS_NOTHING:
        return MARKS["open"]
    return MARKS.get(row["verdict"] or "open", MARKS["open"])


def mechanism(row: Found) -> str:
    """Return whether the mechanism was seen at work, and by whom.

    >>> mechanism({"outcome": "refuted", "source": "measured"})
    'refuted, measured'
    """
    if row["outcome"] is None:
        return "not settled"
    return f"{row['outcome']}, {row['source']}"


def gained(now: Found, then: Found) -> float | None:
    """Return how much better `now` is, positive when it is; None beyond every number."""
    sign = 1.0 if now["direction"] == "maximize" else -1.0
    return finite(sign * float(now["value"] - then["value"]) + 0.0)  # never a negative zero


def best(since: Found) -> tuple[str, str]:
    """Return best then and now, and a remark."""
    then, now = since["then"], since["now"]
    if now is None:
        return "none yet", "nothing was kept"
    measured = plural(now["runs"], "run") if now["runs"] else "as reported"
    here = f"e{now['experiment']}, {measured}"
    if then is None:
        return num(now["value"]), here
    if then["experiment"] == now["experiment"]:
        return num(now["value"]), f"{here}; unchanged"
    moved = gained(now, then)
    share = ""
    if then["value"] and moved is not None:
        share = f" ({100 * (moved / abs(then['value'])):.2g} %)"
    figures = f"{num(then['value'])} → {num(now['value'])}"
    start = " (the first)" if then.get("first") else ""
    return figures, f"{num(moved, sign=True)}{share}; from e{then['experiment']}{start} to {here}"


def tally(since: Found) -> str:
    """Return what became of the experiments."""
    parts = [f"{since[key]} {word}" for key, word in (
        ("keep", "kept"), ("discard", "discarded"), ("crash", "crashed"),
        ("interrupted", "interrupted"), ("open", "open")
    ) if since[key] or key == "keep"]  # fmt: skip
    return ", ".join(parts)


def cost(since: Found) -> str:
    """Return cost in US dollars."""
    return "not recorded" if since["cost_usd"] is None else f"${since['cost_usd']:.2f}"


def ending(campaign: Found) -> str:
    """Return why a campaign stopped."""
    if campaign["alive"]:
        return "at work"
    if campaign["verb"] is None:
        return "worked by hand, without a loop"
    if campaign["verb"] == "loop":
        return "cut off; the same command goes on from there"
    return f"stopped: {plain(campaign['why'] or 'its loop ended')}"


def scope(leaf: Found) -> list[str]:
    """Return within what the numbers are compared."""
    found: Any = leaf["scope"]
    if not found:
        return []
    named = [found["profile"], found["platform"]]
    yardstick = [f"yardstick {found['yardstick'][:12]}"] if found["yardstick"] else []
    noise = f"noise of a run ±{leaf['noise']:.2g}" if leaf["noise"] else "noise unknown"
    return [plain(word) for word in named if word] + yardstick + [noise]
