"""Report section: how a leaf grew, what lost beside it, the other branches."""

from collections.abc import Sequence

from ..notebook.read import Found
from ..notebook.replicates import SAYS_NOTHING
from ..text import num, shorten
from . import words
from .components import Look
from .html import Safe, join, said, tag
from .tree import Node

LOST = 300  # marks beside one node
BRANCHES = 60  # nodes of the tree beside the way to the best


def tree(look: Look) -> Safe | None:
    """Return the way to the best, what lost beside it, and the other branches."""
    grown = look.leaf["tree"]
    left = [BRANCHES]
    roots = sorted(grown.roots, key=lambda root: root not in grown.path)
    found = [_trunk(look, root, left) for root in roots if left[0] > 0]
    if grown.orphans:
        row = tag("li", _tried(look, "not built on anything kept here", grown.orphans))
        found.append(tag("ol", row, class_="trunk"))
    if left[0] <= 0:
        found.append(tag("p", "More branches: lab log, lab show e12.", class_="none"))
    return join(found) if found else None


def _trunk(look: Look, start: int, left: list[int]) -> Safe:
    grown = look.leaf["tree"]
    trunk = grown.trunk(start)
    on_path = start in grown.path
    left[0] -= 0 if on_path else len(trunk)
    nodes = []
    for place, number in enumerate(trunk):
        after = trunk[place + 1] if place + 1 < len(trunk) else None
        nodes.append(_node(look, grown.nodes[number], after, left))
    return tag("ol", nodes, class_="trunk best" if on_path else "trunk")


def _node(look: Look, node: Node, after: int | None, left: list[int]) -> Safe:
    row, grown = node.row, look.leaf["tree"]
    aside = [one["experiment"] for one in node.kept if one["experiment"] != after]
    branches = [_trunk(look, number, left) for number in aside if left[0] > 0]
    on_path = row["experiment"] in grown.path
    tip = bool(grown.path) and row["experiment"] == grown.path[-1]
    gained = words.gain(row) if row["gain"] is not None else ""
    return tag(
        "li",
        tag(
            "p",
            look.ref(row["experiment"]),
            tag("span", said(shorten(row["claim"] or "baseline", 120)), class_="claim"),
            tag(
                "span",
                tag("span", num(row["value"]), class_="n"),
                tag("span", gained, class_="n gain") if gained else "",
                tag("b", "best", class_="badge") if tip else "",
                class_="figures",
            ),
        ),
        _tried(look, "tried from here", node.lost) if node.lost else "",
        tag("div", branches, class_="branches") if branches else "",
        class_="path" if on_path else None,
    )


def _tried(look: Look, what: str, lost: Sequence[Found]) -> Safe:
    marks = [
        tag(
            "a",
            words.mark(row),
            href=look.href(row["experiment"]),
            class_=_kind(row),
            title=f"e{row['experiment']} {words.outcome(row)} {words.gain(row)} "
            + shorten(row["claim"] or "", 60),
        )
        for row in lost[-LOST:]
    ]
    more = f" and {len(lost) - LOST} before" if len(lost) > LOST else ""
    return tag("p", f"{what}, {len(lost)}: ", tag("span", marks), more, class_="tried")


def _kind(row: Found) -> str | None:
    if row["verdict"] is None:
        return "open"
    blamed = row["verdict"] == "crash" and row["failure"] not in SAYS_NOTHING
    return "crash" if blamed else row["settled"]
