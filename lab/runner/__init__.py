"""Runners: how a run's commands are carried out, here or rented; `Command`, `Outcome`."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

LOG_CAP_BYTES = 4 << 20  # a night of 100 runs keeps at most 400 MB of logs
# A moment of a training: `step`, its newest; `wall_s` and `cpu_s`, what it had taken by then; and
# `clock_s`, what its own clock said, where its step log tells.
Moment = dict[str, float]
TAIL_BYTES = 1 << 20  # a block of 3,000 metrics is 120 kB, and a page of text may come after it


class Stopped(Exception):
    """Somebody asked for this run to stop."""


@dataclass(frozen=True)
class Plan:
    """One run, as data that can travel: no path of this machine but those in `exports`.

    Commands are a leaf's own, `python` in them being `python` here. `allowed` are the files, from
    the export's root, that training may change. Limits in seconds.
    """

    folder: str  # the leaf, from an export's root
    prepare: list[str] | None
    train: list[str]
    evaluate: list[str]
    allowed: list[str]
    timeout_s: float
    eval_timeout_s: float
    said: dict[str, str] = field(default_factory=dict)  # LAB_BUDGET_S, LAB_SEED and their like
    paths: list[str] = field(default_factory=list)  # of PYTHONPATH, behind the export's root
    serve: list[str] | None = None  # loads the experiment for `evaluate`, which never imports it
    sealed: bool = False  # whether `prepare` holds out a second set
    seal: bool = False  # whether this run is measured by that one too
    python: str = ""  # "" for the interpreter that carries the plan out
    prune: dict[str, Any] | None = None  # `pruning.Pruning` as data; None: whatever it is worth

    def as_json(self) -> str:
        """Return the plan as text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the plan that `as_json` wrote."""
        return cls(**json.loads(text))


@dataclass(frozen=True)
class Command:
    """One command of a leaf. `limit_s` is a hard limit on its wall seconds.

    `steps` is the step log to watch: a loss that is not finite ends the run as diverged, one that
    is beyond a bar of `prune` as pruned.
    """

    argv: list[str]
    cwd: Path
    env: dict[str, str]
    log: Path
    limit_s: float
    steps: Path | None = None
    log_cap_bytes: int = LOG_CAP_BYTES
    wrapped: bool = False  # the program only makes namespaces and becomes another one there
    prune: dict[str, Any] | None = None


@dataclass(frozen=True)
class Outcome:
    """What came back.

    `error` is the runner's own and says nothing about the job; `tail` is the end of standard
    output, where the summary block is, `stderr_tail` that of standard error; `log` is all that was
    kept of both, None where only a file has it; `left` are processes that even SIGKILL did not
    end. Times in seconds, of the job and all its descendants; `delayed` is the share of it that
    they waited for a core, `start_cpu_s` what they used before the step log's own clock began, None
    without a log. `first` and `last` are the moments at which its step log was seen to have grown,
    where the system tells CPU seconds of who still runs; `reached` is how far it came by its log.
    `hopeless` is the first rung at which its
    series was beyond the bar; `pruned`, that it was ended for it.
    """

    exit_code: int | None = None
    signal: int | None = None
    seconds: float = 0.0
    cpu_s: float = 0.0
    delayed: float | None = None
    start_cpu_s: float | None = None
    timed_out: bool = False
    diverged: bool = False
    stopped: bool = False
    oom_killed: bool = False
    error: str | None = None
    tail: str = ""
    stderr_tail: str = ""
    log: str | None = None
    left: tuple[int, ...] = ()
    first: Moment | None = None
    last: Moment | None = None
    reached: Moment | None = None
    hopeless: dict[str, Any] | None = None
    pruned: bool = False


class Runner(Protocol):
    """Runs a job to its end, its limit, or until `stop` says so; ends all it started."""

    def run(self, job: Command, stop: Callable[[], bool]) -> Outcome:
        """Return the outcome; a failure of the runner itself is in `Outcome.error`."""
        ...
