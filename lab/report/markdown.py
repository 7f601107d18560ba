"""`lab report -o night.md`: the same report as Markdown."""

import re
from collections.abc import Iterator, Sequence

from ..notebook.read import Found
from ..page import words
from ..text import num, plain, plural, shorten, span
from ..views.sealed import TITLE

CLAIM = 300
TEXT = 1200
ROWS = 60  # near-misses, dead ends and lessons of one leaf
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$&])")


def write_up(report: Found) -> str:
    """Return a report as Markdown."""
    lines = [f"# {safe(report['title'])}", ""]
    lines += [f"Report of {words.when(report['made'])} UTC, {words.since(report)}.", ""]
    if not report["leaves"]:
        lines += ["No leaf and no experiment here yet. Make a leaf: `lab new NAME`", ""]
    for leaf in report["leaves"]:
        lines += [*_leaf(leaf), ""]
    lines += [
        "Gains are positive when better; ± is a standard error; values are means over seeds. "
        "Numbers are compared only within one profile, platform and yardstick.",
        f"Written by lab {report['version']} from the notebook.",
    ]
    return "\n".join(lines) + "\n"


def safe(text: str | None, limit: int = CLAIM) -> str:
    """Return what somebody wrote so that it stays text, on one line.

    >>> safe("a*b | <script> # c")
    'a\\\\*b \\\\| \\\\<script\\\\> \\\\# c'
    """
    return _SPECIAL.sub(r"\\\1", shorten(text or "", limit))


def fenced(text: str, language: str = "") -> str:
    """Return a block of code whose fence is longer than any inside."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    shown = "\n".join(plain(line.replace("\t", "    ")) for line in text.split("\n"))
    return f"{fence}{language}\n{shown}\n{fence}"


def _leaf(leaf: Found) -> Iterator[str]:
    yield f"## {safe(leaf['leaf'])}"
    yield ""
    if leaf["purpose"]:
        yield safe(leaf["purpose"], TEXT)
        yield ""
    facts = [leaf["metric"] or "no metric yet", words.better(leaf["direction"])]
    yield ", ".join(safe(fact) for fact in [*facts, *words.scope(leaf)]) + "."
    if not leaf["counts"]["experiments"]:
        yield ""
        yield "Nothing yet. Begin with: `lab run --baseline --seeds 3`"
        return
    yield from _since(leaf["since"])
    yield from _path(leaf)
    yield from _kept(leaf)
    yield from _sealed(leaf)
    yield from _near(leaf)
    yield from _dead_ends(leaf)
    yield from _lessons(leaf)
    yield from _repeat(leaf)


def _since(since: Found) -> Iterator[str]:
    figures, remark = words.best(since)
    confirmed, provisional = since["confirmed_gain"], since["provisional_gain"]
    none = "nothing" if provisional is not None else "-"
    rows = [
        ("best", f"{figures} ({remark})"),
        ("confirmed gain", none if confirmed is None else num(confirmed, sign=True)),
        ("provisional gain", num(provisional, sign=True)),
        ("experiments", f"{since['experiments']}: {words.tally(since)}"),
        ("runs", f"{since['runs']}, {span(since['seconds'])} on a device"),
        ("cost", words.cost(since)),
    ]
    yield from ("", "### Since you left", "", "| | |", "|---|---|")
    yield from (f"| {name} | {safe(value)} |" for name, value in rows)
    for one in since["campaigns"]:
        tried = plural(one["experiments"], "experiment")
        how = safe(words.ending(one), TEXT)
        yield f"| {safe(one['name'])} | {tried}, {one['kept']} kept; {how} |"


def _path(leaf: Found) -> Iterator[str]:
    tree = leaf["tree"]
    if not tree.path:
        return
    yield from ("", "### The way to the best", "")
    for number in tree.path:
        node = tree.nodes[number]
        gained = "" if node.row["kind"] == "baseline" else f", gain {words.gain(node.row)}"
        tried = f"; {len(node.lost)} tried from here and dropped" if node.lost else ""
        claim = safe(node.row["claim"] or "baseline")
        yield f"1. e{number} {claim}: {num(node.row['value'])}{gained}{tried}"


def _kept(leaf: Found) -> Iterator[str]:
    if not leaf["kept"]:
        return
    yield from ("", "### Kept changes", "", "| id | claim | gain | runs | mechanism |")
    yield "|---|---|---|---|---|"
    for row in leaf["kept"]:
        cells = (safe(row["claim"]), words.gain(row), str(row["runs"]), words.mechanism(row))
        yield f"| e{row['experiment']} | {' | '.join(cells)} |"
    for row in leaf["kept"]:
        yield from _change(row)


def _change(row: Found) -> Iterator[str]:
    name = f"e{row['experiment']}"
    runs = ", ".join(f"{num(run['value'])} (seed {run['seed']})" for run in row["replicates"])
    against = f" against e{row['incumbent']}" if row["incumbent"] else ""
    yield from ("", f"#### {name}: {safe(row['claim'])}", "")
    if row["mechanism"]:
        yield f"**Mechanism** ({words.mechanism(row)}). {safe(row['mechanism'], TEXT)}"
        yield ""
    yield f"**Measured.** {words.gain(row)}{against}; {runs or 'as reported'}."
    if row["marks"]:
        yield f"**Bear in mind.** {safe('; '.join(row['marks']), TEXT)}."
    if row["because"]:
        yield f"**Kept although.** {safe(row['because'], TEXT)}"
    if row["lesson"]:
        yield f"**Learned.** {safe(row['lesson'], TEXT)}"
    if row["commit"] and row["kind"] == "run":
        yield f"**Repeat it.** `lab reproduce {name}` (commit `{row['commit'][:12]}`)."
    if row["diff"]:
        rest = f"\n… the rest: lab diff {name}" if row["cut"] else ""
        yield from ("", fenced(row["diff"] + rest, "diff"))


def _sealed(leaf: Found) -> Iterator[str]:
    if leaf["sealed"]:
        yield from ("", f"### {TITLE.capitalize()}", "")
    for one in leaf["sealed"]:
        mark = "**!** " if one.is_missed else ""
        yield f"- {mark}e{one.experiment} {safe(one.words)}"


def _near(leaf: Found) -> Iterator[str]:
    near = leaf["near"]
    if not near["rows"]:
        return
    yield from ("", "### Near-misses worth combining", "")
    for one, two in near["pairs"]:
        total = num(one["gain"] + two["gain"], sign=True)
        pair = f"e{one['experiment']} and e{two['experiment']}"
        yield f"- Try {pair} in one experiment: together {total} if they add up."
    yield from _listed(near["rows"])


def _dead_ends(leaf: Found) -> Iterator[str]:
    if leaf["dead_ends"]:
        yield from ("", "### Dead ends by axis")
    for axis in leaf["dead_ends"]:
        yield from ("", f"**{safe(axis['axis'] or 'no axis')}** ({axis['tried']} tried)", "")
        yield from _listed(axis["rows"])


def _listed(rows: Sequence[Found]) -> Iterator[str]:
    for row in rows[:ROWS]:
        settled = f", mechanism {words.mechanism(row)}" if row["outcome"] else ""
        learned = f" {safe(row['lesson'])}" if row.get("lesson") else ""
        claim = safe(row["claim"] or "no claim")
        yield f"- e{row['experiment']} {claim}: {words.gain(row)}{settled}.{learned}"


def _lessons(leaf: Found) -> Iterator[str]:
    if leaf["lessons"]:
        yield from ("", "### Lessons", "")
    for one in leaf["lessons"][:ROWS]:
        yield f"- {safe(one['lesson'], TEXT)} (evidence: {', '.join(one['evidence']) or 'none'})"


def _repeat(leaf: Found) -> Iterator[str]:
    again = leaf["repeat"]
    if again is None or again["kind"] == "import":
        return
    name = f"e{again['experiment']}"
    versions = ", ".join(f"{key} {value}" for key, value in sorted(again["versions"].items()))
    where = ", ".join(filter(None, (again["device"], again["profile"], again["platform"])))
    seeds = ", ".join(str(seed) for seed in again["seeds"]) or "-"
    yield from ("", "### Measure it again", "")
    yield f"`lab reproduce {name}` repeats the best from its commit, seed and profile."
    yield safe(f"Commit {again['commit']}; seeds {seeds}; {where}; {versions}.", TEXT)
