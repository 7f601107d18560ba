"""A knob at a committed bad value: is putting it right kept, and putting it wrong discarded?

    python benchmarks/bench_knob.py --leaf pretrain --profile demo --set HEAD_LR=0.0003

In a clone of this repository, through `lab run` as an agent types it, with the replicates that are
asked for. The bad value is committed and measured with three seeds; the good one stands here.
"""

import argparse
import ast
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import bench_noop  # noqa: E402 (the same way to drive a run)
import toy as toys  # noqa: E402 (the tests' repository, reused)

from lab.leaf import knobs  # noqa: E402 (writes a constant as the tuner does)


def mutable(toy: toys.Toy, leaf: str) -> str:
    """Return the script that experiments on a leaf change."""
    table = tomllib.loads((toy.root / leaf / "leaf.toml").read_text())
    return str(table["mutable"][0])


def judged(toy: toys.Toy, where: Path, claim: str, text: str) -> str:
    """Run an edit until a verdict is suggested; return it in words."""
    script = where / mutable(toy, where.name)
    idea = toy.idea(claim, cwd=where)
    script.write_text(text)
    found = toy.lab("run", idea, "--again", "--json", cwd=where).json  # a baseline has the same
    found = bench_noop.settle(toy, where, found["experiment"], found)
    return f"{claim}: {found['suggest']} after {len(found['runs'])} runs, {found['why']}"


def main() -> None:
    """Print both suggestions."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--leaf", default="pretrain")
    parser.add_argument("--profile", default="demo")
    parser.add_argument("--set", default="HEAD_LR=0.0003", metavar="NAME=VALUE")
    args = parser.parse_args()
    name, value = args.set.split("=")
    with tempfile.TemporaryDirectory() as folder:
        toy = toys.Toy(Path(folder) / "clone", env={"LAB_PROFILE": args.profile}, patience_s=900)
        toys.subprocess.run(["git", "clone", "-q", str(ROOT), str(toy.root)], check=True)
        script = toy.root / args.leaf / mutable(toy, args.leaf)
        good = script.read_text()
        bad = knobs.write(good.encode(), {name: ast.literal_eval(value)}).decode()
        toy.lab("run", "--baseline", "--seeds", "3", "--leaf", args.leaf)
        where = toy.campaign("good", args.leaf)
        print(judged(toy, where, f"set {name} to {value}", bad), flush=True)
        script.write_text(bad)
        toy.commit(f"{name} = {value}")
        toy.lab("run", "--baseline", "--seeds", "3", "--leaf", args.leaf)
        where = toy.campaign("bad", args.leaf)
        print(judged(toy, where, f"put {name} back", good), flush=True)
        toy.lab("stop", "--all", code=None)


if __name__ == "__main__":
    main()
