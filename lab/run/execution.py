"""Execution of one experiment with one seed: from its commit's export to its record."""

import contextlib
import dataclasses
import json
import os
import platform
import shlex
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from shared import reference, summary

from .. import leaf as leaves
from .. import repo, slots
from ..errors import LabError
from ..notebook import Notebook, ledger, record, runs
from ..notebook.marks import LOADED
from ..notebook.record import LONGEST_NAME
from ..runner import Outcome, Plan, Stopped
from ..runner.local import Local
from ..system import left, tree_time
from ..system.home import KEEPER_LOG, Home
from . import assessment, failures, machine, queue_status, seeds, shared_memory
from .confinement import Confinement
from .exports import exports
from .failure_hints import hint
from .not_in_git import missed
from .spawn import own_paths
from .stages import NotPrepared, Stages, outcome_from

if TYPE_CHECKING:
    from ..runner import modal


# CPU seconds for one of the CPU clock: the same step took 44 ms in a quiet hour and 142 ms in the
# busiest (docs/benchmarks.md), and training leaves most of `startup_s` unused.
MOST_BUSY = 3.0
OWN_CPU = 1.15  # times the baseline's CPU seconds, by a clock of steps: a quiet machine's luck
EVALUATE = 2.0  # times what the baseline's yardstick took: a larger model may be slower to score
SLACK_S = 1.0  # beside both: importing from a cold disk
NEAR = 0.005  # of a number: what rounding to three digits changes at most


@dataclass(frozen=True)
class JobContext:
    """What a supervisor has in hand for all runs of its job."""

    book: Notebook
    home: Home  # the notebook's folder
    source: Path  # the main checkout, whose git has the commit
    beside: tuple[Path, ...]  # where the run was asked for
    experiment: sqlite3.Row
    job: sqlite3.Row
    asked: "Asked"

    @property
    def stop(self) -> Callable[[], bool]:
        """Whether somebody asked for the end of the job."""
        return self.asked.stop


class Asked(Protocol):
    """Who asks for the end of a job."""

    def stop(self) -> bool:
        """Return whether somebody does."""
        ...

    def stopped_by(self) -> str:
        """Return the campaign that does, "" for anybody else."""
        ...


class Execution:
    """One execution of the experiment with one seed, from export to record."""

    def __init__(self, order: JobContext, run: int, seed: int) -> None:
        self.order, self.book, self.run, self.seed = order, order.book, run, seed
        self.experiment = order.experiment
        self.dir = order.home.run(order.experiment["id"], run)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.log = self.failed_in = self.dir / "run.log"  # and where the words of a failure stand
        self.began = time.monotonic()
        self.facts: dict[str, Any] = {"log": str(self.log), "setup_s": None, "waited_s": None}
        self.worth_retrying = True
        self.exports: tuple[Path, Path] = (Path(), Path())
        self.artefacts: frozenset[str] = frozenset()  # that training left
        self.grown = False  # whether training added files to the prepared data
        self.machine: dict[str, Any] = {}
        self.confinement: Confinement | None = None  # on this machine
        self.printed = ""  # by the newest of its commands
        self.python = ""  # the leaf's interpreter, where it is on this machine

    def perform(self) -> str | None:
        """Do everything and close the record; return the failure's class, or None."""
        try:
            failure, metrics = self._measured()
        except Stopped:
            failure, metrics = self._stopped(), {}
        except (LabError, OSError, repo.GitFailed) as error:
            words = error.message if isinstance(error, LabError) else str(error)
            failure, metrics = _plain_failure("infra", words), {}
        return self._record(self._explained(failure), metrics)

    def _stopped(self) -> failures.Failure:
        """Return what a stop is: a campaign that ends its own training has chosen by it."""
        who, began = self.order.asked.stopped_by(), self.facts["waited_s"] is not None
        if began and who and who == self.experiment["campaign"]:
            said = f"stopped by {who}, whose run it was"
            return failures.Failure(
                "stopped", "", said, failures.SAYS["stopped"], hint("stopped", "", "")
            )
        return _plain_failure("interrupted", "stopped on request")

    # -- The stages ---------------------------------------------------------------

    def _measured(self) -> tuple[failures.Failure | None, dict[str, dict[str, float]]]:
        """Export, prepare, wait for the device, train, look for tampering, evaluate."""
        order = self.order
        commit, job = self.experiment["commit"], order.job["id"]
        self.exports = exports(order.source, commit, order.home, job, order.beside)
        leaf = leaves.read(self.exports[0], self.experiment["leaf"])
        self.settings = leaf.settings(self.experiment["profile"])
        self.folder = leaf.prefix.rstrip("/")
        if self.order.job["runner"].startswith("modal"):
            return self._rented(leaf)
        stages = self._stages(leaf)
        confinement = Confinement(self.order, self.settings, self.exports, self.python)
        self.confinement = confinement
        self.machine |= confinement.method.as_record()
        stages.environ = confinement.environ()
        try:
            stages.prepare()
        except NotPrepared as error:
            self.printed = error.outcome.log or ""
            raise self._not_prepared(str(error), bool(error.outcome.error)) from None
        with contextlib.closing(self._lease(leaf)) as lease:
            stages.device, self.facts["device"] = {**lease.env}, lease.device.name
            self.machine |= machine.record(lease.device)
            confinement.apply(stages, lease.device)
            before = shared_memory.names()
            if self.settings.clock == "cpu":
                self.machine["reference_s"] = self._reference_s(stages)
                stages.device[reference.TOLD] = f"{self.machine['reference_s']:.9f}"
            pressed = tree_time.pressure_us()
            try:
                trained = stages.train()
                self.machine |= machine.load(trained, pressed)
                failure, first = self._trained(trained, stages.tampered())
                if failure is not None:
                    return failure, {"train": first}
                self.grown = bool(stages.data.grown())
                evaluated = stages.evaluate()
                spoiled = stages.spoiled()
            finally:
                if not confinement.method.confines:
                    shared_memory.remove_left(before)
        return self._evaluated(first, evaluated, spoiled)

    def _reference_s(self, stages: Stages) -> float:
        """Return the unit of the CPU clock: one for all runs that share a cache."""
        kept = stages.cache.with_name(f"{stages.cache.name}.reference")
        return machine.reference_s(kept, self.order.stop)

    def _not_prepared(self, last: str, ours: bool) -> OSError:
        """Return what a failed `prepare` is: no word on the idea, and again only if it was us."""
        self.worth_retrying = ours
        return OSError(f"prepare failed: {last} (log: {self.dir / 'prepare.log'})")

    def _rented(
        self, leaf: leaves.Leaf
    ) -> tuple[failures.Failure | None, dict[str, dict[str, float]]]:
        """Do the same in a sandbox; a run that has one already is found again."""
        from ..runner import modal, rates

        device = self.order.job["runner"].partition(":")[2]
        row = runs.row(self.book, self.run)
        key = leaves.cache_key(leaf, self.settings)
        plan = dataclasses.replace(self._plan(leaf), python="", paths=[])
        self.facts["device"] = self.machine["device"] = device or "cpu"
        self.machine["confined"] = "rented"
        if row["remote_id"]:
            sandbox = modal.Sandbox.found(row["remote_id"])
        else:
            with modal.bundle(plan, self.exports, key) as folder:
                order = self._order_for(device)
                sandbox = modal.Sandbox.rent(order, folder, self.order.stop, self.say)
            record.run_started(self.book, self.experiment["id"], self.run, remote_id=sandbox.id)
        began = time.monotonic()
        try:
            sandbox.start(self.say)
            found = sandbox.follow(self.dir, self.order.stop)
            sandbox.fetch(self.dir)
        finally:
            sandbox.end()
            spent = time.monotonic() - began
            self.facts["cost_usd"] = rates.cost(self.order.home, device, spent)
        return self._as_measured(found)

    def _order_for(self, device: str) -> "modal.SandboxSpec":
        from ..runner import modal

        settings = self.settings
        return modal.SandboxSpec(
            gpu=device,
            requires=settings.requires,
            pins=self.exports[0] / "constraints.txt",
            limit_s=settings.limit_s,
            network=settings.network is not False,
        )

    def _as_measured(
        self, found: dict[str, Any]
    ) -> tuple[failures.Failure | None, dict[str, dict[str, float]]]:
        """Read what the sandbox reports as if the stages had run here."""
        if "error" in found:
            raise OSError(found["error"])
        if "not_prepared" in found:
            raise self._not_prepared(found["not_prepared"], found["ours"])
        self.facts["setup_s"] = found["setup_s"]
        failure, claimed = self._trained(outcome_from(found["train"]), found["tampered"])
        if failure is not None or "evaluate" not in found:
            return failure, {"train": claimed}
        return self._evaluated(claimed, outcome_from(found["evaluate"]))

    def say(self, words: str) -> None:
        """Leave a line in the run's log for whoever looks."""
        with (self.dir / KEEPER_LOG).open("a") as log:
            log.write(f"{words}\n")

    def _stages(self, leaf: leaves.Leaf) -> Stages:
        """Return the stages on this machine."""
        key = leaves.cache_key(leaf, self.settings)
        cache = self.order.home.cache(leaf.name, self.settings.profile, key)
        plan = self._plan(leaf)
        self.python = plan.python
        return Stages(plan, self.exports, self.dir, cache, Local(), self.order.stop)

    def _plan(self, leaf: leaves.Leaf) -> Plan:
        settings = self.settings
        python = leaves.interpreter(settings, self.order.source, os.environ)
        for command in (settings.prepare, settings.command, settings.evaluate, settings.serve):
            if command:
                leaves.argv(command, python, leaf.folder)  # refuses what is not there
        return Plan(
            folder=self.folder,
            prepare=settings.prepare,
            train=settings.command,
            evaluate=settings.evaluate,
            serve=settings.serve,
            allowed=[f"{leaf.prefix}{name}" for name in settings.mutable],
            timeout_s=settings.timeout_s,
            eval_timeout_s=settings.eval_timeout_s,
            said={
                **settings.environ,
                "LAB_SEED": str(self.seed),
                "LAB_EXPERIMENT": f"e{self.experiment['id']}",
            },
            paths=[self._from_export(path) for path in own_paths()],
            python=python,
        )

    def _from_export(self, path: str) -> str:
        """Return a folder of PYTHONPATH: relative where it is one of the commit's own."""
        for top in (self.order.source, *self.order.beside):
            if Path(path).is_relative_to(top):
                inner = Path(path).relative_to(top)
                if (self.exports[0] / inner).is_dir():
                    return str(inner)
        return path

    def _lease(self, leaf: leaves.Leaf) -> slots.Lease:
        """Wait in the queue for the device."""
        settings = self.settings
        kind = slots.choose(settings.needs, os.environ, settings.gpu_optional)
        self.facts["setup_s"] = time.monotonic() - self.began
        queued = time.monotonic()
        ticket = queue_status.queue(self.order.home).ticket(
            campaign=self.experiment["campaign"] or "main",
            label=f"e{self.experiment['id']}/{self.seed}",
            kind=kind,
            leaf=leaf.name,
            run_dir=str(self.dir),
            expected_s=runs.typical_seconds(self.book, self.experiment) or 2 * settings.budget_s,
        )
        lease = ticket.wait(self.order.stop)
        if lease is None:
            raise Stopped
        self.facts["waited_s"] = time.monotonic() - queued
        record.run_started(self.book, self.experiment["id"], self.run)
        return lease

    # -- What it means ------------------------------------------------------------

    def _trained(
        self, outcome: Outcome, tampered: Sequence[str]
    ) -> tuple[failures.Failure | None, dict[str, float]]:
        """Return why training gave nothing to evaluate, if so, and what it claims."""
        self.outcome = outcome
        self.artefacts = seeds.artefacts(self.dir)
        self.facts["train_wall_s"] = outcome.seconds
        self.facts["exit_code"] = outcome.exit_code
        failure = self._classify(outcome, self.log, tampered=tampered)
        return failure, summary.parse(outcome.tail, self.settings.metric)

    def _evaluated(
        self, claimed: dict[str, float], outcome: Outcome, tampered: Sequence[str] = ()
    ) -> tuple[failures.Failure | None, dict[str, dict[str, float]]]:
        """Return why there is no number, if so, and the metrics of both blocks."""
        found = summary.parse(outcome.tail, self.settings.metric)
        self.facts["exit_code"] = outcome.exit_code
        self.machine |= {"eval_s": outcome.seconds, "eval_cpu_s": outcome.cpu_s}
        printed = self.settings.metric in found
        log = self.dir / "evaluate.log"
        failure = self._classify(outcome, log, metrics_ok=printed, tampered=tampered)
        if failure is not None:
            self.failed_in = log
        mutable = self.settings.mutable
        if failure is not None and failure.place and failure.place.split(":")[0] not in mutable:
            left = f"See what {mutable[0]} left in {self.dir}: {failure.place} could not use it"
            failure = dataclasses.replace(failure, hint=left)
        return failure, {"train": claimed, "evaluate": found}

    def _explained(self, failure: failures.Failure | None) -> failures.Failure | None:
        """Say of a failure what it lacked, where that lies in the checkout alone."""
        if failure is None or failure.kind not in ("bug", "infra", "no_metric"):
            return failure
        if self.confinement and (told := self.confinement.explained(failure)):
            self.worth_retrying = False
            return told
        if not self.exports[0].name:  # there was nothing to run in
            return failure
        said = f"{self.printed}\n{failure.last}"
        leaf, order = Path(self.experiment["leaf"]), self.order
        folder = str(leaf) if (self.exports[0] / leaf).is_dir() else ""
        path = missed(said, self.exports, [order.source, *order.beside], folder)
        if path is None:
            return failure
        self.worth_retrying = False
        says = f"{path} lies in the checkout, but git does not have it, so no run has it."
        hint = f"Commit it: git add -f {shlex.quote(path)}; or let `prepare` make it"
        return dataclasses.replace(failure, says=says, hint=hint)

    def _classify(
        self,
        outcome: Outcome,
        log: Path,
        *,
        metrics_ok: bool = True,
        tampered: Sequence[str] = (),
    ) -> failures.Failure | None:
        folders = [root / self.folder for root in self.exports]
        source = folders[0] / self.settings.mutable[0]
        self.printed = left.text(log) if outcome.log is None else outcome.log
        return failures.classify(
            outcome,
            self.printed,
            metrics_ok=metrics_ok,
            metric=self.settings.metric,
            tampered=tampered,
            folders=folders,
            source=source.read_text(errors="replace") if source.is_file() else "",
        )

    # -- The record ---------------------------------------------------------------

    def _record(
        self, failure: failures.Failure | None, metrics: dict[str, dict[str, float]]
    ) -> str | None:
        """Store what was measured, judge, and close the run."""
        name = self.experiment["metric"]
        value = metrics.get("evaluate", {}).get(name) if failure is None else None
        rows = [(n, source, v) for source, found in metrics.items() for n, v in found.items()]
        long = [name for name, _, _ in rows if len(name) > LONGEST_NAME]
        rows = [row for row in rows if len(row[0]) <= LONGEST_NAME]
        detail: dict[str, Any] = dataclasses.asdict(failure) if failure else {}
        if failure is not None and self.failed_in != self.log:
            detail["log"] = str(self.failed_in)
        if failure is None:
            known = {**metrics["train"], **metrics["evaluate"]}
            detail["hints"] = [advice for rule, advice in self.settings.hints if rule.holds(known)]
            if long:
                words = f"{len(long)} metrics have names of more than {LONGEST_NAME} characters"
                detail["hints"].append(f"{words} and are not recorded: {long[0][:20]}...")
            self.facts["broken"] = json.dumps(self._broken(known))
            self.facts["flags"] = json.dumps(self._flags(metrics))
        versions = machine.versions(self.dir, self.python)
        if self.machine or versions:
            self.facts["machine"] = json.dumps({**self.machine, **versions})
        with self.book.write():
            record.run_ended(
                self.book,
                self.experiment["id"],
                self.run,
                metrics=rows,
                status="failed" if failure else "finished",
                failure=failure.kind if failure else None,
                value=value,
                seconds=time.monotonic() - self.began - (self.facts["waited_s"] or 0.0),
                versions=json.dumps({**_versions(), **versions}),
                detail=json.dumps(detail),
                **{key: found for key, found in self.facts.items() if found is not None},
            )
            if failure is None and self.order.job["audit"] is None:  # an audit judges the chain
                policy = assessment.policy_for(self.book, self.experiment["id"])
                assessment.record_judgement(self.book, self.experiment, policy)
        return failure.kind if failure else None

    @property
    def _asked(self) -> dict[str, Any]:
        """What the job was asked for beyond its seeds: the policy, whether it only repeats."""
        return dict(json.loads(self.order.job["asked"] or "{}"))

    def _broken(self, metrics: dict[str, float]) -> list[str]:
        """Return the constraints that this run broke, `budget` by the harness's own clock."""
        broken = [rule.text for rule in self.settings.constraints if rule.holds(metrics) is False]
        missing = [rule for rule in self.settings.constraints if rule.holds(metrics) is None]
        broken += [f"{rule.text} (not reported)" for rule in missing]
        spent = {"wall": self.outcome.seconds, "cpu": self.outcome.cpu_s}.get(self.settings.clock)
        busy = MOST_BUSY if self.settings.clock == "cpu" else 1.0
        allowed = self.settings.budget_s * busy + self.settings.startup_s
        if spent is not None and spent > allowed:
            broken.append(f"budget ({spent:.1f} s of {allowed:g} s)")
        return broken + self._beyond_baseline()

    def _beyond_baseline(self) -> list[str]:
        """Return what this run took far more of than where its branch began: no clock counts it.

        A number of steps buys as much as a step is worth, and an evaluation could train on. Against
        the incumbent each keep would allow the next one more.
        """
        if self.experiment["incumbent"] is None:
            return []
        first = ledger.chain(self.book, self.experiment["incumbent"])[-1]
        known = runs.took(self.book, first)
        busy = (self.machine.get("delayed") or 0.0) > LOADED
        scored = "eval_s" if self.settings.needs == "gpu" else "eval_cpu_s"
        limits = {scored: MOST_BUSY if busy else EVALUATE}
        if self.settings.clock == "steps":
            limits["cpu_s"] = MOST_BUSY if busy else OWN_CPU
        found = []
        for name, times in limits.items():
            mine, theirs = self.machine.get(name), known.get(name)
            if mine is not None and theirs is not None and mine > times * theirs + SLACK_S:
                what = "evaluate" if name.startswith("eval") else "its own CPU"
                found.append(f"budget ({what} {mine:.1f} s, e{first} {theirs:.1f} s)")
        return found

    def _flags(self, metrics: dict[str, dict[str, float]]) -> list[str]:
        """Return what is odd about the numbers."""
        flags = ["reproduction"] if self._asked.get("reproduce") else []
        if self.order.home.path != self.order.source / ".lab":
            flags.append("notebook_elsewhere")
        if self.grown:
            flags.append("new_prepared_files")
        name, found = self.experiment["metric"], metrics["evaluate"]
        claim = metrics["train"].get(name)
        if claim is not None and not _agrees(claim, found[name]):
            flags.append("claim_differs")
        if not self.settings.deterministic and self._same_as_another_seed(metrics):
            flags.append("seed_ignored")
        return flags

    def _same_as_another_seed(self, metrics: dict[str, dict[str, float]]) -> bool:
        """Return whether another seed of this experiment did the very same."""
        number, name = self.experiment["id"], self.experiment["metric"]
        mine = seeds.Left(self.dir, self.artefacts, metrics["train"], metrics["evaluate"])
        others = runs.other_seeds(self.book, number, self.seed)
        return any(seeds.ignored(name, mine, self._left_by(other)) for other in others)

    def _left_by(self, run: int) -> seeds.Left:
        """Return what an earlier run of this experiment left."""
        folder = self.order.home.run(self.experiment["id"], run)
        blocks = (runs.printed(self.book, run, source) for source in ("train", "evaluate"))
        return seeds.Left(folder, frozenset(), *blocks)


def _agrees(claim: float, found: float) -> bool:
    """Return whether a number is the other one, perhaps printed with fewer digits.

    >>> _agrees(0.9932, 0.993214), _agrees(0.9932, 0.9941), _agrees(1.0, 0.6)
    (True, False, False)
    """
    digits = len(f"{claim!r}".partition(".")[2]) if "e" not in f"{claim!r}" else 0
    near = abs(claim - found) <= NEAR * abs(found)
    return claim == found or (near and digits > 0 and abs(claim - found) <= 0.5001 / 10**digits)


def _plain_failure(kind: str, last: str) -> failures.Failure:
    """Return a failure that no log tells: the machinery's own, or a request to stop."""
    return failures.Failure(kind, "", last, failures.SAYS[kind], "Run it again")


def _versions() -> dict[str, str]:
    system = os.uname()  # platform.platform() starts a process to ask
    return {
        "python": platform.python_version(),
        "system": f"{system.sysname}-{system.release}-{system.machine}",
    }
