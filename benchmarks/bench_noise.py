"""How often a change without effect is kept where its program is noisier than what was repeated.

    python benchmarks/bench_noise.py [tries]

Four steady programs (noise 1, four runs each) tell the pooled noise; the incumbent spreads by some
times as much and was run nine times. One run of a change of it that does nothing is judged by the
pooled noise alone, and by the incumbent's own where that is wider than luck makes it.
"""

import math
import random
import sys

from lab.judge import Group, Noise, Policy, Record, beside, judge, pooled, spread

TIMES = (1, 2, 4, 8)
STEADY, RUNS, OWN = 4, 4, 9


def main() -> None:
    """Print a row for each noise of the incumbent."""
    tries, luck = int(sys.argv[1]) if len(sys.argv) > 1 else 2000, random.Random(1)
    print("noise of the incumbent, pooled noise alone, its own where wider")
    for times in TIMES:
        kept = [0, 0]
        for _ in range(tries):
            base = [luck.gauss(0.0, times) for _ in range(OWN)]
            steady = [[luck.gauss(0.0, 1.0) for _ in range(RUNS)] for _ in range(STEADY)]
            noise = pooled([_group(place, one) for place, one in enumerate(steady)])[0]
            change = {0: luck.gauss(0.0, times)}
            for rule, by in enumerate((noise, beside(noise, _group(9, base)))):
                kept[rule] += _is_kept(change, base, by)
        print(f"{times:3} {kept[0] / tries:.3f} {kept[1] / tries:.3f}")


def _group(number: int, values: list[float]) -> Group:
    return Group(number, spread(values) or math.nan, len(values) - 1)


def _is_kept(change: dict[int, float], base: list[float], noise: Noise | None) -> bool:
    against = Record({}, dict(enumerate(base)))
    return judge(change, against, noise, "minimize", policy=Policy()).suggest == "keep"


if __name__ == "__main__":
    main()
