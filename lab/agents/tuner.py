"""The tuner (`--agent tuner`): hyperparameter search without a key.

Each round is what an agent would type: `lab hypothesis`, an edit, `lab run`, replicates while
the harness asks for them, `lab result`. All it knows lies in the notebook and the worktree, so a
tuner that was killed goes on where it was.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import repo
from ..campaign.limits import Ending, Over
from ..campaign.loop import Campaign, verdict_words
from ..documents.action import Action
from ..documents.experiments import Standing
from ..errors import DryRunFailed, Failed, RanBefore, Refused
from ..experiment import combination, verdicts
from ..experiment.start import Trial
from ..judge import together
from ..leaf import Knob, knobs, live
from ..notebook import attempts, campaigns, ideas, ledger, read, record, waves
from ..notebook.replicates import PRUNED, SAYS_NOTHING
from ..run import queue_status
from ..run.assessment import BASELINE_SEEDS, policy_of
from ..text import plural
from ..tuner.trials import Change, PastTrial, parse
from ..workspace import Workspace
from ..workspace.incumbent import find_incumbent
from . import sampling
from .history import History

MOST_REFUSED = 20  # proposals in a row that cannot be run: a knob nothing reads, a broken range
LOOKS = 6  # at one experiment: the incumbent's repeats, where its noise is unknown, then its own
TRIES = 3  # of a run that failed for reasons outside the idea


def turnable(workspace: Workspace) -> dict[str, Knob]:
    """Return the leaf's knobs that are constants which its files read; Refused when none is."""
    leaf = workspace.leaf
    if not leaf.knobs:
        raise Refused(
            f"{leaf.name} has no knobs for the tuner to turn.",
            f"Write a number at the top of {leaf.table['mutable'][0]} (LR = 0.05) and name it in "
            f"{leaf.prefix}leaf.toml: [knobs.LR] with low, high and why; or type: --agent claude",
        )
    known = current(workspace)
    found = {name: knob for name, knob in leaf.knobs.items() if name in known}
    if not found:
        named = ", ".join(workspace.settings.mutable)
        raise Refused(
            f"none of the knobs of {leaf.name} is a constant of {named}.",
            f"Write one at its top: {next(iter(leaf.knobs))} = 1.0",
        )
    alive = live.constants({path.name: path.read_bytes() for path in files(workspace)})
    read = {name: knob for name, knob in found.items() if name in alive or not name.isupper()}
    return read or found  # where none is, another file of the leaf may read them


def files(workspace: Workspace) -> list[Path]:
    """Return the leaf's mutable Python files."""
    names = [name for name in workspace.settings.mutable if name.endswith(".py")]
    return [path for name in names if (path := workspace.leaf.folder / name).is_file()]


def plain_constants(path: Path) -> dict[str, Any]:
    """Return the constants of one file that a knob could be."""
    found = knobs.constants(path.read_bytes(), path.name)
    plain = (bool, int, float, str)
    return {name: one.value for name, one in found.items() if isinstance(one.value, plain)}


def current(workspace: Workspace) -> dict[str, Any]:
    """Return the constants of the mutable files as they stand; the first file's win."""
    values: dict[str, Any] = {}
    for path in reversed(files(workspace)):
        values |= plain_constants(path)
    return values


def write(workspace: Workspace, changes: tuple[Change, ...]) -> None:
    """Write constants into the file that has each."""
    left = {change.name: change.new for change in changes}
    for path in files(workspace):
        here = {name: left.pop(name) for name in plain_constants(path) if name in left}
        if here:
            path.write_bytes(knobs.write(path.read_bytes(), here, path.name))


def check(workspace: Workspace) -> None:
    """Refuse a leaf that the tuner cannot turn, before anything is made."""
    sampling.check(workspace)
    turnable(workspace)


class Tuner:
    """One campaign of the tuner."""

    def __init__(self, campaign: Campaign) -> None:
        self.campaign, self.book = campaign, campaign.book
        self.history = History()
        self.paces_itself = campaign.main.leaf.sampler == "model"
        self.refused: set[str] = set()  # contents that `lab run` would not take
        self.in_a_row = 0  # proposals refused since something ran

    # -- Picking up --------------------------------------------------------------------

    def pick_up(self) -> None:
        """Wait for what runs, judge what has no verdict, leave the files as committed."""
        for number in self.campaign.in_flight():
            self.campaign.wait(number)
        leaf, name = self.campaign.main.leaf_name, self.campaign.name
        for one in read.undecided(self.book, leaf, name, waves.MOST):
            self._decide(one["experiment"])
        row = campaigns.newest(self.book, self.campaign.name)
        if row is not None and self._is_open(row):
            self._decide(row["id"])
        elif row is not None:
            self._settle(row)
        self._tidy()
        self._note_lesson()
        self._baseline()

    def is_free(self) -> bool:
        """Return whether nobody else is in the middle of something in this worktree."""
        row = campaigns.newest(self.book, self.campaign.name)
        is_judged = row is None or row["verdict"] is not None
        return is_judged and self._edited(self.campaign.workspace()) is None

    def _is_open(self, row: Any) -> bool:
        """Return whether an experiment still waits for this campaign's own verdict."""
        return row["verdict"] is None or campaigns.judged_by_supervisor(self.book, row["id"])

    def _settle(self, row: Any) -> None:
        """Put the branch where a recorded verdict says, when a kill came in between."""
        workspace = self.campaign.workspace()
        if row["verdict"] != "keep" and row["commit"] == workspace.place.head:
            verdicts.finish(workspace, self.book, row, row["verdict"])

    def _tidy(self) -> None:
        """Put edited files back as committed; an edit that no experiment holds is set aside."""
        workspace = self.campaign.workspace()
        edited = self._edited(workspace)
        if edited is None:
            return
        known = campaigns.has_contents(self.book, repo.contents_id(edited), workspace.scope)
        if known is None and self._pending(workspace) is None:
            self._set_aside(workspace)
        repo.restore(workspace.place.top, str(workspace.place.head), workspace.mutable_paths)

    def _edited(self, workspace: Workspace) -> dict[str, str] | None:
        """Return the blobs of the mutable files; None where they are as committed."""
        place, paths = workspace.place, workspace.mutable_paths
        blobs = repo.worktree_blobs(place.top, paths)
        return None if blobs == repo.tree_blobs(place.top, str(place.head), paths) else blobs

    def _set_aside(self, workspace: Workspace) -> None:
        folder = self.campaign.home.campaign(self.campaign.name)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"set-aside-{time.strftime('%Y%m%dT%H%M%S')}.diff"
        edit = repo.diff(workspace.place.top, "HEAD", None, workspace.mutable_paths)
        path.write_text(f"{edit}\n")
        self.campaign.progress.say(f"an edit that nobody ran was set aside: {path}")

    # -- The baseline ------------------------------------------------------------------

    def _baseline(self) -> None:
        """Measure what is committed here with three seeds, unless that is done."""
        for attempt in range(TRIES + 1):
            workspace = self.campaign.workspace()
            incumbent = find_incumbent(workspace, self.book)
            missing = BASELINE_SEEDS
            if incumbent is not None:
                missing = (
                    BASELINE_SEEDS - incumbent["runs"] if incumbent["made"] == "baseline" else 0
                )
            if missing <= 0:
                return
            if attempt == TRIES:
                break
            self.campaign.progress.say(f"baseline: {plural(missing, 'seed')} of what is committed")
            started = Trial(workspace, self.book, missing).baseline()
            found = self.campaign.wait(started.experiment)
            if found["status"] == "failed" and found["failure"] not in SAYS_NOTHING:
                break
        raise Failed(
            f"the baseline did not run: {found['failure']} {found['detail'].get('last', '')}",
            f"Look at it: lab show {found['experiment']}; log {found['log']}",
        )

    # -- One round ----------------------------------------------------------------------

    def step(self) -> None:
        """Do one experiment, or a wave: hypotheses, edits, runs, verdicts."""
        workspace = self.campaign.workspace()
        found, parts = self._pending(workspace), list[int]()
        width = self._width(workspace) if found is None else 1
        if width > 1:
            return self._wave(width)
        if found is None:
            changes, reason, parts = self._propose(workspace)
            number = self._hypothesis(workspace, changes, reason)
        else:
            number, changes = found
        write(workspace, changes)
        if parts:
            combination.note(workspace, self.book, parts)
        return self._run(number)

    def _width(self, workspace: Workspace) -> int:
        """Return how many changes to try at once: as many as there are devices, and runs left."""
        if not self.paces_itself or workspace.is_rented:
            return 1
        limit = self.campaign.limits.experiments
        left = waves.MOST if limit is None else limit - self.campaign.counted
        return max(
            1, min(waves.MOST, left, queue_status.devices(workspace.place.home, workspace.settings))
        )

    def _wave(self, width: int) -> None:
        """Try several proposals of one model on top of the same incumbent."""
        begun: list[int] = []
        for place in range(width):
            workspace = self.campaign.workspace()
            try:
                changes, reason, _ = self._propose(workspace, place)
            except Over:
                if not begun:
                    raise
                break
            idea = self._hypothesis(workspace, changes, reason)
            write(workspace, changes)
            if (started := self._begun(idea, wave=True)) is not None:
                begun.append(started)
        for experiment in begun:
            self.campaign.wait(experiment)
        for experiment in begun:
            self._decide(experiment)

    def _pending(self, workspace: Workspace) -> tuple[int, tuple[Change, ...]] | None:
        """Return this campaign's newest idea that was never run, if it still fits the commit."""
        for idea in read.open_ideas(self.book, workspace.leaf_name, workspace.place.campaign, 1):
            changes = parse(idea["claim"])
            old = {change.name: change.old for change in changes}
            committed = self._committed(workspace, old)
            if changes and committed == old:
                return idea["id"], changes
        return None

    def _committed(self, workspace: Workspace, names: Any) -> dict[str, Any]:
        """Return constants as the commit has them."""
        found: dict[str, Any] = {}
        specs = [f"{workspace.place.head}:{path}" for path in workspace.mutable_paths]
        for text in repo.blobs(workspace.place.top, specs).values():
            known = knobs.constants(text) if text is not None else {}
            found |= {name: known[name].value for name in names if name in known}
        return found

    def _propose(
        self, workspace: Workspace, place: int = 0
    ) -> tuple[tuple[Change, ...], str, list[int]]:
        """Return the first proposal whose contents have not run in this scope.

        `place` is its place in a wave. Last come the experiments that it puts together, if it does.
        """
        turned, now = turnable(workspace), current(workspace)
        done = campaigns.counted(self.book, self.campaign.name, workspace.leaf_name)
        seed, parts = f"{self.campaign.name}/{done}", list[int]()
        seed += f"/{place}" if place else ""
        sampler = sampling.Sampling(workspace, self.book, self.history, turned, now, seed)
        if workspace.leaf.sampler == "model":
            found = sampler.by_model()
        else:
            move = self.campaign.move(self.campaign.counted)
            parts = self._bagged(workspace, self.history.read(workspace, self.book, turned))
            found = sampler.knob_by_knob(move, parts)
        for one in found:
            if self._is_new(workspace, one.changes):
                return one.changes, one.reason, parts if one.several else []
        raise Over(Ending("stagnation", "every value of every knob was tried"))

    def _is_new(self, workspace: Workspace, changes: tuple[Change, ...]) -> bool:
        """Return whether no experiment of this scope ran these contents; leaves the files alone."""
        blobs = {}
        for path in workspace.mutable_paths:
            file = workspace.place.top / path
            if file.is_file():
                data, known = (
                    file.read_bytes(),
                    plain_constants(file) if path.endswith(".py") else {},
                )
                here = {change.name: change.new for change in changes if change.name in known}
                blobs[path] = repo.blob_of(
                    workspace.place.top, path, knobs.write(data, here, path) if here else data
                )
        contents = repo.contents_id(blobs)
        failed = contents in self.refused or attempts.has_contents(self.book, contents)
        return not failed and campaigns.has_contents(self.book, contents, workspace.scope) is None

    def _bagged(self, workspace: Workspace, tried: Sequence[PastTrial]) -> list[int]:
        """Return the near misses on this incumbent that are to be tried together now."""
        incumbent = find_incumbent(workspace, self.book)
        bag = ledger.bag(self.book, incumbent["experiment"]) if incumbent else []
        turned = {one.experiment: [change.name for change in one.changes] for one in tried}
        places = {n: turned[n] for n in (row["experiment"] for row in bag) if n in turned}
        return together(places, policy_of(workspace.leaf.judge).bag)

    def _hypothesis(self, workspace: Workspace, changes: tuple[Change, ...], reason: str) -> int:
        """Write down what is tried and why it should work."""
        whys = [f"{change.name}: {workspace.leaf.knobs[change.name].why}" for change in changes]
        return record.hypothesis(
            self.book,
            leaf=workspace.leaf_name,
            claim=", ".join(map(str, changes)),
            mechanism=f"{'; '.join(whys)} ({reason})",
            axis="+".join(change.name.lower() for change in changes),
            campaign=workspace.place.campaign,
        )

    def _run(self, hypothesis: int) -> None:
        """Run an idea whose edit is in the file, to its verdict."""
        if (started := self._begun(hypothesis)) is not None:
            self._decide(started)

    def _begun(self, hypothesis: int, *, wave: bool = False) -> int | None:
        """Start an idea whose edit is in the file; None where it is let go."""
        idea = self.book.need(f"h{hypothesis}", "h")
        workspace = self.campaign.workspace()
        try:
            started = Trial(workspace, self.book, None, wave=wave).hypothesis(idea, again=False)
        except (DryRunFailed, RanBefore) as refusal:
            self._let_go(workspace, hypothesis, refusal)
            return None
        self.in_a_row = 0
        self.campaign.progress.say(f"e{started.experiment} {idea['claim']}: {idea['mechanism']}")
        return started.experiment

    def _let_go(self, workspace: Workspace, hypothesis: int, refusal: Refused) -> None:
        """Drop an idea that cannot be run, or that a knob which nothing reads makes no idea."""
        top, paths = workspace.place.top, workspace.mutable_paths
        self.refused.add(repo.contents_id(repo.worktree_blobs(top, paths)))
        record.drop(self.book, hypothesis, refusal.message)
        self.campaign.progress.say(f"h{hypothesis} dropped: {refusal.message}")
        repo.restore(top, str(workspace.place.head), paths)
        self.in_a_row += 1
        if self.in_a_row >= MOST_REFUSED:
            raise Over(Ending("stagnation", f"{self.in_a_row} proposals refused in a row"))

    # -- The verdict ----------------------------------------------------------------------

    def _decide(self, experiment: int) -> None:
        """Replicate while the harness asks for it, then give the verdict it suggests."""
        for _ in range(LOOKS):
            found = self.campaign.wait(experiment)
            if found["status"] == "failed":
                return self._failed(experiment, found)
            if found["status"] == PRUNED:
                words = f"{self._claim(found)} is no better: {found['why']}"
                return self._give(experiment, "discard", words, found)
            if found["next"].kind != "replicate":
                break
            self._replicate(found["next"])
        suggested = found["suggest"] if found["suggest"] in ("keep", "discard") else "discard"
        return self._give(experiment, suggested, self._revision(found, suggested), found)

    def _replicate(self, action: Action) -> None:
        """Add runs to the candidate or the incumbent."""
        row = self.book.need(f"e{action.experiment}", "e")
        campaign, leaf = self.campaign, row["leaf"]
        workspace = Workspace(
            campaign.folder, leaf=leaf, profile=row["profile"], runner=campaign.runner
        )
        started = Trial(workspace, self.book, action.seeds).again(row)
        self.campaign.wait(started.experiment)

    def _failed(self, experiment: int, found: Standing) -> None:
        """Run it again when the idea is not to blame; else the crash is the verdict."""
        if found["failure"] in SAYS_NOTHING or found["failure"] is None:
            if campaigns.jobs(self.book, experiment) >= TRIES:
                last = found["detail"].get("last", "")
                raise Failed(
                    f"e{experiment} failed {TRIES} times and the idea is not to blame: "
                    f"{found['failure']} {last}".strip(),
                    "See what is wrong: lab doctor; then type the same command again.",
                )
            return self._once_more(self.book.need(f"e{experiment}", "e")["hypothesis"])
        why = found["detail"].get("last") or found["failure"]
        words = f"{self._claim(found)}: {found['failure']}, {why}"
        return self._give(experiment, "crash", words, found)

    def _once_more(self, hypothesis: int) -> None:
        """Run an idea again whose run said nothing about it."""
        workspace = self.campaign.workspace()
        assert workspace.place.head is not None
        repo.restore(workspace.place.top, workspace.place.head, workspace.mutable_paths)
        write(workspace, parse(self.book.need(f"h{hypothesis}", "h")["claim"]))
        self._run(hypothesis)

    def _give(self, experiment: int, verdict: str, revision: str, found: Standing) -> None:
        row = self.book.need(f"e{experiment}", "e")
        asked = verdicts.Asked(verdict=verdict, theory_revision=revision)
        verdicts.give(self.campaign.workspace(), self.book, row, asked)
        done, of = self.campaign.counted, self.campaign.limits.experiments
        count = f" ({done} of {of})" if of else f" ({done})"
        self.campaign.progress.say(f"e{experiment} {verdict}: {verdict_words(found)}{count}")

    def _claim(self, found: Standing) -> str:
        assert found["hypothesis"] is not None  # no baseline comes here
        return str(self.book.need(found["hypothesis"], "h")["claim"])

    def _revision(self, found: Standing, verdict: str) -> str:
        """Return what the numbers say about the knob."""
        claim = self._claim(found)
        figures = verdict_words(found)
        if found["constraints"]["broken"]:
            return f"{claim} breaks {', '.join(found['constraints']['broken'])}: {figures}"
        if verdict == "keep":
            return f"{claim} is better so far: {figures}"
        known = {"worse": "is no better", "same": "changes nothing"}.get(found["reason"] or "")
        return f"{claim} {known}: {figures}" if known else f"not settled: {claim}, {figures}"

    def _note_lesson(self) -> None:
        """Leave a lesson on the newest experiment when it was kept and none cites it yet."""
        row = campaigns.newest(self.book, self.campaign.name)
        if row is None or row["verdict"] != "keep" or campaigns.is_cited(self.book, row["id"]):
            return
        revision = ideas.lesson_of(self.book, row["id"])
        if revision is None:
            return
        evidence = [row["id"], *([row["incumbent"]] if row["incumbent"] else [])]
        record.lesson(self.book, leaf=row["leaf"], words=revision, evidence=evidence)
