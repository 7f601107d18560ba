"""What a dry run costs, leaf by leaf: the first one with what `prepare` makes, and the next.

    python benchmarks/bench_dry_run.py sft contrib/tour

Works in a clone of this repository; each leaf's mutable files are tried as they are.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from lab.experiment.dry_run import DryTrial  # noqa: E402
from lab.workspace import Workspace  # noqa: E402


def tried(root: Path, leaf: str) -> str:
    """Return a line on two dry runs of a leaf: wall seconds, and of the second CPU seconds."""
    workspace = Workspace(root / leaf, leaf=leaf)
    dry = workspace.leaf.dry_run
    if dry is None:
        return f"{leaf}: no [dry_run]"
    told = []
    with workspace.open(write=True) as book:
        for _ in range(2):
            used, began = sum(os.times()[2:4]), time.monotonic()
            found = DryTrial(workspace, book, dry).run()
            told.append((time.monotonic() - began, sum(os.times()[2:4]) - used))
    failed = f"; FAILED: {found.failure}" if found.failure else ""
    (first, _), (second, cpu_s) = told
    return f"{leaf}: first {first:.1f} s, then {second:.1f} s ({cpu_s:.1f} CPU s){failed}"


def main() -> None:
    """Print a line for each leaf that is named."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "clone"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(root)], check=True)
        for leaf in sys.argv[1:]:
            print(tried(root, leaf), flush=True)


if __name__ == "__main__":
    main()
