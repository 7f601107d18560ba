"""What confinement costs a run: a command alone and confined, in turn, as a run's are.

python benchmarks/bench_confine.py [--pairs 40]
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from lab.confine import View, methods, view
from lab.runner import Command
from lab.runner.local import Local


def seconds(argv: list[str], folder: Path, wrapped: bool) -> float:
    """Return the wall seconds of one command that does nothing, started and ended by a runner."""
    job = Command(argv, folder, dict(os.environ), folder / "log", 60.0, wrapped=wrapped)
    began = time.perf_counter()
    assert Local().run(job, lambda: False).exit_code == 0
    return time.perf_counter() - began


def seen(folder: Path) -> View:
    """Return the view of a run of this repository."""
    private = [Path.cwd(), Path.cwd() / ".lab"]
    words = {"readable": [], "imported": [], "environ": os.environ, "network": False, "gpu": False}
    words |= {"fresh": str(folder)}
    base = view.base(python=sys.executable, private=private, **words)
    return base.with_folders([], [str(folder)])


def main() -> None:
    """Print, for each way that this machine has, what a command takes more, in milliseconds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=40)
    pairs = parser.parse_args().pairs
    argv = [sys.executable, "-I", "-S", "-c", "pass"]
    for kind in ("bwrap", "unshare", "landlock"):
        began = time.perf_counter()
        method = methods.best({methods.CHOICE: kind})
        tried = time.perf_counter() - began
        if not method.confines:
            print(f"{kind}: not here ({method.why})")
            continue
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            words, stays = method.wrapped(argv, folder, seen(folder)), method.has_namespaces
            times = [
                (seconds(argv, folder, False), seconds(words, folder, stays)) for _ in range(pairs)
            ]
        more = [1000 * (confined - alone) for alone, confined in times]
        alone, confined = (1000 * statistics.median(one) for one in zip(*times, strict=True))
        print(
            f"{kind}: alone {alone:.0f} ms, confined {confined:.0f} ms, median of the differences "
            f"{statistics.median(more):.0f} ms, quickest {min(b for _, b in times) * 1000:.0f} ms "
            f"against {min(a for a, _ in times) * 1000:.0f} ms; tried once in {1000 * tried:.0f} ms"
        )


if __name__ == "__main__":
    main()
