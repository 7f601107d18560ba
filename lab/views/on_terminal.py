"""Pages on a terminal: the log as a table, pages line by line, coloured and within its width."""

import re
import textwrap
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from ..documents.experiments import Entry
from ..notebook.replicates import SAYS_NOTHING
from ..text import num, plain, shorten, when
from .experiment_text import outcome

if TYPE_CHECKING:
    from rich.console import Console, JustifyMethod
    from rich.text import Text

VERDICTS = {"keep": "bold blue", "crash": "red", "failed": "red", "running": "cyan"}
GAP = 2  # columns of a terminal between two of a table
LEAST = 12  # characters of a claim that a terminal shows at least
WIDE, MIDDLE, NARROW = 90, 70, 50  # columns from which a log tells leaf, time and gain
STATES = {
    **{"working": "green", "waiting": "yellow", "dead": "bold red", "stopped": "red"},
    **{"ended": ""},
}


def log(rows: Sequence[Entry], now: datetime, console: "Console") -> None:
    """Print the log as a table: of what does not fit the claim is cut, and columns left out."""
    from rich.table import Table

    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="dim")
    told = [one for one in _COLUMNS if _has_room(one[0], rows, console.width)]
    cells = [[plain(column(row, now)) for _, column in told] for row in rows]
    widths = [max(len(name), *(len(row[at]) for row in cells)) for at, (name, _) in enumerate(told)]
    claim = [name for name, _ in told].index("claim")
    rest = sum(widths) - widths[claim] + GAP * (len(told) - 1)
    widths[claim] = max(LEAST, min(widths[claim], console.width - rest))
    for (name, _), width in zip(told, widths, strict=True):
        justify: JustifyMethod = "right" if name in ("value", "gain") else "left"
        table.add_column(name, justify=justify, no_wrap=True, width=width)
    for row, words in zip(rows, cells, strict=True):
        words[claim] = shorten(words[claim], widths[claim])
        table.add_row(*map(_text, words), style=_verdict_style(row))
    console.print(table, soft_wrap=True)


def _text(words: str) -> "Text":
    from rich.text import Text

    return Text(words)


def _verdict_style(row: Entry) -> str:
    if row["failure"] in SAYS_NOTHING or (row["verdict"] == "keep" and row["hypothesis"] is None):
        return ""
    return VERDICTS.get(row["verdict"] or row["status"], "")


def _outcome(row: Entry) -> str:
    word = outcome(row)
    word = "baseline" if word == "keep" and row["hypothesis"] is None else word
    return word + (" imported" if row["imported"] else " claimed" if row["claimed"] else "")


_COLUMNS: tuple[tuple[str, Callable[[Entry, datetime], str]], ...] = (
    ("", lambda row, now: row["experiment"]),
    ("outcome", lambda row, now: _outcome(row)),
    ("value", lambda row, now: num(row["value"])),
    ("gain", lambda row, now: num(row["gain"], sign=True)),
    ("claim", lambda row, now: row["claim"] or "baseline"),
    ("leaf", lambda row, now: row["leaf"]),
    ("when", lambda row, now: when(row["at"], now)),
)


def _has_room(name: str, rows: Sequence[Entry], width: int) -> bool:
    if name == "leaf":
        return width >= WIDE and len({row["leaf"] for row in rows}) > 1
    least = {"when": MIDDLE, "gain": NARROW}.get(name, 0)
    return width >= least


def page(text: str, console: "Console", style: Callable[[str, int], str]) -> None:
    """Print a page: each line in its style, what is too long goes on below, set in."""
    from rich.text import Text

    for number, line in enumerate(text.splitlines()):
        words = line.lstrip()
        indent = line[: len(line) - len(words)]
        parts = textwrap.wrap(
            words, console.width, initial_indent=indent, subsequent_indent=f"{indent}    "
        )
        for part in parts or [""]:
            console.print(Text(part, style(line, number)), soft_wrap=True)


def code(text: str, console: "Console", style: Callable[[str, int], str]) -> None:
    """Print a text whose lines stay as they are."""
    from rich.text import Text

    for number, line in enumerate(text.splitlines()):
        console.print(Text(line, style(line, number)), soft_wrap=True)


def of_experiment(line: str, number: int) -> str:
    """Return the style of a line of `lab show`."""
    if number == 0:
        words = line.split()
        return f"bold {VERDICTS.get(words[1], '')}".strip() if len(words) > 1 else "bold"
    if re.match(r"  [+-]", line):
        return "green" if line[2] == "+" else "red"
    if line.startswith("* "):
        return "bold"
    begins = {"next:": "cyan", "all of it:": "dim", "bear in mind:": "yellow", "it said:": "red"}
    return next((style for word, style in begins.items() if line.startswith(word)), "")


def of_status(line: str, number: int) -> str:
    """Return the style of a line of `lab status`."""
    if line.startswith("  "):
        return "dim"
    state = re.match(r"\S+/\S+(?: by .+?)? (working|waiting|dead|stopped|ended)\b", line)
    return STATES[state[1]] if state else ""


def of_diff(line: str, number: int) -> str:
    """Return the style of a line of a diff."""
    if line.startswith(("diff ", "index ", "+++", "---")):
        return "bold"
    return {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
