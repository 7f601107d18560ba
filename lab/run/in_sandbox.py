"""Entry point inside a rented sandbox: the stages of one run, output as it comes.

    python -m lab.run.in_sandbox start      # begins, once, in a session of its own
    python -m lab.run.in_sandbox follow '{"run.log": 120}'   # from these offsets on, as JSON Lines

Every path comes from the working directory: `plan.json`, `train/` and `evaluate/` (two exports),
`run/` (what the run leaves), `cache/` unless a volume is there. Standard library and `lab`'s own
light modules only: they travel with it.
"""

import base64
import json
import os
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..runner import Outcome, Plan
from ..runner.local import Local
from . import packages
from .stages import NotPrepared, Stages

STREAMED = ("prepare.log", "run.log", "evaluate.log", "steps.jsonl", "samples.jsonl")
LOOK_S = 0.2  # between two looks for new output: a line arrives within a second
PIECE = 1 << 18
RESULT = "result.json"


def main() -> None:
    """Do what the command line says."""
    here = Path.cwd()
    (here / "run").mkdir(exist_ok=True)
    if sys.argv[1] == "start":
        start(here)
    else:
        follow(here, json.loads(sys.argv[2]))


def start(here: Path) -> None:
    """Begin the run in a process that outlives this one; a second start changes nothing."""
    try:
        os.close(os.open(here / "started", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    if os.fork():
        return
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    try:
        found = execute_plan(here)
    except BaseException as error:
        found = {"error": f"{type(error).__name__}: {error}"}
    part = here / f"{RESULT}.part"
    part.write_text(json.dumps(found))
    part.replace(here / RESULT)
    os._exit(0)


def execute_plan(here: Path) -> dict[str, Any]:
    """Carry the plan out; return the outcomes as plain data."""
    plan = Plan.from_json((here / "plan.json").read_text())
    key = (here / "cache-key").read_text()
    volume = Path(os.environ.get("LAB_VOLUME", ""))
    cache = (volume if volume.name and volume.is_dir() else here / "cache") / key
    cache.parent.mkdir(parents=True, exist_ok=True)
    exports = (here / "train", here / "evaluate")
    stages = Stages(plan, exports, here / "run", cache, Local(), lambda: False)
    began = time.monotonic()
    found: dict[str, Any] = {"python": sys.version.split()[0]}
    asked = stages.ask_for_packages()
    try:
        stages.prepare()
    except NotPrepared as error:
        return found | {"not_prepared": str(error), "ours": bool(error.outcome.error)}
    found["setup_s"] = time.monotonic() - began
    found["environment"] = packages.answer(asked)
    trained = stages.train()
    found["train"], found["tampered"] = _travelling(trained), stages.tampered()
    if trained.exit_code == 0 and not found["tampered"]:
        found["evaluate"] = _travelling(stages.evaluate())
        if plan.seal and (sealed := stages.sealed()) is not None:
            found["sealed"] = _travelling(sealed)
    return found


def _travelling(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as plain data, without the log, which was streamed already."""
    return asdict(replace(outcome, log=None))


def follow(here: Path, offsets: dict[str, int]) -> None:
    """Print each new piece of what the run writes, then its result."""
    done = False
    while not done:
        done = (here / RESULT).exists()
        for name in STREAMED:
            offsets[name] = _stream_new(here / "run" / name, name, offsets.get(name, 0))
        if not done:
            time.sleep(LOOK_S)
    print(json.dumps({"result": json.loads((here / RESULT).read_text())}), flush=True)


def _stream_new(path: Path, name: str, offset: int) -> int:
    """Print what a file has beyond `offset`; return where it ends now."""
    if not path.is_file():
        return offset
    with path.open("rb") as file:
        file.seek(offset)
        while piece := file.read(PIECE):
            text = base64.b64encode(piece).decode()
            print(json.dumps({"file": name, "at": offset, "data": text}), flush=True)
            offset += len(piece)
    return offset


if __name__ == "__main__":
    main()
