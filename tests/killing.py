"""Kill `lab run` or its supervisor at some instant, and prove that nothing was left half done."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import toy as toys

PATIENCE_S = 120  # on a machine that does much else


class Killed:
    """A campaign whose runs are killed, one after the other."""

    def __init__(self, toy: toys.Toy, where: Path, seed: int) -> None:
        self.toy, self.where = toy, where
        self.home = toy.root / ".lab"
        self.exports = toy.root.parent / "exports"
        toy.env["LAB_EXPORTS_DIR"] = str(self.exports)
        self.draw = random.Random(seed)
        self.seen: Counter[str] = Counter()
        self.number = 0
        self.head = toy.git("rev-parse", "HEAD", cwd=where)

    def waiter(self, longest_s: float, *, group: bool) -> str:
        """Kill `lab run` after a moment; with `group`, whatever runs in its process group too."""
        idea, slope = self.edited()
        process = self.start("run", idea)
        time.sleep(self.draw.uniform(0.0, longest_s))
        self._kill(process, group)
        return self._as_text("killed with its group" if group else "killed", idea, slope)

    def supervisor(self, longest_s: float) -> str:
        """Kill the supervisor a moment after it started."""
        idea, slope = self.edited()
        process = self.start("run", idea)
        supervisor = until(lambda: process.poll() is not None or self._supervisor())
        time.sleep(self.draw.uniform(0.0, longest_s))
        if isinstance(supervisor, int):
            with contextlib.suppress(ProcessLookupError):
                os.kill(supervisor, signal.SIGKILL)
        process.communicate(timeout=PATIENCE_S)
        return self._as_text("supervisor killed", idea, slope)

    def edited(self) -> tuple[str, str]:
        """Write down a hypothesis and edit the file for it; return its id and the file's text."""
        self.number += 1
        idea = self.toy.idea(f"idea {self.number}", cwd=self.where)
        slope = f"{self.draw.uniform(0.1, 0.9):.12f}"
        toys.slope(self.where, float(slope))
        return idea, (self.where / "train.py").read_text()

    def start(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "lab", *words],
            cwd=self.where,
            env=self.toy.environ(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )

    def _kill(self, process: "subprocess.Popen[str]", group: bool) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL) if group else process.kill()
        process.communicate(timeout=PATIENCE_S)

    def _supervisor(self) -> int | None:
        """Return the process that keeps a job of this notebook, by its command line."""
        mark = f"lab.run.supervisor\0{self.home}\0".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (folder / "cmdline").read_bytes():
                    return int(folder.name)
        return None

    def _as_text(self, how: str, idea: str, text: str) -> str:
        """Type the next command, check everything, and return what came of the kill."""
        kept = self._supervisor() is not None
        before = self.toy.lab("log", "-n", "1", "--json", cwd=self.where).json
        made = before if before and before[0]["hypothesis"] == idea else []
        found = None
        if made:
            found = self.toy.lab("wait", made[0]["experiment"], "--json", cwd=self.where, code=None)
            assert found.out, found.err
            found = found.json
        outcome = self._checked(found, kept, text)
        self._usable(found, idea, text)
        self.seen[f"{how}: {outcome}"] += 1
        return outcome

    def _checked(self, found: dict[str, Any] | None, kept: bool, text: str) -> str:
        """Return the outcome's name, having proved that the worktree and the record agree."""
        where = self.where
        head = self.toy.git("rev-parse", "HEAD", cwd=where)
        assert (where / "train.py").read_text() == text, "the edit is gone"
        assert not self._leftovers(), self._leftovers()
        staged = self.toy.git("diff", "--cached", "--name-only", cwd=where)
        assert staged == "", staged
        if found is None:
            assert not kept
            assert head == self.head
            return "nothing was written"
        name = found["experiment"]
        if found["status"] == "finished":
            assert head == found["commit"] == self.toy.git("rev-parse", f"refs/lab/{name}")
            assert found["value"] is not None
            assert len(found["runs"]) == 1
            return "finished"
        assert (found["status"], found["failure"]) == ("failed", "lost"), found
        assert head == self.head, "the branch is not back"
        assert all(run["status"] == "failed" for run in found["runs"])
        if kept:
            return "lost, though its supervisor lived"
        return f"lost with {'a run' if found['runs'] else 'no runs'}"

    def _leftovers(self) -> list[str]:
        """Return processes, locks and exports that no living job needs."""
        until(lambda: self._supervisor() is None)
        found = [path.name for path in (self.home / "exports").glob("*/*")]
        found += [path.name for path in self.exports.glob("*")]
        marker = f"LAB_RUN_DIR={self.home}/runs/".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if marker in (folder / "environ").read_bytes():
                    found.append(f"process {folder.name}")
        git = Path(self.toy.git("rev-parse", "--git-dir", cwd=self.where))
        return found + [str(path) for path in git.glob("*.lock")]

    def _usable(self, found: dict[str, Any] | None, idea: str, text: str) -> None:
        """Run the same hypothesis to its end in the same worktree; leave everything as before."""
        if found is None or found["status"] != "finished":
            found = self.toy.lab("run", idea, "--json", cwd=self.where).json
        assert found["status"] == "finished", found
        rows = self.toy.lab("log", "-n", "5", "--json", cwd=self.where).json
        assert len({row["experiment"] for row in rows}) == len(rows)
        assert len([row for row in rows if row["hypothesis"] == idea]) <= 2
        self.toy.lab("result", found["experiment"], "-v", "discard", cwd=self.where)
        assert (self.where / "train.py").read_text() == toys.TRAIN
        assert self.toy.git("rev-parse", "HEAD", cwd=self.where) == self.head
        assert self.toy.git("status", "--porcelain", cwd=self.where) == ""


def until(true: Any) -> Any:
    """Wait until `true()` holds; return what it gave."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := true()):
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.002)
    return found
