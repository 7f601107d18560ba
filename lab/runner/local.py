"""Local runner: a child in a session of its own, with a timeout, ended to the last."""

import contextlib
import os
import resource
import selectors
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from ..system import processes
from ..system.tree_time import LOOK_S, TreeTime
from . import TAIL_BYTES, Command, Moment, Outcome, memory
from .output import CappedLog, StepWatch, Tail

CHECK_S = 0.1  # between two looks at the stop request and the step log
PIECE = 1 << 16  # what a pipe holds, so one read empties it
OWN_END_S = 0.5  # a script that met a NaN may print its own sentence before it is ended
GRACE_AFTER_END_S = 0.5  # helpers of a finished command may end by themselves


class Local:
    """The runner of this machine. One job at a time in a process, from one thread."""

    def run(self, job: Command, stop: Callable[[], bool]) -> Outcome:
        """Run `job`; see `Runner`."""
        processes.become_subreaper()
        try:
            log = CappedLog(job.log, job.log_cap_bytes)
        except OSError as fault:
            return Outcome(error=f"cannot write {job.log}: {fault.strerror}")
        with contextlib.closing(log):
            try:
                child = _Child(job, log)
            except OSError as fault:
                return Outcome(error=f"cannot start {job.argv[0]}: {fault.strerror}")
            with child:
                return replace(child.run(stop), log=log.text())


class _Child:
    """A started job, its pipes and what has been seen of it."""

    def __init__(self, job: Command, log: CappedLog) -> None:
        self.job, self.log = job, log
        self.excluded = processes.children()
        self.cpu_before, self.kills_before = _cpu_s(), memory.kills()
        self.out, self.err = Tail(TAIL_BYTES), Tail(TAIL_BYTES)
        self.steps = StepWatch(job.steps, job.prune)
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            job.argv,
            cwd=job.cwd,
            env=job.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
            preexec_fn=partial(processes.die_with_parent, os.getpid()),
        )

        self.tree = TreeTime(self.process.pid)
        self.first: Moment | None = None
        self.last: Moment | None = None

    def __enter__(self) -> "_Child":
        """Watch both pipes and, on Linux, the end of the child."""
        self.selector = selectors.DefaultSelector()
        self.ending: int | None = None
        for pipe, tail in ((self.process.stdout, self.out), (self.process.stderr, self.err)):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            self.selector.register(pipe.fileno(), selectors.EVENT_READ, tail)
        with contextlib.suppress(AttributeError, OSError):  # elsewhere, and in old sandboxes
            self.ending = os.pidfd_open(self.process.pid)
            self.selector.register(self.ending, selectors.EVENT_READ, None)
        return self

    def __exit__(self, *_: object) -> None:
        self.selector.close()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
        if self.ending is not None:
            os.close(self.ending)

    def run(self, stop: Callable[[], bool]) -> Outcome:
        """Watch to the end, end what is left, and say what happened."""
        seen, left = Outcome(), []
        try:
            seen = self._watch(stop)
        except OSError as fault:
            seen = Outcome(error=f"cannot write {self.job.log}: {fault.strerror}")
        finally:  # also when this process is told to stop
            ended = self._ended()
            seconds = time.monotonic() - self.started
            left = self._end()
        with contextlib.suppress(OSError):
            self._drain()
        return self._outcome(replace(seen, seconds=seconds, left=tuple(left)), ended)

    def _watch(self, stop: Callable[[], bool]) -> Outcome:
        """Read output until the child ends or has to; return the reason, if it is ours."""
        deadline = self.started + self.job.limit_s
        next_check, ends_itself_by = self.started, float("inf")
        while True:
            now = time.monotonic()
            if now >= deadline:
                return Outcome(timed_out=not self._ended())
            if now >= ends_itself_by:
                return Outcome(diverged=True)
            if now >= next_check:
                if stop():
                    return Outcome(stopped=True)
                if ends_itself_by > now + OWN_END_S and self.steps.look():
                    ends_itself_by = now + OWN_END_S
                if self.steps.is_to_end() and not self.steps.diverged:
                    return Outcome(pruned=not self._ended())
                self._collect_orphans()
                self._note()
                next_check = now + CHECK_S
            self._read(max(0.0, min(next_check, deadline, ends_itself_by) - now))
            if self._ended():
                return Outcome()

    def _note(self) -> None:
        """Read the CPU seconds used so far; where the step log has grown, note the moment."""
        reached, before = self.steps.reached(), self.last or self.first
        wall_s = time.monotonic() - self.started
        grown = bool(reached) and (before is None or reached["step"] > before["step"])
        noted = grown and (before is None or wall_s - before["wall_s"] >= LOOK_S)
        if not self.tree.look(at_once=noted) or not noted:
            return
        now = {**reached, "wall_s": wall_s, "cpu_s": self.tree.seconds}
        if before is None:
            self.first = now
        else:
            self.last = now

    def _start_cpu_s(self, cpu_s: float) -> float | None:
        """Return what was used before training's clock began; `cpu_s`: by the end.

        A clock that tells more seconds than have passed is not believed.
        """
        seen = self.first or {**self.steps.reached(), "cpu_s": cpu_s}  # it ended between two looks
        if "step" not in seen:
            return None
        passed = seen.get("wall_s", time.monotonic() - self.started)
        clock_s = seen.get("clock_s", 0.0)
        return max(0.0, seen["cpu_s"] - (clock_s if clock_s <= passed else 0.0))

    def _read(self, wait_s: float) -> None:
        """Take in what has been printed; wait for it at most `wait_s`."""
        for key, _ in self.selector.select(wait_s):
            if key.data is None:
                continue
            data = _read_piece(key.fd)
            if data == b"":
                self.selector.unregister(key.fd)
            elif data:
                key.data.add(data)
                self.log.write(data)

    def _drain(self) -> None:
        """Take in what is left in the pipes; who writes on is not ours and not waited for."""
        until = time.monotonic() + CHECK_S
        while time.monotonic() < until and any(
            key.data is not None for key, _ in self.selector.select(0)
        ):
            self._read(0)

    def _ended(self) -> bool:
        """Return whether the child has ended; it stays uncollected, so its id is not recycled."""
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            return self.process.poll() is not None
        if self.process.returncode is not None:
            return True
        return os.waitid(os.P_PID, self.process.pid, _PEEK) is not None

    def _collect_orphans(self) -> None:
        """Collect adopted orphans that ended, lest zombies pile up in a long run."""
        if hasattr(os, "waitid"):
            with contextlib.suppress(ChildProcessError):
                if os.waitid(os.P_ALL, 0, _PEEK) is not None and not self._ended():
                    processes.collect(self.excluded | {self.process.pid})

    def _end(self) -> list[int]:
        """End all that the job started; return who could not be."""
        run_dir = self.job.env.get(processes.MARKER)
        left = processes.end_tree(
            self.process.pid, run_dir, self.excluded, GRACE_AFTER_END_S, self.job.wrapped
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=0.1 if left else None)
        return left

    def _outcome(self, seen: Outcome, by_itself: bool) -> Outcome:
        """Return `seen` with exit code or signal, CPU seconds, tails and what the steps say."""
        status = self.process.returncode
        if self.job.wrapped and status is not None and status > 128:
            status = 128 - status  # as a shell says that a signal ended it
        diverged = self.steps.look_at_all()
        cpu_s = max(_cpu_s() - self.cpu_before, self.tree.seconds)
        killed = by_itself and status in (-signal.SIGKILL, 128 + signal.SIGKILL)
        return replace(
            seen,
            exit_code=status if status is not None and status >= 0 else None,
            signal=-status if status is not None and status < 0 else None,
            cpu_s=cpu_s,
            delayed=self.tree.delayed,
            start_cpu_s=self._start_cpu_s(cpu_s),
            first=self.first,
            last=self.last,
            reached=self.steps.furthest() or None,
            diverged=seen.diverged or diverged,
            hopeless=self.steps.hopeless,
            oom_killed=killed and memory.killed(self.process.pid, self.kills_before),
            tail=self.out.text(),
            stderr_tail=self.err.text(),
        )


# Look without collecting; where there is no waitid there are no such flags.
_PEEK = os.WEXITED | os.WNOHANG | os.WNOWAIT if hasattr(os, "waitid") else 0


def _read_piece(fd: int) -> bytes | None:
    """Return what a pipe holds, b"" at its end, None when it is empty for now."""
    try:
        return os.read(fd, PIECE)
    except BlockingIOError:
        return None


def _cpu_s() -> float:
    """Return the CPU seconds of all children collected so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
