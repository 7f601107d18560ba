"""The lines of a log as text, whatever wrote it: UTF-8, UTF-16, CR alone, a tail of zeros."""

import re
from collections.abc import Iterator
from pathlib import Path

MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
LOOKED_AT = 4096  # bytes that say whether every other one is zero
WIDE = 0.8  # of these: a log in UTF-16 may hold a few letters that need both bytes
Line = tuple[int, str, bool]  # its number from 1, its text, whether bytes had to be replaced


def lines(path: Path) -> Iterator[Line]:
    """Yield the lines of a file that hold something."""
    raw, code = unmarked(path.read_bytes())
    if code != "utf-8":
        raw = raw.decode(code, "replace").encode()
    for place, part in enumerate(_split(raw.replace(b"\0", b"")), 1):
        text, broken = _decoded(part)
        if text.strip():
            yield place, text, broken


def unmarked(raw: bytes) -> tuple[bytes, str]:
    """Return bytes without their mark, and the encoding that they are in.

    >>> unmarked("a".encode("utf-16-le")), unmarked(b"a")
    ((b'a\\x00', 'utf-16-le'), (b'a', 'utf-8'))
    """
    for mark, code in MARKS:
        if raw.startswith(mark):
            return raw.removeprefix(mark), code
    head = raw[:LOOKED_AT]
    head = head.rstrip(b"\0") + b"\0" * (b"\0" in head)  # the last letter's own zero comes back
    for start, code in ((1, "utf-16-le"), (0, "utf-16-be")):
        if head[start::2].count(0) > WIDE * len(head[start::2]) and head[1 - start :: 2].strip(
            b"\0"
        ):
            return raw, code
    return raw, "utf-8"


def _split(raw: bytes) -> list[bytes]:
    """Split at line feeds; at carriage returns too where those are what ends the lines."""
    bare = len(re.findall(rb"\r(?!\n)", raw))
    if bare > raw.count(b"\n"):
        return re.split(rb"\r\n|\r|\n", raw)
    return [line.rstrip(b"\r") for line in raw.split(b"\n")]


def _decoded(raw: bytes) -> tuple[str, bool]:
    try:
        return raw.decode(), False
    except UnicodeDecodeError:
        return raw.decode(errors="replace"), True
