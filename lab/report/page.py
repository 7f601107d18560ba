"""Page of a report: its sections in order, one file of HTML without a request."""

import base64
import hashlib
from collections.abc import Sequence
from shlex import quote

from ..notebook.read import Found
from ..page import appendix, asset, cards, lineage, progress_chart, rejected, words
from ..page import loss_curves as drawn
from ..page.components import Look, anchor, cell, table
from ..page.html import Safe, join, said, tag
from ..text import num, shorten, span
from ..views.sealed import TITLE
from . import rows, summary_tiles


def page(report: Found, every: float | None = None) -> str:
    """Return a report as HTML; with `every` (seconds) the page reads itself again."""
    style = asset("style.css")
    script = asset("figures.js") + asset("script.js", __package__)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    title = f"{report['title']}: report of {words.when(report['made'])}"
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        f"script-src 'sha256-{digest}'"
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        Safe(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("link", rel="icon", href="data:,"),
        tag("title", title),
        tag("style", Safe(style)),
    )
    known = frozenset(row["experiment"] for leaf in report["leaves"] for row in leaf["rows"])
    body = tag(
        "body",
        _header(report),
        tag("main", _overview(report), [_leaf(leaf, known) for leaf in report["leaves"]]),
        _footer(report),
        tag("script", Safe(script)),
    )
    again = f"{every:.0f}" if every else None
    return f"<!doctype html>\n{tag('html', head, body, lang='en', data_every=again)}\n"


def _header(report: Found) -> Safe:
    line = f"Report of {words.when(report['made'])} UTC, {words.since(report)}"
    return tag("header", tag("h1", said(report["title"])), tag("p", line))


def _footer(report: Found) -> Safe:
    return tag(
        "footer",
        tag(
            "p",
            f"Written by lab {report['version']} from the notebook; gains are positive when "
            "better, ± is a standard error, values are means over seeds. Times are UTC. Numbers "
            "are compared only within one profile, platform and yardstick.",
        ),
    )


# -- All leaves ----------------------------------------------------------------


def _overview(report: Found) -> Safe:
    """Return a line for each leaf, when there are several; a sentence, when there is none."""
    if not report["leaves"]:
        return tag("p", "No leaf and no experiment here yet. Make a leaf: lab new NAME")
    if len(report["leaves"]) == 1:
        return join()
    columns = (
        ("leaf", ""),
        ("best then", "n wide"),
        ("best now", "n"),
        ("gain", "n"),
        ("tried", "n"),
        ("kept", "n"),
        ("device", "n wide"),
        ("cost", "n wide"),
    )
    lines = [_overview_row(leaf) for leaf in report["leaves"]]
    return tag(
        "section",
        tag("h2", "All leaves, since you left"),
        table(columns, lines, class_="overview"),
        class_="all",
    )


def _overview_row(leaf: Found) -> Safe:
    since = leaf["since"]
    then, now = since["then"], since["now"]
    moved = words.gained(now, then) if then and now else None
    name = tag("a", said(leaf["leaf"]), href=f"#{anchor(leaf['leaf'])}")
    metric = tag("small", f"{leaf['metric'] or 'no metric'}, {words.better(leaf['direction'])}")
    return tag(
        "tr",
        tag("td", name, metric),
        cell(num(then["value"]) if then else "-", "n wide"),
        cell(num(now["value"]) if now else "-", "n"),
        cell(num(moved, sign=True) if moved else "-", "n"),
        cell(since["experiments"], "n"),
        cell(since["keep"], "n"),
        cell(span(since["seconds"]), "n wide", value=since["seconds"]),
        cell(words.cost(since), "n wide", value=since["cost_usd"]),
    )


# -- One leaf ------------------------------------------------------------------


def _leaf(leaf: Found, known: frozenset[int]) -> Safe:
    head = join(
        tag("h2", said(leaf["leaf"])),
        tag("p", said(shorten(leaf["purpose"], 400)), class_="purpose") if leaf["purpose"] else "",
        _facts(leaf),
    )
    if not leaf["counts"]["experiments"]:
        hint = tag("code", f"lab run --baseline --seeds 3 --leaf {quote(leaf['leaf'])}")
        return _section(leaf, head, tag("p", "Nothing yet. Begin with: ", hint, class_="none"))
    look = Look(leaf, known)
    parts = [
        look.part("progress", "Progress", progress_chart.staircase(leaf)),
        look.part("path", "How it grew", lineage.tree(look)),
        look.part("kept", "Kept changes", cards.kept(look)),
        look.part("sealed", TITLE.capitalize(), cards.sealed(look)),
        look.part("near", _near_title(leaf), rejected.near(look)),
        look.part("dead", "Dead ends by axis", rejected.dead_ends(look)),
        look.part("failed", "What failed to run", rejected.failures(look)),
        look.part("curves", "Loss curves", _curves(leaf)),
        look.part("samples", "Samples", appendix.samples(look)),
        look.part("lessons", "Lessons", appendix.lessons(look)),
        look.part("repeat", "Measure it again", appendix.repeat(look)),
        look.part("table", "Every experiment", rows.experiments(look)),
    ]
    return _section(leaf, head, look.contents(), summary_tiles.since(look), parts)


def _section(leaf: Found, *children: object) -> Safe:
    return tag("section", *children, id=anchor(leaf["leaf"]), class_="leaf")


def _facts(leaf: Found) -> Safe:
    facts: Sequence[str] = [
        shorten(leaf["metric"] or "no metric yet", 60),
        words.better(leaf["direction"]),
        *words.scope(leaf),
    ]
    return tag("p", [tag("span", fact) for fact in facts], class_="facts")


def _near_title(leaf: Found) -> str:
    return "Near-misses worth combining" if leaf["near"]["pairs"] else "Near-misses"


def _curves(leaf: Found) -> Safe | None:
    return drawn.loss_curves(leaf["curves"]) if leaf["curves"] else None
