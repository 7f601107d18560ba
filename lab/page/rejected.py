"""Report section: rejected experiments; near-misses, dead ends, failures."""

from ..text import num, shorten
from . import words
from .components import CLAIM, Look, cell, table
from .html import Safe, join, said, tag


def near(look: Look) -> Safe | None:
    """Return near-misses and the pairs to try together."""
    near = look.leaf["near"]
    if not near["rows"]:
        return None
    pairs = [
        tag(
            "li",
            "Try ", look.ref(one["experiment"]), " and ", look.ref(two["experiment"]),
            " in one experiment: together ",
            tag("b", num(one["gain"] + two["gain"], sign=True)), " if they add up. ",
            tag("code", f"lab apply e{one['experiment']} e{two['experiment']} --edit"),
        )
        for one, two in near["pairs"]
    ]  # fmt: skip
    columns = (("id", ""), ("claim", ""), ("axis", "wide"), ("gain", "n"), ("P(better)", "n wide"))
    rows = [
        tag(
            "tr",
            tag("td", look.ref(row["experiment"])),
            tag("td", said(shorten(row["claim"], CLAIM))),
            cell(said(row["axis"] or ""), "wide"),
            cell(words.gain(row), "n", row["gain"]),
            cell(words.probability(row["p_better"]), "n wide"),
        )
        for row in near["rows"]
    ]
    more = f"and {near['more']} more with smaller gains" if near["more"] else None
    return join(
        tag("ul", pairs, class_="pairs") if pairs else "",
        table(columns, rows),
        tag("p", more, class_="none") if more else "",
    )


def dead_ends(look: Look) -> Safe | None:
    """Return what ran and lost, by what it touched."""
    found = []
    for axis in look.leaf["dead_ends"]:
        rows = [
            tag(
                "li",
                look.ref(row["experiment"]),
                tag("span", said(shorten(row["claim"] or "", CLAIM)), class_="claim"),
                tag("span", words.gain(row), class_="n"),
                tag("b", words.mechanism(row), class_=f"badge {row['outcome']}")
                if row["outcome"]
                else "",
                tag("q", said(shorten(row["lesson"], 300))) if row["lesson"] else "",
            )
            for row in axis["rows"]
        ]
        kept = f", {axis['kept']} kept" if axis["kept"] else ""
        title = tag(
            "h4", said(axis["axis"] or "no axis recorded"), tag("small", f"{axis['tried']}{kept}")
        )
        more = axis["tried"] - len(axis["rows"])
        rest = tag("li", f"and {more} more: lab failures", class_="none") if more else ""
        found.append(tag("div", title, tag("ul", rows, rest), class_="axis"))
    return join(found) if found else None


def failures(look: Look) -> Safe | None:
    """Return how many experiments failed, by class."""
    found = [
        tag(
            "li",
            tag("b", str(one["count"])),
            f" {words.FAILURES.get(one['failure'], one['failure'])}: ",
            [join(look.ref(number), " ") for number in one["newest"]],
        )
        for one in look.leaf["failures"]
    ]
    return tag("ul", found, class_="failures") if found else None
