"""The parts of a leaf's report as HTML."""

import re
from collections.abc import Sequence

from ..notebook.read import Found
from ..text import num, plain, shorten, span
from . import figures, words
from .html import Safe, join, lines, said, tag
from .tree import Node

CLAIM = 220  # characters of a claim in a row; a card has more, `lab show` all
TEXT = 1600
LOST = 300  # marks beside one node
BRANCHES = 60  # of the tree beside the way to the best
OPEN = 60  # rows above which the table of all experiments is folded away
CARDS_OPEN = 3  # kept changes unfolded, the newest


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
    """One leaf's parts; `known` are the experiments with a row on this page, to link to."""

    def __init__(self, leaf: Found, known: frozenset[int]) -> None:
        self.leaf, self.known = leaf, known

    def part(self, name: str, title: str, body: Safe | None) -> Safe:
        """Return a part with its heading; nothing when there is nothing to show."""
        if not body:
            return join()
        return tag("section", tag("h3", title), body, class_=f"part {name}")

    def ref(self, experiment: int | str | None) -> Safe:
        """Return `e12`, as a link where the page has its row."""
        if experiment is None:
            return Safe("-")
        number = int(str(experiment).removeprefix("e"))
        name = f"e{number}"
        return tag("a", name, href=f"#{name}", class_="e") if number in self.known else Safe(name)

    # -- Since you left --

    def since(self) -> Safe:
        """Return best then and now, gains, counts, cost, and why each campaign stopped."""
        since = self.leaf["since"]
        figures_, remark = words.best(since)
        spent = f"{words.hours(since['seconds'])} on a device, cost {words.cost(since)}"
        tiles = [
            _tile("best", figures_, remark),
            self._gains(),
            _tile("tried", words.count(since["experiments"], "experiment"), words.tally(since)),
            _tile("spent", words.count(since["runs"], "run"), spent),
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
            class_="part since",
        )

    def _gains(self) -> Safe:
        """Return claimed beside expected gain, as two bars on one scale."""
        claimed, expected = self.leaf["since"]["claimed_gain"], self.leaf["since"]["expected_gain"]
        if claimed is None:
            return _tile("gain", "none", "no kept change on the way to the best")
        most = max(abs(claimed), abs(expected or 0.0)) or 1.0
        bars = [
            tag("i", class_=f"bar {name}", style=f"width:{100 * max(0.0, value) / most:.1f}%")
            for name, value in (("claimed", claimed), ("expected", expected or 0.0))
        ]
        known = "unknown: no noise measured" if expected is None else num(expected, sign=True)
        return tag(
            "div",
            tag("dt", "gain"),
            tag("dd", num(claimed, sign=True), " claimed"),
            tag("dd", bars, f"expected {known}", class_="remark"),
        )

    # -- The tree --

    def tree(self) -> Safe | None:
        """Return the way to the best, what lost beside it, and the other branches."""
        grown = self.leaf["tree"]
        left = [BRANCHES]
        roots = sorted(grown.roots, key=lambda root: root not in grown.path)
        found = [self._trunk(root, left) for root in roots if left[0] > 0]
        if grown.orphans:
            row = tag("li", self._tried("not built on anything kept here", grown.orphans))
            found.append(tag("ol", row, class_="trunk"))
        if left[0] <= 0:
            found.append(tag("p", "More branches: lab log, lab show e12.", class_="none"))
        return join(found) if found else None

    def _trunk(self, start: int, left: list[int]) -> Safe:
        grown = self.leaf["tree"]
        trunk = grown.trunk(start)
        on_path = start in grown.path
        left[0] -= 0 if on_path else len(trunk)
        nodes = []
        for place, number in enumerate(trunk):
            after = trunk[place + 1] if place + 1 < len(trunk) else None
            nodes.append(self._node(grown.nodes[number], after, left))
        return tag("ol", nodes, class_="trunk best" if on_path else "trunk")

    def _node(self, node: Node, after: int | None, left: list[int]) -> Safe:
        row, grown = node.row, self.leaf["tree"]
        aside = [one["experiment"] for one in node.kept if one["experiment"] != after]
        branches = [self._trunk(number, left) for number in aside if left[0] > 0]
        on_path = row["experiment"] in grown.path
        tip = bool(grown.path) and row["experiment"] == grown.path[-1]
        gained = "" if row["kind"] == "baseline" else words.gain(row)
        return tag(
            "li",
            tag(
                "p",
                self.ref(row["experiment"]),
                tag("span", said(shorten(row["claim"] or "baseline", 120)), class_="claim"),
                tag("span", num(row["value"]), class_="n"),
                tag("span", gained, class_="n gain") if gained else "",
                tag("b", "best", class_="badge") if tip else "",
            ),
            self._tried("tried from here", node.lost) if node.lost else "",
            tag("div", branches, class_="branches") if branches else "",
            class_="path" if on_path else None,
        )

    def _tried(self, what: str, lost: Sequence[Found]) -> Safe:
        marks = [
            tag(
                "a",
                words.mark(row),
                href=f"#e{row['experiment']}",
                class_=row["settled"] or ("open" if row["verdict"] is None else None),
                title=f"e{row['experiment']} {words.outcome(row)} {words.gain(row)} "
                + shorten(row["claim"] or "", 60),
            )
            for row in lost[-LOST:]
        ]
        more = f" and {len(lost) - LOST} before" if len(lost) > LOST else ""
        return tag("p", f"{what}, {len(lost)}: ", tag("span", marks), more, class_="tried")

    # -- Kept changes --

    def kept(self) -> Safe | None:
        """Return a card for each kept change: gain, replicates, mechanism, diff, how to repeat."""
        cards = [self._card(row, at < CARDS_OPEN) for at, row in enumerate(self.leaf["kept"])]
        return join(cards) if cards else None

    def _card(self, row: Found, open_: bool) -> Safe:
        head = tag(
            "summary",
            tag("b", f"e{row['experiment']}"),
            tag("span", said(shorten(row["claim"], CLAIM)), class_="claim"),
            tag("span", words.gain(row), class_="n gain"),
        )
        return tag(
            "details",
            head,
            tag("dl", self._card_facts(row), class_="facts-list"),
            _diff(row),
            id=f"kept-e{row['experiment']}",
            class_="card",
            open=open_,
        )

    def _card_facts(self, row: Found) -> list[Safe]:
        seen = f" by {shorten(row['observe'], 200)}" if row["observe"] else ""
        settled = tag("b", words.mechanism(row), seen, class_=f"badge {row['outcome'] or ''}")
        mine = ", ".join(f"{num(run['value'])} (seed {run['seed']})" for run in row["replicates"])
        rival = join(" against ", self.ref(row["incumbent"])) if row["incumbent"] else ""
        p_better = f"; P(better) {num(row['p_better'])}" if row["p_better"] is not None else ""
        strip = figures.replicates(row["replicates"], row["rival"])
        name = f"e{row['experiment']}"
        again = f"lab reproduce {name}" if row["kind"] == "run" else f"lab show {name}"
        full = said(shorten(row["claim"], TEXT)) if len(row["claim"] or "") > CLAIM else None
        facts = (
            ("claim", full),
            ("mechanism", join(said(shorten(row["mechanism"], TEXT)), " ", settled)),
            ("gain", join(words.gain(row), rival, p_better)),
            ("runs", join(mine or "as reported", strip)),
            ("kept although", said(shorten(row["because"], TEXT)) if row["because"] else None),
            ("learned", said(shorten(row["lesson"], TEXT)) if row["lesson"] else None),
            ("axis", said(row["axis"]) if row["axis"] else None),
            ("repeat", join(tag("code", again), _commit(row))),
            ("row", join(self.ref(row["experiment"]), f", {words.when(row['at'])}")),
        )
        return [join(tag("dt", name), tag("dd", body)) for name, body in facts if body]

    # -- What was not kept --

    def near(self) -> Safe | None:
        """Return near-misses and the pairs to try together."""
        near = self.leaf["near"]
        if not near["rows"]:
            return None
        pairs = [
            tag(
                "li",
                "Try ", self.ref(one["experiment"]), " and ", self.ref(two["experiment"]),
                " in one experiment: together ",
                tag("b", num(one["gain"] + two["gain"], sign=True)), " if they add up. ",
                tag("code", f"lab apply e{one['experiment']} --edit; "
                    f"lab diff e{two['experiment']}"),
            )
            for one, two in near["pairs"]
        ]  # fmt: skip
        columns = (("id", ""), ("claim", ""), ("axis", "wide"), ("gain", "n"), ("P", "n wide"))
        rows = [
            tag(
                "tr",
                tag("td", self.ref(row["experiment"])),
                tag("td", said(shorten(row["claim"], CLAIM))),
                cell(said(row["axis"] or ""), "wide"),
                cell(words.gain(row), "n", row["gain"]),
                cell(num(row["p_better"]), "n wide"),
            )
            for row in near["rows"]
        ]
        more = f"and {near['more']} more with smaller gains" if near["more"] else None
        return join(
            tag("ul", pairs, class_="pairs") if pairs else "",
            table(columns, rows),
            tag("p", more, class_="none") if more else "",
        )

    def dead_ends(self) -> Safe | None:
        """Return what ran and lost, by what it touched."""
        found = []
        for axis in self.leaf["dead_ends"]:
            rows = [
                tag(
                    "li",
                    self.ref(row["experiment"]),
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
            title = tag("h4", said(axis["axis"] or "no axis"), tag("small", f"{axis['tried']}{kept}"))
            more = axis["tried"] - len(axis["rows"])
            rest = tag("li", f"and {more} more: lab failures", class_="none") if more else ""
            found.append(tag("div", title, tag("ul", rows, rest), class_="axis"))
        return join(found) if found else None

    def failures(self) -> Safe | None:
        """Return how many experiments failed, by class."""
        found = [
            tag(
                "li",
                tag("b", str(one["count"])),
                f" {words.FAILURES.get(one['failure'], one['failure'])}: ",
                [join(self.ref(number), " ") for number in one["newest"]],
            )
            for one in self.leaf["failures"]
        ]
        return tag("ul", found, class_="failures") if found else None

    # -- Samples, lessons, repeating --

    def samples(self) -> Safe | None:
        """Return what the model said: best, worst, drawn at random."""
        found = self.leaf["samples"]
        if not found:
            return None
        shown: list[Safe] = []
        seen: set[str] = set()
        for kind in ("best", "worst", "random"):
            for row in found[kind]:
                if (key := repr(row)) not in seen:
                    seen.add(key)
                    shown.append(_sample(kind, row))
        head = tag("p", self.ref(found["experiment"]), f", {words.count(found['total'], 'sample')}")
        return join(head, tag("div", shown, class_="samples"))

    def lessons(self) -> Safe | None:
        """Return what was learned, each with its evidence."""
        found = []
        for one in self.leaf["lessons"]:
            cited = [join(" ", self.ref(name)) for name in one["evidence"]]
            other = f" from {one['leaf']}" if one["leaf"] != self.leaf["leaf"] else ""
            proof = tag("small", "evidence:", cited or " none", other)
            found.append(tag("li", said(shorten(one["lesson"], TEXT)), " ", proof))
        return tag("ul", found, class_="lessons") if found else None

    def repeat(self) -> Safe | None:
        """Return how to measure the best, and any other, again."""
        again = self.leaf["repeat"]
        if again is None:
            return None
        name = f"e{again['experiment']}"
        if again["imported"]:
            text = f"{name} was measured elsewhere and imported; its own change is not here."
            return tag("p", text, class_="none")
        device = ", ".join(filter(None, (again["device"], again["profile"], again["platform"])))
        versions = ", ".join(f"{k} {v}" for k, v in sorted(again["versions"].items()))
        commands = (
            (f"lab reproduce {name}", "the same commit, seed and profile; did the number hold?"),
            (f"lab run {name} --seeds 2", "two more seeds"),
            (f"git show refs/lab/{name}", "the change as it was run"),
            (f"lab apply {name}", "bring it, and what it was built on, to this branch"),
        )
        rows = [join(tag("dt", tag("code", line)), tag("dd", why)) for line, why in commands]
        seeds = ", ".join(str(seed) for seed in again["seeds"]) or "-"
        facts = f"{name}: commit {again['commit'] or '-'}; seeds {seeds}; {device}; {versions}"
        return join(
            tag("dl", rows, class_="commands"),
            tag("p", facts, class_="facts"),
            tag("p", "Any other experiment goes the same way, by its id.", class_="facts"),
        )

    # -- Every experiment --

    def experiments(self) -> Safe:
        """Return every experiment as a row of a table that sorts."""
        rows = self.leaf["rows"]
        columns = (
            ("id", "n"),
            ("claim", ""),
            ("outcome", ""),
            (shorten(self.leaf["metric"] or "value", 20), "n"),
            ("gain", "n"),
            ("runs", "n wide"),
            ("time", "n wide"),
            ("made, UTC", "wide"),
        )
        scope = self.leaf["scope"]["id"] if self.leaf["scope"] else None
        body = [self._row(row, scope) for row in reversed(rows)]
        notes = []
        if self.leaf["older"] > 0:
            notes.append(f"{self.leaf['older']:,} older experiments are not listed: lab log")
        if any(row["scope"] != scope for row in rows):
            notes.append("* another profile, platform or yardstick: not comparable with the newest")
        return tag(
            "details",
            tag("summary", words.count(len(rows), "experiment")),
            [tag("p", note, class_="none") for note in notes],
            table(columns, body, class_="every"),
            open=len(rows) <= OPEN,
        )

    def _row(self, row: Found, scope: int | None) -> Safe:
        number = row["experiment"]
        claim = said(shorten(row["claim"] or "baseline", CLAIM))
        axis = tag("small", said(shorten(row["axis"], 40))) if row["axis"] else ""
        value = num(row["value"]) + ("?" if row["claimed"] and row["kind"] != "import" else "")
        return tag(
            "tr",
            cell(_name(row, self.leaf), "n", number),
            tag("td", claim, axis),
            tag("td", words.mark(row), " ", words.outcome(row), class_=row["verdict"]),
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


def _tile(name: str, figures_: str, remark: str) -> Safe:
    return tag("div", tag("dt", name), tag("dd", figures_), tag("dd", remark, class_="remark"))


def _work(campaign: Found) -> str:
    agent = f" ({campaign['agent']})" if campaign["agent"] else ""
    tried = words.count(campaign["experiments"], "experiment")
    return f"{plain(agent)}: {tried}, {campaign['kept']} kept. "


def _commit(row: Found) -> Safe:
    if not row["commit"]:
        return join()
    return join(" ", tag("code", f"git show {row['commit'][:12]}"))


def _diff(row: Found) -> Safe:
    """Return a change with its added and removed lines told apart."""
    if not row["diff"]:
        return join()
    found = []
    for line in row["diff"].split("\n"):
        kind = {"+": "add", "-": "del", "@": "at"}.get(line[:1])
        body = lines(line)
        found.append(tag("span", body, class_=kind) if kind else body)
    if row["cut"]:
        found.append(Safe(f"… the rest: lab diff e{row['experiment']}"))
    return tag("pre", Safe("\n".join(found)), class_="diff", tabindex="0")


def _sample(kind: str, row: Found) -> Safe:
    worth = next((row[name] for name in ("reward", "correct") if name in row), None)
    mark = f"{kind}, {num(worth)}" if isinstance(worth, int | float) else kind
    prompt, completion = (str(row.get(name, ""))[:TEXT] for name in ("prompt", "completion"))
    return tag(
        "div",
        tag("b", mark, class_="badge"),
        tag("pre", lines(prompt), class_="prompt", dir="auto"),
        tag("pre", lines(completion), dir="auto"),
    )
