"""An experiment's page: claim, runs, how the verdict came about, diff, what to type."""

from collections.abc import Iterator, Sequence

from .. import repo
from ..documents.experiments import Experiment, JudgementRecord, RunRecord
from ..errors import LabError
from ..experiment import samples
from ..notebook import Notebook, details, ledger, lookup, pages, tags
from ..page import appendix, cards, words
from ..page.components import CLAIM, TEXT, Look
from ..page.html import Safe, join, lines, said, tag
from ..run import curve, waiting
from ..system import left
from ..text import error, num, shorten, span
from ..views.experiment_text import uncounted
from ..workspace import Workspace
from . import runs
from .acts import Acts
from .address import EXPERIMENT, compare_address, experiment_address, leaf_address
from .changes import BOOK, STEPS
from .parts import Page, Part

OURS, THEIRS = 4, 2  # curves
MOST_DIFF = 40_000  # characters of a change; `lab diff` has the rest
SAMPLES = 2
CHILDREN = 60


class ExperimentPage:
    """One experiment, with its children."""

    def __init__(self, workspace: Workspace, number: int, acts: Acts) -> None:
        self.workspace, self.number, self.acts = workspace, number, acts
        self.home = workspace.place.home

    def page(self) -> Page:
        """Return its parts; the curves grow with every step of a run."""
        name = f"e{self.number}"
        return Page(
            name,
            [
                Part("about", (BOOK,), self.about, (self.acts.allowed,)),
                Part("curves", (BOOK, STEPS), self.curves),
                Part("runs", (BOOK,), self.runs),
                Part("verdict", (BOOK,), self.verdict),
                Part("diff", (BOOK,), self.diff),
                Part("children", (BOOK,), self.children),
                Part("samples", (BOOK,), self.samples),
                Part("notes", (BOOK,), self.notes, (self.acts.allowed,)),
                Part("repeat", (BOOK,), self.repeat),
            ],
        )

    def _found(self, book: Notebook) -> Experiment:
        return details.whole(book, book.need(f"e{self.number}", "e"))

    # -- What it is ---------------------------------------------------------------

    def about(self, book: Notebook) -> Safe:
        """Return what was claimed and why, the outcome, the number beside its incumbent's."""
        found = self._found(book)
        row = dict(pages.row(book, self.number))
        outcome = words.outcome(row)
        head = tag(
            "h1",
            f"e{self.number} ",
            tag("span", words.mark(row), f" {outcome}", class_=f"outcome {found['verdict'] or ''}"),
        )
        claim = tag("p", said(shorten(found["claim"] or found["kind"], TEXT)), class_="claim-big")
        facts = [join(tag("dt", name), tag("dd", body)) for name, body in self._facts(book, found)]
        marks = [tag("span", _tag(one), class_="badge") for one in found["tags"]]
        stop = self.acts.stop(f"e{self.number}") if found["status"] in ("queued", "running") else ""
        return join(
            tag("div", head, stop, class_="lane-head"),
            claim,
            tag("p", marks, class_="tags") if marks else "",
            tag("dl", facts, class_="facts-list"),
            self.acts.mark(self.number, found["tags"]),
        )

    def _facts(self, book: Notebook, found: Experiment) -> Iterator[tuple[str, Safe]]:
        idea = lookup.hypothesis(book, lookup.experiment(book, self.number)["hypothesis"])
        if found["mechanism"]:
            outcome = {"outcome": found["mechanism_outcome"], "source": found["mechanism_source"]}
            seen = tag(
                "b", words.mechanism(outcome), class_=f"badge {found['mechanism_outcome'] or ''}"
            )
            yield "mechanism", join(said(shorten(found["mechanism"], TEXT)), " ", seen)
        if idea is not None and idea["observe"]:
            yield "observable", said(shorten(idea["observe"], 400))
        if idea is not None and idea["expect"]:
            yield "expected", join(num(idea["expect"], sign=True))
        yield "value", join(num(found["value"]), " as claimed" if found["claimed"] else "")
        if found["gain"] is not None:
            yield "gain", self._gain(book, found)
        if found["marks"]:
            yield "bear in mind", said("; ".join(found["marks"]))
        if found["lesson"]:
            yield "learned", said(shorten(found["lesson"], TEXT))
        if found["axis"]:
            yield "axis", said(found["axis"])
        yield "leaf", tag("a", said(found["leaf"]), href=leaf_address(found["leaf"]))
        whose = ", ".join(
            part for part in (found["campaign"], found["profile"], found["platform"]) if part
        )
        yield "made", said(f"{words.when(found['at'])}{', ' if whose else ''}{whose}")

    def _gain(self, book: Notebook, found: Experiment) -> Safe:
        """Return the gain as an audit measured it, else as judged, and against whom."""
        last = found["judgements"][-1] if found["judgements"] else None
        row = {"gain": found["gain"], "se": last["se"] if last else None}
        audited = ledger.audited_gain(book, self.number)
        if audited:
            row = {"gain": audited[0], "se": audited[1]}
        against: Safe | str = ""
        if found["incumbent"]:
            number = int(found["incumbent"][1:])
            beside = compare_address([self.number, number])
            link = tag("a", found["incumbent"], href=experiment_address(number), class_="e")
            against = join(" against ", link, " (", tag("a", "side by side", href=beside), ")")
        sure = f"; P(better) {words.probability(last['p_better'])}" if last and not audited else ""
        return join(tag("span", words.gain(row), class_="n"), against, sure)

    def curves(self, book: Notebook) -> Safe:
        """Return the curves of its runs over its incumbent's, and in a line where they part."""
        experiment = lookup.experiment(book, self.number)
        wanted = [(f"e{self.number}", self.number, OURS)]
        if experiment["incumbent"]:
            name = f"incumbent e{experiment['incumbent']}"
            wanted.append((name, experiment["incumbent"], THEIRS))
        body = runs.curves(book, self.home, wanted)
        if not body:
            return join()
        told = curve.line(book, self.home, experiment)
        return join(tag("h2", "Curves"), body, tag("p", said(told), class_="none") if told else "")

    def runs(self, book: Notebook) -> Safe:
        """Return every run with what it measured."""
        found = self._found(book)["runs"]
        if not found:
            return join()
        counted = [run for run in found if run["counts"]]
        head = [tag("th", name, scope="col", class_=kind or None) for name, kind in RUN_COLUMNS]
        body = [_run(run, counted) for run in found]
        return join(
            tag("h2", "Runs"), tag("table", tag("thead", tag("tr", head)), tag("tbody", body))
        )

    # -- How it was judged ----------------------------------------------------------

    def verdict(self, book: Notebook) -> Safe:
        """Return judgement by judgement, and verdict by verdict, how it came about."""
        found = self._found(book)
        told = [(one["at"], _judgement(one)) for one in found["judgements"]]
        told += [
            (
                one["at"],
                join(
                    tag("b", f"verdict {one['verdict']}"),
                    said(f" by {one['by']}"),
                    tag("q", said(shorten(one["because"], TEXT))) if one["because"] else "",
                    tag("q", said(shorten(one["theory_revision"], TEXT)))
                    if one["theory_revision"]
                    else "",
                ),
            )
            for one in found["results"]
        ]
        if not told:
            return join()
        rows = [
            tag("li", tag("small", words.when(at)), " ", body)
            for at, body in sorted(told, key=lambda pair: pair[0])
        ]
        return join(tag("h2", "How the verdict came about"), tag("ol", rows, class_="story"))

    def diff(self, book: Notebook) -> Safe:
        """Return what it changed, coloured."""
        row = lookup.experiment(book, self.number)
        if row["kind"] != "run" or not row["parent"] or not row["commit"]:
            return join()
        try:
            found = repo.diffs(self.workspace.place.main, [(row["parent"], row["commit"])])
        except repo.GitFailed:
            return join()
        change = found.get(row["commit"], "")
        rest = f"lab diff e{self.number}" if len(change) > MOST_DIFF else None
        body = cards.diff(change[:MOST_DIFF], rest)
        return join(tag("h2", "What it changed"), body) if body else join()

    # -- Around it ----------------------------------------------------------------

    def children(self, book: Notebook) -> Safe:
        """Return what was tried on top of it, newest first."""
        rows = pages.children(book, self.number, CHILDREN)
        if not rows:
            return join()
        found = [
            tag(
                "li",
                tag(
                    "a",
                    f"e{row['experiment']}",
                    href=experiment_address(row["experiment"]),
                    class_="e",
                ),
                tag("span", words.mark(dict(row)), f" {words.outcome(dict(row))}"),
                tag("span", said(shorten(row["claim"], CLAIM)), class_="claim"),
                tag("span", words.gain(dict(row)) if row["gain"] is not None else "", class_="n"),
            )
            for row in rows
        ]
        return join(tag("h2", "Tried on top of it"), tag("ul", found, class_="kept-list"))

    def samples(self, book: Notebook) -> Safe:
        """Return what its model said: best, worst, at random."""
        for run in reversed(lookup.runs(book, self.number)):
            path = self.home.run(self.number, run["id"]) / "samples.jsonl"
            if left.is_file(path):
                try:
                    found = samples.pick(path, self.number, run["seed"], SAMPLES)
                except LabError:
                    continue
                look = Look({"samples": found}, None, EXPERIMENT)
                return join(tag("h2", "Samples"), appendix.samples(look))
        return join()

    def notes(self, book: Notebook) -> Safe:
        """Return what people and agents said of it."""
        rows = [
            tag("li", tag("small", said(f"{row['by']}, {words.when(row['at'])}")), " ",
                tag("pre", lines(row["text"]), dir="auto"))
            for row in tags.notes(book, self.number)
        ]  # fmt: skip
        form = self.acts.note(self.number)
        if not rows and not form:
            return join()
        return join(tag("h2", "Notes"), tag("ol", rows, class_="story") if rows else "", form)

    def repeat(self, book: Notebook) -> Safe:
        """Return what to type next, and to measure it again or to bring it home."""
        number, name = self.number, f"e{self.number}"
        following = waiting.outcome(book, self.home, number)["next"]
        kind = lookup.experiment(book, number)["kind"]
        commands = [(str(following), "what is next")]
        if kind in ("run", "baseline"):
            commands.append((f"lab reproduce {name}", "the same commit, seed and profile"))
        if kind == "run":
            commands.append(
                (f"lab apply {name}", "bring it, and what it was built on, to this branch")
            )
        commands.append((f"lab show {name} --json", "all that is known of it"))
        rows = [
            join(tag("dt", tag("code", said(line))), tag("dd", why))
            for line, why in dict(commands).items()
        ]
        return join(tag("h2", "What to type"), tag("dl", rows, class_="commands"))


RUN_COLUMNS = (
    ("run", ""),
    ("seed", "n"),
    ("outcome", ""),
    ("value", "n"),
    ("time", "n"),
    ("device", "wide"),
)


def _run(run: RunRecord, counted: Sequence[RunRecord]) -> Safe:
    status = run["failure"] or run["status"] or ("running" if run["started"] else "queued")
    left_out = run["value"] is not None and not run["counts"]
    remark = f"not in the mean: {uncounted(run['seed'], counted)}" if left_out else ""
    return tag(
        "tr",
        tag("td", str(run["id"])),
        tag("td", str(run["seed"]), class_="n"),
        tag("td", said(status), tag("small", remark) if remark else ""),
        tag("td", num(run["value"]), class_="n"),
        tag("td", span(run["seconds"]), class_="n"),
        tag("td", said(run["device"]), class_="wide"),
    )


def _judgement(one: JudgementRecord) -> Safe:
    spread = f" ± {error(one['se'])}" if one["se"] is not None else ""
    sure = f", P(better) {error(one['p_better'])}" if one["p_better"] is not None else ""
    noise = f", noise of a run {error(one['noise'])}" if one["noise"] is not None else ""
    gain = (
        f"; gain {num(one['gain'], sign=True)}{spread}{sure}{noise}"
        if one["gain"] is not None
        else ""
    )
    count = f" over {one['runs']}" if one["runs"] else ""
    return join(
        tag("b", f"judged {one['suggest']}"),
        f"{count}{gain}",
        tag("q", said(shorten(one["why"], TEXT))) if one["why"] else "",
    )


def _tag(name: str) -> str:
    return "★" if name == tags.STAR else f"#{name}"
