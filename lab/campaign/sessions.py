"""Sessions of a coding agent: when one is over, its heartbeat and its limits.

The driver puts these into the agent's environment, and `lab result` reads them there:

    LAB_SESSION            the session's unique id in the notebook
    LAB_SESSION_UNTIL      when its time is over, seconds since 1970
    LAB_SESSION_VERDICTS   how many verdicts end it
    LAB_HEARTBEAT          a file that every `lab` call touches
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path

from ..notebook import Notebook, campaigns
from ..text import plural

VERDICTS = 6  # after as many an agent's own context is full of runs that no longer matter
HOURS = 3.0


def over(book: Notebook, environ: Mapping[str, str]) -> str | None:
    """Return why the session in `environ` is over, or None."""
    uid = environ.get("LAB_SESSION")
    row = campaigns.session(book, uid) if uid else None
    if row is None:
        return None
    given = campaigns.verdicts_since(book, row["name"], row["at"])
    most = int(_number(environ, "LAB_SESSION_VERDICTS", VERDICTS))
    if given >= most:
        return plural(given, "verdict")
    if time.time() >= _number(environ, "LAB_SESSION_UNTIL", float("inf")):
        return "its time is over"
    loop = campaigns.loop_of(book, row["name"]) or {}
    done = campaigns.counted(book, row["name"], row["leaf"]) - loop.get("start", 0)
    if loop.get("experiments") is not None and done >= loop["experiments"]:
        return f"the campaign has its {plural(loop['experiments'], 'experiment')}"
    return None


def _number(environ: Mapping[str, str], name: str, default: float) -> float:
    try:
        return float(environ.get(name) or default)
    except ValueError:
        return default


def as_text(reason: str) -> str:
    """Return what `lab result` says to an agent whose session is over."""
    return (
        f"session over: {reason}. End now: start no other experiment, write what matters into "
        "notes.md or a lesson; a fresh session goes on."
    )


def beat(environ: Mapping[str, str] = os.environ) -> None:
    """Show the driver that its agent is alive."""
    path = environ.get("LAB_HEARTBEAT")
    if path and os.path.exists(path):
        try:
            os.utime(Path(path))
        except OSError:
            return
