"""`[mirror]` as runs meet it: words to a process beside them, which nobody ever waits for."""

import contextlib
import os

from ..errors import LabError
from ..system import config, source
from ..system.home import KEEPER_LOG, Home
from .spawn import spawned

KEEPER = "lab.mirror.keeper"
OURS = ("LAB_MIRROR_LOOK_S", "LAB_MIRROR_GRACE_S")  # of our variables, what a keeper is told
_told: list[int] = []  # keepers of verdicts, to be collected once they have ended


class Mirror:
    """The supervisor's end of a pipe to the keeper of its job's mirrors.

    Nothing here raises, and nothing blocks: what the keeper does not take in is lost to it.
    """

    def __init__(self, home: Home, experiment: int) -> None:
        self.home, self.experiment = home, experiment
        self.pipe: int | None = None
        self.wanted = _wanted(home)

    def say(self, *words: object) -> None:
        """Tell the keeper, which is started with the first word: a run began, or has ended."""
        if not self.wanted:
            return
        with contextlib.suppress(OSError):
            if self.pipe is None:
                self.wanted = False  # unless it starts
                self.pipe, self.wanted = self._keeper(), True
            os.write(self.pipe, " ".join(map(str, words)).encode() + b"\n")

    def _keeper(self) -> int:
        """Start the keeper in our session, so that it ends with us where we are killed.

        It is never collected: what a child used would count as the run's.
        """
        read, write = os.pipe()
        os.set_blocking(write, False)
        _spawned(self.home, self.experiment, read, setsid=False)
        return write


def verdict(home: Home, experiment: int) -> None:
    """Have a verdict on an experiment mirrored, by a process that nobody waits for."""
    if not _wanted(home):
        return
    for known in tuple(_told):
        with contextlib.suppress(ChildProcessError):
            if os.waitpid(known, os.WNOHANG)[0]:
                _told.remove(known)
    with contextlib.suppress(OSError):
        read, write = os.pipe()
        _told.append(_spawned(home, experiment, read, setsid=True))
        with open(write, "wb") as pipe:
            pipe.write(b"verdict\n")


def _wanted(home: Home) -> bool:
    with contextlib.suppress(LabError):  # `lab config` says what is wrong with it
        return bool(config.mirror(home).to)
    return False


def _spawned(home: Home, experiment: int, stdin: int, setsid: bool) -> int:
    known = source.environ().items()
    environ = {k: v for k, v in known if not k.startswith("LAB_") or k in OURS}
    home.mirror.mkdir(parents=True, exist_ok=True)
    words = [KEEPER, str(home), str(experiment)]
    return spawned(words, environ, stdin, home.mirror / KEEPER_LOG, setsid)
