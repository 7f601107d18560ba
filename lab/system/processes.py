"""End every process of a run, also those that left its session, and nobody else's.

On Linux a run's processes are found by parent, session and `LAB_RUN_DIR` in their environment; a
subreaper inherits those whose parent died. Elsewhere the parents and the process group must do.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from . import source

PROC = Path("/proc")
LINUX = sys.platform == "linux"
MARKER = "LAB_RUN_DIR"
GRACE_S = 0.5  # between SIGTERM and SIGKILL: time to flush a file, no time to train on
LIMIT_S = 1.3  # of killing; with GRACE_S below the 2 s a run may outlive its limit by
PAUSE_S = 0.01  # between two looks; the kernel needs about a millisecond to end a process
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # from linux/prctl.h


@dataclass(frozen=True)
class Process:
    """One row of the process table."""

    pid: int
    parent: int
    group: int
    session: int  # the group where the system does not tell sessions
    dead: bool  # a zombie: it has ended and waits to be collected
    started: str  # clock ticks after boot, or a date


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def become_subreaper() -> bool:
    """Make orphans below this process its children; False where the system cannot."""
    return LINUX and _libc().prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def die_with_parent(parent: int) -> None:
    """In a new child: default signals, and SIGKILL as soon as the thread that forked it ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    if LINUX:
        _libc().prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)


# -- The process table --------------------------------------------------------


def table() -> dict[int, Process]:
    """Return every process by its id."""
    rows = _from_proc() if LINUX else _from_ps()
    return {row.pid: row for row in rows}


def _from_proc() -> Iterable[Process]:
    """Yield the rows of /proc; whoever ends meanwhile is left out."""
    for name in os.listdir(PROC):
        if name.isdigit() and (row := _look(int(name))):
            yield row


def _look(pid: int) -> Process | None:
    """Return one row of /proc; None when there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()  # the name before may hold anything
    except OSError:
        return None
    state, parent, group, session = fields[0], int(fields[1]), int(fields[2]), int(fields[3])
    return Process(pid, parent, group, session, state in b"ZX", fields[19].decode())


def _from_ps() -> Iterable[Process]:
    """Yield the rows of `ps`, where there is no /proc."""
    command = ["ps", "-axo", "pid=,ppid=,pgid=,stat=,lstart="]
    for line in subprocess.run(command, capture_output=True, text=True).stdout.splitlines():
        pid, parent, group, state, started = line.split(None, 4)
        yield Process(int(pid), int(parent), int(group), int(group), "Z" in state, started.strip())


def start_id(pid: int) -> str | None:
    """Return an id that no later process with the same `pid` shares; None when it is gone."""
    row = _look(pid) if LINUX else table().get(pid)
    return f"{pid}:{row.started}:{boot()}" if row and not row.dead else None


def alive(identity: str) -> bool:
    """Return whether the process that `start_id` once named is still running."""
    pid = identity.partition(":")[0]
    return pid.isdigit() and start_id(int(pid)) == identity


@cache
def boot() -> str:
    """Return what differs after a restart, when process ids begin anew."""
    if LINUX:
        return (PROC / "sys/kernel/random/boot_id").read_text().strip()
    command = ["sysctl", "-n", "kern.boottime"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


# -- Whose processes they are -------------------------------------------------


def _below(roots: set[int], rows: dict[int, Process]) -> set[int]:
    """Return `roots` and all that descends from them."""
    children: dict[int, list[int]] = {}
    for row in rows.values():
        children.setdefault(row.parent, []).append(row.pid)
    found, todo = set(roots), list(roots)
    while todo:
        for child in children.get(todo.pop(), ()):
            if child not in found:
                found.add(child)
                todo.append(child)
    return found


def _protected(rows: dict[int, Process]) -> set[int]:
    """Return this process and its ancestors."""
    pid, line = os.getpid(), {0, 1}
    while pid not in line:
        line.add(pid)
        pid = rows[pid].parent if pid in rows else 0
    return line


def _marked(run_dir: str, rows: dict[int, Process]) -> set[int]:
    """Return the processes started with LAB_RUN_DIR=`run_dir`, of those we may ask."""
    return _with(f"{MARKER}={run_dir}", rows)


def _with(setting: str, rows: dict[int, Process]) -> set[int]:
    """Return the processes started with this NAME=VALUE in their environment."""
    mark, found = setting.encode(), set()
    for pid in rows if LINUX else ():
        with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:
            if mark in file.read().split(b"\0"):
                found.add(pid)
    return found


def _adopted(excluded: frozenset[int], rows: dict[int, Process]) -> set[int]:
    """Return orphans this process inherited: children of its own never leave its session."""
    me = os.getpid()
    session = rows[me].session if me in rows else 0
    return {
        row.pid
        for row in rows.values()
        if LINUX and row.parent == me and row.session != session and row.pid not in excluded
    }


def children() -> frozenset[int]:
    """Return the present children of this process, to be excluded by a later `end_tree`."""
    me = os.getpid()
    return frozenset(row.pid for row in table().values() if row.parent == me)


# -- Ending them --------------------------------------------------------------


def end_tree(
    root: int | None,
    run_dir: str | None = None,
    excluded: frozenset[int] = frozenset(),
    grace_s: float = GRACE_S,
    wrapped: bool = False,
) -> list[int]:
    """End `root`, what descends from it or shares its session, and what `run_dir` marks.

    `root` is a child of this process that was made leader of a session, not yet collected; orphans
    that this process adopted go too, except `excluded`. SIGTERM first, SIGKILL after `grace_s`;
    with `wrapped`, `root` only holds the namespaces of what it started and is spared the first,
    since all in them would be killed at once. Returns who is still there after LIMIT_S: processes
    stuck in the kernel.
    """
    spared = {root} if wrapped and root is not None else set()
    left = _end(lambda rows: _members(root, run_dir, excluded, rows), grace_s, spared)
    if root is not None:
        collect(excluded | {root})
    return left


def end_by_run_dir(run_dir: str | os.PathLike[str], grace_s: float = 0.0) -> list[int]:
    """End what a lost supervisor left of the run in `run_dir`; [] elsewhere than on Linux."""
    return end_tree(None, os.fspath(run_dir), grace_s=grace_s)


def end_group(leader: str, grace_s: float = 0.0) -> list[int]:
    """End the session and group of the leader that `start_id` named, even if it is gone itself.

    Nothing happens when its id was recycled, or the machine restarted since.
    """
    pid = int(leader.partition(":")[0])
    if not leader.endswith(f":{boot()}") or start_id(pid) not in (None, leader):
        return []
    return _end(lambda rows: _group(pid, rows), grace_s)


def end_agent(leader: str | None, mark: str, grace_s: float = GRACE_S) -> list[int]:
    """End an agent and all that it started, but for the supervisors of its runs and what is theirs.

    `leader` is the agent's `start_id`; `mark` is NAME=VALUE of its environment, by which Linux
    finds who left its session. A supervisor owns its run and outlives whoever asked for it.
    """
    pid = int(leader.partition(":")[0]) if leader else 0
    gone = not leader or not leader.endswith(f":{boot()}") or start_id(pid) not in (None, leader)
    return _end(lambda rows: _agents(0 if gone else pid, mark, rows), grace_s)


def _agents(pid: int, mark: str, rows: dict[int, Process]) -> set[int]:
    found = _with(mark, rows)
    if pid:
        found |= {row.pid for row in rows.values() if pid in (row.pid, row.group, row.session)}
    found = _below(found - _protected(rows), rows)
    excluded = _below({pid for pid in found if _is_supervisor(pid)}, rows) | _protected(rows)
    return {pid for pid in found - excluded if pid in rows and not rows[pid].dead}


def _is_supervisor(pid: int) -> bool:
    """Return whether a process owns a run, by its command line."""
    if LINUX:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
            return b"lab.run.supervisor" in file.read().split(b"\0")
        return False
    command = ["ps", "-o", "command=", "-p", str(pid)]
    return " lab.run.supervisor " in subprocess.run(command, capture_output=True, text=True).stdout


def _group(pid: int, rows: dict[int, Process]) -> set[int]:
    """Return the living members of a session or group, and who descends from them."""
    found = {row.pid for row in rows.values() if pid in (row.group, row.session)}
    protected = _protected(rows)
    below = _below(found - protected, rows) - protected
    return {pid for pid in below if not rows[pid].dead}


def _members(
    root: int | None, run_dir: str | None, excluded: frozenset[int], rows: dict[int, Process]
) -> set[int]:
    """Return the living processes of a run."""
    found = _marked(run_dir, rows) if run_dir else set()
    if root is not None:
        found |= {row.pid for row in rows.values() if root in (row.pid, row.session, row.group)}
        found |= _adopted(excluded, rows)
    protected = _protected(rows)
    below = _below(found - protected, rows) - protected
    return {pid for pid in below if pid in rows and not rows[pid].dead}


def _end(
    members: Callable[[dict[int, Process]], set[int]],
    grace_s: float,
    spared: Collection[int] = (),
) -> list[int]:
    """Send SIGTERM, then SIGKILL until a look finds nobody; return who is left at the end."""
    term_until = time.monotonic() + grace_s
    kill_until = term_until + LIMIT_S
    warned = set(spared)  # of the first signal
    while True:
        rows = table()
        found = members(rows)
        now = time.monotonic()
        if not found or now > kill_until:
            return sorted(found)
        fresh = found - warned if now < term_until else found
        for pid in fresh:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGTERM if now < term_until else signal.SIGKILL)
        warned |= found
        time.sleep(PAUSE_S)


def collect(excluded: frozenset[int]) -> None:
    """Collect dead orphans this process adopted, so that their CPU seconds count as ours."""
    rows = table()
    for pid in _adopted(excluded, rows):
        if rows[pid].dead:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def detached(argv: Sequence[str], cwd: Path, log: Path, **env: str) -> subprocess.Popen[bytes]:
    """Start a `lab` in a session of its own that prints into a file and outlives us."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out, open(os.devnull) as nothing:
        return subprocess.Popen(
            argv,
            cwd=cwd,
            env={**source.environ(), **env},
            stdin=nothing,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
