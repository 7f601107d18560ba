"""The run supervisor: a detached process that queues, runs, judges, records one job.

    python -P -m lab.run.supervisor HOME JOB LOCK_FD

It starts in a session of its own, so that nothing that happens to whoever asked for the run reaches
it. While it lives it holds the job's lock; when it dies the lock is free, and the next `lab`
command closes the record (`lost`).
"""

import contextlib
import json
import os
import signal
import sqlite3
import sys
import threading
import time
from pathlib import Path
from typing import Any

from .. import repo
from ..confine import methods
from ..errors import LabError
from ..notebook import Notebook, lookup, record, runs, sealed
from ..runner import Stopped
from ..system import processes
from ..system.home import KEEPER_LOG, Home
from . import heads, recovery
from .execution import Execution
from .mirroring import Mirror
from .order import JobContext

INFRA_RETRIES = 2
INFRA_PAUSE_S = float(os.environ.get("LAB_INFRA_PAUSE_S") or 5.0)


def main() -> None:
    """Run the job named on the command line to its end."""
    home, job, fd = Home(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3])
    os.set_inheritable(fd, False)  # the lock must die with this process, not with a child
    os.chdir(home.path)
    os.environ.pop("LAB_RUN_DIR", None)  # it marks what belongs to a run, which we do not
    processes.become_subreaper()
    with Notebook(home.notebook, who="keeper") as book:
        Supervisor(book, home, job).run()


class Supervisor:
    """One job: the runs of one experiment, one after the other."""

    def __init__(self, book: Notebook, home: Home, job: int) -> None:
        self.book, self.home = book, home
        self.job = lookup.job(book, job)
        self.experiment = lookup.experiment(book, self.job["experiment"])
        self.number = self.experiment["id"]
        self.folder = home.experiment(self.number)
        self.restore: dict[str, Any] = json.loads(self.job["restore"] or "{}")
        self.asked_to_stop = False
        self.mirror = Mirror(home, self.number)
        source = Path(self.restore["main"])
        beside = (Path(self.restore.get("beside", source)),)
        self.order = JobContext(book, home, source, beside, self.experiment, self.job, self)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, *_: object) -> None:
        self.asked_to_stop = True

    def stop(self) -> bool:
        """Return whether somebody asked for this job to stop."""
        return self.asked_to_stop or self.home.stop_request(self.number, self.job["id"]).exists()

    def stopped_by(self) -> str:
        """Return the campaign in which `lab stop` was typed, "" for anybody else."""
        try:
            return self.home.stop_request(self.number, self.job["id"]).read_text()
        except OSError:
            return ""

    def run(self) -> None:
        """Run every seed, judge after each, and close the job with the truth."""
        how = "done"
        threading.Thread(target=methods.best, daemon=True).start()  # while exports are written
        try:
            record.supervisor(self.book, self.job["id"], processes.start_id(os.getpid()) or "")
            for seed in json.loads(self.job["seeds"]):
                self._seed(seed)
            self._seal()
        except Stopped:
            how = "interrupted"
        except (LabError, OSError, repo.GitFailed, sqlite3.Error) as error:
            how = "infra"
            self._log(f"{type(error).__name__}: {error}")
        self._close(how)
        self.clean_up()

    def _seed(self, seed: int) -> None:
        """Run one seed, again when only the machinery failed; resume what a killed one began."""
        made = [run for run in runs.of_job(self.book, self.job["id"]) if run["seed"] == seed]
        under_way = [run["id"] for run in made if run["ended"] is None]
        if made and not under_way and made[-1]["failure"] != "infra":
            return
        for attempt in range(len(made) - len(under_way), INFRA_RETRIES + 1):
            if self.stop():
                raise Stopped
            run = under_way.pop() if under_way else self._open(seed)
            trial = Execution(self.order, run, seed)
            self.mirror.say("begins", run)
            failure = trial.perform()
            self.mirror.say("ended", run)
            if failure in ("interrupted", "stopped"):
                raise Stopped
            if failure != "infra" or attempt == INFRA_RETRIES or not trial.worth_retrying:
                return
            deadline = time.monotonic() + INFRA_PAUSE_S
            while time.monotonic() < deadline and not self.stop():
                time.sleep(0.1)

    def _seal(self) -> None:
        """Measure by the sealed set the runs that the job names; they have ended long ago."""
        for run in json.loads(self.job["asked"] or "{}").get("seal", []):
            if not sealed.of_run(self.book, run):
                Execution(self.order, run, runs.row(self.book, run)["seed"]).seal()

    def _open(self, seed: int) -> int:
        return record.run(self.book, self.number, self.job["id"], seed)

    def _close(self, how: str) -> None:
        """Close the job; a run without a metric is a crash, or a discard where it was pruned.

        The branch goes back before: whoever waits goes on as soon as the job is closed, so the
        worktree has to be ready by then.
        """
        measured = lookup.has_number(self.book, self.number)
        verdict = recovery.verdict(self.book, self.number)
        if not measured:
            try:
                recovery.restore_branch(self.home, self.experiment, self.restore, verdict)
            except (LabError, repo.GitFailed) as error:
                self._log(f"the branch could not be put back: {error}")
        left = [run for run in runs.of_job(self.book, self.job["id"]) if run["ended"] is None]
        with self.book.write():
            for run in left:
                record.run_ended(
                    self.book, self.number, run["id"], status="failed", failure="infra"
                )
            record.job_ended(self.book, self.job["id"], how)
            if not measured:
                record.result(self.book, self.experiment, verdict, job=self.job["id"])
        if not measured:
            self.mirror.say("verdict")

    def clean_up(self) -> None:
        """Remove what only a living job needs, also of supervisors that were killed."""
        with contextlib.suppress(repo.GitFailed):  # the next run's head covers this one's records
            heads.keep(self.order.source, self.home, self.book)
        recovery.remove_exports(self.book, self.home)
        recovery.lock_path(self.home, self.job["uid"]).unlink(missing_ok=True)

    def _log(self, words: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / KEEPER_LOG).open("a") as file:
            file.write(f"{words}\n")


if __name__ == "__main__":
    main()
