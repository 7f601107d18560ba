"""How long `lab new` and then `lab check` take: wall and CPU seconds, with all runs.

    python benchmarks/bench_check.py [LEAF...]

Without names a new leaf is made in a repository of its own; with names those of this repository
are checked. CPU seconds are those of every process that was started, also of supervisors, which
leave their parents: this process adopts them (Linux).
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab.system import processes

ROOT = Path(__file__).resolve().parents[1]
TO_REACH_S = 60  # lab new, then lab check green, on two idle cores


def main() -> None:
    """Print a line for each leaf."""
    processes.become_subreaper()
    if sys.argv[1:]:
        for name in sys.argv[1:]:
            print(measured(ROOT, ["check", name]), name)
        return
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "init", "-q", folder], check=True)
        print(measured(Path(folder), ["new", "curve"], ["check", "curve"]), "a new leaf")
        print(f"to reach: {TO_REACH_S} s wall on two idle cores")


def measured(where: Path, *commands: list[str]) -> str:
    """Return wall and CPU seconds of some commands of lab, one after the other."""
    started, before = time.monotonic(), used()
    for words in commands:
        command = [sys.executable, "-P", "-m", "lab", *words]
        done = subprocess.run(command, cwd=where, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"lab {' '.join(words)} failed:\n{done.stdout}{done.stderr}")
    processes.collect(frozenset())
    return f"{time.monotonic() - started:6.1f} s wall {used() - before:6.1f} s CPU"


def used() -> float:
    """Return the CPU seconds of all children collected so far."""
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


if __name__ == "__main__":
    main()
