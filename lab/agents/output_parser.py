"""Parse a coding agent's output: tokens, cost, rate limits, authentication errors."""

import json
import re
import time
import zoneinfo
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, BinaryIO

LOG_LIMIT = 20_000_000  # bytes of one session's log: a chatty night; the end is kept as well
TAIL = 65_536  # bytes of the end: where an agent says why it stopped
LONGEST_LINE = 4_000_000  # a JSON line may hold a whole answer; longer ones are nobody's summary

# Each from a message seen in the wild, as the vendors' issue trackers quote them.
LIMITS = re.compile(
    r"hit your [\w\- ]{0,30}limit|(?:usage|session|weekly) limit|limit (?:has been )?reached|"
    r"usage_limit_reached|(?<!learning )rate[_ -]?limit|"
    r"quota (?:has been )?(?:exceeded|exhausted|limit)|"
    r"exceeded your current quota|RESOURCE_EXHAUSTED|QUOTA_EXHAUSTED|TerminalQuotaError|"
    r"Too Many Requests|overloaded_error",
    re.IGNORECASE,
)
SIGN_IN = re.compile(
    r"please run /login|run `?(?:codex|claude|gemini) (?:auth )?login|not (?:logged|signed) in|"
    r"invalid api key|missing api key|api key not valid|incorrect api key|authentication_error|"
    r"oauth token (?:has )?(?:expired|been revoked)|401 unauthorized|set an auth method|"
    r"could not resolve authentication|credit balance is too low",
    re.IGNORECASE,
)
ERROR_TYPES = {"error", "turn.failed"}


class OutputParser:
    """Reads an agent's output as it comes: into the log, capped, and into what it tells."""

    def __init__(self, log: Path, rules: Sequence[Mapping[str, Any]]) -> None:
        self.rules = rules
        self.tokens: int | None = None
        self.cost_usd: float | None = None
        self.last_output_at = time.monotonic()
        self._file: BinaryIO = log.open("wb", buffering=0)
        self._written = self._dropped = 0
        self._tail = b""
        self._line: dict[str, bytes] = {}
        self._errors: list[str] = []
        self._plain: list[str] = []

    def feed(self, stream: str, data: bytes) -> None:
        """Take in what came on one of the streams."""
        if self._file.closed:  # whoever still writes outlived the agent
            return
        self.last_output_at = time.monotonic()
        room = max(0, LOG_LIMIT - self._written)
        self._file.write(data[:room])
        self._written += min(room, len(data))
        self._dropped += max(0, len(data) - room)
        self._tail = (self._tail + data)[-TAIL:]
        *lines, rest = (self._line.get(stream, b"") + data).split(b"\n")
        self._line[stream] = rest if len(rest) <= LONGEST_LINE else b""
        for line in lines:
            self._parse_line(line)

    def close(self) -> None:
        """Finish the log; when it was cut, its end follows."""
        if self._file.closed:
            return
        for rest in self._line.values():
            self._parse_line(rest)
        if self._dropped:
            note = f"\n... {self._dropped} bytes left out; the end:\n"
            self._file.write(note.encode() + self._tail)
        self._file.close()

    def _parse_line(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").strip()
        if not text:
            return
        found = _object(text)
        if found is None:
            self._plain = [*self._plain[-19:], text[:2000]]
            return
        self._count(found)
        self._errors = [*self._errors, *_errors(found)][-20:]

    def _count(self, found: Mapping[str, Any]) -> None:
        for rule in self.rules:
            if rule.get("type") not in (None, found.get("type")):
                continue
            numbers = [_at(found, path) for path in rule.get("tokens", ())]
            known = [number for number in numbers if number is not None]
            if known:
                self.tokens = (self.tokens or 0) + int(sum(known))
            cost = _at(found, rule["cost"]) if "cost" in rule else None
            if cost is not None:
                self.cost_usd = (self.cost_usd or 0.0) + cost
            if known or cost is not None:
                return

    def error_lines(self) -> list[str]:
        """Return what it said went wrong: errors in its JSON, else its last plain lines."""
        return [*self._plain, *self._errors]

    def last(self) -> str:
        """Return the last thing it said that a person could read."""
        return next(reversed(self.error_lines()), "it said nothing")


def _object(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _at(found: Mapping[str, Any], path: str) -> float | None:
    """Return the number at a dotted path."""
    value: Any = found
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    good = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if good else None


def _errors(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the error messages of one JSON line."""
    if found.get("is_error") or found.get("type") in ERROR_TYPES or found.get("error"):
        said = found.get("result") or found.get("error") or found.get("message") or found
        yield said if isinstance(said, str) else json.dumps(said)


# -- What it means ------------------------------------------------------------


def needs_sign_in(lines: Sequence[str]) -> str | None:
    """Return the line that says it is not signed in, or None."""
    return next((line for line in reversed(lines) if SIGN_IN.search(line)), None)


def hit_limit(lines: Sequence[str]) -> str | None:
    """Return the line that says a usage limit was hit, or None."""
    return next((line for line in reversed(lines) if LIMITS.search(line)), None)


_EPOCH = re.compile(r"(?:\||resets?_at\"?: ?)(\d{10})\b")
_SECONDS = re.compile(r"(?:resets?_in_seconds\"?: ?|retry in |retryDelay\"?: ?\"?)([\d.]+)", re.I)
_SPAN = re.compile(
    r"(?:in|after) ((?:\d+(?:\.\d+)? ?(?:days?|hours?|minutes?|seconds?|[dhms])[ ,]*)+)", re.I
)
_PART = re.compile(r"(\d+(?:\.\d+)?) ?([dhms])", re.I)
_ISO = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?)")
_CLOCK = re.compile(
    r"(?:resets?|at|until)(?: at)? (?:([A-Z][a-z]{2}) (\d{1,2})(?:st|nd|rd|th)?,? (?:(\d{4}),? )?)?"
    r"(\d{1,2})(?::(\d\d))? ?(am|pm)?(?: ?\(([\w/+\-]+)\))?",
    re.I,
)
UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def until(line: str, now: datetime) -> datetime | None:
    """Return when a limit ends, as far as the message tells; `now` is aware.

    >>> at = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)
    >>> until("try again in 1 day 2 hours", at).isoformat()
    '2026-03-03T00:00:00+00:00'
    >>> until("You've hit your session limit · resets 12:50am (UTC)", at).isoformat()
    '2026-03-02T00:50:00+00:00'
    """
    if found := _EPOCH.search(line):
        return datetime.fromtimestamp(int(found[1]), UTC)
    if found := _SECONDS.search(line):
        return now + timedelta(seconds=float(found[1]))
    if found := _SPAN.search(line):
        parts = _PART.findall(found[1])
        return now + timedelta(seconds=sum(float(n) * UNITS[unit.lower()] for n, unit in parts))
    if found := _ISO.search(line):
        moment = datetime.fromisoformat(found[1].replace("Z", "+00:00"))
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    found = _CLOCK.search(line)
    return _clock(found, now) if found and (found[5] or found[6]) else None


def _clock(found: re.Match[str], now: datetime) -> datetime | None:
    """Return the next moment that a clock shows this time."""
    month, day, year, hour, minute, half, zone = found.groups()
    here = now.astimezone(_zone(zone))
    hours = int(hour) % 12 + 12 * (half.lower() == "pm") if half else int(hour)
    try:
        moment = here.replace(hour=hours, minute=int(minute or 0), second=0, microsecond=0)
        if month and month.lower() in MONTHS:
            wanted = MONTHS.index(month.lower()) + 1
            moment = moment.replace(month=wanted, day=int(day), year=int(year or here.year))
            return moment if moment > here or year else moment.replace(year=here.year + 1)
    except ValueError:
        return None
    return moment if moment > here else moment + timedelta(days=1)


def _zone(name: str | None) -> tzinfo | None:
    """Return the time zone of that name; None is this machine's."""
    if name is None:
        return None
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return None
