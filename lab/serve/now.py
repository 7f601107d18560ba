"""The first page: who is at work on what, how far, and what it came to lately."""

from collections.abc import Sequence

from ..campaign.status import status
from ..documents.campaigns import Campaign, LiveRun, Status
from ..documents.leaves import Place
from ..notebook import Notebook, lookup, pages, read
from ..page import loss_curves, words
from ..page.components import CLAIM
from ..page.html import Safe, join, said, tag
from ..text import error, num, plural, shorten, span, to_go
from ..workspace import Workspace
from .acts import Acts
from .address import experiment_address, leaf_address
from .changes import BOOK, STEPS, TICK
from .parts import Page, Part
from .training import Points, Training, settings_of, training

AT_WORK = ("working", "waiting")
KEPT = 6  # of what was kept lately: more would push the lanes off a phone
SURE = 1e-6  # of a value: below, an error is no news
EARLIER = 40  # campaigns that ended


class Now:
    """The page, made of what `lab status` tells."""

    def __init__(self, workspace: Workspace, acts: Acts) -> None:
        self.workspace, self.acts = workspace, acts

    def page(self) -> Page:
        """Return its parts; the lanes move with every step of a run."""
        at_work, all_ = (BOOK, STEPS, TICK), (BOOK,)
        return Page(
            "Now",
            [
                Part("kept", all_, self.kept),
                Part("lanes", at_work, self.lanes, (self.acts.allowed,)),
                Part("devices", (BOOK, TICK), self.devices),
                Part("leaves", all_, self.leaves),
                Part("earlier", (BOOK, TICK), self.earlier),
            ],
            "now",
        )

    # -- Lanes --------------------------------------------------------------------

    def lanes(self, book: Notebook) -> Safe:
        """Return a lane for each campaign at work, and for each run that somebody typed."""
        found = status(self.workspace, book)
        campaigns = [
            one for one in found["campaigns"] if one["state"] in AT_WORK or one["run"] is not None
        ]
        names = {one["campaign"] for one in campaigns}
        lanes = [
            self._lane(book, one, [run for run in found["runs"] if run["campaign"] == name])
            for one in campaigns
            if (name := one["campaign"])
        ]
        by_hand = [run for run in found["runs"] if run["campaign"] not in names]
        lanes += [self._hand(book, run) for run in by_hand]
        if not lanes:
            code = tag("code", "lab launch LEAF --agent tuner --hours 8")
            return join(tag("h2", "At work"), tag("p", "Nobody. Begin with: ", code, class_="none"))
        return join(tag("h2", "At work"), tag("div", lanes, class_="lanes", data_each=True))

    def _lane(self, book: Notebook, one: Campaign, runs: Sequence[LiveRun]) -> Safe:
        session = one["session"]
        at: str = one["state"]
        if at == "working" and session and session["alive"]:
            at = f"session {session['number']} for {span(session['for_s'])}"
        head = tag(
            "h3",
            said(one["campaign"]),
            tag("small", said(f" {one['agent'] or 'no agent'}, {at}")),
        )
        told = [
            plural(one["experiments"], "experiment"),
            f"{one['keeps']} kept",
            *([_then_and_now(one)] if one["best"] else []),
            *([f"${one['cost_usd']:.2f}"] if one["cost_usd"] else []),
        ]
        idle = [] if runs else [self._idle(one)]
        return tag(
            "article",
            tag("div", head, self.acts.stop(one["campaign"]), class_="lane-head"),
            tag("p", [tag("span", part) for part in told], class_="facts"),
            idle,
            [self._run(book, run) for run in runs],
            self.acts.idea(one["campaign"]),
            id=f"lane-{_slug(one['campaign'])}",
            class_=f"lane {one['state']}".strip().replace("by hand", "hand"),
        )

    def _idle(self, one: Campaign) -> Safe:
        """Return what a campaign said last, while it has no run."""
        line = one["why"] if one["state"] == "waiting" else one["last_line"]
        newest = (
            f"{one['experiment']} {one['verdict'] or one['status']}. " if one["experiment"] else ""
        )
        return tag("p", said(newest + shorten(line or "no run just now", 200)), class_="none")

    def _hand(self, book: Notebook, run: LiveRun) -> Safe:
        what = " by hand" if run["claim"] else " a baseline"
        head = tag("h3", said(run["leaf"]), tag("small", what))
        stop = self.acts.stop(run["experiment"])
        return tag(
            "article",
            tag("div", head, stop, class_="lane-head"),
            self._run(book, run),
            id=f"lane-{run['experiment']}-{run['seed']}",
            class_="lane",
        )

    def _run(self, book: Notebook, run: LiveRun) -> Safe:
        number = int(run["experiment"][1:])
        experiment = lookup.experiment(book, number)
        idea = lookup.hypothesis(book, experiment["hypothesis"])
        record = next((one for one in lookup.runs(book, number) if one["id"] == run["run"]), None)
        seen: Training | None = None
        if record is not None and record["started"]:
            settings = settings_of(self.workspace.place.main, experiment)
            seen = training(book, self.workspace.place.home, experiment, record, settings)
        link = tag("a", run["experiment"], href=experiment_address(number), class_="e")
        claim = said(shorten(run["claim"] or "the baseline", CLAIM))
        why = tag("p", said(shorten(idea["mechanism"], 300)), class_="why") if idea else ""
        return join(
            tag("p", link, " ", tag("span", claim, class_="claim"), class_="tries"),
            why,
            tag("p", _stage(run, seen), class_="stage"),
            _bar(seen),
            _picture(seen),
        )

    # -- The rest -----------------------------------------------------------------

    def kept(self, book: Notebook) -> Safe:
        """Return what was kept lately; the browser remembers which of it one has seen."""
        rows = pages.kept_lately(book, KEPT)
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
                tag("span", said(shorten(row["claim"], 160)), class_="claim"),
                tag("span", words.gain(dict(row)), class_="n gain"),
                tag("small", said(row["campaign"] or row["leaf"]), f", {words.when(row['at'])}"),
                data_result=row["result"],
            )
            for row in rows
        ]
        title = tag("h2", "Kept lately", tag("small", class_="news", role="status"))
        return join(title, tag("ol", found, class_="kept-list"))

    def devices(self, book: Notebook) -> Safe:
        """Return who has which device, who waits for one, and what all of it cost."""
        found = status(self.workspace, book)
        costs = [one["cost_usd"] for one in found["campaigns"] if one["cost_usd"]]
        rows = [_device(one) for one in found["slots"]] + [_queued(one) for one in found["queue"]]
        spent = tag("p", f"Cost so far: ${sum(costs):.2f}") if costs else ""
        if not rows and not costs:
            return join()
        return join(tag("h2", "Devices and queue"), tag("ul", rows, class_="devices"), spent)

    def leaves(self, book: Notebook) -> Safe:
        """Return a line for each leaf that the notebook knows."""
        rows = [self._leaf(book, name) for name in read.leaves(book)]
        if not rows:
            return tag("p", "The notebook is empty. Begin with: lab run --baseline --seeds 3")
        return join(tag("h2", "Leaves"), tag("ul", rows, class_="leaves"))

    def _leaf(self, book: Notebook, name: str) -> Safe:
        counts = read.counts(book, name)
        link = tag("a", said(name), href=leaf_address(name))
        kept = counts["keep"] - counts["baselines"]
        told = f"{plural(counts['experiments'], 'experiment')}, {kept} kept"
        return tag("li", link, tag("small", told))

    def earlier(self, book: Notebook) -> Safe:
        """Return the campaigns that are not at work, the newest first, and why."""
        found: Status = status(self.workspace, book)
        over = [one for one in found["campaigns"] if one["state"] not in AT_WORK and not one["run"]]
        if not over:
            return join()
        rows = [_ended(one) for one in over[:EARLIER]]
        summary = tag("summary", plural(len(over), "earlier campaign"))
        body = tag("details", summary, tag("ul", rows, class_="campaigns"), id="earlier-list")
        return join(tag("h2", "Earlier"), body)


def _slug(name: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else f"_{ord(c):x}" for c in name)


def _then_and_now(one: Campaign) -> str:
    then = "" if one["began_at"] is None else f"{num(one['began_at']['value'])} → "
    best = one["best"]
    return f"{then}{num(best['value'])} ({best['experiment']})" if best else ""


def _stage(run: LiveRun, seen: Training | None) -> str:
    """Return what a run is at, how much of its budget is gone, its newest number."""
    place = "" if run["position"] in (None, 0) else f", place {run['position']} in the queue"
    told = f"{run['stage']}{place}{to_go(run['eta_s']) if place else ''}"
    if seen is None or seen.spent is None or not seen.budget:
        return f"{told}, for {span(run['for_s'])}"
    if seen.unit == "s":
        return f"{told} (budget {span(seen.budget)})"
    return f"{told} (of {seen.budget:,.0f} steps)"


def _bar(seen: Training | None) -> Safe:
    share = seen.share if seen else None
    if share is None:
        return join()
    words_ = f"{share:.0%} of the budget"
    return tag("progress", words_, max=1, value=f"{share:.4f}", aria_label=words_)


def _picture(seen: Training | None) -> Safe:
    """Return the curve over its incumbent's, and in words where it will end."""
    if seen is None or len(seen.mine) < 2:
        return join()
    named = [("this run", _percent(seen.mine))]
    if len(seen.theirs) > 1:
        named.append((f"its incumbent e{seen.against}", _percent(seen.theirs)))
    caption = f"{shorten(seen.series, 40)} by % of the budget"
    told = join()
    if seen.end is not None and (seen.share or 0) < 1:
        end = num(seen.end.value)
        if seen.end.error > SURE * abs(seen.end.value):
            end += f" ± {error(seen.end.error)}"
        told = tag("p", f"will end near {end}, if it goes on like this", class_="forecast")
        named.append(("forecast", _percent([seen.mine[-1], (1.0, seen.end.value)])))
    return join(loss_curves.overlay(caption, named, "% of the budget:"), told)


def _percent(points: Points) -> Points:
    return [(100 * share, value) for share, value in points]


def _device(one: Place) -> Safe:
    whose = f" of {one['campaign']}" if one["campaign"] not in (None, "main") else ""
    words_ = f"{one['device']}: {one['label']}{whose} for {span(one['held_s'])}"
    return tag("li", said(words_))


def _queued(one: Place) -> Safe:
    return tag(
        "li",
        said(f"queue {one['position']}: {one['label']} of {one['campaign']}{to_go(one['eta_s'])}"),
    )


def _ended(one: Campaign) -> Safe:
    why = one["why"] or one["last_line"]
    figures = f": {plural(one['experiments'], 'experiment')}, {one['keeps']} kept"
    best = f", {_then_and_now(one)}" if one["best"] else ""
    told = f"; {shorten(why, 160)}" if why else ""
    return tag("li", tag("b", said(one["campaign"])), f" {one['state']}{figures}{best}", said(told))
