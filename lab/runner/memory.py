"""Out of memory: whether the kernel ended a process for it."""

import contextlib
import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
RECORD_BYTES = 8192  # the longest record /dev/kmsg gives; a read returns one


def killed(pid: int, kills_before: int | None) -> bool:
    """Return whether `pid`, ended by a SIGKILL that was not ours, fell to the kernel.

    Asks the memory group's counter, else the kernel's messages; where neither can be read the
    signal itself is all there is, and the answer is yes.
    """
    if kills_before is not None:
        return (kills() or 0) > kills_before
    messages = _messages()
    return messages is None or f"Killed process {pid} " in messages


def kills() -> int | None:
    """Return how often the kernel killed in our memory group; None where it does not say."""
    for file in _counters():
        with contextlib.suppress(OSError, StopIteration, ValueError):
            rows = file.read_text().splitlines()
            return int(next(row.split()[1] for row in rows if row.startswith("oom_kill ")))
    return None


def _counters() -> list[Path]:
    """Return the files that may count kills: our own group first, then a container's root."""
    try:
        groups = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    rows = [group.split(":", 2) for group in groups]  # 4:memory:/user.slice, or 0::/user.slice
    paths = {kind: path for _, kinds, path in rows for kind in kinds.split(",")}
    if "memory" in paths:  # version 1
        at = [CGROUPS / "memory" / paths["memory"].lstrip("/"), CGROUPS / "memory"]
        return [folder / "memory.oom_control" for folder in at]
    at = [CGROUPS / paths.get("", "/").lstrip("/"), CGROUPS]
    return [folder / "memory.events" for folder in at]


def _messages() -> str | None:
    """Return the kernel's messages; None where we may not read them."""
    try:
        fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    records = []
    with contextlib.suppress(BlockingIOError):
        while True:
            with contextlib.suppress(BrokenPipeError):  # this record was overwritten meanwhile
                records.append(os.read(fd, RECORD_BYTES))
    os.close(fd)
    return b"".join(records).decode("utf-8", "replace")
