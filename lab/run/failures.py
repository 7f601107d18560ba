"""Failure classes: why a run failed (oom, diverged, ...), what that says of the idea."""

import math
import re
import signal as signals
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from shared import summary

from ..runner import pruning
from ..system.masking import mask
from . import diagnostics, tracebacks
from .failure_hints import NOT_FINITE, NOT_PRINTED, hint
from .tracebacks import Trace

SAYS = {
    "interrupted": "It was stopped: this says nothing about the idea.",
    "stopped": "Its own campaign stopped it: that seed counts as failed.",
    "lost": "Its supervisor died: this says nothing about the idea.",
    "infra": "The machine failed, not the idea.",
    "timeout": "Too slow as written: it did not end within the hard limit.",
    "pruned": "Worse than its incumbent's curve by more than luck, so it was ended early.",
    "oom": "Too big as written: memory ran out.",
    "diverged": "This setting is unstable: the loss stopped being a number.",
    "bug": "A code error: the idea has not been tested yet.",
    "no_metric": "Not a result: no whole summary block with the metric was printed.",
    "tampered": "Not a result: files an experiment may not change were changed.",
}
LAST_LENGTH = 300  # characters of a message that are kept; a tensor in it may fill pages
# Signals that mean the program itself went wrong in native code.
CRASHES = {signals.SIGSEGV, signals.SIGABRT, signals.SIGBUS, signals.SIGFPE, signals.SIGILL}
KILLS = {signals.SIGKILL, signals.SIGTERM, signals.SIGINT, signals.SIGHUP}  # by somebody else

# Anchored at the exception's name: the words may occur in any log.
OUT_OF_MEMORY = re.compile(
    r"(?:[\w.]+\.)?(?:OutOfMemoryError|_?ArrayMemoryError|MemoryError)(?::|$)"
    r"|[\w.]*(?:InductorError|BackendCompilerFailed): (?:[\w.]+\.)?OutOfMemoryError:"
    r"|(?:RuntimeError|torch\.AcceleratorError): (?:CUDA out of memory|CUDA error: out of memory"
    r"|MPS backend out of memory|HIP out of memory|CUDA error: CUBLAS_STATUS_ALLOC_FAILED"
    r"|\[enforce fail at [^\]]*\] .*(?:can't|not enough) (?:allocate )?memory)"
    r"|RuntimeError: DataLoader worker \(pid\(?s?\)? [\d, ]+\) is killed by signal: Killed"
    r"|OSError: \[Errno 12\]"
)
DIVERGED = re.compile(
    r"RuntimeError: probability tensor contains either `inf`, `nan` or element < 0"
    r"|RuntimeError: Function '\w+' returned nan values in its \d+th output"
)
SAID_DIVERGED = re.compile(r"^diverged at step \d+\b.*$")
LAST_LINES = 3  # of a log: a script that said so earlier went on, and ended for another reason
MACHINE = re.compile(
    r"(?:[\w.]+\.)?OSError: \[Errno (?:28|122|5|30)\]"  # disk full, quota, I/O error, read-only
    r"|RuntimeError: .*PytorchStreamWriter failed writing file"  # torch.save on a full disk
    r"|sqlite3\.OperationalError: database or disk is full"
    r"|(?:RuntimeError|torch\.AcceleratorError): (?:No CUDA GPUs are available"
    r"|Unexpected error from cudaGetDeviceCount\(\)|CUDA driver initialization failed"
    r"|CUDA error: (?:CUDA-capable device\(s\) is/are busy|uncorrectable ECC error"
    r"|no CUDA-capable device|system not yet initialized|device not ready))"
)
NETWORK = re.compile(
    r"(?:[\w.]+\.)?(?:ConnectionError|ConnectError|ConnectTimeout|ReadTimeout|ConnectionResetError"
    r"|ConnectionRefusedError|URLError|gaierror|RemoteDisconnected|APIConnectionError"
    r"|APITimeoutError)(?::|$)"
)


class Facts(Protocol):
    """What a runner saw of a command."""

    @property
    def exit_code(self) -> int | None: ...
    @property
    def signal(self) -> int | None: ...
    @property
    def timed_out(self) -> bool: ...
    @property
    def diverged(self) -> bool: ...
    @property
    def pruned(self) -> bool: ...
    @property
    def hopeless(self) -> dict[str, Any] | None: ...
    @property
    def stopped(self) -> bool: ...
    @property
    def oom_killed(self) -> bool: ...
    @property
    def error(self) -> str | None: ...


@dataclass(frozen=True)
class Failure:
    """A class of failure, where it happened, its last words, what it says and what to try."""

    kind: str
    place: str  # "train.py:31", "" when there is none
    last: str
    says: str
    hint: str


def classify(
    outcome: Facts,
    log_text: str,
    *,
    metrics_ok: bool = True,
    metric: str = "",
    tampered: Sequence[str] = (),
    folders: Sequence[Path] = (),
    source: str = "",
) -> Failure | None:
    """Return why a command failed, None when it did not.

    `metrics_ok`: whether the metric was printed, for `evaluate`, and `metric` its name; `tampered`:
    files that may not change and did; `folders`: where the leaf's files lay; `source`: the mutable
    file, for hints.
    """
    failed = outcome.exit_code != 0
    trace = last_words(log_text) if failed else tracebacks.last(log_text)
    kind = _by_facts(outcome) or (_by_text(outcome, trace, log_text, folders) if failed else "")
    if not kind:
        kind = "bug" if failed else "tampered" if tampered else "" if metrics_ok else "no_metric"
    if not kind:
        return None
    last = _last_words(kind, outcome, trace, log_text, tampered)
    if kind == "no_metric" and metric:
        last = unread(log_text, metric) or last
    place = trace.place(folders) if trace and failed and kind in ("bug", "oom", "diverged") else ""
    last = mask(last)[:LAST_LENGTH]
    return Failure(kind, place, last, SAYS[kind], hint(kind, place, source, last))


def last_words(log: str) -> Trace | None:
    """Return what a log of something that failed says is wrong: Python's word, else another's."""
    trace = tracebacks.last(log)
    if trace is None or not trace.frames or diagnostics.wraps(trace):
        return diagnostics.find(log) or trace
    return trace


def said(log: str, folders: Sequence[Path] = ()) -> str:
    """Return in a line what is wrong by a log of something that failed: `a.c:3: error: ...`."""
    trace = last_words(log)
    if trace is None or not trace.exceptions:
        return diagnostics.last_line(log)
    return ": ".join(filter(None, [trace.place(folders), trace.exceptions[0]]))


def unread(log: str, metric: str) -> str:
    """Return the line that should have given the metric and why it does not, "" without one."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    named = re.compile(rf"(?<![\w./-]){re.escape(metric)}(?![\w./-])", re.IGNORECASE)
    wrong = next((line for line in reversed(lines) if named.search(line)), "")
    if wrong.startswith(NOT_PRINTED):
        return wrong
    found = summary.ROW.fullmatch(wrong)
    if not wrong:
        near = summary.parse(log)
        return f"the block has no {metric}, only {', '.join(near)}" if near else ""
    if not found or found[1] != metric:
        return f"not read, write `{metric}: NUMBER` in the block: {wrong}"
    if not summary.NUMBER.fullmatch(found[2]):
        return f"{NOT_FINITE}{wrong}"
    if not math.isfinite(float(found[2])):
        return f"too large for a number: {wrong}"
    return f"not in a whole block between two lines of ---: {wrong}"


def _by_facts(outcome: Facts) -> str:
    """Return the class that runner, limits and signals decide, "" when text has to."""
    if outcome.stopped:
        return "interrupted"
    if outcome.error:
        return "infra"
    if outcome.timed_out:
        return "timeout"
    if outcome.pruned:
        return "pruned"
    if outcome.oom_killed:
        return "oom"
    number = outcome.signal or max(0, (outcome.exit_code or 0) - 128)  # a shell adds 128
    killed = number not in CRASHES and number in KILLS | {outcome.signal}
    return "infra" if killed and not outcome.diverged else ""


def _by_text(outcome: Facts, trace: Trace | None, log: str, folders: Sequence[Path] = ()) -> str:
    """Return the class of a command that failed by itself, by its last exception."""
    said = trace.exceptions if trace else ()
    if any(MACHINE.match(line) for line in said[:1]):
        return "infra"
    if any(NETWORK.match(line) for line in said[:1]) and not (trace and trace.is_within(folders)):
        return "infra"  # a library's own words; a script that raises one itself has a bug
    own = said or (log.rstrip().rpartition("\n")[2],)  # a script's last words, as it gave up
    if any(OUT_OF_MEMORY.match(line) for line in own):
        return "oom"
    if outcome.diverged or any(DIVERGED.match(line) for line in said):
        return "diverged"
    return "diverged" if _own_words(log) else ""


def _own_words(log: str) -> str:
    """Return the script's own line saying that it diverged, where it said little after it."""
    lines = [line for line in log.rpartition(tracebacks.HEADER)[2].splitlines() if line.strip()]
    found = [line for line in lines[-LAST_LINES:] if SAID_DIVERGED.match(line)]
    return found[-1] if found else ""


def _last_words(
    kind: str, outcome: Facts, trace: Trace | None, log: str, tampered: Sequence[str]
) -> str:
    """Return the line that tells most about a failure."""
    if outcome.error:
        return outcome.error
    if kind == "pruned" and outcome.hopeless:
        return pruning.words(outcome.hopeless)
    if kind == "tampered":
        return "changed: " + ", ".join(tampered)
    if kind == "diverged" and _own_words(log):
        return _own_words(log)
    if trace and trace.exceptions and kind in ("infra", "oom", "diverged", "bug"):
        return trace.exceptions[0]
    return "; ".join(filter(None, [diagnostics.last_line(log), _ended(outcome)]))


def _ended(outcome: Facts) -> str:
    """Return how a command ended that said nothing itself."""
    if outcome.signal is not None:
        known = {number.value for number in signals.Signals}
        name = signals.Signals(outcome.signal).name if outcome.signal in known else ""
        return f"ended by {name or f'signal {outcome.signal}'}"
    return f"exit code {outcome.exit_code}" if outcome.exit_code else ""


def plain(kind: str, last: str) -> Failure:
    """Return a failure that no log tells: the machinery's own, or a request to stop."""
    return Failure(kind, "", last, SAYS[kind], "Run it again")
