"""The keeper of an experiment's mirrors, beside its supervisor: a process for each target of a run.

    python -P -m lab.mirror.keeper HOME EXPERIMENT < WORDS

`begins 7` and `ended 7` are of a run, `verdict` is of the experiment. It reads the notebook and
writes nothing there, collects what it started, ends what hangs, and goes when it has nothing left.
"""

import contextlib
import fcntl
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from ..notebook import Notebook, lookup
from ..system import config, processes
from ..system.home import Home
from . import facts, faults

GRACE_S = float(os.environ.get("LAB_MIRROR_GRACE_S") or 120.0)  # to write what is left, or send it
LOOK_S = 0.2
FOLLOWER = "lab.mirror.follower"
IDLE = 19  # of nice: the run goes first
LOG_CAP = 1 << 20  # bytes of a target's log, which then begins anew
OF_NUMBERS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # no threads for a few sums


@dataclass
class Follower:
    """A process that writes to one target, a leader of its session."""

    target: str
    run: str
    process: subprocess.Popen[bytes]
    leader: str = ""
    deadline: float = field(default=float("inf"))  # until it is told the end

    def say(self, line: str) -> None:
        """Write a line to it; where it is gone, or takes nothing in, it misses that."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            os.write(self.process.stdin.fileno(), f"{line}\n".encode())

    def dismiss(self) -> None:
        """Let it write what is left."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.deadline = time.monotonic() + GRACE_S

    def fault(self) -> str | None:
        """Return what is wrong with it that it could not note itself; None before its end."""
        status = self.process.poll()
        if status is None:
            return f"took nothing in for {GRACE_S:g} s" if self.is_late() else None
        return f"its process ended by signal {-status}" if status < 0 else ""

    def is_late(self) -> bool:
        """Return whether it had its time."""
        return time.monotonic() > self.deadline


class Keeper:
    """One experiment: its followers by run, those that heard the end, a verdict to tell."""

    def __init__(self, home: Home, experiment: int) -> None:
        self.home, self.experiment = home, experiment
        self.mirror = config.mirror(home)
        self.to = [name for name in self.mirror.to if faults.is_there(name)]
        self.at_work: dict[int, list[Follower]] = {}
        self.ending: list[Follower] = []
        self.verdict = False

    def run(self) -> None:
        """Take words until the supervisor says no more, then wait for followers to end."""
        fd, rest, more = sys.stdin.fileno(), b"", True
        with selectors.DefaultSelector() as selector:
            selector.register(fd, selectors.EVENT_READ)
            while more or self.ending or self.verdict:
                if not more:
                    time.sleep(LOOK_S)
                elif selector.select(LOOK_S if self.ending else None):
                    new = os.read(fd, 4096)
                    *words, rest = (rest + new).split(b"\n")
                    for word in words:
                        self.take(*word.decode().split())
                    if not new:
                        more = False
                        self.lost()
                self.look()

    def take(self, what: str, run: str = "0") -> None:
        """Do as a word says."""
        with Notebook(self.home.notebook, who="mirror") as book:
            if what == "begins":
                self.begins(book, int(run))
            elif what == "ended":
                self.ended(int(run), facts.of_end(book, int(run)))
            else:
                self.verdict = True

    def begins(self, book: Notebook, number: int) -> None:
        """Start a follower of a run for each target."""
        run = facts.of_run(book, self.home, self.mirror, number)
        self.at_work[number] = [self.start(name, run.name) for name in self.to]
        for one in self.at_work[number]:
            one.say(run.as_json())

    def ended(self, number: int, how: dict[str, Any]) -> None:
        """Tell the followers of a run how it ended."""
        for one in self.at_work.pop(number, ()):
            one.say(json.dumps(how, ensure_ascii=False))
            one.dismiss()
            self.ending.append(one)

    def lost(self) -> None:
        """Let the followers of runs end whose supervisor is gone."""
        for number in tuple(self.at_work):
            self.ended(number, {"texts": {"status": "lost"}, "failed": True})

    def tell_verdict(self) -> None:
        """Tell what was decided to every run of the experiment."""
        lines, name = [], ""
        with Notebook(self.home.notebook, who="mirror") as book:
            for row in lookup.runs(book, self.experiment):
                run = facts.of_run(book, self.home, self.mirror, row["id"])
                how = facts.of_verdict(book, row["id"])
                lines += [replace(run, steps=None).as_json(), json.dumps(how, ensure_ascii=False)]
                name = run.name
        for target in self.to if lines else ():
            with tempfile.TemporaryFile() as said:
                said.write("".join(f"{line}\n" for line in lines).encode())
                said.seek(0)
                one = self.start(target, name, said)
            one.dismiss()
            self.ending.append(one)

    def start(self, target: str, run: str, said: IO[bytes] | None = None) -> Follower:
        """Start the process of a target; it is told by a pipe where `said` is None."""
        log = self.home.mirror / f"{target}.log"
        fresh = log.exists() and log.stat().st_size > LOG_CAP
        with log.open("wb" if fresh else "ab") as out:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", FOLLOWER, target, str(self.home)],
                env={**OF_NUMBERS, **os.environ},
                stdin=said or subprocess.PIPE,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
        return Follower(target, run, process, processes.start_id(process.pid) or "")

    def look(self) -> None:
        """Collect followers that ended, end those that are late; then it is the verdict's turn."""
        for one in tuple(self.ending):
            fault = one.fault()
            if fault is not None:
                self.ending.remove(one)
                self.close(one, fault)
        if self.verdict and not self.ending and not self.at_work:
            self.verdict = False
            self.tell_verdict()

    def close(self, one: Follower, fault: str = "") -> None:
        """End what a follower started, and itself; note what went wrong, or that nothing did."""
        if one.leader:
            processes.end_group(one.leader)
        status = one.process.poll()
        if fault:
            faults.note(self.home, one.target, one.run, fault)
        elif status == 0:
            faults.clear(self.home, one.target)

    def leave(self) -> None:
        """End every follower there still is."""
        for one in [*self.ending, *(one for those in self.at_work.values() for one in those)]:
            self.close(one)


def main() -> None:
    """Keep the mirrors of the experiment named on the command line."""
    home, number = Home(Path(sys.argv[1])), int(sys.argv[2])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # not without its followers
    os.nice(IDLE)
    processes.become_subreaper()  # what followers leave behind is ours, and not the supervisor's
    home.experiment(number).mkdir(parents=True, exist_ok=True)
    alone = os.open(home.experiment(number), os.O_RDONLY)
    with contextlib.suppress(OSError):  # one keeper of an experiment after the other
        fcntl.flock(alone, fcntl.LOCK_EX)
    keeper = Keeper(home, number)
    try:
        keeper.run()
    finally:
        keeper.leave()


if __name__ == "__main__":
    main()
