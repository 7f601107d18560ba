"""Text for people: safe to print and short enough to read."""

import re

CHARACTERS_A_TOKEN = 4  # the usual rule of thumb for English and code
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def plain(text: str | None) -> str:
    """Return `text` on one line, with control characters spelled out instead of acted upon.

    >>> plain("red\\x1b[31m\\nalert")
    'red\\\\x1b[31m alert'
    """
    spaced = re.sub(r"\s*[\n\r\t]+\s*", " ", text or "")
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", spaced)


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
