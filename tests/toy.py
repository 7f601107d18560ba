"""A toy leaf that trains in a blink, in a git repository of its own, and `lab` as users type it."""

import contextlib
import io
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from lab.cli import main

LEAF = """\
purpose = "Fit a line: how far is SLOPE from 3?"
metric = "loss"
direction = "minimize"
command = ["python", "-S", "train.py"]
evaluate = ["python", "-S", "evaluate.py"]
mutable = ["train.py"]
frozen = ["evaluate.py", "program.md"]
budget_s = 5
startup_s = 20
timeout_s = 30

[profiles.cpu]
needs = "cpu"

[knobs.SLOPE]
low = 0.5
high = 5.0
why = "the line's slope; the truth is 3"

[knobs.NOISE]
low = 0.001
high = 0.1
log = true
why = "how much the seed moves the result"
"""
TRAIN = '''\
"""Fit a line."""

import json
import os
import random
from pathlib import Path

SLOPE = 1.0  # the truth is 3
NOISE = 0.01


def main():
    random.seed(int(os.environ["LAB_SEED"]))
    run = Path(os.environ["LAB_RUN_DIR"])
    with (run / "steps.jsonl").open("w") as log:
        log.write(json.dumps({"step": 1, "elapsed_s": 0.1, "loss": 1.0}) + "\\n")
    (run / "model.json").write_text(json.dumps({"w": SLOPE + random.gauss(0, NOISE)}))
    print("trained")


if __name__ == "__main__":
    main()
'''
EVALUATE = '''\
"""The only yardstick."""

import json
import os
from pathlib import Path

w = json.loads((Path(os.environ["LAB_RUN_DIR"]) / "model.json").read_text())["w"]
print(f"---\\nloss: {(w - 3) ** 2!r}\\nsteps: 1\\n---")
'''
PROGRAM = "# toy\n\n**Goal.** Lower `loss`.\n"


@dataclass
class Answer:
    """What a command gave back."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The JSON on standard output."""
        return json.loads(self.out)


@dataclass
class Toy:
    """A repository with leaves, and `lab` typed somewhere in it."""

    root: Path
    env: dict[str, str] = field(default_factory=dict)
    patience_s: float = 300.0  # for one command

    def environ(self, **more: str) -> dict[str, str]:
        """Return an environment without anybody's settings, but for `more`."""
        bare = {k: v for k, v in os.environ.items() if not k.startswith(("LAB_", "GIT_"))}
        home = self.root.parent / "home"
        home.mkdir(exist_ok=True)
        ours = {"HOME": str(home), "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        slots = {"LAB_SLOTS_DIR": str(self.root.parent / "slots")}
        bare |= {k: v for k, v in os.environ.items() if k == "LAB_CONFINE"}  # to try all that way
        return {**bare, **ours, **slots, "PYTHONWARNINGS": "error", **self.env, **more}

    def lab(self, *words: str, cwd: Path | None = None, code: int | None = 0, **env: str) -> Answer:
        """Type `lab WORDS`; fail when its exit code is not `code` (None: any)."""
        done = subprocess.run(
            [sys.executable, "-P", "-m", "lab", *words],
            cwd=cwd or self.root,
            env=self.environ(**env),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=self.patience_s,
        )
        answer = Answer(done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in answer.err, answer.err
        if code is not None:
            assert answer.code == code, (words, answer)
        return answer

    def here(
        self, *words: str, cwd: Path | None = None, code: int | None = 0, **env: str
    ) -> Answer:
        """Type `lab WORDS` without a process of its own: the same entry and words, much quicker.

        For what starts no run, and for one thread: the folder and environment are the process's.
        """
        out, err = io.StringIO(), io.StringIO()
        with (
            mock.patch.dict(os.environ, self.environ(**env), clear=True),
            contextlib.chdir(cwd or self.root),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                main(words)
            except SystemExit as done:
                status = int(done.code or 0)
        answer = Answer(status, out.getvalue(), err.getvalue())
        assert "lab itself failed" not in answer.err, answer.err
        if code is not None:
            assert answer.code == code, (words, answer)
        return answer

    def start(self, *words: str, cwd: Path | None = None, **env: str) -> "subprocess.Popen[str]":
        """Start `lab WORDS` and do not wait for it."""
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "lab", *words],
            cwd=cwd or self.root,
            env=self.environ(**env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )

    def supervisor(self) -> int:
        """Wait for a supervisor of this repository; return its process. Where there is a /proc."""
        for _ in range(1000):
            for folder in Path("/proc").glob("[0-9]*"):
                try:
                    words = (folder / "cmdline").read_text().split("\0")
                except OSError:
                    continue
                if "lab.run.supervisor" in words and str(self.root / ".lab") in words:
                    return int(folder.name)
            time.sleep(0.01)
        raise AssertionError("no supervisor came")

    def git(self, *words: str, cwd: Path | None = None) -> str:
        """Run git as the person who owns the repository."""
        who = ["-c", "user.name=ada", "-c", "user.email=ada@example.org"]
        done = subprocess.run(
            ["git", *who, *words],
            cwd=cwd or self.root,
            env=self.environ(),
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def leaf(self, name: str = "toy", **files: str) -> Path:
        """Make a leaf; `train`, `evaluate`, `toml`, `program` replace the toy's files."""
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        default = {"toml": LEAF, "train": TRAIN, "evaluate": EVALUATE, "program": PROGRAM}
        names = {
            "toml": "leaf.toml",
            "train": "train.py",
            "evaluate": "evaluate.py",
            "program": "program.md",
        }
        for key, text in {**default, **files}.items():
            (folder / names[key]).write_text(text)
        return folder

    def commit(self, message: str = "as it is") -> str:
        """Commit everything; return the commit."""
        self.git("add", "-A")
        self.git("commit", "-qm", message)
        return self.git("rev-parse", "HEAD")

    def campaign(self, name: str = "ada", leaf: str = "toy", *words: str) -> Path:
        """Make a campaign's worktree; return the leaf's folder in it."""
        return Path(self.here("worktree", leaf, name, *words).out.strip())

    def idea(self, claim: str = "raise the slope", *words: str, cwd: Path | None = None) -> str:
        """Write down a hypothesis; return its id."""
        where = cwd or self.root / "toy"
        return self.here("hypothesis", claim, "-m", "the truth is 3", *words, cwd=where).out.strip()


class Quick(Toy):
    """A toy repository whose `lab` never has a process of its own; for what starts no run."""

    lab = Toy.here


def make(folder: Path) -> Toy:
    """Return a repository with one committed toy leaf."""
    root = folder / "repo"
    root.mkdir(parents=True)
    toy = Toy(root)
    toy.git("init", "-q", "-b", "main")
    toy.leaf()
    toy.commit("a toy leaf")
    return toy


def slope(where: Path, value: float, more: str = "") -> None:
    """Edit the campaign's train.py: another slope, and `more` at the end of main()."""
    text = TRAIN.replace("SLOPE = 1.0", f"SLOPE = {value}")
    (where / "train.py").write_text(
        text.replace('    print("trained")\n', f'    print("trained")\n{more}')
    )
