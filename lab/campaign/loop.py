"""The campaign loop: its worktree, how far it is, its audits, and how it ends."""

import contextlib
import math
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import Any, Protocol

from .. import repo
from ..documents.campaigns import Summary
from ..documents.experiments import Standing
from ..errors import Failed, LabError, NotYet, Refused, TooDear
from ..experiment.audit import Auditor
from ..experiment.audit import as_text as audit_text
from ..judge import Policy, stagnation
from ..notebook import Notebook, campaigns, ideas, ledger, lookup, measurements, read, runs
from ..notebook.replicates import SAYS_NOTHING
from ..repo import checkout_lock
from ..run import waiting
from ..run.assessment import BASELINE_SEEDS, policy_of
from ..run.watch import Watch
from ..system import locks, notify, processes
from ..text import num, plural, span
from ..workspace import Workspace, worktrees
from ..workspace.incumbent import find_incumbent
from . import lock
from .limits import Ending, Limits, Over
from .progress import Progress

SLICE_S = 0.5  # between two looks at the limits while a run is under way
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Agent(Protocol):
    """What a campaign asks of the tuner and of a coding agent's driver.

    Who `paces_itself` says by itself when nothing is worth another run; else the campaign counts
    experiments without a keep.
    """

    paces_itself: bool

    def pick_up(self) -> None:
        """Finish what an earlier command left half done."""

    def step(self) -> None:
        """Do one round: an experiment of the tuner, a session of a coding agent."""


class Campaign:
    """A worktree with somebody at work in it, and everything that says how far it is."""

    def __init__(
        self,
        workspace: Workspace,
        book: Notebook,
        name: str,
        agent: str,
        limits: Limits,
        progress: Progress,
    ) -> None:
        self.book, self.limits, self.progress, self.agent = book, limits, progress, agent
        self.leaf, self.home = workspace.leaf_name, workspace.place.home
        self.name, self.short = f"{workspace.leaf_name}/{name}", name
        self.profile, self.runner = workspace.profile, workspace.runner  # to the end, both
        self.main = workspace
        self.started = time.monotonic()
        self.stop_asked = self.paces_itself = False
        self.best = ""  # the incumbent in words; renewed at each round

    # -- The worktree, the lock, the signals ----------------------------------------

    def open(self) -> None:
        """Make the worktree if it is not there; whatever a killed command made of it is used."""
        self.folder = self._worktree()
        row = lookup.campaign(self.book, self.name)
        assert row is not None
        self.id, self.book.who = int(row["id"]), self.name

    def _worktree(self) -> Path:
        row = lookup.campaign(self.book, self.name)
        if row is not None:
            with checkout_lock.locked(self.home, self.name):
                return worktrees.find_again(self.main.place, row) / self.leaf_path
        return worktrees.make(self.main, self.book, self.short, None, agent=self.agent)

    @property
    def leaf_path(self) -> str:
        """The leaf's folder, from the top of a checkout."""
        return self.main.leaf.folder.relative_to(self.main.place.top).as_posix()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the campaign's lock; Refused while another process does."""
        busy = Refused(
            f"the campaign {self.name} is at work already.",
            f"Choose another name: --name {self.short}-2; or stop it: lab stop {self.name}",
        )
        with locks.alone(lock.lock_path(self.home, self.name), busy) as fd:
            self.lock_fd, self.since = fd, self.book.stamp()
            self.note_waiting(None)
            with self._signals():
                yield

    def note_waiting(self, until: datetime | None) -> None:
        """Leave in the lock who holds it, and until when it waits, for `lab status` to see."""
        me = processes.start_id(os.getpid())
        waiting_until = until and f"{until.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        said = {"process": me, "agent": self.agent, "since": self.since}
        locks.write_record(self.lock_fd, {**said, "waiting_until": waiting_until})

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Turn Ctrl-C, SIGTERM and a closed terminal into a request seen at the next look."""

        def ask(*_: object) -> None:
            if self.stop_asked:
                raise KeyboardInterrupt
            self.stop_asked = True

        before = {one: signal.signal(one, ask) for one in SIGNALS}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    # -- How far it is ---------------------------------------------------------------

    def workspace(self) -> Workspace:
        """Return a fresh workspace in the worktree: branch and files move with every step."""
        return Workspace(self.folder, leaf=self.leaf, profile=self.profile, runner=self.runner)

    @property
    def counted(self) -> int:
        """How many experiments this loop has judged."""
        return campaigns.counted(self.book, self.name, self.leaf) - self.start.counted

    def over(self) -> Ending | None:
        """Return why the loop is over, or None."""
        limits, done = self.limits, self.counted
        if self.stop_asked:
            return Ending("stopped", "stopped on request")
        if limits.experiments is not None and done >= limits.experiments:
            return Ending("limit", plural(limits.experiments, "experiment"))
        reserved = self.reserved_runs()
        passed = time.monotonic() - self.started + (reserved and reserved * self.run_s())
        if limits.hours is not None and passed >= limits.hours * 3600:
            return Ending("limit", f"{limits.hours:g} hour{'s' * (limits.hours != 1)}")
        if limits.max_cost is not None:
            spent = self.spent_usd()
            another = self.run_usd() * (1 + reserved)
            if spent >= limits.max_cost - another:
                words = f"{spent:.2f} of {limits.max_cost:g} US dollars are spent"
                more = f"; another run could cost {another:.2f}" if another else ""
                return Ending("limit", words + more)
        return self._reached() or (None if self.paces_itself else self._stuck(done))

    def spent_usd(self) -> float:
        """Return what this loop has spent so far."""
        return campaigns.cost(self.book, self.name, self.start.at)

    def usd_left(self) -> float | None:
        """Return what may still be spent; None without a limit."""
        most = self.limits.max_cost
        return None if most is None else max(0.0, most - self.spent_usd())

    def run_usd(self) -> float:
        """Return about how much one run could cost, its limits run out; nothing on this machine."""
        if self.runner == "local":
            return 0.0
        from ..runner import rates

        return rates.cost(self.home, self.runner.partition(":")[2], self.main.settings.limit_s)

    def run_s(self) -> float:
        """Return how long a run takes: the median of the newest, or what the profile allows."""
        settings = self.main.settings
        known = runs.median_seconds(self.book, self.leaf, settings.profile)
        return known or settings.budget_s + settings.startup_s / 2

    def affordable(self) -> None:
        """Refuse a campaign whose limit does not even allow a baseline."""
        most, three = self.limits.max_cost, 3 * self.run_usd()
        if most is not None and three > most:
            raise Refused(
                f"3 baseline runs on {self.runner} could cost ${three:.2f}, above ${most:.2f}.",
                f"Allow more, --max-cost {7 * three:.2f} for some 20 runs; or rent less: modal:T4",
            )

    def note_best(self) -> None:
        """Remember the incumbent in words, for those who watch."""
        incumbent = find_incumbent(self.workspace(), self.book)
        if incumbent is not None:
            self.best = f"{num(incumbent['value'])} (e{incumbent['experiment']})"

    def _reached(self) -> Ending | None:
        if self.limits.target is None:
            return None
        incumbent = find_incumbent(self.workspace(), self.book)
        if incumbent is None:
            return None
        noise = measurements.noise(self.book, incumbent["scope"])
        stands = ledger.of(self.book, incumbent["experiment"], noise, self.policy)
        value, target = stands.level, self.limits.target  # the level: luck reaches many a target
        if value is None:
            return None
        better = value <= target if self.main.leaf.direction == "minimize" else value >= target
        if not better:
            return None
        return Ending("target", f"e{incumbent['experiment']} reached {num(value)}")

    def _stuck(self, done: int) -> Ending | None:
        move = self.move(done)
        return Ending("stagnation", move.text) if move and move.kind == "stop" else None

    def move(self, done: int) -> stagnation.Move | None:
        """Return the move that is due, judged by what this loop itself has done."""
        since = min(read.since_keep(self.book, self.leaf, self.name), done)
        near = read.near_misses(self.book, self.leaf, 5)
        kept = read.kept(self.book, self.leaf, 5)
        return stagnation.propose(
            since,
            axes=read.axes(self.book, self.leaf),
            near_misses=[f"e{row['experiment']}" for row in near],
            kept=[f"e{row['experiment']}" for row in kept],
            knobs=list(self.main.leaf.knobs),
        )

    def tell(self, line: str) -> None:
        """Tell the person, by --notify; a notification that fails is told here."""
        if why := notify.tell(line):
            self.progress.say(f"--notify failed: {why}")

    # -- Audits ----------------------------------------------------------------------

    @property
    def policy(self) -> Policy:
        """The leaf's thresholds of judging."""
        return policy_of(self.main.leaf.judge)

    def auditor(self) -> Auditor:
        """Return who audits this branch, as it stands now."""
        return Auditor(self.workspace(), self.book, self.wait)

    def audits_itself(self) -> bool:
        """Return whether this loop audits what it kept: where enough runs can be expected."""
        return self.limits.audit or self.expected_runs() >= self.policy.audit_least

    def expected_runs(self) -> float:
        """Return how many runs the limits allow; infinitely many without one."""
        limits, known = self.limits, [math.inf]
        if limits.experiments is not None:
            known.append(limits.experiments + BASELINE_SEEDS)
        if limits.hours is not None:
            known.append(limits.hours * 3600 / self.run_s())
        if limits.max_cost is not None and self.run_usd():
            known.append(limits.max_cost / self.run_usd())
        return min(known)

    def reserved_runs(self) -> int:
        """Return how many runs are put aside for the last audit, where one is due at the end."""
        if not self.audits_itself() or self.auditor().sides() is None:
            return 0
        return 2 * self.policy.audit_runs

    def audit(self) -> None:
        """Audit what is provisional, if anything is; what forbids it is only said."""
        auditor = self.auditor()
        if auditor.sides() is None:
            return
        try:
            found = auditor.run()
        except (Refused, NotYet, Failed) as error:
            return self.progress.say(f"no audit: {error.message}")
        for line in audit_text(found).splitlines():
            self.progress.say(line)
        self.tell(audit_text(found).splitlines()[0])
        self.note_best()

    # -- Waiting ---------------------------------------------------------------------

    def wait(self, experiment: int) -> Standing:
        """Wait for an experiment, showing how it goes; Over when told to stop meanwhile."""
        settings = self.main.leaf.settings(self.main.profile)
        watch = Watch(self.book, self.home, experiment, settings.budget_s)
        place = self.main.place
        while True:
            key, words = watch.look()
            self.progress.show(key, words + self.so_far())
            if waiting.until_done(self.book, place, experiment, SLICE_S):
                break
            if self.stop_asked:
                self.stop_run(experiment)
                raise Over(Ending("stopped", "stopped on request"))
        return waiting.outcome(self.book, self.home, experiment)

    def stop_run(self, experiment: int) -> None:
        """End the run in flight: whoever stops a campaign wants the device back."""
        job = lookup.open_job(self.book, experiment)
        if job is not None:
            waiting.stop(self.home, experiment, job["id"])
            waiting.until_done(self.book, self.main.place, experiment, waiting.PATIENCE_S)

    def so_far(self) -> str:
        """Return how far the loop is, in words."""
        done = self.counted
        of = f" of {self.limits.experiments}" if self.limits.experiments else ""
        best = f", best so far {self.best}" if self.best else ""
        return f" ({done}{of} judged{best})"

    def in_flight(self) -> list[int]:
        """Return the campaign's experiments that a supervisor owns now."""
        return [
            row["experiment"] for row in read.in_flight(self.book) if row["campaign"] == self.name
        ]

    # -- The loop --------------------------------------------------------------------

    def run(self, agent: Agent) -> Ending:
        """Go round until a limit, the target, stagnation, or somebody says stop."""
        self.paces_itself = agent.paces_itself
        asked = {"agent": self.agent, **asdict(self.limits)}
        self.start = campaigns.begin(self.book, self.name, self.leaf, asked)
        try:
            ending = self._rounds(agent)
        except Over as over:
            ending = over.ending
        except TooDear as error:
            ending = Ending("limit", error.message.removesuffix("."))
        except (LabError, repo.GitFailed) as error:
            words, hint = _explained(error)
            campaigns.cut(self.book, self.name, words)
            self.tell(f"{self.name}: stopped ({words})")
            raise Failed(words, hint) from None
        note = campaigns.cut if ending.how == "stopped" else campaigns.ended
        note(self.book, self.name, f"{ending.how}: {ending.why}")
        self.tell(f"{self.name}: {ending.how} ({ending.why}); at {self.best or 'no baseline'}")
        return ending

    def _rounds(self, agent: Agent) -> Ending:
        while True:
            agent.pick_up()
            self.note_best()
            ending = self.over()
            if ending is not None and ending.how != "stopped" and self.audits_itself():
                self.audit()
            if ending is not None and not (ending.how == "target" and self._reached() is None):
                return ending
            if self.audits_itself() and self.auditor().is_due():
                self.audit()
            kept = lookup.done_by(self.book, self.name, self.leaf)[1]
            agent.step()
            now = lookup.done_by(self.book, self.name, self.leaf)[1]
            if now > kept:
                self.note_best()
                self.tell(f"{self.name}: kept {now - kept}; now at {self.best}")

    def summary(self, ending: Ending) -> Summary:
        """Return what the loop did and what was learned, as JSON."""
        done = [
            row
            for row in read.judged(self.book, self.leaf, self.name)
            if not (row["verdict"] == "crash" and row["failure"] in SAYS_NOTHING)
        ]
        mine = done[len(done) - self.counted :] if self.counted else []
        kept = [row for row in mine if row["verdict"] == "keep"]
        incumbent = find_incumbent(self.workspace(), self.book)
        return {
            "campaign": self.name,
            "ending": ending.how,
            "why": ending.why,
            "experiments": len(mine),
            "kept": [f"e{row['experiment']}" for row in kept],
            "discarded": sum(row["verdict"] == "discard" for row in mine),
            "crashed": sum(row["verdict"] == "crash" for row in mine),
            "metric": self.main.leaf.metric,
            "incumbent": f"e{incumbent['experiment']}" if incumbent else None,
            "value": incumbent["value"] if incumbent else None,
            "seconds": round(time.monotonic() - self.started, 1),
            "cost_usd": campaigns.cost(self.book, self.name, self.start.at) or None,
            "learned": [self._learned(row) for row in mine],
            "next": f"lab audit {quote(self.name)}" if self.auditor().sides() else None,
        }

    def _learned(self, row: Any) -> str:
        lesson = ideas.lesson_of(self.book, row["experiment"])
        return f"e{row['experiment']} {row['verdict']}: {lesson or row['claim']}"


def _explained(error: LabError | repo.GitFailed) -> tuple[str, str]:
    """Return what is wrong and what to type."""
    if isinstance(error, LabError):
        return error.message, error.hint
    return f"git: {error.first}", "Look with: git status; then type the same command again."


def as_text(found: Summary) -> str:
    """Return the summary for a person."""
    lines = [
        f"{found['campaign']}: {found['ending']} ({found['why']}) after {span(found['seconds'])}: "
        f"{plural(found['experiments'], 'experiment')}, {len(found['kept'])} kept, "
        f"{found['discarded']} discarded, {found['crashed']} crashed",
    ]
    if found["value"] is not None:
        lines.append(f"stands at {found['incumbent']}: {found['metric']} {num(found['value'])}")
    if found["next"]:
        lines.append(f"provisional by now; to see whether it holds: {found['next']}")
    if found["learned"]:
        lines += ["learned:", *(f"  {line}" for line in found["learned"])]
    return "\n".join(lines)


def verdict_words(found: Standing) -> str:
    """Return a judged experiment's figures in one clause."""
    if found["gain"] is None:
        return f"{found['failure'] or found['status']}"
    se = "-" if found["se"] is None else f"{found['se']:.2g}"
    likely = "-" if found["p_better"] is None else f"{found['p_better']:.3f}"
    runs = plural(sum(run["counts"] for run in found["runs"]), "run")
    return f"gain {num(found['gain'], sign=True)} ± {se}, P(better) {likely} over {runs}"
