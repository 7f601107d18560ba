"""`lab wait`: wait for a run to its end, for a while, or not at all."""

import math
import os
import sqlite3
import sys
import time

import click

from .. import repo, slots
from ..documents.experiments import Standing
from ..errors import Usage
from ..notebook import Notebook, lookup
from ..system import locks
from ..system.home import Home
from ..text import span
from . import curve, queue_status, recovery, standing
from .assessment import policy_for
from .watch import Watch

POLL_S = 0.05
SAY_EVERY_S = float(os.environ.get("LAB_SAY_S") or 60.0)
SAY_AT_MOST = 10
PATIENCE_S = (
    30.0  # a supervisor ends its run within 2 s; a full disk or a busy notebook takes longer
)
ASK_QUEUE_EVERY_S = 0.5  # until it is known whether somebody else has the device


def seconds(asked: float | None, detach: bool) -> float:
    """Return how long to wait: `--detach`, `--wait`, `$LAB_WAIT_S`, else to the end."""
    if detach:
        return 0.0
    if asked is None:
        said = os.environ.get("LAB_WAIT_S")
        try:
            asked = float(said) if said else math.inf
        except ValueError:
            raise Usage(f"LAB_WAIT_S is {said!r}, not seconds.", "export LAB_WAIT_S=540") from None
    if math.isnan(asked) or asked < 0:
        raise Usage(f"--wait {asked} is no time.", "Type: --wait 540")
    return asked


def until_done(book: Notebook, place: repo.Place, experiment: int, limit_s: float) -> bool:
    """Wait until no job of the experiment is open; False when the wait is over before.

    Ctrl-C at a terminal stops the run, as it would a training that was started by hand. Anywhere
    else an interrupt is only the end of somebody's patience, and the run goes on.
    """
    wait = _Wait(book, place, experiment, limit_s)
    while True:
        try:
            if (done := wait.look()) is not None:
                return done
        except KeyboardInterrupt:
            if wait.stopping or not sys.stdin.isatty():
                click.echo(f"e{experiment} goes on: lab wait e{experiment}", err=True)
                raise
            wait.stop()


class _Wait:
    """One wait for one experiment, and what was said meanwhile."""

    def __init__(self, book: Notebook, place: repo.Place, experiment: int, limit_s: float) -> None:
        self.book, self.place, self.experiment = book, place, experiment
        self.limit_s, self.began, self.said, self.stopping = limit_s, time.monotonic(), 0, False
        self.asked_queue, self.queue_told = self.began, False

    def look(self) -> bool | None:
        """Return whether the wait is over, and if so whether the run is; else sleep a moment."""
        job = _open_job(self.book, self.experiment)
        if job is None:
            return True
        if not locks.is_held(recovery.lock_path(self.place.home, job["uid"])):
            recovery.recover(self.book, self.place)
            return None
        passed = time.monotonic() - self.began
        if passed >= self.limit_s:
            return False
        self._tell(passed)
        time.sleep(min(POLL_S, max(0.0, self.limit_s - passed)))
        return None

    def _tell(self, passed: float) -> None:
        """Say once who else has the device, and every minute how far the run is."""
        now = time.monotonic()
        if not self.queue_told and now - self.asked_queue >= ASK_QUEUE_EVERY_S:
            self.asked_queue = now
            queued = queue_status.as_text(self.place.home, self.experiment)
            if queued:
                self.queue_told = True
                click.echo(f"e{self.experiment} {queued}", err=True)
        if passed >= (self.said + 1) * SAY_EVERY_S and self.said < SAY_AT_MOST:
            self.said += 1
            words = Watch(self.book, self.place.home, self.experiment).look()[1]
            click.echo(f"{words} (waited {span(passed)})", err=True)

    def stop(self) -> None:
        """Ask for the run's end, and go on waiting for its record."""
        self.stopping = True
        job = _open_job(self.book, self.experiment)
        if job is not None:
            click.echo(f"stopping e{self.experiment}", err=True)
            stop(self.place.home, self.experiment, job["id"])


def _open_job(book: Notebook, experiment: int) -> sqlite3.Row | None:
    return lookup.open_job(book, experiment)


def stop(home: Home, experiment: int, job: int, who: str = "") -> None:
    """Ask a job's supervisor to end its run and close the record; `who` typed `lab stop`."""
    request = home.stop_request(experiment, job)
    request.parent.mkdir(parents=True, exist_ok=True)
    new = request.with_name(f".{request.name}-{os.getpid()}")
    new.write_text(who)
    new.replace(request)  # the supervisor reads it as soon as it is there


def outcome(book: Notebook, home: Home, experiment: int) -> Standing:
    """Return the JSON of `lab run`, with the place in the queue while it is not done."""
    row = lookup.experiment(book, experiment)
    policy, queued = policy_for(book, experiment), _queued(book, home, experiment)
    return standing.as_json(book, row, policy, queued, curve.line(book, home, row))


def _queued(book: Notebook, home: Home, experiment: int) -> slots.Entry | None:
    """Return the place of the newest run in the queue, while it is not done."""
    if lookup.state(book, experiment)["status"] not in ("queued", "running"):
        return None
    runs = lookup.runs(book, experiment)
    return queue_status.place_of(home, home.run(experiment, runs[-1]["id"])) if runs else None


def exit_code(found: Standing) -> int:
    """Return 0 for a metric, 1 without one, 5 while it runs."""
    if found["status"] in ("queued", "running"):
        return 5
    return 0 if found["status"] == "finished" else 1
