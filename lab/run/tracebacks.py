"""Tracebacks in a log: the last one's exceptions, its place in the leaf's files."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HEADER = "Traceback (most recent call last):"
_NOISE = re.compile(r"\x1b\[[\d;]*m|^\[rank\d+\]: ?", re.MULTILINE)  # colours, torchrun's prefix
_FRAME = re.compile(r'^\s+(?:\| )?File "([^"\n]+)", line (\d+)', re.MULTILINE)
_CAUSE = "The above exception was the direct cause of the following exception:"
_SYNTAX = re.compile(r"^(?:SyntaxError|IndentationError|TabError): .*$", re.MULTILINE)


@dataclass(frozen=True)
class Trace:
    """The last traceback: `exceptions` from the raised one back to its declared causes."""

    exceptions: tuple[str, ...]
    frames: tuple[tuple[str, int], ...]  # of the raised one, innermost last

    def is_within(self, folders: Sequence[Path]) -> bool:
        """Return whether the innermost frame, which raised it, lies in `folders`."""
        return bool(self.frames) and bool(_inside(self.frames[-1][0], folders))

    def place(self, folders: Sequence[Path]) -> str:
        """Return `train.py:31`, the innermost frame in `folders`, else the innermost of all."""
        for file, line in reversed(self.frames):
            if inside := _inside(file, folders):
                return f"{inside}:{line}"
        return f"{Path(self.frames[-1][0]).name}:{self.frames[-1][1]}" if self.frames else ""


def last(log: str) -> Trace | None:
    """Return the last traceback in `log`, None when there is none.

    >>> last('Traceback (most recent call last):\\n  File "a.py", line 3, in f\\nKeyError: 1\\n')
    Trace(exceptions=('KeyError: 1',), frames=(('a.py', 3),))
    """
    text = without_noise(log)
    parts = text.split(HEADER)
    if len(parts) == 1:
        return _syntax(text)
    raised = _exception(parts[-1])
    exceptions = [raised]
    for before in reversed(parts[1:-1]):
        if not before.rstrip().endswith(_CAUSE):
            break
        exceptions.append(_exception(before))
    return Trace(tuple(filter(None, exceptions)), _frames(_upto(parts[-1], raised)))


def without_noise(log: str) -> str:
    """Return a log without colours, and without the prefixes that torchrun writes."""
    return _NOISE.sub("", log)


def _syntax(text: str) -> Trace | None:
    """Return a syntax error of the script itself, which Python prints without a header."""
    found = list(_SYNTAX.finditer(text))
    if not found:
        return None
    return Trace((found[-1].group(),), _frames(text[: found[-1].start()])[-1:])


def _exception(part: str) -> str:
    """Return the first line after the frames: the exception with its message."""
    lines = part.splitlines()[1:]
    return next((line.strip() for line in lines if line.strip() and not line.startswith(" ")), "")


def _upto(part: str, raised: str) -> str:
    """Return the frames of a traceback, without what was printed after it."""
    at = part.find(f"\n{raised}") if raised else -1
    return part if at < 0 else part[:at] + (part[at:] if raised.startswith(_SYNTAX_NAMES) else "")


_SYNTAX_NAMES = ("SyntaxError", "IndentationError", "TabError")


def _frames(text: str) -> tuple[tuple[str, int], ...]:
    return tuple((file, int(line)) for file, line in _FRAME.findall(text))


def _inside(file: str, folders: Sequence[Path]) -> str:
    """Return `file` from the first of `folders` that it lies in, "" outside all."""
    if file.startswith("<") or "site-packages" in file:
        return ""
    if not os.path.isabs(file):
        return "" if file.startswith("..") else os.path.normpath(file)
    for folder in folders:
        for base in {str(folder), os.path.realpath(folder)}:
            if file.startswith(base + os.sep):
                return file[len(base) + 1 :]
    return ""
