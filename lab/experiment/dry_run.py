"""Dry run: an edit is run for a few steps before it gets a number, a commit or a device.

In the leaf's smoke profile, say, on a CPU, confined like any run and from exports like any run, but
in no queue: what cannot even start costs seconds, and takes no device from a measured run.
"""

import contextlib
import json
import os
import shutil
import sqlite3
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from shared import summary

from .. import leaf as leaves
from .. import repo
from ..errors import DryRunFailed, LabError
from ..leaf import kit
from ..leaf.model import DryRun, Leaf, Settings
from ..notebook import Notebook, attempts
from ..notebook.lookup import Key
from ..run import failures, seeding
from ..run.confinement import Confinement
from ..run.exports import exports, remove
from ..run.order import JobContext
from ..run.spawn import own_in_export
from ..run.stages import NotPrepared, Stages
from ..runner import Outcome, Plan, Stopped
from ..runner.local import Local
from ..slots import WITHOUT_GPU
from ..system import left, processes
from ..system.home import Home
from ..text import num, shorten, span
from ..workspace import Workspace

Say = Callable[[str], None]
# What an edit is not let through with. Diverged, or ended from outside, is for the run to say.
STOPS = ("bug", "oom", "no_metric", "tampered", "timeout", "constraint")
# Above this share of a run's budget a dry run costs more than the crashes that it finds: few edits
# crash, most of them in the first seconds. Below some seconds the ticket alone is worth it.
SHARE, NOBODY_MINDS_S = 0.3, 5.0
NEWEST = 3  # dry runs that must all have taken so long
LOG_CHARS = 4000  # of its output that the notebook keeps: a traceback, and what came before
LINE = 200  # characters of an error's last line in a refusal


@dataclass(frozen=True)
class Found:
    """What a dry run came to: why it failed, if it did, and what it printed."""

    failure: failures.Failure | None
    log: str
    seconds: float
    metrics: Mapping[str, float] = field(default_factory=dict)
    note: str = ""  # what nothing was found out of, and why


def check(
    workspace: Workspace, book: Notebook, idea: sqlite3.Row, ids: tuple[Key, str], say: Say
) -> None:
    """Refuse an edit that does not run; record that as an attempt of its hypothesis."""
    dry = workspace.leaf.dry_run
    if dry is None or workspace.is_rented or attempts.is_known_good(book, ids[0]):
        return
    if _costs_too_much(workspace, dry):
        return
    try:
        found = DryTrial(workspace, book, dry).run()
    except (NotPrepared, LabError, OSError, repo.GitFailed) as error:
        words = error.message if isinstance(error, LabError) else str(error)
        say(f"note: no dry run: {shorten(words, LINE)}")  # the run will say what that means
        return
    if found.note:
        say(f"note: {shorten(found.note, LINE)}")
    if found.failure is None or found.failure.kind not in STOPS:
        if found.seconds > NOBODY_MINDS_S:
            say(f"note: the dry run took {span(found.seconds)} of this (--no-dry-run goes without)")
        return
    attempts.add(
        book,
        idea,
        workspace.place.campaign,
        workspace.place.head,
        ids,
        found.failure,
        log=found.log,
        profile=dry.profile,
        seconds=found.seconds,
    )
    raise _refusal(f"h{idea['id']}", dry, found.failure)


def _costs_too_much(workspace: Workspace, dry: DryRun) -> bool:
    """Return whether the run itself tells a crash about as soon as the newest dry runs would.

    A program that became slower counts as what it is now, and one busy moment as none.
    """
    took = _seconds(_lasted(workspace, dry))
    worth = max(NOBODY_MINDS_S, workspace.settings.budget_s * SHARE)
    return len(took) == NEWEST and min(took) > worth


def _seconds(path: Path) -> list[float]:
    """Return how long the newest dry runs that passed took."""
    try:
        return [float(line) for line in path.read_text().splitlines()][-NEWEST:]
    except (OSError, ValueError):
        return []


def _lasted(workspace: Workspace, dry: DryRun) -> Path:
    """Return where the seconds of the newest dry runs of a leaf stand, one a line."""
    leaf = workspace.leaf
    key = leaves.cache_key(leaf, leaf.settings(dry.profile))
    cache = workspace.place.home.cache(leaf.name, dry.profile, key)
    return cache.with_name(f"{cache.name}.dry_s")


def _refusal(idea: str, dry: DryRun, failure: failures.Failure) -> DryRunFailed:
    """Return what is wrong in one line, and what to type in another."""
    at = f" at {failure.place}" if failure.place else ""
    last = shorten(failure.last, LINE)
    if failure.kind == "timeout":
        return DryRunFailed(
            f"the dry run of {idea} did not end within {dry.timeout_s:g} s: {last}",
            f"Mend what hangs: lab run {idea}; or it is only slow: lab run {idea} --no-dry-run",
        )
    return DryRunFailed(
        f"the dry run of {idea} failed ({failure.kind}){at}: {last}",
        f"Mend it, your edit stays: lab run {idea}; run it all the same: --no-dry-run",
    )


class DryTrial:
    """One dry run of the files as they are."""

    def __init__(self, workspace: Workspace, book: Notebook, dry: DryRun) -> None:
        self.workspace, self.dry, self.home = workspace, dry, workspace.place.home
        self.name = f"dry-{os.getpid()}-{uuid.uuid4().hex}"
        place = workspace.place
        told = {"id": self.name, "leaf": workspace.leaf_name, "profile": dry.profile}
        told["campaign"] = place.campaign or ""
        row = cast(sqlite3.Row, told)
        beside = () if place.top == place.main else (place.top,)
        self.order = JobContext(book, self.home, place.main, beside, row, row, _Nobody())

    def run(self) -> Found:
        """Train and evaluate, each for as long as it may take; nothing of it is left."""
        began = time.monotonic()
        _sweep(self.home)
        folder = self.home.exports(self.name)
        try:
            return replace(self._run(folder), seconds=time.monotonic() - began)
        finally:
            remove(folder)

    def _run(self, folder: Path) -> Found:
        place = self.workspace.place
        made = exports(self.order.source, str(place.head), self.home, self.name, self.order.beside)
        for root in made:
            self._overlay(root)
        leaf = leaves.read(made[0], self.workspace.leaf_name)
        settings = leaf.settings(self.dry.profile)
        for root in made:
            kit.lay(leaf, settings, root)
        python = leaves.interpreter(settings, self.order.source, os.environ)
        leaves.check_requires(settings, python)
        key = leaves.cache_key(leaf, settings)
        cache = self.home.cache(leaf.name, settings.profile, key)
        plan = self._plan(leaf, settings, python, made[0])
        stages = self._stages(plan, made, folder / "run", cache)
        stages.prepare()
        prepared = time.monotonic()
        found = self._held(_Reading(stages, settings).both(), self.dry.constraints)
        asked = leaf.settings(self.workspace.profile)
        if found.failure is None and self.dry.estimate and asked.needs == "gpu":
            told = {**plan.said, **asked.environ}
            plan = replace(plan, train=list(self.dry.estimate), said=told)
            stages = self._stages(plan, made, folder / "estimate", cache)
            found = _Reading(stages, asked).estimated()
            found = self._held(found, [*found.metrics])
        if found.failure is None:
            self._note(time.monotonic() - prepared)
        return found

    def _stages(self, plan: Plan, made: tuple[Path, Path], run_dir: Path, cache: Path) -> Stages:
        """Return confined commands that have a folder of their own, and no device."""
        run_dir.mkdir()
        stages = Stages(plan, made, run_dir, cache, Local(), lambda: False)
        settings = self.workspace.leaf.settings(self.dry.profile)
        confinement = Confinement(self.order, settings, made, plan.python)
        stages.environ = confinement.environ()
        stages.device = WITHOUT_GPU.env
        confinement.apply(stages, WITHOUT_GPU)
        return stages

    def _held(self, found: Found, metrics: Sequence[str]) -> Found:
        """Return the same, a failure where one of these breaks a constraint of the real run."""
        if found.failure is not None:
            return found
        rules = self.workspace.settings.constraints
        broken = [
            f"{rule.text} does not hold: {num(found.metrics[rule.metric])}"
            for rule in rules
            if rule.metric in metrics and rule.holds(found.metrics) is False
        ]
        if not broken:
            return found
        says = "Not within its limits: no training changes that."
        return replace(found, failure=failures.Failure("constraint", "", broken[0], says, ""))

    def _note(self, seconds: float) -> None:
        """Remember how long one took that passed."""
        path = _lasted(self.workspace, self.dry)
        newest = [*_seconds(path), seconds][-NEWEST:]
        with contextlib.suppress(OSError):  # a full disk is for the run to tell
            path.write_text("".join(f"{one:.3f}\n" for one in newest))

    def _overlay(self, root: Path) -> None:
        """Put the mutable files of the worktree into an export of HEAD."""
        for path in self.workspace.mutable_paths:
            file, to = self.workspace.place.top / path, root / path
            to.unlink(missing_ok=True)
            if file.is_file():
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, to)

    def _plan(self, leaf: Leaf, settings: Settings, python: str, export: Path) -> Plan:
        """Return the plan of a run, of few steps and with limits of its own."""
        said = {**settings.environ, "LAB_SEED": "0", "LAB_EXPERIMENT": "e0"}
        if self.dry.steps is not None:
            data = {**settings.data, "steps": self.dry.steps}
            said["LAB_DATA"] = json.dumps(data, default=str)
        return Plan(
            folder=leaf.prefix.rstrip("/"),
            prepare=settings.prepare,
            train=seeding.told(self.dry.command or settings.command, 0),
            evaluate=settings.evaluate,
            serve=settings.serve,
            sealed=settings.sealed,
            allowed=[f"{leaf.prefix}{name}" for name in settings.mutable],
            timeout_s=self.dry.timeout_s,
            eval_timeout_s=self.dry.timeout_s,
            said=said,
            paths=own_in_export(export, (self.order.source, *self.order.beside)),
            python=python,
        )


@dataclass(frozen=True)
class _Reading:
    """What the two commands of a dry run say."""

    stages: Stages
    settings: Settings

    def both(self) -> Found:
        """Train; where that gave anything, evaluate. The number is nobody's."""
        try:
            trained = self.stages.train()
            found = self._read(trained, "run.log", tampered=self.stages.tampered())
            self.stages.data.trim()
            if found.failure is not None:
                return found
            judged = self.stages.evaluate()
        except Stopped:
            return Found(None, "", 0.0)
        told = summary.parse(judged.tail, self.settings.metric)
        found = self._read(judged, "evaluate.log", printed=self.settings.metric in told)
        claimed = summary.parse(trained.tail, self.settings.metric)
        return replace(found, metrics={**claimed, **told})

    def estimated(self) -> Found:
        """Read what the estimate prints; where it fails, nothing is known beforehand."""
        try:
            found = self.stages.train()
        except Stopped:
            return Found(None, "", 0.0)
        failure = self._read(found, "run.log").failure
        if failure is None:
            return Found(None, "", 0.0, summary.parse(found.tail))
        if failure.kind == "oom":  # it says so itself
            return Found(failure, found.tail, 0.0)
        return Found(None, "", 0.0, note=f"no estimate of what it needs: {failure.last}")

    def _read(
        self, outcome: Outcome, log: str, *, printed: bool = True, tampered: Sequence[str] = ()
    ) -> Found:
        text = left.text(self.stages.dir / log) if outcome.log is None else outcome.log
        folders = [root / self.stages.plan.folder for root in self.stages.exports]
        failure = failures.classify(
            outcome,
            text,
            metrics_ok=printed,
            metric=self.settings.metric,
            tampered=tampered,
            folders=folders,
        )
        return Found(failure, text[-LOG_CHARS:], 0.0)


class _Nobody:
    """Who could ask for the end of a dry run: whoever ends the command ends it."""

    def stop(self) -> bool:
        return False

    def stopped_by(self) -> str:
        return ""


def _sweep(home: Home) -> None:
    """Remove what dry runs left whose command was killed."""
    for folder in home.exported():
        words = folder.name.split("-")
        is_ours = words[0] == "dry" and len(words) == 3 and words[1].isdigit()
        if is_ours and processes.start_id(int(words[1])) is None:
            remove(folder)
