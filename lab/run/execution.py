"""Execution of one experiment with one seed: from its commit's export to its record."""

import contextlib
import dataclasses
import json
import os
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shared import reference, summary

from .. import leaf as leaves
from .. import repo, slots
from ..errors import LabError
from ..judge import agrees
from ..leaf import kit
from ..notebook import environments, record, runs, sealed
from ..notebook.record import LONGEST_NAME
from ..runner import Outcome, Plan, Stopped
from ..runner.local import Local
from ..system import left, masking, tree_time
from ..system.home import KEEPER_LOG
from . import (
    assessment,
    broken,
    failures,
    heads,
    kept_logs,
    machine,
    packages,
    pruning,
    queue_status,
    renting,
    seeding,
    seeds,
    shared_memory,
    step_log,
    warm_start,
)
from .confinement import Confinement
from .exports import exports
from .failure_hints import hint
from .not_in_git import missed
from .order import JobContext
from .spawn import own_in_export
from .stages import NotPrepared, Stages, outcome_from


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
        self.sealed: Outcome | None = None  # of the yardstick by the sealed set
        self.machine: dict[str, Any] = {}
        self.confinement: Confinement | None = None  # on this machine
        self.printed = ""  # by the newest of its commands
        self.environment: dict[str, Any] | None = None  # the packages of its interpreter
        self.python = ""  # the leaf's interpreter, where it is on this machine

    def perform(self) -> str | None:
        """Do everything and close the record; return the failure's class, or None."""
        try:
            failure, metrics = self._measured()
        except Stopped:
            failure, metrics = self._stopped(), {}
        except (LabError, OSError, repo.GitFailed) as error:
            words = error.message if isinstance(error, LabError) else str(error)
            failure, metrics = failures.plain("infra", words), {}
        return self._record(self._explained(failure), metrics)

    def _stopped(self) -> failures.Failure:
        """Return what a stop is: a campaign that ends its own training has chosen by it."""
        who, began = self.order.asked.stopped_by(), self.facts["waited_s"] is not None
        if began and who and who == self.experiment["campaign"]:
            said = f"stopped by {who}, whose run it was"
            return failures.Failure(
                "stopped", "", said, failures.SAYS["stopped"], hint("stopped", "", "")
            )
        return failures.plain("interrupted", "stopped on request")

    # -- The stages ---------------------------------------------------------------

    def _measured(self) -> tuple[failures.Failure | None, dict[str, dict[str, float]]]:
        """Export, prepare, wait for the device, train, look for tampering, evaluate."""
        leaf = self._exported()
        if self.order.job["runner"].startswith("modal"):
            return self._as_measured(renting.rented(self, leaf))
        stages = self._stages(leaf)
        confinement = Confinement(self.order, self.settings, self.exports, self.python)
        self.confinement = confinement
        self.machine |= confinement.as_record()
        stages.environ = confinement.environ()
        asked = stages.ask_for_packages()
        try:
            stages.prepare()
        except NotPrepared as error:
            self.printed = error.outcome.log or ""
            raise self._not_prepared(str(error), bool(error.outcome.error)) from None
        if stages.plan.prepare:
            self.machine["prepared"] = stages.data.digest()
        with contextlib.closing(self._lease(leaf)) as lease:
            record.run_started(self.book, self.experiment["id"], self.run)
            with contextlib.suppress(repo.GitFailed):  # whoever tries its luck in a copy is told
                heads.keep(self.order.source, self.order.home, self.book)
            stages.device, self.facts["device"] = {**lease.env}, lease.device.name
            self.machine |= machine.record(lease.device)
            confinement.apply(stages, lease.device)
            before = shared_memory.names()
            self.environment = packages.answer(asked)
            try:
                return self._on_device(stages, lease)
            finally:
                if not confinement.method.has_namespaces:
                    shared_memory.remove_left(before)

    def _on_device(
        self, stages: Stages, lease: slots.Lease
    ) -> tuple[failures.Failure | None, dict[str, dict[str, float]]]:
        """Train, look for tampering, evaluate; on the device as long as it is needed."""
        if self.settings.clock == "cpu":
            self.machine["reference_s"] = self._reference_s(stages)
            stages.device[reference.TOLD] = f"{self.machine['reference_s']:.9f}"
        pressed, kernels = tree_time.pressure_us(), machine.kernels(stages.scratch)
        with warm_start.lent(self) as stages.warm:
            trained = stages.train()
        self.machine |= machine.load(trained, pressed)
        self.machine |= machine.compiled(kernels, machine.kernels(stages.scratch))
        failure, first = self._trained(trained, stages.tampered())
        if failure is not None:
            return failure, {"train": first}
        self.grown = stages.data.trim()
        if self.settings.evaluate_on_cpu and lease.device.kind == "gpu" and self.confinement:
            lease.close()  # the next training has it while this one is scored
            stages.device = {**slots.WITHOUT_GPU.env}
            self.confinement.apply(stages, slots.WITHOUT_GPU)
        found = self._evaluated(first, stages.evaluate(), stages.spoiled())
        if found[0] is None and stages.plan.seal:
            self._seal(stages)
        return found

    @property
    def is_audited(self) -> bool:
        return self.order.job["audit"] is not None

    def _seal(self, stages: Stages) -> None:
        """Measure by the sealed set; whatever becomes of that, the run has its number."""
        with contextlib.suppress(Stopped):
            self.sealed = stages.sealed()

    def _exported(self) -> leaves.Leaf:
        """Write both exports; return the leaf as its commit has it."""
        order = self.order
        commit, job = self.experiment["commit"], order.job["id"]
        self.exports = exports(order.source, commit, order.home, job, order.beside)
        leaf = leaves.read(self.exports[0], self.experiment["leaf"])
        self.settings, self.prunes = leaf.settings(self.experiment["profile"]), leaf.prune
        for root in self.exports:
            kit.lay(leaf, self.settings, root)
        seeding.set_constant(self.settings, self.exports[0] / leaf.prefix, self.seed)
        if self.settings.is_self_reported:
            self.machine["self_reported"] = True
        self.machine["frozen"] = leaves.written(leaf, self.settings, self.exports)
        self.folder = leaf.prefix.rstrip("/")
        return leaf

    def _reference_s(self, stages: Stages) -> float:
        """Return the unit of the CPU clock: as recorded, else one for all that share a cache."""
        kept = stages.cache.with_name(f"{stages.cache.name}.reference")
        known = runs.unit_s(self.book, self.experiment["id"], self.machine["host"])
        return machine.reference_s(kept, self.order.stop, known)

    def _not_prepared(self, last: str, ours: bool) -> OSError:
        """Return what a failed `prepare` is: no word on the idea, and again only if it was us."""
        self.worth_retrying = ours
        return OSError(f"prepare failed: {last} (log: {self.dir / 'prepare.log'})")

    def _as_measured(
        self, found: dict[str, Any]
    ) -> tuple[failures.Failure | None, dict[str, dict[str, float]]]:
        """Read what the sandbox reports as if the stages had run here."""
        if "error" in found:
            raise OSError(found["error"])
        if "not_prepared" in found:
            raise self._not_prepared(found["not_prepared"], found["ours"])
        self.facts["setup_s"], self.environment = found["setup_s"], found.get("environment")
        failure, claimed = self._trained(outcome_from(found["train"]), found["tampered"])
        if failure is not None or "evaluate" not in found:
            return failure, {"train": claimed}
        if "sealed" in found:
            self.sealed = outcome_from(found["sealed"])
        return self._evaluated(claimed, outcome_from(found["evaluate"]))

    def say(self, words: str) -> None:
        """Leave a line in the run's log for whoever looks."""
        with (self.dir / KEEPER_LOG).open("a") as log:
            log.write(f"{words}\n")

    def _stages(self, leaf: leaves.Leaf) -> Stages:
        """Return the stages on this machine."""
        key = leaves.cache_key(leaf, self.settings)
        cache = self.order.home.cache(leaf.name, self.settings.profile, key)
        plan = self.plan(leaf)
        self.python = plan.python
        return Stages(plan, self.exports, self.dir, cache, Local(), self.order.stop)

    def plan(self, leaf: leaves.Leaf) -> Plan:
        """Return what the stages do, wherever they run."""
        settings = self.settings
        python = leaves.interpreter(settings, self.order.source, os.environ)
        for command in (settings.prepare, settings.command, settings.evaluate, settings.serve):
            if command:
                leaves.argv(command, python, leaf.folder)  # refuses what is not there
        return Plan(
            folder=self.folder,
            prepare=settings.prepare,
            train=seeding.told(settings.command, self.seed),
            evaluate=settings.evaluate,
            serve=settings.serve,
            sealed=settings.sealed,
            seal=settings.sealed and self.is_audited,
            allowed=[f"{leaf.prefix}{name}" for name in settings.mutable],
            timeout_s=settings.timeout_s,
            eval_timeout_s=settings.eval_timeout_s,
            said={
                **settings.environ,
                "LAB_SEED": str(self.seed),
                "LAB_EXPERIMENT": f"e{self.experiment['id']}",
            },
            paths=own_in_export(self.exports[0], (self.order.source, *self.order.beside)),
            python=python,
            prune=pruning.of_run(self.order, leaf, settings, self.seed),
        )

    def _lease(self, leaf: leaves.Leaf) -> slots.Lease:
        """Wait in the queue for the device."""
        settings, order = self.settings, self.order
        self.facts["setup_s"] = time.monotonic() - self.began
        queued = time.monotonic()
        lease = queue_status.lease(
            order,
            slots.choose(settings.needs, os.environ, settings.gpu_optional),
            (leaf.name, self.seed, self.dir),
            runs.typical_seconds(self.book, self.experiment) or 2 * settings.budget_s,
        )
        self.facts["waited_s"] = time.monotonic() - queued
        return lease

    def seal(self) -> None:
        """Measure by the sealed set what an earlier run left; nothing is trained."""
        leaf = self._exported()
        stages = self._stages(leaf)
        self.confinement = Confinement(self.order, self.settings, self.exports, self.python)
        stages.environ = self.confinement.environ()
        try:
            stages.prepare()
        except NotPrepared as error:
            raise self._not_prepared(str(error), bool(error.outcome.error)) from None
        with contextlib.closing(self._lease(leaf)) as lease:
            stages.device = {**lease.env}
            self.confinement.apply(stages, lease.device)
            self._seal(stages)
        if self.sealed is not None:
            with self.book.write():
                self._record_sealed(self.sealed)

    # -- What it means ------------------------------------------------------------

    def _trained(
        self, outcome: Outcome, tampered: Sequence[str]
    ) -> tuple[failures.Failure | None, dict[str, float]]:
        """Return why training gave nothing to evaluate, if so, and what it claims."""
        self.outcome = outcome
        self.artefacts = seeds.artefacts(self.dir)
        self.machine |= machine.pace(outcome, self.settings.clock, self.settings.budget_s)
        self.facts["train_wall_s"] = outcome.seconds
        self.facts["exit_code"] = outcome.exit_code
        self.facts["hopeless"] = json.dumps(outcome.hopeless) if outcome.hopeless else None
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
            printed = {**metrics["train"], **metrics["evaluate"]}
            detail["hints"] = [
                advice for rule, advice in self.settings.hints if rule.holds(printed)
            ]
            log = step_log.read(self.dir / "steps.jsonl") if self.prunes else []
            if told := pruning.unlogged(self.prunes, log):
                detail["hints"].append(told)
            if long:
                words = f"{len(long)} metrics have names of more than {LONGEST_NAME} characters"
                detail["hints"].append(f"{words} and are not recorded: {long[0][:20]}...")
            self.facts["broken"] = json.dumps(self._broken(printed))
            self.facts["flags"] = json.dumps(self._flags(metrics))
        versions = machine.versions(self.dir, self.python)
        self.machine["logs"] = kept_logs.digests(self.dir)
        if self.machine or versions:
            self.facts["machine"] = json.dumps({**self.machine, **versions})
        with self.book.write():
            if self.environment is not None:
                known = {**self.environment, "driver": self.machine.get("driver")}
                self.facts["environment"] = environments.record(self.book, known)
            record.run_ended(
                self.book,
                self.experiment["id"],
                self.run,
                metrics=rows,
                status="failed" if failure else "finished",
                failure=failure.kind if failure else None,
                value=value,
                seconds=time.monotonic() - self.began - (self.facts["waited_s"] or 0.0),
                versions=json.dumps({**machine.ours(), **versions}),
                detail=masking.mask(json.dumps(detail)),
                **{key: found for key, found in self.facts.items() if found is not None},
            )
            if failure is None and self.sealed is not None:
                self._record_sealed(self.sealed)
            if failure is None and not (self.is_audited or self._asked.get("reproduce")):
                policy = assessment.policy_for(self.book, self.experiment["id"])
                assessment.record_judgement(self.book, self.experiment, policy)
        return failure.kind if failure else None

    def _record_sealed(self, outcome: Outcome) -> None:
        """Store what the yardstick said by the sealed set, or that it said nothing."""
        value = summary.parse(outcome.tail, self.settings.metric).get(self.experiment["metric"])
        sealed.record(self.book, self.run, value if outcome.exit_code == 0 else None)

    @property
    def _asked(self) -> dict[str, Any]:
        """What the job was asked for beyond its seeds: the policy, whether it only repeats."""
        return dict(json.loads(self.order.job["asked"] or "{}"))

    def _broken(self, metrics: dict[str, float]) -> list[str]:
        """Return the constraints that this run broke."""
        run = (self.settings, self.outcome, self.machine)
        return broken.by(self.book, self.experiment, *run, metrics)

    def _flags(self, metrics: dict[str, dict[str, float]]) -> list[str]:
        """Return what is odd about this run and its numbers."""
        flags = ["reproduction"] if self._asked.get("reproduce") else []
        if self.order.home.path != self.order.source / ".lab":
            flags.append("notebook_elsewhere")
        if "warm_start" in self.machine:
            flags.append("warm_start")
        if self.grown:
            flags.append("new_prepared_files")
        name, claim = self.experiment["metric"], metrics["train"].get(self.experiment["metric"])
        if claim is not None and not agrees(claim, metrics["evaluate"][name]):
            flags.append("claim_differs")
        left = seeds.Left(self.dir, self.artefacts, metrics["train"], metrics["evaluate"])
        if not self.settings.deterministic and self._did_the_same(left):
            flags.append("seed_ignored")
        return flags

    def _did_the_same(self, mine: seeds.Left) -> bool:
        """Return whether another seed of this experiment did the very same."""
        for run in runs.other_seeds(self.book, self.experiment["id"], self.seed):
            folder = self.order.home.run(self.experiment["id"], run)
            blocks = (runs.printed(self.book, run, source) for source in ("train", "evaluate"))
            other = seeds.Left(folder, frozenset(), *blocks)
            if seeds.ignored(self.experiment["metric"], mine, other):
                return True
        return False
