"""Kill `lab run` and its keeper at random instants, and look at what is left each time.

    python benchmarks/bench_kills.py                        # 200 of each, some twenty minutes
    python benchmarks/bench_kills.py waiter --times 50 --seed 3

After each kill the next `lab` command is typed and this must hold: the keeper that had started
finishes and is recorded, a run without one is `lost` without runs, no process and no lock is left,
the branch is where the record says, the edit is in the file, one row was made, and the same
hypothesis runs in the same worktree. Prints how often each came about; stops at the first breach.
"""

import argparse
import contextlib
import io
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import toy as toys  # noqa: E402

PARTS = ("waiter", "keeper")
PATIENCE_S = 120  # on a machine that does much else


class Killed:
    """A campaign whose runs are killed, one after the other."""

    def __init__(self, toy: toys.Toy, where: Path, seed: int) -> None:
        self.toy, self.where = toy, where
        self.home = toy.root / ".lab"
        self.draw = random.Random(seed)
        self.seen: Counter[str] = Counter()
        self.number = 0
        self.head = toy.git("rev-parse", "HEAD", cwd=where)

    def waiter(self, longest_s: float, *, group: bool) -> str:
        """Kill `lab run` after a moment; with `group`, whatever runs in its process group too."""
        idea, slope = self._idea()
        process = self._start("run", idea)
        time.sleep(self.draw.uniform(0.0, longest_s))
        self._kill(process, group)
        return self._told("killed with its group" if group else "killed", idea, slope)

    def keeper(self, longest_s: float) -> str:
        """Kill the keeper a moment after it started."""
        idea, slope = self._idea()
        process = self._start("run", idea)
        keeper = _until(lambda: process.poll() is not None or self._keeper())
        time.sleep(self.draw.uniform(0.0, longest_s))
        if isinstance(keeper, int):
            with contextlib.suppress(ProcessLookupError):
                os.kill(keeper, signal.SIGKILL)
        process.communicate(timeout=PATIENCE_S)
        return self._told("keeper killed", idea, slope)

    def _idea(self) -> tuple[str, str]:
        self.number += 1
        idea = self.toy.idea(f"idea {self.number}", cwd=self.where)
        slope = f"{self.draw.uniform(0.1, 0.9):.12f}"
        toys.slope(self.where, float(slope))
        return idea, (self.where / "train.py").read_text()

    def _start(self, *words: str) -> "subprocess.Popen[str]":
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

    def _keeper(self) -> int | None:
        """Return the process that keeps a job of this notebook, by its command line."""
        mark = f"lab.keeper\0{self.home}\0".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (folder / "cmdline").read_bytes():
                    return int(folder.name)
        return None

    def _told(self, how: str, idea: str, text: str) -> str:
        """Type the next command, check everything, and return what came of the kill."""
        kept = self._keeper() is not None
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
            return "lost, though its keeper lived"
        return f"lost with {'a run' if found['runs'] else 'no runs'}"

    def _leftovers(self) -> list[str]:
        """Return processes, locks and exports that no living job needs."""
        _until(lambda: self._keeper() is None)
        found = [path.name for path in (self.home / "exports").glob("*/*")]
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


class Inside(toys.Toy):
    """A toy whose `lab` runs in this very process: no start-up to wait for."""

    def lab(
        self, *words: str, cwd: Path | None = None, code: int | None = 0, **env: str
    ) -> toys.Answer:
        from lab.cli import main

        out, err = io.StringIO(), io.StringIO()
        os.environ.update(self.environ(**env))
        os.chdir(cwd or self.root)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main(list(words))
                status: Any = 0
            except SystemExit as end:
                status = end.code or 0
        answer = toys.Answer(int(status), out.getvalue(), err.getvalue())
        assert code is None or answer.code == code, (words, answer)
        return answer


def _until(true: Any) -> Any:
    """Wait until `true()` holds; return what it gave."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := true()):
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.002)
    return found


def prepared(folder: Path, seed: int) -> Killed:
    """Return a campaign with a measured baseline, to be killed in."""
    toy = Inside(toys.make(folder).root)
    toy.lab("run", "--baseline", "--seeds", "3", cwd=toy.root / "toy")
    return Killed(toy, toy.campaign(), seed)


def typical(killed: Killed) -> float:
    """Return how long a whole `lab run` takes on this machine now, in seconds."""
    idea, _ = killed._idea()
    began = time.monotonic()
    found = json.loads(killed._start("run", idea, "--json").communicate()[0])
    took = time.monotonic() - began
    killed.toy.lab("result", found["experiment"], "-v", "discard", cwd=killed.where)
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="|".join(PARTS))
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        for part in args.parts or PARTS:
            killed = prepared(Path(os.path.realpath(name)) / part, args.seed)
            usual = typical(killed)
            for number in range(args.times):
                if number % 20 == 0:
                    usual = typical(killed)
                if part == "waiter":
                    killed.waiter(usual, group=number % 2 == 1)
                else:
                    killed.keeper(usual * 0.8)
            ok = killed.toy.lab("doctor", "--json").json["ok"]
            print(f"{args.times} kills of the {part} (doctor: {ok}):")
            for outcome, count in sorted(killed.seen.items()):
                print(f"  {count:>4}  {outcome}")
            sys.stdout.flush()
        os.chdir("/")


if __name__ == "__main__":
    main()
