"""Measure how much of the loss of badly set knobs the tuner wins back, and how soon.

    python benchmarks/bench_tuner_recovery.py pretrain --profile smoke --bad LEARNING_RATE=0.004
    python benchmarks/bench_tuner_recovery.py pretrain --bad BATCH_X=4.0 --seeds 5 --experiments 15
    python benchmarks/bench_tuner_recovery.py pretrain --profile demo --until 1 --experiments 37 \\
        --bad LEARNING_RATE=0.004 EMBED_LR=0.05 BATCH_X=4.0 WARMDOWN=0.2

For any leaf with knobs of this repository. The bad values are committed in a clone; each seed is a
campaign of its own in a clone with a notebook of its own, so that none learns from another; it
ends as soon as half of the loss is won back, or as much as `--until` says. The share is
(bad - now) / (bad - good), the first and the last a mean over three runs; `now` is the incumbent,
by the runs that nobody selected once there are three.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


class Clone:
    """A clone of this repository with a notebook of its own; prepared data is copied along."""

    def __init__(self, folder: Path, leaf: str, profile: str) -> None:
        self.root, self.leaf, self.profile = folder, leaf, profile

    @classmethod
    def make(cls, folder: Path, leaf: str, profile: str, cache: Path | None) -> "Clone":
        """Clone the repository as it is committed."""
        git("clone", "--quiet", "--shared", str(ROOT), str(folder), cwd=ROOT)
        if cache is not None:
            shutil.copytree(cache, folder / ".lab" / "cache", symlinks=True)
        return cls(folder, leaf, profile)

    def copy(self, folder: Path) -> "Clone":
        """Return a copy with all that was measured so far."""
        shutil.copytree(self.root, folder, symlinks=True)
        return Clone(folder, self.leaf, self.profile)

    def lab(self, *words: str, top: Path | None = None) -> dict[str, Any]:
        """Type `lab WORDS --json` in the leaf's folder of a checkout."""
        bare = {k: v for k, v in os.environ.items() if not k.startswith("LAB_")}
        done = subprocess.run(
            [sys.executable, "-P", "-m", "lab", *words, "--json"],
            cwd=(top or self.root) / self.leaf,
            env={**bare, "PYTHONPATH": str(ROOT), "LAB_PROFILE": self.profile},
            stdout=subprocess.PIPE,
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"lab {' '.join(words)} exited with {done.returncode}")
        return dict(json.loads(done.stdout))

    def spoil(self, knob: str, value: Any) -> None:
        """Commit a bad value of one knob."""
        from lab import leaf as leaves
        from lab.leaf import knobs

        one = leaves.read(self.root, self.leaf)
        for name in one.settings(self.profile).mutable:
            path = one.folder / name
            source = path.read_bytes()
            if name.endswith(".py") and knob in knobs.constants(source, name):
                path.write_bytes(knobs.write(source, {knob: value}, name))
                who = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")
                git(*who, "commit", "-qam", f"{knob} = {value!r}", cwd=self.root)
                return
        raise SystemExit(f"{self.leaf} has no constant {knob}")

    def now(self, name: str) -> tuple[str, float, int]:
        """Return the incumbent of a campaign: its id, value and runs."""
        top = self.root / ".lab/worktrees" / self.leaf / name
        found = self.lab("context", top=top)["incumbent"]
        return found["experiment"], found["value"], found["runs"]


def git(*words: str, cwd: Path) -> None:
    subprocess.run(["git", *words], cwd=cwd, check=True)


def recover(clone: Clone, args: argparse.Namespace, good: float, bad: float, seed: int) -> float:
    """Run one campaign from the bad value; return the share of the loss won back."""
    name, target = f"seed{seed}", bad - args.until * (bad - good)
    words = ("loop", args.leaf, "--agent", "tuner", "--name", name, "--target", repr(target))
    found = clone.lab(*words, "--experiments", str(args.experiments))
    experiment, value, runs = clone.now(name)
    share = (bad - value) / (bad - good)
    print(
        f"seed {seed}: now {value:.5g} ({experiment}, {runs} runs), won back "
        f"{100 * share:.0f} %; {found['experiments']} experiments, kept {found['kept']}, "
        f"{found['seconds']:.0f} s",
        flush=True,
    )
    for line in found["learned"]:
        print(f"    {line}", flush=True)
    return share


def setting(words: str) -> tuple[str, Any]:
    """Read KNOB=VALUE."""
    knob, _, value = words.partition("=")
    with contextlib.suppress(ValueError):
        return knob, json.loads(value)
    return knob, value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("leaf")
    parser.add_argument("--profile", default="smoke")
    parser.add_argument("--bad", type=setting, required=True, nargs="+", metavar="KNOB=VALUE")
    parser.add_argument("--until", type=float, default=0.5, help="of the loss, to be won back")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--experiments", type=int, default=15)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(os.path.realpath(name))
        clone = Clone.make(folder / "good", args.leaf, args.profile, None)
        good = clone.lab("run", "--baseline", "--seeds", "3")["value"]
        clone = Clone.make(folder / "bad", args.leaf, args.profile, clone.root / ".lab" / "cache")
        for knob, value in args.bad:
            clone.spoil(knob, value)
        bad = clone.lab("run", "--baseline", "--seeds", "3")["value"]
        print(f"{args.leaf} ({args.profile}): good {good:.5g}, bad {bad:.5g}", flush=True)
        shares = []
        for seed in range(args.seeds):
            copy = clone.copy(folder / f"seed{seed}")
            shares.append(recover(copy, args, good, bad, seed))
    done = sum(share >= args.until for share in shares)
    said = ", ".join(f"{knob} = {value!r}" for knob, value in args.bad)
    print(f"{said}: {args.until:g} won back in {done} of {len(shares)} seeds")


if __name__ == "__main__":
    main()
