"""Components of report sections: links to experiments, headings, tables."""

import re
from collections.abc import Sequence

from ..notebook.read import Found
from .html import Safe, join, tag

CLAIM = 220  # characters of a claim in a row; a card has more, `lab show` all
ON_PAGE = "#e{}"  # where a report has an experiment
TEXT = 1600  # of what is told at length


def anchor(leaf: str) -> str:
    """Return the id of a leaf's section.

    >>> anchor("contrib/kernels")
    'leaf-contrib_2fkernels'
    """
    return "leaf-" + re.sub(r"[^A-Za-z0-9-]", lambda found: f"_{ord(found[0]):x}", leaf)


def cell(text: object, class_: str = "", value: float | None = None) -> Safe:
    """Return a table's cell; `value` is what it is sorted by, where its text would not do."""
    return tag("td", text, class_=class_ or None, data_v=value)


def table(columns: Sequence[tuple[str, str]], rows: Sequence[Safe], class_: str = "") -> Safe:
    """Return a table that sorts; a column is its name and its classes (n: numbers)."""
    head = [
        tag("th", tag("button", name, type="button"), class_=kind or None, scope="col")
        for name, kind in columns
    ]
    body = tag("tbody", list(rows))
    return tag("table", tag("thead", tag("tr", head)), body, class_=f"sort {class_}".strip())


class Look:
    """One leaf as it is looked at: its data, its parts so far, where its experiments are."""

    def __init__(self, leaf: Found, known: frozenset[int] | None, at: str = ON_PAGE) -> None:
        self.leaf, self.known, self.at = leaf, known, at
        self.titles: dict[str, str] = {}

    def part(self, name: str, title: str, body: Safe | None) -> Safe:
        """Return a part with its heading; nothing when there is nothing to show."""
        if not body:
            return join()
        place = f"{anchor(self.leaf['leaf'])}.{name}"
        self.titles[place] = title
        return tag("section", tag("h3", title), body, class_="part", id=place)

    def contents(self) -> Safe:
        """Return links to the parts that were made so far."""
        links = [tag("a", title, href=f"#{place}") for place, title in self.titles.items()]
        return tag("nav", links, aria_label=f"parts of {self.leaf['leaf']}")

    def ref(self, experiment: int | str | None) -> Safe:
        """Return `e12`, as a link where the page has its row."""
        if experiment is None:
            return Safe("-")
        number = int(str(experiment).removeprefix("e"))
        name = f"e{number}"
        there = self.known is None or number in self.known
        return tag("a", name, href=self.href(number), class_="e") if there else Safe(name)

    def href(self, experiment: int) -> str:
        """Return the address of an experiment."""
        return self.at.format(experiment)
