"""Runs on the stand-in of Modal's servers: the round trip, log lines on their way, refusals.

    python benchmarks/bench_modal.py --rounds 10

The real service is not contacted. `round trip`: `lab run` of a one-second leaf there less the same
here, whole processes in turns. `lines`: the leaf prints the time ten times a second; how old is
each line when it is in the run's log here. `refusals`: a bad token, and a server that is silent.
"""

import argparse
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import toy as toys  # noqa: E402

ONE_SECOND = toys.TRAIN.replace("    print(", "    import time; time.sleep(1)\n    print(")
TALKS = toys.TRAIN.replace(
    "    print(",
    "    import time\n    for _ in range(50):\n        print(time.time(), flush=True)\n"
    "        time.sleep(0.1)\n    print(",
)
LOOK_S = 0.02
BASELINE = ("run", "--baseline", "--leaf", "toy")


@contextlib.contextmanager
def standin(folder: Path) -> Iterator[dict[str, str]]:
    """Run the stand-in; give the environment that points the client at it."""
    folder.mkdir()
    script = [sys.executable, str(ROOT / "tests/modal_standin.py"), str(folder)]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with subprocess.Popen(
        script, stdout=subprocess.PIPE, text=True, env={**os.environ, "PATH": path}
    ) as server:
        assert server.stdout is not None
        yield {
            "MODAL_SERVER_URL": server.stdout.readline().strip(),
            **{"MODAL_TOKEN_ID": "ak-standin", "MODAL_TOKEN_SECRET": "as-standin"},
            **{"MODAL_CONFIG_PATH": str(folder / "none"), "PYTHONWARNINGS": "default"},
        }
        server.terminate()


def spread(seconds: list[float]) -> str:
    return f"median {statistics.median(seconds):.2f} s, worst {max(seconds):.2f} s"


def timed(toy: toys.Toy, *words: str, code: int = 0) -> float:
    began = time.perf_counter()
    toy.lab(*words, code=code)
    return time.perf_counter() - began


def round_trip(toy: toys.Toy, rounds: int) -> None:
    toy.leaf(train=ONE_SECOND)
    toy.commit("a second")
    here, there = [], []
    for _ in range(rounds):
        here.append(timed(toy, *BASELINE))
        there.append(timed(toy, *BASELINE, "--on", "modal:T4"))
    more = [far - near for far, near in zip(there, here, strict=True)]
    print(f"one-second leaf here: {spread(here)}; there: {spread(there)}; more: {spread(more)}")


def lines(toy: toys.Toy) -> None:
    toy.leaf(train=TALKS)
    toy.commit("it talks")
    toy.lab(*BASELINE, "--on", "modal:T4", "--detach", code=5)
    seen, ages = 0, []
    while True:
        found = list((toy.root / ".lab/runs").glob("e*/*/run.log"))
        newest = max(found, key=lambda path: path.stat().st_mtime, default=None)
        text = newest.read_text() if newest else ""
        now = time.time()
        whole = [line for line in text.split("\n")[:-1] if line[:1].isdigit()]
        ages += [now - float(line) for line in whole[seen:]]
        seen = max(seen, len(whole))
        if seen == 50:
            break
        time.sleep(LOOK_S)
    toy.lab("wait", json.loads(toy.lab("log", "--json", "-n", "1").out)[0]["experiment"])
    print(f"50 log lines, age on arrival: {spread(ages)}")


def refusals(toy: toys.Toy, folder: Path) -> None:
    words = (*BASELINE, "--on", "modal:T4")
    (folder / "faults.json").write_text(json.dumps({"AppGetOrCreate": ["UNAUTHENTICATED", 99]}))
    print(f"a bad token is refused after {timed(toy, *words, code=6):.2f} s")
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        toy.env["MODAL_SERVER_URL"] = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        print(f"a silent server is refused after {timed(toy, *words, code=6):.2f} s")
    toy.env["MODAL_SERVER_URL"] = "http://127.0.0.1:9"
    print(f"a server that is not there is refused after {timed(toy, *words, code=6):.2f} s")
    del toy.env["MODAL_TOKEN_ID"]
    print(f"no token is refused after {timed(toy, *words, code=6):.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(os.path.realpath(name))
        toy = toys.make(folder / "toy")
        with standin(folder / "cloud") as env:
            toy.env |= env
            round_trip(toy, args.rounds)
            lines(toy)
            refusals(toy, folder / "cloud")


if __name__ == "__main__":
    main()
