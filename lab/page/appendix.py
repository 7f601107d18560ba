"""Report section: samples, lessons with their evidence, how to measure the best again."""

from ..notebook.read import Found
from ..text import num, plural, shorten
from .components import TEXT, Look
from .html import Safe, join, lines, said, tag


def samples(look: Look) -> Safe | None:
    """Return what the model said: best, worst, drawn at random."""
    found = look.leaf["samples"]
    if not found:
        return None
    shown: list[Safe] = []
    seen: set[str] = set()
    for kind in ("best", "worst", "random"):
        for row in found[kind]:
            if (key := repr(row)) not in seen:
                seen.add(key)
                shown.append(_sample(kind, row))
    head = tag("p", look.ref(found["experiment"]), f", {plural(found['total'], 'sample')}")
    return join(head, tag("div", shown, class_="samples"))


def lessons(look: Look) -> Safe | None:
    """Return what was learned, each with its evidence."""
    found = []
    for one in look.leaf["lessons"]:
        cited = [join(" ", look.ref(name)) for name in one["evidence"]]
        other = f" from {one['leaf']}" if one["leaf"] != look.leaf["leaf"] else ""
        proof = tag("small", "evidence:", cited or " none", other)
        found.append(tag("li", said(shorten(one["lesson"], TEXT)), " ", proof))
    return tag("ul", found, class_="lessons") if found else None


def repeat(look: Look) -> Safe | None:
    """Return how to measure the best, and any other, again."""
    again = look.leaf["repeat"]
    if again is None:
        return None
    name = f"e{again['experiment']}"
    if again["kind"] == "import":
        text = f"{name} was measured elsewhere and imported; its own change is not here."
        return tag("p", text, class_="none")
    device = ", ".join(filter(None, (again["device"], again["profile"], again["platform"])))
    versions = ", ".join(f"{k} {v}" for k, v in sorted(again["versions"].items()))
    commands = (
        (f"lab reproduce {name}", "the same commit, seed and profile; did the number hold?"),
        (f"lab run {name} --seeds 2", "two more seeds"),
        (f"git show refs/lab/{name}", "the change as it was run"),
        (f"lab apply {name}", "bring it, and what it was built on, to this branch"),
    )[: 2 if again["kind"] == "baseline" else 4]
    rows = [join(tag("dt", tag("code", line)), tag("dd", why)) for line, why in commands]
    seeds = ", ".join(str(seed) for seed in again["seeds"]) or "-"
    known = (f"{name}: commit {again['commit'] or '-'}", f"seeds {seeds}", device, versions)
    facts = "; ".join(filter(None, known))
    return join(
        tag("dl", rows, class_="commands"),
        tag("p", facts, class_="facts"),
        tag("p", "Any other experiment goes the same way, by its id.", class_="facts"),
    )


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
