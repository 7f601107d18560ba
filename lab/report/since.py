"""`--since`: moments as people type them (`8h`, `e34`, a date); spans (`10m`)."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ..errors import Usage
from ..notebook import Notebook, report_queries
from ..notebook.report_queries import Firsts

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
START = ""  # sorts before every time
HINT = "Type: --since 8h, --since 2026-01-31T22:00Z or --since e34"


@dataclass(frozen=True)
class Window:
    """What the report looks back on: everything since `at` (UTC, ISO 8601; "" is the beginning)."""

    at: str
    asked: bool  # by --since; the lists then hold this window only
    first: Firsts


def window(book: Notebook, since: str | None) -> Window:
    """Return the window asked for; else the last stretch of work without a pause of six hours."""
    if since is None:
        at, first = report_queries.last_night(book) or (START, 0)
        return Window(at, False, report_queries.firsts(book, first, at))
    at = moment(book, since.strip())
    number = int(since.strip()[1:]) if re.fullmatch(r"\s*[eE]\d+\s*", since) else None
    first = number or report_queries.first_since(book, "experiments", at)
    return Window(at, True, report_queries.firsts(book, first, at))


def seconds(text: str) -> float | None:
    """Return how long `10m` is, or None when it is no span.

    >>> seconds("10m"), seconds("1.5h"), seconds("soon")
    (600.0, 5400.0, None)
    """
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?)\s*([smhdw])", text.strip().lower())
    return float(found[1]) * SECONDS[found[2]] if found else None


def moment(book: Notebook, text: str) -> str:
    """Return a moment as the notebook writes it; Usage for what is none."""
    ago = seconds(text)
    if ago is not None:
        try:
            return stamp(book.now() - timedelta(seconds=ago))
        except OverflowError:
            return START
    if re.fullmatch(r"[eEhH]\d+", text):
        return str(book.need(text, text[0].lower())["at"])
    try:
        at = datetime.fromisoformat(text)
        return stamp(at if at.tzinfo else at.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise Usage(f"--since {text!r} is no time.", HINT) from None


def stamp(at: datetime) -> str:
    """Return a time as the notebook writes it."""
    words = at.astimezone(UTC).isoformat(timespec="milliseconds")
    return words.replace("+00:00", "Z")
