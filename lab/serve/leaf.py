"""A leaf's page: staircase, tree, dead ends, knobs, failures, lessons, every experiment."""

import functools
from collections import Counter
from datetime import datetime
from sqlite3 import Row

from ..documents.leaves import DryFailure, Failure
from ..errors import NotFound
from ..leaf import Leaf
from ..notebook import Notebook, attempts, history, ideas, pages, read, report_queries
from ..notebook.read import Found
from ..page import appendix, lineage, progress_chart, tree, words
from ..page.components import CLAIM, Look
from ..page.frame import figure
from ..page.html import Safe, join, said, tag
from ..page.scale import SIZE
from ..report.collect import best_of, labelled, leaf_of, noise_of, policy_of
from ..text import num, plural, shorten
from ..views import board
from ..workspace import Workspace
from . import knobs, table
from .address import EXPERIMENT, experiment_address
from .changes import BOOK
from .parts import Page, Part, Words

POINTS = 600  # of the staircase, the newest: a picture has no more columns
GROWN = 600  # experiments of the tree, the newest
FAILED = 5000  # experiments, the newest, whose failures are counted
BUCKETS = 16
CLASSES = 6  # of failure that colours tell apart
NEAR = 12  # dead ends
LESSONS = 12


class LeafPage:
    """One leaf, as the notebook has it; its words come from an address."""

    def __init__(self, workspace: Workspace, name: str, asked: Words) -> None:
        self.workspace, self.name, self.asked = workspace, name, asked

    @functools.cached_property
    def leaf(self) -> Leaf | None:
        """The leaf as it is described here; None where the notebook alone knows it."""
        return leaf_of(self.workspace, self.name)

    def page(self) -> Page:
        """Return its parts; all move with the notebook alone."""
        search, wanted = self.asked.get("q", "")[:400], table.wanted(self.asked)
        parts = [
            Part("about", (BOOK,), self.about),
            Part("progress", (BOOK,), self.progress),
            Part("tree", (BOOK,), self.tree),
            Part("dead", (BOOK,), lambda book: self.dead(book, search), (search,)),
            Part("knobs", (BOOK,), self.knobs),
            Part("failures", (BOOK,), self.failures),
            Part("lessons", (BOOK,), self.lessons),
            Part("table", (BOOK,), lambda book: table.section(book, self.name, wanted), (wanted,)),
        ]
        return Page(self.name, parts)

    # -- Parts --------------------------------------------------------------------

    def about(self, book: Notebook) -> Safe:
        """Return what the leaf is, its best, and the gains that `lab board` tells."""
        counts = read.counts(book, self.name)
        if self.leaf is None and not counts["experiments"]:
            raise NotFound(f"there is no leaf {self.name}.", "Go back to the first page: /")
        scope = history.head_scope(book, self.name)
        policy = policy_of(self.leaf)
        best = best_of(book, self.name, scope, policy)
        won = board.chain(history.keeps(book, self.name), scope["id"] if scope else None)
        stands = board.standing(book, won, policy)
        confirmed = stands.confirmed_gain if stands else None
        provisional = (stands.provisional_gain or None) if stands else None  # nothing is no gain
        told = f"e{best['experiment']}" if best else "nothing was kept"
        kept = counts["keep"] - counts["baselines"]
        tiles = [
            _tile("best", num(best["value"]) if best else "-", told),
            _tile("confirmed gain", num(confirmed, sign=True), "measured again by audits"),
            _tile("provisional gain", num(provisional, sign=True), "above it, not yet audited"),
            _tile(
                "tried", plural(counts["experiments"] - counts["baselines"], "idea"), f"{kept} kept"
            ),
        ]
        return join(
            tag("h1", said(self.name)),
            tag("p", said(shorten(self.leaf.purpose, 400)), class_="purpose") if self.leaf else "",
            self._facts(book, scope, best),
            tag("dl", tiles, class_="tiles"),
        )

    def _facts(self, book: Notebook, scope: Row | None, best: Found | None) -> Safe:
        metric, direction = self._metric(best)
        facts = [shorten(metric or "no metric yet", 60), words.better(direction)]
        if scope:
            known = {"scope": dict(scope), "noise": noise_of(book, scope)}
            facts += words.scope(known)
        return tag("p", [tag("span", fact) for fact in facts], class_="facts")

    def _metric(self, row: Found | None) -> tuple[str | None, str | None]:
        if row and row["metric"]:
            return row["metric"], row["direction"]
        return (self.leaf.metric, self.leaf.direction) if self.leaf else (None, None)

    def progress(self, book: Notebook) -> Safe:
        """Return the staircase with its band of noise."""
        scope = history.head_scope(book, self.name)
        if scope is None:
            return join()
        points = history.points(book, self.name, scope["id"], POINTS)
        metric, direction = self._metric(dict(points[-1]))
        found = {
            "points": board.as_reported(points),
            "level": pages.level_before(book, scope["id"], points[0]["experiment"]),
            "noise": noise_of(book, scope),
            "metric": metric,
            "direction": direction,
        }
        return join(tag("h2", "Progress"), progress_chart.staircase(found, EXPERIMENT))

    def tree(self, book: Notebook) -> Safe:
        """Return how the leaf grew: the way to the best, what lost beside it, other branches."""
        rows = labelled(book, report_queries.rows(book, self.name, 0, GROWN))
        scope = history.head_scope(book, self.name)
        best = best_of(book, self.name, scope, policy_of(self.leaf))
        number = best["experiment"] if best else None
        grown = tree.grow(rows, number, lambda e: report_queries.row(book, e))
        body = lineage.tree(Look({"tree": grown}, None, EXPERIMENT))
        return join(tag("h2", "How it grew"), body) if body else join()

    def dead(self, book: Notebook, search: str) -> Safe:
        """Return the search of `lab failures`, and what it found."""
        near = search.strip() or None
        found: list[Failure | DryFailure] = [*attempts.near(book, self.name, near, NEAR, None)]
        found = [*found, *ideas.failures(book, self.name, near, NEAR)][:NEAR]
        box = tag(
            "input", type="search", name="q", value=search, class_="find",
            placeholder="what did not work, near an idea", aria_label="search what did not work",
        )  # fmt: skip
        form = tag(
            "form", box, tag("button", "search", type="submit"), class_="filter", data_part="dead"
        )
        rows = [_dead(dict(one)) for one in found] or [tag("li", "Nothing.", class_="none")]
        return join(
            tag("h2", "Dead ends"),
            form,
            tag("ul", rows, class_="axis", id="found", data_results=True),
        )

    def knobs(self, book: Notebook) -> Safe:
        """Return each constant's values against their gains."""
        scope = history.head_scope(book, self.name)
        return knobs.section(book, self.name, scope["id"]) if scope else join()

    def failures(self, book: Notebook) -> Safe:
        """Return failures by class over time."""
        rows = pages.failed(book, self.name, FAILED)
        return (
            join(tag("h2", "What failed to run"), _bars([dict(row) for row in rows]))
            if rows
            else join()
        )

    def lessons(self, book: Notebook) -> Safe:
        """Return what was learned, each with its evidence."""
        found = ideas.lessons(book, self.name, LESSONS)
        look = Look({"lessons": found, "leaf": self.name}, None, EXPERIMENT)
        body = appendix.lessons(look)
        more = ideas.lessons_there(book, self.name) - len(found)
        rest = tag("p", f"and {more} more: lab context", class_="none") if more > 0 else ""
        return join(tag("h2", "Lessons"), body, rest) if body else join()


def _tile(name: str, figures: str, remark: str) -> Safe:
    return tag("div", tag("dt", name), tag("dd", figures), tag("dd", remark, class_="remark"))


def _dead(one: Found) -> Safe:
    """Return one dead end; an edit that failed in its dry run is no experiment."""
    number = one.get("experiment")
    name = tag("a", number, href=experiment_address(int(number[1:])), class_="e") if number else ""
    gain = one.get("gain")
    lesson = one.get("lesson") or one.get("last")
    return tag(
        "li",
        name,
        tag("span", said(shorten(one["claim"] or "", CLAIM)), class_="claim"),
        tag("span", num(gain, sign=True), class_="n") if gain is not None else "",
        tag("b", said(one["failure"]), class_="badge") if one["failure"] else "",
        tag("q", said(shorten(lesson, 300))) if lesson else "",
    )


def _bars(rows: list[Found]) -> Safe:
    """Draw how many failed in each stretch of time, by class."""
    times = [datetime.fromisoformat(row["at"]).timestamp() for row in rows]
    first, wide = min(times), (max(times) - min(times)) or 1.0
    counts = Counter(row["failure"] for row in rows)
    classes = [name for name, _ in counts.most_common(CLASSES)]
    buckets = [Counter[str]() for _ in range(BUCKETS)]
    for row, at in zip(rows, times, strict=True):
        buckets[min(BUCKETS - 1, int((at - first) / wide * BUCKETS))][row["failure"]] += 1
    most = max(sum(bucket.values()) for bucket in buckets)
    bars, told = [], []
    for place, bucket in enumerate(buckets):
        x, top = (place + 0.5) / BUCKETS * SIZE, SIZE * 1.0
        for at, name in enumerate(classes):
            tall = bucket[name] / most * SIZE * 0.95
            if tall:
                bars.append(
                    tag("path", class_=f"bars c{at}", d=f"M{x:.1f} {top:.1f}V{top - tall:.1f}")
                )
            top -= tall
        when = datetime.fromtimestamp(first + place / BUCKETS * wide).strftime("%m-%d %H:%M")
        named = ", ".join(f"{bucket[name]} {words.FAILURES.get(name, name)}" for name in bucket)
        told.append([round(x, 1), round(top, 1), f"from {when}", named or "none"])
    keys = [
        tag(
            "span",
            tag("i", class_=f"key c{at}"),
            f"{words.FAILURES.get(name, name)} {counts[name]}",
        )
        for at, name in enumerate(classes)
    ]
    caption = "failures by class over time"
    return figure(caption, join(bars), [], {"points": told}, tag("p", keys, class_="legend"))
