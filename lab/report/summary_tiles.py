"""Report section: since you left; best then and now, counts, why campaigns stopped."""

from ..notebook.read import Found
from ..page import words
from ..page.components import Look
from ..page.html import Safe, said, tag
from ..text import num, plain, plural, span


def since(look: Look) -> Safe:
    """Return best then and now, gains, counts, cost, and why each campaign stopped."""
    since = look.leaf["since"]
    figures_, remark = words.best(since)
    spent = f"{span(since['seconds'])} on a device, cost {words.cost(since)}"
    tiles = [
        _tile("best", figures_, remark),
        _gains(look),
        _tile("tried", plural(since["experiments"], "experiment"), words.tally(since)),
        _tile("spent", plural(since["runs"], "run"), spent),
    ]
    told = [
        tag("li", tag("b", said(one["name"])), _work(one), said(words.ending(one)))
        for one in since["campaigns"]
    ]
    return tag(
        "section",
        tag("h3", "Since you left"),
        tag("dl", tiles, class_="tiles"),
        tag("ul", told, class_="campaigns") if told else "",
        class_="part",
    )


def _gains(look: Look) -> Safe:
    """Return the confirmed beside the provisional gain, as two bars on one scale."""
    since = look.leaf["since"]
    confirmed, provisional = since["confirmed_gain"], since["provisional_gain"]
    if provisional is None:
        return _tile("gain", "none", "no kept change on the way to the best")
    most = max(abs(confirmed or 0.0), abs(provisional)) or 1.0
    bars = [
        tag("i", class_=f"bar {name}", style=f"width:{100 * (max(0.0, value) / most):.1f}%")
        for name, value in (("confirmed", confirmed), ("provisional", provisional))
        if value is not None
    ]
    known = "nothing" if confirmed is None else num(confirmed, sign=True)
    return tag(
        "div",
        tag("dt", "gain"),
        tag("dd", known, " confirmed"),
        tag("dd", bars, f"provisional {num(provisional, sign=True)}", class_="remark"),
    )


def _tile(name: str, figures_: str, remark: str) -> Safe:
    return tag("div", tag("dt", name), tag("dd", figures_), tag("dd", remark, class_="remark"))


def _work(campaign: Found) -> str:
    agent = f" ({campaign['agent']})" if campaign["agent"] else ""
    tried = plural(campaign["experiments"], "experiment")
    return f"{plain(agent)}: {tried}, {campaign['kept']} kept; "
