"""The process that owns a run: its ticket, its children, its limits and its record.

    python -P -m lab.keeper HOME JOB LOCK_FD

It starts in a session of its own, so that nothing that happens to whoever asked for the run reaches
it. While it lives it holds the job's lock; when it dies the lock is free, and the next `lab`
command closes the record (`lost`).
"""

import contextlib
import dataclasses
import json
import os
import platform
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from shared import summary

from . import leaf as leaves
from . import lost, processes, queueing, repo, slots, standing, triage
from .errors import LabError
from .notebook import Notebook, record
from .runner import Job, Outcome, Runner
from .runner.local import Local
from .snapshot import Snapshot, damaged, exports, look

INFRA_RETRIES = 2
INFRA_PAUSE_S = float(os.environ.get("LAB_INFRA_PAUSE_S") or 5.0)
PREPARE_LIMIT_S = 6 * 3600  # downloading and tokenising a corpus may take a night's first hours
TYPICAL_RUNS = 20  # whose mean is the expected length of the next


class Stopped(Exception):
    """Somebody asked for this job to stop."""


def main() -> None:
    """Run the job named on the command line to its end."""
    home, job, fd = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    os.set_inheritable(fd, False)  # the lock must die with this process, not with a child
    os.chdir(home)
    os.environ.pop("LAB_RUN_DIR", None)  # it marks what belongs to a run, which we do not
    processes.become_subreaper()
    with Notebook(home / "notebook.db", who="keeper") as book:
        Keeper(book, home, job).keep()


class Keeper:
    """One job: the runs of one experiment, one after the other."""

    def __init__(self, book: Notebook, home: Path, job: int) -> None:
        self.book, self.home = book, home
        self.job = book.all("select * from jobs where id = ?", job)[0]
        self.experiment = book.all(
            "select * from experiments where id = ?", self.job["experiment"]
        )[0]
        self.number = self.experiment["id"]
        self.folder = home / "runs" / f"e{self.number}"
        self.restore: dict[str, Any] = json.loads(self.job["restore"] or "{}")
        self.source = Path(self.restore["main"])
        self.asked_to_stop = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, *_: object) -> None:
        self.asked_to_stop = True

    def stop(self) -> bool:
        """Return whether somebody asked for this job to stop."""
        return self.asked_to_stop or (self.folder / f"stop-{self.job['id']}").exists()

    def keep(self) -> None:
        """Run every seed, judge after each, and close the job with the truth."""
        how = "done"
        try:
            record.keeper(self.book, self.job["id"], processes.start_id(os.getpid()) or "")
            for seed in json.loads(self.job["seeds"]):
                self._seed(seed)
        except Stopped:
            how = "interrupted"
        except (LabError, OSError, repo.GitFailed, sqlite3.Error) as error:
            how = "infra"
            self._log(f"{type(error).__name__}: {error}")
        self._close(how)
        self.tidy()

    def _seed(self, seed: int) -> None:
        """Run one seed, again when only the machinery failed."""
        for attempt in range(INFRA_RETRIES + 1):
            if self.stop():
                raise Stopped
            run = record.run(self.book, self.number, self.job["id"], seed)
            trial = Run(self, run, seed)
            failure = trial.perform()
            if failure == "interrupted":
                raise Stopped
            if failure != "infra" or attempt == INFRA_RETRIES or not trial.worth_retrying:
                return
            deadline = time.monotonic() + INFRA_PAUSE_S
            while time.monotonic() < deadline and not self.stop():
                time.sleep(0.1)

    def _close(self, how: str) -> None:
        """Close the job; a run without a metric is a crash, and the branch goes back before.

        Whoever waits goes on as soon as the job is closed, so the worktree has to be ready by then.
        """
        values = self.book.one(
            "select 1 from runs where experiment = ? and status = 'finished'", self.number
        )
        if values is None:
            try:
                lost.put_back(self.experiment, self.restore)
            except (LabError, repo.GitFailed) as error:
                self._log(f"the branch could not be put back: {error}")
        query = "select id from runs where job = ? and ended is null"
        with self.book.write():
            for run in self.book.all(query, self.job["id"]):
                record.run_ended(
                    self.book, self.number, run["id"], status="failed", failure="infra"
                )
            record.job_ended(self.book, self.job["id"], how)
            if values is None:
                record.result(self.book, self.experiment, "crash", job=self.job["id"])

    def tidy(self) -> None:
        """Remove what only a living job needs, this one's and that of keepers that were killed."""
        lost.remove_exports(self.book, self.home)
        lost.lock_path(self.home, self.job["uid"]).unlink(missing_ok=True)

    def _log(self, words: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "keeper.log").open("a") as file:
            file.write(f"{words}\n")


class Run:
    """One execution of the experiment with one seed, from export to record."""

    def __init__(self, keeper: Keeper, run: int, seed: int) -> None:
        self.keeper, self.book, self.run, self.seed = keeper, keeper.book, run, seed
        self.experiment = keeper.experiment
        self.dir = keeper.folder / str(run)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.log = self.dir / "run.log"
        self.runner: Runner = Local()
        self.began = time.monotonic()
        self.facts: dict[str, Any] = {"log": str(self.log), "setup_s": None, "waited_s": None}
        self.worth_retrying = True
        self.exports: Sequence[Snapshot] = ()

    def perform(self) -> str | None:
        """Do everything and close the record; return the failure's class, or None."""
        try:
            failure, metrics = self._measured()
        except Stopped:
            failure, metrics = _plain_failure("interrupted", "stopped on request"), {}
        except (LabError, OSError, repo.GitFailed) as error:
            words = error.message if isinstance(error, LabError) else str(error)
            failure, metrics = _plain_failure("infra", words), {}
        return self._record(failure, metrics)

    # -- The stages ---------------------------------------------------------------

    def _measured(self) -> tuple[triage.Failure | None, dict[str, dict[str, float]]]:
        """Export, prepare, wait for the device, train, look for tampering, evaluate."""
        base = lost.exports_of(self.keeper.home, self.keeper.job["id"])
        shutil.rmtree(base, ignore_errors=True)  # of an earlier run of this job
        self.exports = exports(self.keeper.source, self.experiment["commit"], base)
        train = self._read_leaf(self.exports[0])
        settings = self.settings = train.settings(self.experiment["profile"])
        cache, manifest = self._prepare(train, settings)
        lease = self._lease(settings, train)
        with contextlib.closing(lease):
            env = {**self._env(self.exports[0].root, settings, cache), **lease.env}
            self.facts["device"] = lease.device.name
            outcome = self._command(train, settings.command, env, settings.timeout_s, watch=True)
            self.facts["train_wall_s"] = outcome.seconds
            self.facts["exit_code"] = outcome.exit_code
            self.outcome = outcome
            first = summary.parse(outcome.tail)
            touched = self._tampered(train, settings, cache, manifest)
            failure = self._classify(train, outcome, self.log, tampered=touched)
            if failure is not None:
                return failure, {"train": first}
            judged = self._read_leaf(self.exports[1])
            env["PYTHONPATH"] = str(self.exports[1].root)
            second = self._command(judged, settings.evaluate, env, settings.eval_timeout_s)
        found = summary.parse(second.tail)
        self.facts["exit_code"] = second.exit_code
        printed = settings.metric in found
        failure = self._classify(judged, second, self.dir / "evaluate.log", metrics_ok=printed)
        return failure, {"train": first, "evaluate": found}

    def _read_leaf(self, export: Snapshot) -> leaves.Leaf:
        return leaves.read(export.root, self.experiment["leaf"])

    def _prepare(self, leaf: leaves.Leaf, settings: leaves.Settings) -> tuple[Path, dict[str, Any]]:
        """Fill the cache once, whoever comes first; return it and what it then held."""
        key = leaves.cache_key(leaf, settings)
        cache = self.keeper.home / "cache" / leaf.name / settings.profile / key
        cache.mkdir(parents=True, exist_ok=True)
        ready = cache.with_name(f"{key}.ready")
        if settings.prepare and not ready.exists():
            with _locked(cache.with_name(f"{key}.lock"), self.keeper.stop):
                if not ready.exists():
                    self._prepare_once(leaf, settings, cache)
                    written = ready.with_suffix(".new")
                    written.write_text(json.dumps(look(cache)))
                    written.replace(ready)  # all of it or nothing, whenever this process ends
        manifest = json.loads(ready.read_text()) if ready.exists() else {}
        return cache, {path: tuple(stamp) for path, stamp in manifest.items()}

    def _prepare_once(self, leaf: leaves.Leaf, settings: leaves.Settings, cache: Path) -> None:
        env = self._env(self.exports[0].root, settings, cache)
        assert settings.prepare is not None
        log = self.dir / "prepare.log"
        outcome = self._command(leaf, settings.prepare, env, PREPARE_LIMIT_S, log=log)
        if outcome.exit_code != 0:
            self.worth_retrying = bool(outcome.error)
            lines = (outcome.stderr_tail or outcome.tail).strip().splitlines()
            last = lines[-1] if lines else f"exit status {outcome.exit_code}"
            raise OSError(f"prepare failed: {last} (log: {log})")

    def _lease(self, settings: leaves.Settings, leaf: leaves.Leaf) -> slots.Lease:
        """Wait in the queue for the device."""
        kind = slots.choose(settings.needs, os.environ, settings.gpu_optional)
        self.facts["setup_s"] = time.monotonic() - self.began
        queued = time.monotonic()
        ticket = queueing.queue(self.keeper.home).ticket(
            campaign=self.experiment["campaign"] or "main",
            label=f"e{self.experiment['id']}/{self.seed}",
            kind=kind,
            leaf=leaf.name,
            run_dir=str(self.dir),
            expected_s=typical_seconds(self.book, self.experiment) or 2 * settings.budget_s,
        )
        lease = ticket.wait(self.keeper.stop)
        if lease is None:
            raise Stopped
        self.facts["waited_s"] = time.monotonic() - queued
        record.run_started(self.book, self.experiment["id"], self.run)
        return lease

    def _env(self, root: Path, settings: leaves.Settings, cache: Path) -> dict[str, str]:
        """Return the environment of a leaf's command: what the contract promises."""
        said = {name: v for name, v in os.environ.items() if not name.startswith("LAB_")}
        return said | {
            "LAB_RUN_DIR": str(self.dir),
            "LAB_CACHE_DIR": str(cache),
            "LAB_BUDGET_S": f"{settings.budget_s:g}",
            "LAB_CLOCK": settings.clock,
            "LAB_SEED": str(self.seed),
            "LAB_PROFILE": settings.profile,
            "LAB_EXPERIMENT": f"e{self.experiment['id']}",
            "PYTHONPATH": str(root),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
        }

    def _command(
        self,
        leaf: leaves.Leaf,
        command: list[str],
        env: dict[str, str],
        limit_s: float,
        *,
        watch: bool = False,
        log: Path | None = None,
    ) -> Outcome:
        """Run one of the leaf's commands in its export; never past its limit."""
        settings = leaf.settings(self.experiment["profile"])
        python = leaves.interpreter(settings, self.keeper.source, os.environ)
        job = Job(
            argv=leaves.argv(command, python, leaf.folder),
            cwd=leaf.folder,
            env=env,
            log=log or (self.log if watch else self.dir / "evaluate.log"),
            limit_s=limit_s,
            steps=self.dir / "steps.jsonl" if watch else None,
        )
        outcome = self.runner.run(job, self.keeper.stop)
        if outcome.stopped:
            raise Stopped
        return outcome

    def _tampered(
        self,
        leaf: leaves.Leaf,
        settings: leaves.Settings,
        cache: Path,
        manifest: dict[str, Any],
    ) -> list[str]:
        """Return what training wrote that it may not: frozen or foreign files, prepared data."""
        allowed = [f"{leaf.prefix}{name}" for name in settings.mutable]
        return self.exports[0].foreign(allowed) + damaged(manifest, cache)

    def _classify(
        self,
        leaf: leaves.Leaf,
        outcome: Outcome,
        log: Path,
        *,
        metrics_ok: bool = True,
        tampered: Sequence[str] = (),
    ) -> triage.Failure | None:
        source = leaf.folder / self.settings.mutable[0]
        return triage.classify(
            outcome,
            log.read_text(errors="replace") if log.exists() else "",
            metrics_ok=metrics_ok,
            tampered=tampered,
            folders=[export.root / leaf.prefix for export in self.exports],
            source=source.read_text(errors="replace") if source.is_file() else "",
        )

    # -- The record ---------------------------------------------------------------

    def _record(
        self, failure: triage.Failure | None, metrics: dict[str, dict[str, float]]
    ) -> str | None:
        """Store what was measured, judge, and close the run."""
        name = self.experiment["metric"]
        value = metrics.get("evaluate", {}).get(name) if failure is None else None
        rows = [(n, source, v) for source, found in metrics.items() for n, v in found.items()]
        detail: dict[str, Any] = dataclasses.asdict(failure) if failure else {}
        if failure is None:
            known = {**metrics["train"], **metrics["evaluate"]}
            detail["hints"] = [advice for rule, advice in self.settings.hints if rule.holds(known)]
            self.facts["broken"] = json.dumps(self._broken(known))
            self.facts["flags"] = json.dumps(self._flags(metrics))
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
                versions=json.dumps(_versions()),
                detail=json.dumps(detail),
                **{key: found for key, found in self.facts.items() if found is not None},
            )
            if failure is None:
                policy = standing.policy_of(self._asked.get("judge", {}))
                standing.note(self.book, self.experiment, policy)
        return failure.kind if failure else None

    @property
    def _asked(self) -> dict[str, Any]:
        """What the job was asked for beyond its seeds: the policy, whether it only repeats."""
        return dict(json.loads(self.keeper.job["asked"] or "{}"))

    def _broken(self, metrics: dict[str, float]) -> list[str]:
        """Return the constraints that this run broke, `budget` by the harness's own clock."""
        broken = [rule.text for rule in self.settings.constraints if rule.holds(metrics) is False]
        spent = {"wall": self.outcome.seconds, "cpu": self.outcome.cpu_s}.get(self.settings.clock)
        allowed = self.settings.budget_s + self.settings.startup_s
        if spent is not None and spent > allowed:
            broken.append(f"budget ({spent:.1f} s of {allowed:g} s)")
        return broken

    def _flags(self, metrics: dict[str, dict[str, float]]) -> list[str]:
        """Return what is odd about the numbers."""
        flags = ["reproduction"] if self._asked.get("reproduce") else []
        name, found = self.experiment["metric"], metrics["evaluate"]
        claim = metrics["train"].get(name)
        if claim is not None and claim != found[name]:
            flags.append("claim_differs")
        if not self.settings.deterministic and self._same_as_another_seed(found):
            flags.append("seed_ignored")
        return flags

    def _same_as_another_seed(self, found: dict[str, float]) -> bool:
        """Return whether another seed of this experiment gave the very same numbers."""
        others = self.book.all(
            "select id from runs where experiment = ? and seed <> ? and status = 'finished'",
            *(self.experiment["id"], self.seed),
        )
        query = "select name, value from metrics where run = ? and source = 'evaluate'"
        return any(
            {row["name"]: row["value"] for row in self.book.all(query, other["id"])} == found
            for other in others
        )


def _plain_failure(kind: str, last: str) -> triage.Failure:
    """Return a failure that no log tells: the machinery's own, or a request to stop."""
    return triage.Failure(kind, "", last, triage.SAYS[kind], "Run it again")


def _versions() -> dict[str, str]:
    system = os.uname()  # platform.platform() starts a process to ask
    return {
        "python": platform.python_version(),
        "system": f"{system.sysname}-{system.release}-{system.machine}",
    }


def typical_seconds(book: Notebook, experiment: sqlite3.Row) -> float | None:
    """Return how long a run in this leaf and profile holds its device, from the newest ones."""
    row = book.one(
        "select avg(seconds) from (select r.seconds from runs r join experiments e "
        "on e.id = r.experiment where r.experiment in (select experiment from state where leaf = ? "
        "order by experiment desc limit ?) and e.profile = ? and r.status = 'finished')",
        *(experiment["leaf"], TYPICAL_RUNS, experiment["profile"]),
    )
    return row[0] if row else None


@contextlib.contextmanager
def _locked(path: Path, stop: Callable[[], bool]) -> Iterator[None]:
    """Hold a lock that another keeper may hold for as long as its `prepare` takes."""
    fd = slots.locks.open_lock(path)
    try:
        while not slots.locks.try_lock(fd):
            if stop():
                raise Stopped
            time.sleep(0.1)
        yield
    finally:
        os.close(fd)


if __name__ == "__main__":
    main()
