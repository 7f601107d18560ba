"""Text for people: safe to print and short enough to read."""

import re
from collections.abc import Sequence
from datetime import datetime

CHARACTERS_A_TOKEN = 4  # the usual rule of thumb for English and code
# What acts on a terminal, turns the direction of text round, or cannot be seen at all: zero-width
# signs, tags, variation selectors. An instruction can hide in those from a person's eyes alone.
_CONTROL = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f"
    r"\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb"
    r"\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_MARKS = re.compile(r"([\\`*_\[\]<>~|])")
_CALLS = re.compile(r"(?<![\w&])([#@])(?=\w)")  # somebody's name, another issue


def plain(text: str | None) -> str:
    """Return `text` on one line, with control characters spelled out instead of acted upon.

    >>> plain("red\\x1b[31m\\nalert")
    'red\\\\x1b[31m alert'
    """
    spaced = re.sub(r"\s*[\n\r\t]+\s*", " ", text or "")
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", spaced)


def markdown(text: str | None) -> str:
    r"""Return `text` on one line that Markdown shows as it is: no link, no picture, nobody called.

    >>> markdown("<img src=x> fixes #12, says @ada")
    '\\<img src=x\\> fixes &#35;12, says &#64;ada'
    """
    marked = _MARKS.sub(r"\\\1", plain(text))
    return _CALLS.sub(lambda found: f"&#{ord(found[0])};", marked)


def subject(text: str | None) -> str:
    """Return `text` as part of a commit's message: one line, that calls nobody and closes nothing.

    >>> subject("warm up\\n\\nfixes #12 for @ada")
    'warm up fixes # 12 for @ ada'
    """
    return _CALLS.sub(r"\1 ", plain(text))


def fenced(text: str, language: str) -> str:
    """Return `text` as a block of code, behind a fence that it does not hold itself.

    >>> fenced("a ``` b", "diff").splitlines()[0]
    '````diff'
    """
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def block(text: str) -> str:
    """Return text of several lines made safe line by line."""
    return "\n".join(plain(line) for line in text.splitlines())


def shorten(text: str | None, limit: int) -> str:
    """Return `text` on one safe line of at most `limit` characters.

    >>> shorten("a learning rate of 0.1", 12)
    'a learning …'
    """
    line = plain(text)
    return line if len(line) <= limit else line[: max(1, limit - 1)] + "…"


def num(value: float | None, sign: bool = False) -> str:
    """Return a number as a person writes it: six significant digits, no noise.

    >>> num(0.99320000001), num(-0.004, sign=True), num(None)
    ('0.9932', '-0.004', '-')
    """
    if value is None:
        return "-"
    return f"{value:+.4g}" if sign else f"{value:.6g}"


def error(value: float | None) -> str:
    """Return a standard error or a probability: two significant digits, more are luck.

    >>> error(0.0863465), error(12.34), error(None)
    ('0.086', '12', '-')
    """
    return "-" if value is None else f"{value:.2g}"


def count(number: float) -> str:
    """Return a large number as a person counts.

    >>> count(1300500.0), count(314)
    ('1,300,500', '314')
    """
    return f"{number:,.0f}"


def plural(number: int, thing: str) -> str:
    """Return a number of things, with the ending that it asks for.

    >>> plural(1, "run"), plural(1300, "run")
    ('1 run', '1,300 runs')
    """
    return f"{number:,} {thing}{'s' * (number != 1)}"


def nearest(word: str, known: Sequence[str]) -> str | None:
    """Return the one of `known` that a mistyped `word` meant; None where none is near.

    >>> nearest("metrik", ["metric", "mutable"]), nearest("xyz", ["metric", "mutable"])
    ('metric', None)
    """
    import difflib  # only a refusal pays for it

    return next(iter(difflib.get_close_matches(word, known, 1)), None)


def to_go(seconds: float | None) -> str:
    """Return an estimate as a clause; one that is overdue is none any more.

    >>> to_go(600), to_go(0.0), to_go(None)
    (', about 10 min to go', ', longer than expected', '')
    """
    if seconds is None:
        return ""
    return f", about {span(seconds)} to go" if seconds > 0 else ", longer than expected"


def span(seconds: float | None) -> str:
    """Return seconds as a person says them.

    >>> span(42), span(600), span(7260)
    ('42 s', '10 min', '2 h 1 min')
    """
    if seconds is None:
        return "-"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def when(at: str, now: datetime) -> str:
    """Return a time of the notebook as a person says it at `now`; after a day, by its date in UTC.

    >>> now = datetime.fromisoformat("2026-01-31T22:30:00Z")
    >>> when("2026-01-31T22:05:09.123Z", now), when("2026-01-29T22:05:09.123Z", now)
    ('25 min ago', '2026-01-29 22:05')
    """
    try:
        ago = (now - datetime.fromisoformat(at)).total_seconds()
    except (ValueError, TypeError):
        return plain(at)
    if not 0 <= ago < 24 * 3600:  # a clock that was ahead is told as it was
        return plain(at)[:16].replace("T", " ")
    return f"{span(ago)} ago" if ago < 2 * 3600 else f"{ago / 3600:.0f} h ago"
