"""Report section: kept changes as cards; gain, replicates, mechanism, diff."""

from ..notebook.read import Found
from ..text import num, shorten
from . import words
from .components import CLAIM, TEXT, Look
from .html import Safe, join, lines, said, tag
from .loss_curves import replicates

OPEN = 3  # cards unfolded, the newest


def kept(look: Look) -> Safe | None:
    """Return a card for each kept change: gain, replicates, mechanism, diff, how to repeat."""
    cards = [
        _card(look, row, at < OPEN and bool(row["diff"]))
        for at, row in enumerate(look.leaf["kept"])
    ]
    return join(cards) if cards else None


def sealed(look: Look) -> Safe | None:
    """Return a line for each audit by the sealed set, marked where its gain is not there."""
    found = [
        tag(
            "li",
            look.ref(one.experiment),
            f" {one.words} ",
            tag("b", "not shown", class_="badge refuted") if one.is_missed else "",
        )
        for one in look.leaf["sealed"]
    ]
    return tag("ul", found) if found else None


def _card(look: Look, row: Found, open_: bool) -> Safe:
    head = tag(
        "summary",
        tag("b", f"e{row['experiment']}"),
        tag("span", said(shorten(row["claim"], CLAIM)), class_="claim"),
        tag("span", words.gain(row), class_="n gain"),
    )
    return tag(
        "details",
        head,
        tag("dl", _card_facts(look, row), class_="facts-list"),
        diff(row["diff"], f"lab diff e{row['experiment']}" if row["cut"] else None),
        id=f"kept-e{row['experiment']}",
        class_="card",
        open=open_,
    )


def _card_facts(look: Look, row: Found) -> list[Safe]:
    seen = f" by {shorten(row['observe'], 200)}" if row["observe"] else ""
    settled = tag("b", words.mechanism(row), seen, class_=f"badge {row['outcome'] or ''}")
    mine = ", ".join(f"{num(run['value'])} (seed {run['seed']})" for run in row["replicates"])
    incumbent = join(" against ", look.ref(row["incumbent"])) if row["incumbent"] else ""
    known = row["p_better"] is not None
    p_better = f"; P(better) {words.probability(row['p_better'])}" if known else ""
    strip = replicates(row["replicates"], row["incumbent_runs"])
    why = row["mechanism"] or row["outcome"]
    name = f"e{row['experiment']}"
    again = f"lab reproduce {name}" if row["kind"] == "run" else f"lab show {name}"
    full = said(shorten(row["claim"], TEXT)) if len(row["claim"] or "") > CLAIM else None
    facts = (
        ("claim", full),
        ("mechanism", join(said(shorten(row["mechanism"], TEXT)), " ", settled) if why else None),
        ("gain", join(words.gain(row), incumbent, p_better)),
        ("runs", join(mine or "as reported", strip)),
        ("bear in mind", said("; ".join(row["marks"])) if row["marks"] else None),
        ("kept although", said(shorten(row["because"], TEXT)) if row["because"] else None),
        ("learned", said(shorten(row["lesson"], TEXT)) if row["lesson"] else None),
        ("axis", said(row["axis"]) if row["axis"] else None),
        ("repeat", join(tag("code", again), _commit(row))),
        ("row", join(look.ref(row["experiment"]), f", {words.when(row['at'])}")),
    )
    return [join(tag("dt", name), tag("dd", body)) for name, body in facts if body]


def _commit(row: Found) -> Safe:
    if not row["commit"]:
        return join()
    return join(" ", tag("code", f"git show {row['commit'][:12]}"))


def diff(change: str | None, rest: str | None = None) -> Safe:
    """Return a change with its added and removed lines told apart; `rest` shows all of it."""
    if not change:
        return join()
    found = []
    for line in change.split("\n"):
        if line.startswith(("diff --git ", "index ")):
            continue  # the next two lines name the file too
        head = line.startswith(("--- ", "+++ "))
        kind = "at" if head else {"+": "add", "-": "del", "@": "at"}.get(line[:1])
        body = lines(line)
        found.append(tag("span", body, class_=kind) if kind else body)
    if rest:
        found.append(Safe(f"… the rest: {rest}"))
    return tag("pre", Safe("\n".join(found)), class_="diff", tabindex="0")
