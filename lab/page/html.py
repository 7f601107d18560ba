"""HTML by construction: text is escaped when it enters a tag."""

import html
import json
import re
from typing import Any

from ..text import plain

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_VOID = {"meta", "link", "br", "hr", "col", "input"}


class Safe(str):
    """Markup that is already whole; any other string is text and gets escaped."""

    __slots__ = ()


def tag(name: str, /, *children: object, **attributes: object) -> Safe:
    """Return an element. `class_` and `data_x` are `class` and `data-x`; None and False go.

    >>> tag("a", "1 < 2", href="#x", hidden=True, title=None)
    '<a href="#x" hidden>1 &lt; 2</a>'
    """
    head = name + "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Safe(f"<{head}>")
    return Safe(f"<{head}>{join(*children)}</{name}>")


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    word = key.rstrip("_").replace("_", "-")
    return f" {word}" if value is True else f' {word}="{html.escape(plain(str(value)))}"'


def join(*children: object) -> Safe:
    """Return children in a row: markup as it is, lists flattened, all else as escaped text."""
    parts: list[str] = []
    for child in children:
        if isinstance(child, Safe):
            parts.append(child)
        elif isinstance(child, list | tuple):
            parts.append(join(*child))
        elif child is not None:
            parts.append(html.escape(plain(str(child)), quote=False))
    return Safe("".join(parts))


def said(text: str | None) -> Safe:
    """Return what somebody wrote, kept apart so that its writing direction moves nothing else."""
    return tag("bdi", text or "")


def lines(text: str) -> Safe:
    """Return text of several lines, for `pre`: control characters spelled out, tabs kept.

    >>> lines("a\\x1b[0m\\n\\t<b>")
    'a\\\\x1b[0m\\n\\t&lt;b&gt;'
    """
    spelled = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text.replace("\r\n", "\n"))
    return Safe(html.escape(spelled, quote=False))


def data(value: Any) -> Safe:
    """Return a value as JSON that cannot end the script element it stands in."""
    words = json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=True)
    return Safe(words.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
