"""The table of a leaf's experiments: sorted, filtered and cut into pages by the notebook."""

from collections.abc import Iterator
from urllib.parse import urlencode

from ..notebook import Notebook, pages, tags
from ..notebook.pages import OUTCOMES, Wanted
from ..notebook.read import Found
from ..page import words
from ..page.components import CLAIM, cell
from ..page.html import Safe, join, said, tag
from ..text import num, shorten, span
from .address import experiment_address
from .parts import Words

ROWS = 50  # of a page
FARTHEST = 10**7
COLUMNS = (
    ("id", "id", "n"),
    ("", "claim", ""),
    ("", "outcome", ""),
    ("value", "value", "n"),
    ("gain", "gain", "n"),
    ("", "runs", "n wide"),
    ("time", "time", "n wide"),
    ("", "made, UTC", "wide"),
)


def wanted(words_: Words) -> Wanted:
    """Return what an address asks for; what makes no sense is as if it were not there."""
    order, page = words_.get("sort", "id"), words_.get("page", "1")
    return Wanted(
        order if order in pages.ORDERS else "id",
        words_.get("way") != "up",
        words_.get("find", "")[:200],
        words_.get("outcome", "") if words_.get("outcome") in OUTCOMES else "",
        words_.get("tag", "")[: tags.LONGEST],
        (min(int(page), FARTHEST) - 1) * ROWS
        if page.isascii() and page.isdigit() and int(page)
        else 0,
    )


def section(book: Notebook, leaf: str, asked: Wanted) -> Safe:
    """Return the form that filters, and one page of rows."""
    rows = pages.experiments(book, leaf, asked, ROWS + 1)
    tagged = tags.of_all(book, [row["experiment"] for row in rows])
    body = [_row(dict(row), tagged.get(row["experiment"], [])) for row in rows[:ROWS]]
    head = [_head(asked, *column) for column in COLUMNS]
    table = tag("table", tag("thead", tag("tr", head)), tag("tbody", body), class_="every")
    if not rows:
        table = tag("p", "No experiment is like that.", class_="none")
    results = tag(
        "form",
        table,
        tag("p", _around(asked, len(rows) > ROWS), _compare(), class_="pager"),
        action="/compare",
        id="rows",
        data_results=True,
    )
    return join(tag("h2", "Every experiment"), _form(book, leaf, asked), results)


def _form(book: Notebook, leaf: str, asked: Wanted) -> Safe:
    """Return the filter: words of the claim, an outcome, a tag."""
    find = tag(
        "input", type="search", name="find", value=asked.words, class_="find",
        placeholder="only claims with these words", aria_label="only claims with these words",
    )  # fmt: skip
    choices = [_choice("outcome", "any outcome", list(OUTCOMES), asked.outcome)]
    known = tags.known(book, leaf)
    choices += [_choice("tag", "any tag", known, asked.tag)] if known else []
    keep = [
        tag("input", type="hidden", name=name, value=value)
        for name, value in (("sort", asked.order), ("way", "down" if asked.down else "up"))
    ]
    button = tag("button", "filter", type="submit")
    return tag("form", find, choices, keep, button, class_="filter", data_part="table")


def _choice(name: str, none: str, known: list[str], chosen: str) -> Safe:
    options = [tag("option", none, value="")] + [
        tag("option", one, value=one, selected=one == chosen) for one in known
    ]
    return tag("select", options, name=name, aria_label=none)


def _address(asked: Wanted, **other: object) -> str:
    known = {
        "find": asked.words,
        "outcome": asked.outcome,
        "tag": asked.tag,
        "sort": asked.order,
        "way": "down" if asked.down else "up",
        **other,
    }
    return "?" + urlencode({name: value for name, value in known.items() if value}) + "#table"


def _head(asked: Wanted, order: str, name: str, kind: str) -> Safe:
    if not order:
        return tag("th", name, class_=kind or None, scope="col")
    here = asked.order == order
    way = "up" if here and asked.down else "down"
    sorted_ = ("descending" if asked.down else "ascending") if here else None
    link = tag("a", name, href=_address(asked, sort=order, way=way), data_part="table")
    return tag("th", link, class_=kind or None, scope="col", aria_sort=sorted_)


def _row(row: Found, tagged: list[str]) -> Safe:
    number = row["experiment"]
    name = f"e{number}"
    small = [row["axis"]] if row["axis"] else []
    marks = [("★" if one == tags.STAR else f"#{one}") for one in tagged]
    outcome = tag("span", f" {words.outcome(row)}", class_="wide" if row["verdict"] else None)
    pick = tag("input", type="checkbox", name="e", value=number, aria_label=f"compare {name}")
    return tag(
        "tr",
        tag("td", pick, tag("a", name, href=experiment_address(number), class_="e"), class_="n"),
        tag(
            "td",
            said(shorten(row["claim"] or "baseline", CLAIM)),
            [tag("small", said(shorten(one, 40))) for one in [*small, *marks]],
        ),
        tag("td", words.mark(row), outcome, class_=row["verdict"]),
        cell(num(row["value"]) + ("?" if row["claimed"] else ""), "n"),
        tag("td", _gain(row), class_="n"),
        cell(row["runs"] or "", "n wide"),
        cell(span(row["seconds"]) if row["seconds"] else "", "n wide"),
        cell(words.when(row["at"]), "wide"),
    )


def _gain(row: Found) -> list[Safe]:
    """Return a gain; a narrow page leaves its error out."""
    if row["gain"] is None:
        return []
    gain, plus, error = words.gain(row).partition(" ± ")
    return [Safe(gain), tag("span", f"{plus}{error}", class_="wide")]


def _around(asked: Wanted, more: bool) -> list[Safe]:
    """Return the way to the pages before and after."""
    page = asked.place // ROWS + 1

    def steps() -> Iterator[Safe]:
        if page > 1:
            yield tag("a", "← newer" if asked.order == "id" else "← before",
                      href=_address(asked, page=page - 1), data_part="table")  # fmt: skip
        yield tag("span", f"page {page}")
        if more:
            yield tag("a", "older →" if asked.order == "id" else "next →",
                      href=_address(asked, page=page + 1), data_part="table")  # fmt: skip

    return list(steps())


def _compare() -> Safe:
    return tag("button", "compare the ticked ones", type="submit")
