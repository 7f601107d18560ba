"""Two to six experiments side by side: what differs in their settings first, then the numbers."""

import re
from collections.abc import Sequence
from typing import Any

from .. import repo
from ..documents.experiments import Experiment
from ..errors import LabError, Usage
from ..leaf import live
from ..notebook import Notebook, details
from ..page.html import Safe, join, said, tag
from ..text import num, shorten
from ..workspace import Workspace
from . import runs
from .address import experiment_address
from .changes import BOOK, STEPS
from .parts import Page, Part
from .training import settings_of

FEWEST, MOST = 2, 6
SCOPE = ("leaf", "profile", "platform", "yardstick", "campaign", "axis", "incumbent", "parent")
FIGURES = ("value", "gain", "lines_changed", "seconds")
Row = tuple[str, list[str]]


class ComparePage:
    """Experiments by their numbers, in the order they were asked for."""

    def __init__(self, workspace: Workspace, asked: Sequence[str]) -> None:
        words = dict.fromkeys(word.strip().lower().removeprefix("e") for word in asked)
        numbers = [int(word) for word in words if word.isascii() and word.isdigit()][: MOST + 1]
        if not FEWEST <= len(numbers) <= MOST:
            raise Usage(
                f"{len(numbers)} experiments are asked for; {FEWEST} to {MOST} stand side by side.",
                "Tick them in a leaf's table, or type the address: /compare?e=34&e=21",
            )
        self.workspace, self.numbers = workspace, numbers

    def page(self) -> Page:
        """Return its parts."""
        key = tuple(self.numbers)
        return Page(
            " · ".join(f"e{number}" for number in self.numbers),
            [
                Part("settings", (BOOK,), self.settings, key),
                Part("curves", (BOOK, STEPS), self.curves, key),
                Part("figures", (BOOK,), self.figures, key),
            ],
        )

    def settings(self, book: Notebook) -> Safe:
        """Return the constants that differ, and within what they were run."""
        found = self._found(book)
        constants = [self._constants(book, number) for number in self.numbers]
        names = dict.fromkeys(name for one in constants for name in one)
        rows = [(name, [_value(one.get(name)) for one in constants]) for name in names]
        differing = [row for row in rows if len(set(row[1])) > 1]
        about = [(name, [_short(one.get(name)) for one in found]) for name in SCOPE]
        differing += [row for row in about if len(set(row[1])) > 1]
        same = len(rows) + len(about) - len(differing)
        claims = ("claim", [shorten(one["claim"] or one["kind"], 160) for one in found])
        told = tag("p", f"{same} other settings are the same.", class_="none")
        return join(tag("h2", "What differs"), self._table("settings", [claims, *differing]), told)

    def curves(self, book: Notebook) -> Safe:
        """Return a curve of each over the others'."""
        wanted = [(f"e{number}", number, 1) for number in self.numbers]
        body = runs.curves(book, self.workspace.place.home, wanted)
        return join(tag("h2", "Curves"), body) if body else join()

    def figures(self, book: Notebook) -> Safe:
        """Return verdicts and every metric that was measured."""
        found = self._found(book)
        rows: list[Row] = [
            ("verdict", [one["verdict"] or one["status"] for one in found]),
            ("failure", [one["failure"] or "-" for one in found]),
            ("mechanism", [one["mechanism_outcome"] or "-" for one in found]),
        ]
        for name in FIGURES:
            rows.append((name, [_value(one.get(name)) for one in found]))
        metrics = dict.fromkeys(name for one in found for name in one["measured"])
        rows += [(name, [num(one["measured"].get(name)) for one in found]) for name in metrics]
        rows.append(("runs", [str(sum(run["counts"] for run in one["runs"])) for one in found]))
        rows.append(("learned", [shorten(one["lesson"] or "-", 300) for one in found]))
        shown = [row for row in rows if set(row[1]) != {"-"}]
        return join(tag("h2", "What came of them"), self._table("results", shown))

    def _found(self, book: Notebook) -> list[Experiment]:
        return [details.whole(book, book.need(f"e{number}", "e")) for number in self.numbers]

    def _table(self, name_: str, rows: Sequence[Row]) -> Safe:
        head = [
            tag("th", tag("a", f"e{number}", href=experiment_address(number)), scope="col")
            for number in self.numbers
        ]
        body = [
            tag(
                "tr",
                tag("th", said(shorten(name, 60)), scope="row"),
                [tag("td", said(value)) for value in values],
                class_="differs" if len(set(values)) > 1 else None,
            )
            for name, values in rows
        ]
        whole = tag("table", tag("thead", tag("tr", tag("td"), head)), tag("tbody", body))
        return tag(
            "div",
            whole,
            class_="beside",
            tabindex="0",
            role="region",
            aria_label=f"{name_} side by side",
        )

    def _constants(self, book: Notebook, number: int) -> dict[str, object]:
        """Return the constants that an experiment's files had; {} where they are not here."""
        row = book.need(f"e{number}", "e")
        settings = settings_of(self.workspace.place.main, row)
        if settings is None or not row["commit"]:
            return {}
        top = self.workspace.place.main
        prefix = "" if row["leaf"] == "root" else f"{row['leaf']}/"
        try:
            blobs = repo.tree_blobs(
                top, row["commit"], [prefix + name for name in settings.mutable]
            )
            texts = repo.blobs(top, list(blobs.values()))
            return live.constants({path: texts[blob] or b"" for path, blob in blobs.items()})
        except (repo.GitFailed, LabError):
            return {}


def _short(value: Any) -> str:
    """Return a name; of a commit or a hash its beginning.

    >>> _short("0" * 40), _short("pretrain/ada"), _short(None)
    ('0000000000', 'pretrain/ada', '-')
    """
    text = shorten(str(value or "-"), 60)
    return text[:10] if re.fullmatch(r"[0-9a-f]{16,}", text) else text


def _value(value: Any) -> str:
    if value is None:
        return "-"
    return num(value) if isinstance(value, float) else shorten(str(value), 60)
