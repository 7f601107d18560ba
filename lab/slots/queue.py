"""Device queue: a locked ticket file for each waiting run, campaigns in turn.

A folder holds `device-KEY.lock` for each device, `turn.lock` for deciding who is next, a
`ticket-*.json` for each run that waits or holds a device, and a `served-*` file for each campaign,
whose time is that of its last turn. A file belongs to whoever made it, so users share no data.
"""

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .. import errors
from ..system import locks, processes
from .devices import Device, accelerators, cpus
from .entries import Entry, entry_of, expect
from .folder import shared_folder

POLL_S = 0.05  # 1% of a 5 s run; a look costs some 20 microseconds while the device is busy
CONTENDED_S = 0.005  # somebody else is deciding; that takes about a millisecond
ALIVE_S = 1.0  # a waiting ticket shows this often that its process still looks
STALE_S = 10.0  # a process that has not looked for so long is stopped and loses its turn


class Queue:
    """The devices of this machine as one notebook sees them.

    GPUs are shared by all clones through `slots_dir` (default: LAB_SLOTS_DIR, else the temporary
    directory); CPU slots belong to the notebook, in `folder_cpu`.
    """

    def __init__(
        self, folder_cpu: Path, slots_dir: Path | None, environ: Mapping[str, str]
    ) -> None:
        self.folder_cpu, self.slots_dir, self.environ = folder_cpu, slots_dir, environ

    def pool(self, kind: str) -> "Pool":
        """Return the pool of "gpu" or "cpu" devices."""
        if kind == "cpu":
            self.folder_cpu.mkdir(parents=True, exist_ok=True)
            return Pool(self.folder_cpu, cpus(self.environ))
        folder = self.slots_dir or shared_folder(self.environ)
        folder.mkdir(parents=True, exist_ok=True)
        return Pool(folder, accelerators(self.environ))

    def ticket(
        self,
        *,
        campaign: str,
        label: str,
        kind: str,
        leaf: str = "",
        run_dir: str = "",
        expected_s: float | None = None,
    ) -> "Ticket":
        """Queue one seed of one run; `expected_s` is how long such a run typically takes.

        `kind` is what `devices.choose` said. Environment when there is no such device.
        """
        said = {
            "pid": os.getpid(),
            "user": os.getuid(),
            "home": str(self.folder_cpu.parent),
            "campaign": campaign,
            "experiment": label,
            "leaf": leaf,
            "run_dir": run_dir,
            "kind": kind,
            "expected_s": expected_s,
        }
        pool = None if kind == "none" else self.pool(kind)
        if pool and not pool.devices:
            raise errors.Environment(f"there is no {kind} to run on", "Try: --profile cpu")
        return Ticket(pool, said)

    def holders(self) -> list[Entry]:
        """Return who holds a device, over all kinds."""
        return [entry for entry in self._entries() if entry.device]

    def waiting(self) -> list[Entry]:
        """Return who waits, in turn within each kind, with place and expected wait."""
        return [entry for entry in self._entries() if not entry.device]

    def _entries(self) -> list[Entry]:
        pools = [self.pool("cpu")]
        if self._has_gpus():
            pools.append(self.pool("gpu"))
        return [entry for pool in pools for entry in pool.entries()]

    def _has_gpus(self) -> bool:
        """Return whether there is a queue for GPUs; whoever only looks is not refused."""
        try:
            return bool(accelerators(self.environ))
        except errors.Environment:
            return False


class Pool:
    """A folder of locks and tickets for devices of one kind."""

    def __init__(self, folder: Path, devices: list[Device]) -> None:
        self.folder, self.devices = folder, devices

    def lock_of(self, key: str) -> Path:
        """Return the lock file of a device."""
        return self.folder / f"device-{key.replace('/', '_')}.lock"

    def records(self) -> dict[str, dict[str, Any]]:
        """Return the tickets, dead or alive, by file name, oldest first."""
        names = sorted(n for n in os.listdir(self.folder) if n.startswith("ticket-"))
        found = {name: locks.read_record(self.folder / name) for name in names}
        return {name: record for name, record in found.items() if record}

    def entries(self) -> list[Entry]:
        """Return the living tickets: holders first, then those waiting, in turn."""
        living = {n: r for n, r in self.records().items() if locks.is_held(self.folder / n)}
        entries = [entry_of(name, record) for name, record in living.items()]
        holders = [entry for entry in entries if entry.device]
        return expect(holders, self.in_turn([e for e in entries if not e.device]), time.time())

    def in_turn(self, waiting: list[Entry]) -> list[Entry]:
        """Return `waiting` so that the campaign served longest ago comes first.

        Behind the first ticket of each campaign come their second ones, and so on.
        """
        served = {entry.owner: self.served(entry) for entry in waiting}
        rounds: dict[tuple[int, str, str], int] = {}
        keyed = []
        for entry in sorted(waiting, key=lambda e: e.id):
            rounds[entry.owner] = rounds.get(entry.owner, 0) + 1
            keyed.append(((rounds[entry.owner], served[entry.owner], entry.id), entry))
        return [entry for _, entry in sorted(keyed, key=lambda pair: pair[0])]

    def served(self, entry: Entry) -> int:
        """Return when a campaign last had its turn, in nanoseconds; 0 for never."""
        try:
            return self._stamp(entry).stat().st_mtime_ns
        except OSError:
            return 0

    def serve(self, entry: Entry) -> None:
        """Note that a campaign has its turn now."""
        stamp, now = self._stamp(entry), time.time_ns()
        stamp.touch()
        os.utime(stamp, ns=(now, now))

    def _stamp(self, entry: Entry) -> Path:
        owner = repr(entry.owner).encode(errors="replace")
        return self.folder / f"served-{hashlib.sha256(owner).hexdigest()[:16]}"

    def remove_dead(self, keys: set[str]) -> None:
        """Remove dead tickets; first end what a dead holder of the devices `keys` left running."""
        for name, record in self.records().items():
            path = self.folder / name
            if locks.is_held(path):
                continue
            held, run_dir = record.get("device"), record.get("run_dir")
            if held in keys and run_dir:
                processes.end_by_run_dir(run_dir)
            if held is None or held in keys:
                with contextlib.suppress(OSError):  # another user's; it counts for nothing
                    path.unlink()
        self.remove_unnamed()

    def remove_unnamed(self) -> None:
        """Remove tickets whose process died between making the file and giving it its name."""
        for path in self.folder.glob(".ticket-*"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > STALE_S and not locks.is_held(path):
                    path.unlink()


class Ticket:
    """A place in the queue, kept by a locked file; given up by `close` or by dying."""

    _made = 0  # tickets of one process in the same nanosecond still differ

    def __init__(self, pool: Pool | None, said: dict[str, Any]) -> None:
        self.pool, self.fd = pool, -1
        Ticket._made += 1
        self.id = f"ticket-{time.time_ns():020}-{os.getpid()}-{Ticket._made}.json"
        devices = [device.key for device in pool.devices] if pool else []
        self.record = {**said, "devices": devices, "device": None, "since": None}
        self.record["queued_at"] = time.time()
        self.lock_fds: dict[str, int] = {}
        if pool:
            self._enter(pool)

    def _enter(self, pool: Pool) -> None:
        """Queue up, and open the locks this ticket will ask for."""
        self._file(pool)
        for device in pool.devices:
            self.lock_fds[device.key] = locks.open_lock(pool.lock_of(device.key))
        self.turn_fd = locks.open_lock(pool.folder / "turn.lock")
        self.shown = time.monotonic()

    def _file(self, pool: Pool) -> None:
        """Make the file under another name and lock it first, so that nobody sees it unlocked."""
        hidden = pool.folder / f".{self.id}"
        self.fd = locks.open_lock(hidden)
        locks.try_lock(self.fd)
        locks.write_record(self.fd, self.record)
        hidden.rename(pool.folder / self.id)

    def wait(self, stop: Callable[[], bool], poll_s: float = POLL_S) -> "Lease | None":
        """Return the lease when it is this ticket's turn and a device is free; None on `stop`."""
        if self.pool is None:
            return Lease(self, Device("none", "none", "any", {"CUDA_VISIBLE_DEVICES": ""}))
        while not stop():
            if not locks.try_lock(self.turn_fd):
                time.sleep(CONTENDED_S)
                continue
            try:
                device = self._take(self.pool)
            finally:
                locks.unlock(self.turn_fd)
            if device:
                return Lease(self, device)
            self._show()
            time.sleep(poll_s)
        self.close()
        return None

    def _take(self, pool: Pool) -> Device | None:
        """Take a free device for which this ticket is first in turn."""
        free = [d for d in pool.devices if locks.try_lock(self.lock_fds[d.key])]
        mine = self._first_of(pool, free) if free else None
        for device in free:
            if device is not mine:
                locks.unlock(self.lock_fds[device.key])
        if mine is None:
            return None
        self.record |= {"device": mine.key, "since": time.time()}
        locks.write_record(self.fd, self.record)
        pool.serve(entry_of(self.id, self.record))
        return mine

    def _first_of(self, pool: Pool, free: list[Device]) -> Device | None:
        """Return the free device this ticket may have, once nothing of a dead holder is left."""
        pool.remove_dead({device.key for device in free})
        entries = pool.entries()
        held = {entry.device for entry in entries}
        waiting = [e for e in entries if not e.device and self._looks(pool, e)]
        for device in free:
            path, fd = pool.lock_of(device.key), self.lock_fds[device.key]
            if not locks.is_still(fd, path):  # a cleaner of temporary files removed it
                os.close(fd)
                self.lock_fds[device.key] = locks.open_lock(path)
                continue
            rivals = [entry for entry in waiting if device.key in entry.devices]
            if device.key not in held and rivals and rivals[0].id == self.id:
                return device
        return None

    def _looks(self, pool: Pool, entry: Entry) -> bool:
        """Return whether a waiting process still looks; this one does."""
        with contextlib.suppress(OSError):
            age = time.time() - (pool.folder / entry.id).stat().st_mtime
            return entry.id == self.id or age < STALE_S
        return False

    def _show(self) -> None:
        """Show that this process still looks; come back if a cleaner removed the file."""
        if self.pool and time.monotonic() - self.shown > ALIVE_S:
            self.shown = time.monotonic()
            os.utime(self.fd)
            if not locks.is_still(self.fd, self.pool.folder / self.id):
                os.close(self.fd)
                self._file(self.pool)

    def place(self) -> Entry:
        """Return this ticket as others see it, with its position and expected wait."""
        own = entry_of(self.id, self.record)
        entries = self.pool.entries() if self.pool else []
        return next((entry for entry in entries if entry.id == self.id), own)

    def close(self) -> None:
        """Leave the queue, or give the device back."""
        fds, self.lock_fds = [*self.lock_fds.values()], {}
        if self.pool and self.fd >= 0:
            with contextlib.suppress(OSError):
                (self.pool.folder / self.id).unlink()
            fds += [self.turn_fd, self.fd]
        self.fd = -1
        for fd in fds:
            os.close(fd)

    def __enter__(self) -> "Ticket":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Lease:
    """A device held until `close`, or until this process dies. `env` shows it to a child."""

    def __init__(self, ticket: Ticket, device: Device) -> None:
        self.ticket, self.device = ticket, device

    @property
    def env(self) -> dict[str, str]:
        """The environment by which a child sees this device and no other."""
        return dict(self.device.env)

    def close(self) -> None:
        """Give the device back."""
        self.ticket.close()

    def __enter__(self) -> "Lease":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
