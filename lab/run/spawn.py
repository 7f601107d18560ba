"""Spawn the supervisor process that owns a run."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import Environment
from ..system import source
from ..system.home import Home


def own_in_export(export: Path, checkouts: Sequence[Path]) -> list[str]:
    """Return a person's PYTHONPATH as a run has it: relative where the commit has that folder."""
    return [_in_export(path, export, checkouts) for path in source.own_paths()]


def _in_export(path: str, export: Path, checkouts: Sequence[Path]) -> str:
    for top in checkouts:
        if Path(path).is_relative_to(top):
            inner = Path(path).relative_to(top)
            if (export / inner).is_dir():
                return str(inner)
    return path


def spawn_supervisor(home: Home, job: int, lock: int) -> None:
    """Start the process that owns the run from here on, with the job's lock in its hands."""
    argv = [sys.executable, "-P", "-m", "lab.run.supervisor", str(home), str(job), str(lock)]
    os.set_inheritable(lock, True)
    try:
        nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        log = os.open(home.keeper_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
        streams = [(os.POSIX_SPAWN_DUP2, fd, to) for to, fd in ((0, nothing), (1, log), (2, log))]
        os.posix_spawn(
            sys.executable,
            argv,
            source.environ(),
            file_actions=streams,
            setsid=True,
        )
        os.close(nothing)
        os.close(log)
    except OSError as error:
        raise Environment(
            f"cannot start the supervisor: {error}.", "Look with: lab doctor"
        ) from None
