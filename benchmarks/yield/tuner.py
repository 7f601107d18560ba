"""How much of what is to be won the tuner wins on made-up surfaces, by the rule of `lab`.

    python benchmarks/yield/tuner.py --surfaces 24
    python benchmarks/yield/tuner.py --only "near the best" --samplers model

Each row is a kind of surface and a number of runs, baseline and audits among them; each figure the
share of all the starts' losses that the branches' last commits have won back in truth, with its
standard error, for each sampler on the same surfaces.
"""

import argparse
import math
import multiprocessing
import random
import statistics
import time

from nights import SIX, Machine, Night, of
from rules import Rule
from surrogates import Loop, Made, Parabolas

from lab.judge import Policy

DRAW = of(SIX["late"], 0.7)  # a night needs one; a loop proposes instead
ROWS = (
    *((f"quadratic, {runs} runs", "quadratic", False, runs) for runs in (20, 40, 125)),
    ("quadratic, near the best, 125 runs", "quadratic", True, 125),
    *(
        (f"{kind}, 60 runs", kind, False, 60)
        for kind in ("steep on one side", "plateau", "ripples", "power 1.2")
    ),
    *((f"knobs of pretrain, {n} set wrong, 20 runs", str(n), False, 20) for n in (1, 4)),
)


def won(case: tuple[str, str, bool, int, str, int]) -> tuple[float, float]:
    """Return what one night wins back of a surface's loss, and that loss."""
    name, kind, near, runs, sampler, number = case
    chance = random.Random(f"{name} {number}")
    surface = Parabolas(chance, int(kind)) if kind.isdigit() else Made(chance, kind, near)
    loop = Loop(chance, surface, sampler)
    machine = Machine(Night(name, DRAW, runs=runs), chance)
    Rule(Policy(bag=3 if sampler == "tpe" else 0))(machine, loop)
    start = surface.loss(surface.start)
    return start - surface.loss(loop.now), start


def share(found: list[tuple[float, float]]) -> tuple[float, float]:
    """Return what was won by what there was to win, with its standard error."""
    whole = statistics.mean(start for _, start in found)
    ratio = statistics.mean(gain for gain, _ in found) / whole
    off = [gain - ratio * start for gain, start in found]
    return ratio, statistics.stdev(off) / math.sqrt(len(off)) / whole


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--surfaces", type=int, default=24)
    parser.add_argument("--only", default="", help="rows whose name holds this")
    parser.add_argument("--samplers", nargs="+", default=["tpe", "model"])
    asked, began = parser.parse_args(), time.monotonic()
    print(f"| surface | {' | '.join(asked.samplers)} |\n|---|{'---|' * len(asked.samplers)}")
    with multiprocessing.Pool() as pool:
        for name, kind, near, runs in ROWS:
            if asked.only not in name:
                continue
            cells = []
            for sampler in asked.samplers:
                cases = [(name, kind, near, runs, sampler, n) for n in range(asked.surfaces)]
                cells.append("{:.3f} ± {:.3f}".format(*share(pool.map(won, cases, chunksize=1))))
            print(f"| {name} | {' | '.join(cells)} |", flush=True)
    print(f"{asked.surfaces} surfaces a row in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
