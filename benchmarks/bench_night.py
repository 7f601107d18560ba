"""Short nights with several campaigns: six tuners, agents that misbehave, kills, `lab status`.

    python benchmarks/bench_night.py status              # a minute
    python benchmarks/bench_night.py six --minutes 10    # three of them on one leaf
    python benchmarks/bench_night.py misbehaving --minutes 30
    python benchmarks/bench_night.py kills --times 200 --seed 1

Everything goes through `lab launch` and `lab status`. After each part: no record lost or counted
twice, every worktree clean and with commits of its own campaign alone, nobody left over, `lab
doctor` content; while it runs, at most one run at a time has living children on the CPU slot.
"""

import argparse
import contextlib
import os
import random
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import toy as toys  # noqa: E402

PARTS = ("status", "six", "misbehaving", "kills")
AGENT = ROOT / "tests" / "agents" / "misbehaving.py"
SIX = ("pretrain", "sft", "rl_grpo", "prompt_opt", "pretrain:bea", "pretrain:cy")
HOWS = ("slow", "goes_on", "nothing", "hangs", "floods", "frozen", "commits", "forgets")
HOWS += ("limited", "unsigned")
SHORT = {"LAB_STALL_S": "30", "LAB_GRACE_S": "20", "LAB_PAUSE_S": "2", "LAB_BACKOFF_S": "20"}
SCRIPTS = (b"train.py", b"optimize.py", b"evaluate.py")  # what runs under the lease
SETTLED_S = 120.0  # for what was told to stop


class Watcher:
    """Looks a few times a second which runs have living children; two at once is a breach."""

    def __init__(self, home: Path) -> None:
        self.mark = f"LAB_RUN_DIR={home}/runs/".encode()
        self.looks, self.breaches, self.over = 0, [], threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Watcher":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()

    def _watch(self) -> None:
        while not self.over.wait(0.25):
            first = self.runs()
            busy = first & self.runs() if len(first) > 1 else first  # one may just be ending
            self.looks += 1
            if len(busy) > 1:
                self.breaches.append(sorted(busy))

    def runs(self) -> set[str]:
        """Return the runs whose training or evaluation is alive now."""
        found = set()
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                for word in (folder / "environ").read_bytes().split(b"\0"):
                    words = (folder / "cmdline").read_bytes() if word.startswith(self.mark) else b""
                    if any(script in words for script in SCRIPTS):
                        found.add(word.decode())
        return found


def campaigns(toy: toys.Toy) -> list[dict[str, Any]]:
    """Return what `lab status` says of each campaign."""
    return list(toy.lab("status", "--json").json["campaigns"])


def until(true: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.5)


def look(toy: toys.Toy) -> Iterator[str]:
    """Yield what is not as it should be once nothing is alive any more."""
    with contextlib.closing(sqlite3.connect(toy.root / ".lab/notebook.db")) as db:

        def one(query: str) -> Any:
            return db.execute(query).fetchone()[0]

        if one("select count(*) from jobs where ended is null"):
            yield "a job is open"
        judged = "select 1 from results where job is null group by experiment having count(*) > 1"
        if one(f"select count(*) from ({judged})"):
            yield "an experiment was judged twice"
        if one("select count(*) - count(distinct id) from experiments"):
            yield "an id came twice"
        if one("select max(id) - count(*) from experiments"):
            yield "an id is missing"
        rows = db.execute("select name, base, worktree from campaigns").fetchall()
        owner = dict(db.execute("select 'e' || id, campaign from experiments"))
    for name, base, worktree in rows:
        for subject in toy.git("log", "--format=%s", f"{base}..HEAD", cwd=worktree).splitlines():
            whose = owner.get(subject.partition(":")[0])
            if whose not in (name, None):
                yield f"{name} has a commit of {whose}: {subject}"
    if not toy.lab("doctor", "--json", code=None).json["ok"]:
        yield "lab doctor is not content"
    left = subprocess.run(["pgrep", "-f", str(toy.root)], capture_output=True, text=True).stdout
    if left.split():
        yield f"processes are left: {left.split()}"


def close(toy: toys.Toy, watcher: Watcher | None = None) -> None:
    """Stop everything, print what each campaign came to, and fail on a breach."""
    toy.lab("stop", "--all")
    until(lambda: not any(one["alive"] for one in campaigns(toy)), SETTLED_S)
    time.sleep(2)
    print(toy.lab("status").out)
    breaches = list(look(toy))
    if watcher is not None:
        print(f"{watcher.looks} looks, {len(watcher.breaches)} with two trainings at once")
        breaches += [f"two at once: {two}" for two in watcher.breaches[:3]]
    with contextlib.closing(sqlite3.connect(toy.root / ".lab/notebook.db")) as db:
        tally = db.execute(
            "select coalesce(failure, verdict, status), count(*) from state group by 1 order by 1"
        ).fetchall()
    print(f"records: {', '.join(f'{count} {name}' for name, count in tally)}")
    for line in breaches:
        print(f"  BREACH: {line}")
    if breaches:
        raise SystemExit(1)
    print("no breach", flush=True)


def status(folder: Path, rounds: int) -> None:
    """Print how long `lab status` takes with 16 living campaigns."""
    toy = toys.make(folder)
    names = [f"toy:agent{number}" for number in range(16)]
    toy.lab("run", "--baseline", "--seeds", "3", cwd=toy.root / "toy")
    toy.lab("launch", *names, "--agent", "tuner", "--experiments", "2")
    until(lambda: not any(one["alive"] for one in campaigns(toy)), 600)
    toy.lab("launch", *names, "--agent", "sh -c 'sleep 600'")
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        found = campaigns(toy)
        seconds.append(time.perf_counter() - began)
        assert sum(one["alive"] for one in found) == 16
    print(
        f"lab status, 16 living campaigns: median {statistics.median(seconds):.3f} s, "
        f"worst {max(seconds):.3f} s of {rounds}"
    )
    close(toy)


def six(folder: Path, minutes: float) -> None:
    """Let six tuners work on four leaves of a clone of this repository."""
    folder.mkdir(parents=True)
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder / "repo")], check=True)
    toy = toys.Toy(folder / "repo")
    print(
        toy.lab(
            *("launch", *SIX, "--agent", "tuner", "--profile", "smoke"),
            *("--hours", f"{minutes / 60:g}"),
        ).err
    )
    with Watcher(toy.root / ".lab") as watcher:
        watched(toy, minutes * 60 + SETTLED_S)
    close(toy, watcher)


def misbehaving(folder: Path, minutes: float) -> None:
    """Let agents that misbehave work side by side; whoever ends is launched again."""
    toy = toys.make(folder)
    toy.env |= SHORT
    toy.leaf(train=toys.TRAIN.replace("    print(", "    import time; time.sleep(2)\n    print("))
    toy.commit("a slower leaf")
    until_s, ends = time.monotonic() + minutes * 60, Counter()
    with Watcher(toy.root / ".lab") as watcher:
        while time.monotonic() < until_s:
            alive = set()
            for one in campaigns(toy):
                how = one["campaign"].rpartition("/")[2]
                ends[how, f"{one['state']} {str(one['why'] or '')[:72]}"] += not one["alive"]
                alive |= {how} if one["alive"] else set()
            for how in set(HOWS) - alive:
                (folder / how).unlink(missing_ok=True)
                agent = f"{sys.executable} {AGENT} {how} {folder / how}"
                toy.lab("launch", f"toy:{how}", "--agent", agent, "--experiments", "1000")
            time.sleep(2)
    for (how, said), count in sorted(ends.items()):
        if count:
            print(f"{how} ended {count} times: {said}")
    close(toy, watcher)


def watched(toy: toys.Toy, seconds: float) -> None:
    """Wait until all have ended; print each change of state with its reason as it comes."""
    began, seen = time.monotonic(), {}
    while time.monotonic() - began < seconds:
        found = campaigns(toy)
        for one in found:
            now = (one["state"], one["why"] if one["state"] != "working" else None)
            if seen.get(one["campaign"]) != now:
                seen[one["campaign"]] = now
                passed = time.monotonic() - began
                print(f"{passed:6.0f} s {one['campaign']}: {now[0]} {now[1] or ''}", flush=True)
        if not any(one["alive"] for one in found):
            return
        time.sleep(5)


# -- Kills -----------------------------------------------------------------------


def kills(folder: Path, times: int, seed: int) -> None:
    """Kill agents, drivers, supervisors and waiters; launch the same names again each time."""
    chance, seen = random.Random(seed), Counter()
    toy = toys.make(folder)
    toy.leaf(train=toys.TRAIN.replace("    print(", "    import time; time.sleep(1)\n    print("))
    toy.commit("a slower leaf")
    toy.env |= SHORT
    agent = f"{sys.executable} {AGENT} slow"
    wanted = {"toy:ada": "tuner", "toy:bea": agent, "toy:cy": agent, "toy:dee": "tuner"}
    before = 0
    while seen.total() < times:
        alive = {one["campaign"].replace("/", ":") for one in campaigns(toy) if one["alive"]}
        for name in sorted(set(wanted) - alive):
            toy.lab("launch", name, "--agent", wanted[name], "--experiments", "1000")
        time.sleep(chance.uniform(0.2, 2.0))
        living = list(processes(toy))
        what = chance.choice(sorted({kind for kind, _ in living}))
        pid = chance.choice([pid for kind, pid in living if kind == what])
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            seen[what] += 1
        if seen.total() % 20 == 0:
            count = len(toy.lab("log", "toy", "--json", "-n", "10000").json)
            assert count >= before, "a record is gone"
            before = count
    print(f"kills: {dict(sorted(seen.items()))}")
    close(toy)


def processes(toy: toys.Toy) -> Iterator[tuple[str, int]]:
    """Yield what is alive for this repository: (agent, driver, supervisor or waiter, its pid)."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            where = os.readlink(folder / "cwd")
            if str(toy.root) not in where and str(toy.root) not in " ".join(words):
                continue
            if "lab.run.supervisor" in words:
                yield "keeper", int(folder.name)
            elif "lab" in words and "loop" in words:
                yield "driver", int(folder.name)
            elif "lab" in words and {"run", "wait"} & set(words):
                yield "waiter", int(folder.name)
            elif str(AGENT) in words:
                yield "agent", int(folder.name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(os.path.realpath(name)) / args.part
        if args.part == "status":
            status(folder, args.rounds)
        elif args.part == "kills":
            kills(folder, args.times, args.seed)
        else:
            {"six": six, "misbehaving": misbehaving}[args.part](folder, args.minutes)


if __name__ == "__main__":
    main()
