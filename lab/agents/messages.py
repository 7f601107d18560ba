"""What a vendor's message means: a limit and when it ends, an outage, a sign-in that is lost."""

import functools
import re
import tomllib
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from importlib import resources

from ..system.masking import mask

LIMIT, OUTAGE, SIGN_IN, ACCOUNT = "limit", "outage", "sign_in", "account"
ORDER = (ACCOUNT, SIGN_IN, LIMIT, OUTAGE)  # of two that fit, the one that waiting cannot mend


@dataclass(frozen=True)
class Message:
    """A line of an agent's output that says why it could not go on."""

    kind: str
    line: str


def meaning(lines: Sequence[str]) -> Message | None:
    """Return the last of `lines` that is a vendor's message, and its kind; None without one."""
    for line in reversed(lines):
        kinds = [kind for kind in ORDER if patterns()[kind].search(line)]
        if kinds:
            ends = LIMIT in kinds and until(line, datetime.now(UTC)) is not None
            return Message(LIMIT if ends else kinds[0], mask(line))
    return None


@functools.cache
def patterns() -> dict[str, re.Pattern[str]]:
    """Return what each kind of message looks like, from `messages.toml`."""
    text = resources.files(__package__).joinpath("messages.toml").read_text(encoding="utf-8")
    found = tomllib.loads(text)
    return {kind: re.compile("|".join(found[kind]["patterns"]), re.IGNORECASE) for kind in ORDER}


# -- When a limit ends --------------------------------------------------------

_GAP = r"[\\\"' ]*[:=]?[\\\"' ]*"  # between a key and its value, in JSON that may be quoted again
_EPOCH = re.compile(rf"(?:\||resets?_?at{_GAP})(\d{{10}})(?:\d{{3}})?\b", re.I)
_SECONDS = re.compile(
    rf"(?:resets?_?in_?seconds|retry[_-]?after(?:_seconds)?|retry_?delay){_GAP}([\d.]*\d)s?\b", re.I
)
_UNIT = r"(?:days?|hours?|hrs?|minutes?|mins?|seconds?|secs?|ms|[dhms])(?![a-z])"
_SPAN = re.compile(
    rf"\b(?:in|after|for|wait) (?:about |around |~ ?)?((?:(?:and )?[\d.]+ ?{_UNIT}[ ,]*)+)", re.I
)
_PART = re.compile(rf"([\d.]*\d) ?({_UNIT})", re.I)
_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?: ?Z\b|[+-]\d\d:?\d\d)?")
_CLOCK = re.compile(
    r"(?:resets?|at|until|on)(?: at| on)? (?:(mon|tue|wed|thu|fri|sat|sun)[a-z]*,? (?:at )?)?"
    r"(?:([A-Z][a-z]{2})[a-z]* (\d{1,2})(?:st|nd|rd|th)?,? (?:(\d{4}),? )?(?:at )?)?"
    r"(\d{1,2})(?::(\d\d)(?::\d\d)?)? ?([ap]\.?m\b)?(?: ?\(([\w/+\-]+)\)| (UTC|GMT)\b)?",
    re.I,
)
UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
JUST_NOW = timedelta(minutes=2)  # a clock without seconds may name the minute that runs
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
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
    if found := _SPAN.search(line):
        parts = _PART.findall(found[1])
        return now + timedelta(seconds=sum(float(n) * UNITS[_unit(unit)] for n, unit in parts))
    if found := _SECONDS.search(line):
        return now + timedelta(seconds=float(found[1]))
    moments = (_moment(text) for text in _ISO.findall(line))
    if ahead := [moment for moment in moments if moment is not None and moment > now]:
        return ahead[0]
    clocks = (found for found in _CLOCK.finditer(line) if found[6] or found[7])
    return next((moment for found in clocks if (moment := _clock(found, now))), None)


def _unit(word: str) -> str:
    return "ms" if word.lower() == "ms" else word[0].lower()


def _moment(text: str) -> datetime | None:
    """Return the time of an ISO 8601 text, UTC where it names no zone."""
    try:
        moment = datetime.fromisoformat(text.replace(" Z", "Z"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _clock(found: re.Match[str], now: datetime) -> datetime | None:
    """Return the next moment that a clock shows this time."""
    weekday, month, day, year, hour, minute, half, place, zone = found.groups()
    here = now.astimezone(UTC if zone else _zone(place))
    hours = int(hour) % 12 + 12 * half.lower().startswith("p") if half else int(hour)
    try:
        moment = here.replace(hour=hours, minute=int(minute or 0), second=0, microsecond=0)
        if month and month.lower() in MONTHS:
            wanted = MONTHS.index(month.lower()) + 1
            moment = moment.replace(month=wanted, day=int(day), year=int(year or here.year))
            return moment if moment > here or year else moment.replace(year=here.year + 1)
    except ValueError:
        return None
    if weekday:
        moment += timedelta(days=(DAYS.index(weekday.lower()) - moment.weekday()) % 7)
    if moment > here - JUST_NOW:
        return moment
    return moment + timedelta(days=7 if weekday else 1)


def _zone(name: str | None) -> tzinfo | None:
    """Return the time zone of that name; None is this machine's."""
    if name is None:
        return None
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return None
