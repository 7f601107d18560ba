"""Report section: every experiment as a row of a table that sorts."""

from ..notebook.read import Found
from ..page import words
from ..page.components import CLAIM, Look, cell, table
from ..page.html import Safe, said, tag
from ..text import num, plural, shorten, span

OPEN = 300  # rows above which the table is folded away


def experiments(look: Look) -> Safe:
    """Return every experiment as a row of a table that sorts."""
    rows = look.leaf["rows"]
    columns = (
        ("id", "n"),
        ("claim", ""),
        ("outcome", ""),
        (shorten(look.leaf["metric"] or "value", 20), "n"),
        ("gain", "n"),
        ("runs", "n wide"),
        ("time", "n wide"),
        ("made, UTC", "wide"),
    )
    scope = look.leaf["scope"]["id"] if look.leaf["scope"] else None
    body = [_row(look, row, scope) for row in reversed(rows)]
    notes = ["● kept, ○ discarded, \u00d7 crashed, ◐ no verdict, or no word on the idea"]
    if look.leaf["older"] > 0:
        notes.append(f"{look.leaf['older']:,} older experiments are not listed: lab log")
    if any(row["scope"] != scope for row in rows):
        notes.append("* another profile, platform or yardstick: not comparable with the newest")
    return tag(
        "details",
        tag("summary", plural(len(rows), "experiment")),
        [tag("p", note, class_="none") for note in notes],
        table(columns, body, class_="every"),
        open=len(rows) <= OPEN,
    )


def _row(look: Look, row: Found, scope: int | None) -> Safe:
    number = row["experiment"]
    claim = said(shorten(row["claim"] or "baseline", CLAIM))
    axis = tag("small", said(shorten(row["axis"], 40))) if row["axis"] else ""
    value = num(row["value"]) + ("?" if row["claimed"] and row["kind"] != "import" else "")
    return tag(
        "tr",
        cell(_name(row, look.leaf), "n", number),
        tag("td", claim, axis),
        tag("td", words.mark(row), _word(row), class_=row["verdict"]),
        cell(value + ("*" if row["scope"] != scope else ""), "n", row["value"]),
        cell(words.gain(row) if row["gain"] is not None else "", "n", row["gain"]),
        cell(row["runs"] or "", "n wide"),
        cell(span(row["seconds"]) if row["seconds"] else "", "n wide", row["seconds"]),
        cell(words.when(row["at"]), "wide"),
        id=f"e{number}",
    )


def _name(row: Found, leaf: Found) -> Safe:
    """Return an experiment's name, as a link to its card where it has one."""
    name = f"e{row['experiment']}"
    carded = row["verdict"] == "keep" and any(
        one["experiment"] == row["experiment"] for one in leaf["kept"]
    )
    return tag("a", name, href=f"#kept-{name}") if carded else Safe(name)


def _word(row: Found) -> Safe:
    """Return the outcome's name; a narrow page leaves it out where the mark says the same."""
    said_by_mark = row["failure"] is None and row["verdict"] is not None
    return tag("span", f" {words.outcome(row)}", class_="wide" if said_by_mark else None)
