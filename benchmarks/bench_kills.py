"""Kill `lab run` and its supervisor at random instants, and look at what is left each time.

    python benchmarks/bench_kills.py                        # 200 of each, some twenty minutes
    python benchmarks/bench_kills.py waiter --times 50 --seed 3

After each kill the next `lab` command is typed and this must hold: the supervisor that had started
finishes and is recorded, a run without one is `lost` without runs, no process and no lock is left,
the branch is where the record says, the edit is in the file, one row was made, and the same
hypothesis runs in the same worktree. Prints how often each came about; stops at the first breach.
"""

import argparse
import contextlib
import io
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import toy as toys  # noqa: E402
from killing import Killed  # noqa: E402

PARTS = ("waiter", "supervisor")


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


def prepared(folder: Path, seed: int) -> Killed:
    """Return a campaign with a measured baseline, to be killed in."""
    toy = Inside(toys.make(folder).root)
    toy.lab("run", "--baseline", "--seeds", "3", cwd=toy.root / "toy")
    return Killed(toy, toy.campaign(), seed)


def typical(killed: Killed) -> float:
    """Return how long a whole `lab run` takes on this machine now, in seconds."""
    idea, _ = killed.edited()
    began = time.monotonic()
    found = json.loads(killed.start("run", idea, "--json").communicate()[0])
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
                    killed.supervisor(usual * 0.8)
            ok = killed.toy.lab("doctor", "--json").json["ok"]
            print(f"{args.times} kills of the {part} (doctor: {ok}):")
            for outcome, count in sorted(killed.seen.items()):
                print(f"  {count:>4}  {outcome}")
            sys.stdout.flush()
        os.chdir("/")


if __name__ == "__main__":
    main()
