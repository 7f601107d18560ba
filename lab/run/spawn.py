"""Spawn the supervisor process that owns a run."""

import os
import sys
from collections.abc import Mapping, Sequence
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
    os.set_inheritable(lock, True)
    try:
        nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        words = ["lab.run.supervisor", str(home), str(job), str(lock)]
        spawned(words, source.environ(), nothing, home.keeper_log, setsid=True)
    except OSError as error:
        raise Environment(
            f"cannot start the supervisor: {error}.", "Look with: lab doctor"
        ) from None


def spawned(
    words: Sequence[str], environ: Mapping[str, str], stdin: int, log: Path, setsid: bool
) -> int:
    """Start a module of ours that reads from `stdin`, which is closed here; return its process."""
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
    streams = [(os.POSIX_SPAWN_DUP2, fd, to) for to, fd in ((0, stdin), (1, out), (2, out))]
    argv = [sys.executable, "-P", "-m", *words]
    try:
        return os.posix_spawn(sys.executable, argv, environ, file_actions=streams, setsid=setsid)
    finally:
        os.close(stdin)
        os.close(out)
