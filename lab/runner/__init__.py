"""What a runner is told (`Job`) and what it gives back (`Outcome`), wherever it runs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

LOG_CAP_BYTES = 4 << 20  # a night of 100 runs keeps at most 400 MB of logs
TAIL_BYTES = 64 << 10  # a summary block is a few hundred bytes; this leaves room after it


@dataclass(frozen=True)
class Job:
    """One command of a leaf. `limit_s` is a hard limit on its wall seconds.

    `steps` is the step log to watch: a loss that is not finite ends the run as diverged.
    """

    argv: list[str]
    cwd: Path
    env: dict[str, str]
    log: Path
    limit_s: float
    steps: Path | None = None
    log_cap_bytes: int = LOG_CAP_BYTES


@dataclass(frozen=True)
class Outcome:
    """What came back.

    `error` is the runner's own and says nothing about the job; `tail` is the end of standard
    output, where the summary block is, `stderr_tail` that of standard error; `left` are processes
    that even SIGKILL did not end. Times in seconds, of the job and all its descendants.
    """

    exit_code: int | None = None
    signal: int | None = None
    seconds: float = 0.0
    cpu_s: float = 0.0
    timed_out: bool = False
    diverged: bool = False
    stopped: bool = False
    oom_killed: bool = False
    error: str | None = None
    cost_usd: float | None = None
    remote_id: str | None = None
    tail: str = ""
    stderr_tail: str = ""
    left: tuple[int, ...] = ()


class Runner(Protocol):
    """Runs a job to its end, its limit, or until `stop` says so; ends all it started."""

    def run(self, job: Job, stop: Callable[[], bool]) -> Outcome:
        """Return the outcome; a failure of the runner itself is in `Outcome.error`."""
        ...
