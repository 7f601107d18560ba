"""Which keeps of an autoresearch log would have stood, had a judge looked at them?

    python benchmarks/replay_autoresearch.py results.tsv --noise 0.0007

The log has one run an idea and no repeats, so the noise is given: 0.0007 is the size of the one
change of seed in the night of 8 March 2026 (commit 889dbed: 42 to 137, +0.000695). Each keep is
judged by `lab.judge` against the value it replaced, as if both numbers were the means of repeated
runs. A keep *stands* when some number of runs up to the policy's limit would settle it, provided
that its gain holds; *falls* when no such number would.
"""

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.judge import Judgement, Kept, Noise, Policy, Side, claimed_gain, expected_gain, judge

POLICY = Policy()


@dataclass(frozen=True)
class Keep:
    """One row the log kept, with the value it had to beat."""

    commit: str
    value: float
    beaten: float
    looks: int  # rows since the previous keep, this one included
    text: str


def keeps(path: Path, metric: str) -> Iterator[Keep]:
    """Yield the log's keeps in order; the first kept row is the baseline."""
    beaten, looks = None, 0
    with path.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            looks += 1
            if row["status"] != "keep":
                continue
            value = float(row[metric])
            if beaten is not None:
                yield Keep(row["commit"], value, beaten, looks, row["description"])
            beaten, looks = value, 0


def verdict(keep: Keep, runs: int, noise: Noise, direction: str) -> Judgement:
    """Judge `keep` as if `runs` runs of it, and as many of what it beat, had these means."""
    record = Side((), (keep.beaten,) * max(runs, POLICY.fresh_runs))
    return judge((keep.value,) * runs, record, noise, direction)


def runs_needed(keep: Keep, noise: Noise, direction: str) -> int | None:
    """Return how many runs would settle it if its gain held, or None."""
    for runs in range(1, POLICY.max_runs + 1):
        suggestion = verdict(keep, runs, noise, direction).suggest
        if suggestion != "replicate":
            return runs if suggestion == "keep" else None
    return None


def show(keep: Keep, noise: Noise, direction: str) -> str:
    first = verdict(keep, 1, noise, direction)
    runs = runs_needed(keep, noise, direction)
    stands = f"stands with {runs} runs" if runs else "falls"
    return (
        f"{keep.commit:8} {first.gain:9.6f} {first.p_better:6.3f} {stands:18} "
        f"{keep.looks:3}  {keep.text}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="results.tsv of an autoresearch run"
    )
    parser.add_argument("--noise", type=float, default=0.0007, help="standard deviation of one run")
    parser.add_argument("--df", type=int, default=30, help="repeats the noise is known from")
    parser.add_argument("--metric", default="val_bpb", help="the column that decides")
    parser.add_argument("--direction", choices=["minimize", "maximize"], default="minimize")
    args = parser.parse_args()
    noise = Noise(args.noise, args.df)
    rows = list(keeps(args.file, args.metric))
    stood = [k for k in rows if runs_needed(k, noise, args.direction)]
    chain = [Kept(abs(k.value - k.beaten), args.noise * 2**0.5, k.looks) for k in rows]
    print(f"{'commit':8} {'gain':>9} {'P1':>6} {'verdict':18} {'looks':3}  change")
    print("\n".join(show(k, noise, args.direction) for k in rows))
    print(f"\n{len(stood)} of {len(rows)} keeps stand at a noise of {args.noise:g}.")
    print(f"claimed by all keeps   {claimed_gain(chain):.6f}")
    print(f"expected of all keeps  {expected_gain(chain):.6f}")
    print(f"claimed by those left  {sum(abs(k.value - k.beaten) for k in stood):.6f}")


if __name__ == "__main__":
    main()
