"""The process of one target: it follows the step log of a run until it is told its end.

    python -P -m lab.mirror.follower TARGET HOME < LINES

A line is a `Run`, the next one what came of it; where there is none, the run ended unseen.
"""

import importlib
import json
import os
import select
import sys
import traceback
from io import FileIO
from pathlib import Path

from ..system.home import Home
from . import Run, Target, faults
from .steps import Growth

LOOK_S = float(os.environ.get("LAB_MIRROR_LOOK_S") or 1.0)  # between two looks at a step log


def main() -> None:
    """Mirror what standard input says; a fault is noted, and ends this process alone."""
    name, home = sys.argv[1], Home(Path(sys.argv[2]))
    run = None
    try:
        opened = importlib.import_module(f"{__package__}.{name}").open_run
        with open(0, "rb", buffering=0) as said:  # without a buffer that select cannot see into
            while line := said.readline():
                run = Run.from_json(line)
                follow(opened(run), run, said)
    except Exception as error:
        traceback.print_exc()
        words = str(error).splitlines() or [""]
        faults.note(home, name, run.name if run else "", f"{type(error).__name__}: {words[0]}")
        sys.exit(1)


def follow(target: Target, run: Run, said: FileIO) -> None:
    """Write steps as they come, then how it ended."""
    last = 0
    if run.steps is not None:
        log, ended = Growth(Path(run.steps)), False
        while not ended:
            ended = bool(select.select([said], [], [], LOOK_S)[0])
            for step, values in log.rows():
                target.step(step, values)
                last = max(last, step)
            target.flush()
    end = json.loads(said.readline() or "{}")
    target.result(last, end.get("values", {}), end.get("texts", {"status": "lost"}))
    target.close(end.get("failed", True))


if __name__ == "__main__":
    main()
