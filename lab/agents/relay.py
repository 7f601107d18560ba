"""Relay: `lab` typed inside an agent's sandbox, run outside of it.

A sandbox ends what a command leaves behind, hides the GPU and git's folders. So the agent's `lab`
writes what was typed into a folder, the driver runs it, and the answer comes back as files: nothing
else gets out. It opens what an agent types all day, not the commands that start other agents.

    ID.ask    {"words": [...], "cwd": "..."}     then   ID.out, ID.err, ID.done (the exit code)
"""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import NotYet

POLL_S = 0.05
TAKEN_S = 30.0  # a driver looks twenty times a second; after half a minute there is none
OPEN = {
    *("context", "failures", "hypothesis", "experiment", "run", "wait", "result", "samples"),
    *("diff", "show", "lesson", "move", "apply", "status", "stop", "board", "log", "leaves"),
    *("brief", "doctor", "output", "check", "reproduce", "curve", "timing"),
}


def ask(folder: Path, words: Sequence[str]) -> int:
    """Type a command outside the sandbox; print what it prints and return its exit code."""
    name = uuid.uuid4().hex
    part = folder / f"{name}.part"
    part.write_text(json.dumps({"words": list(words), "cwd": os.getcwd()}), encoding="utf-8")
    part.rename(folder / f"{name}.ask")
    asked = time.monotonic()
    places = {"out": 0, "err": 0}
    while not (done := folder / f"{name}.done").exists():
        if (folder / f"{name}.ask").exists() and time.monotonic() - asked > TAKEN_S:
            (folder / f"{name}.ask").unlink(missing_ok=True)
            raise NotYet("nobody answers outside the sandbox.", "Type it again in a moment.")
        _copy(folder, name, places)
        time.sleep(POLL_S)
    _copy(folder, name, places)
    code = int(done.read_text())
    for kind in ("out", "err", "done"):
        (folder / f"{name}.{kind}").unlink(missing_ok=True)
    return code


def _copy(folder: Path, name: str, places: dict[str, int]) -> None:
    """Print what came since the last look."""
    for kind, stream in (("out", sys.stdout), ("err", sys.stderr)):
        path = folder / f"{name}.{kind}"
        if path.exists():
            with path.open("rb") as file:
                file.seek(places[kind])
                data = file.read()
            places[kind] += len(data)
            stream.buffer.write(data)
            stream.flush()


class Relay:
    """The driver's side: runs what is asked, one process a command."""

    def __init__(self, folder: Path, top: Path, leaf: Path, command: Sequence[str]) -> None:
        self.folder, self.top, self.leaf, self.command = folder, top, leaf, list(command)
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            path.unlink()

    def poll(self, env: Mapping[str, str]) -> None:
        """Start what was asked since the last look, and give back what has ended."""
        for path in sorted(self.folder.glob("*.ask")):
            self._start(path, env)
        for name, process in list(self.running.items()):
            code = process.poll()
            if code is not None:
                del self.running[name]
                self._answer(name, code)

    def _start(self, path: Path, env: Mapping[str, str]) -> None:
        name = path.stem
        try:
            asked = json.loads(path.read_text(encoding="utf-8"))
            words, cwd = [str(word) for word in asked["words"]], Path(str(asked["cwd"])).resolve()
        except (OSError, ValueError, KeyError, TypeError):
            words, cwd = [], self.leaf
        path.unlink(missing_ok=True)
        if not words or words[0] not in OPEN:
            said = f"Error: lab {words[0] if words else ''} is not open to an agent's sandbox.\n"
            (self.folder / f"{name}.err").write_text(f"{said}See what is: lab context\n")
            return self._answer(name, 4)
        inside = cwd == self.top or self.top in cwd.parents
        with (
            (self.folder / f"{name}.out").open("wb") as out,
            (self.folder / f"{name}.err").open("wb") as err,
        ):
            self.running[name] = subprocess.Popen(
                [*self.command, *words],
                cwd=cwd if inside and cwd.is_dir() else self.leaf,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    def _answer(self, name: str, code: int) -> None:
        part = self.folder / f"{name}.code"
        part.write_text(str(code if code >= 0 else 128 - code))
        part.rename(self.folder / f"{name}.done")

    def close(self) -> None:
        """End the commands that still wait; the runs they asked for go on."""
        for process in self.running.values():
            process.kill()
            process.wait()
