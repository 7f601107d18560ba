"""The yield bench: what a rule truly gains in a night, beside the gambler, at equal runs.

    python benchmarks/yield                       # 200 nights a scenario
    python benchmarks/yield --nights 2000 --only fit18

Each row is a scenario: the true improvement of the final branch (in deviations of one run) under
each rule on the same ideas, its ratio to the gambler's with a paired standard error, what was
claimed, and false claims a night. The gambler's false claims are its false keeps.
"""

import argparse
import math
import random
import statistics
import time
from collections.abc import Callable

from before import before
from nights import SIX, Ideas, Machine, Night, Result, scenarios
from pruned import PruningRule
from rules import Rule, gambler
from surrogates import Loop, Parabolas
from waves import WaveRule

from lab.judge import Policy

RULES: dict[str, Callable[[Machine, Ideas], Result]] = {
    "gambler": gambler,
    "before": before,
    "audited": Rule(),
    "strict": Rule(Policy(rule="strict", luck=0.3)),
}


def play(night: Night, number: int) -> dict[str, Result]:
    """Return one night under every rule: the same ideas, each rule with luck of its own."""
    done = {}
    for place, (name, rule) in enumerate(RULES.items()):
        rng = random.Random(f"{night.name} ideas {number}")
        ideas = (
            Loop(rng, Parabolas(rng, night.wrong))
            if night.wrong
            else Ideas(night.draw, rng, night.ideas)
        )
        done[name] = rule(Machine(night, random.Random(f"{night.name} {number} {place}")), ideas)
    return done


def error(values: list[float]) -> float:
    """Return the standard error of a mean."""
    return math.nan if math.isnan(values[0]) else statistics.stdev(values) / math.sqrt(len(values))


def row(night: Night, nights: int) -> dict[str, float]:
    """Print a scenario's row; return each rule's true improvement by the gambler's."""
    played = [play(night, number) for number in range(max(2, nights // night.every))]
    base = statistics.mean(one["gambler"].true for one in played)
    words, ratios = [], {}
    for name in RULES:
        true = [one[name].true for one in played]
        claim = statistics.mean(one[name].claimed for one in played)
        false = statistics.mean(one[name].false for one in played)
        ratio = ratios[name] = statistics.mean(true) / base if base > 0.05 else math.nan
        paired = [t - ratio * one["gambler"].true for t, one in zip(true, played, strict=True)]
        off = error(paired) / base if base > 0.05 else math.nan
        words.append(
            f"{statistics.mean(true):.2f} ± {error(true):.2f} ({ratio:.2f} ± {off:.2f}), "
            f"claims {claim:.2f}, false {false:.3f}"
        )
    print(f"| {night.name} | {' | '.join(words)} |", flush=True)
    return ratios


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nights", type=int, default=200)
    parser.add_argument("--only", default="", help="scenarios whose name begins so")
    parser.add_argument("--prune", action="store_true", help="a column with hopeless runs ended")
    parser.add_argument(
        "--empty", action="store_true", help="a column with the bag emptied by keeps"
    )
    parser.add_argument("--waves", action="store_true", help="columns with waves of 2, 8 and 16")
    asked = parser.parse_args()
    if asked.waves:
        RULES.update({f"waves of {width}": WaveRule(width=width) for width in (2, 8, 16)})
        RULES["8, best again"] = WaveRule(again=True)
        RULES["8, lower bar"] = WaveRule(bar=False)
    if asked.empty:
        RULES["emptied"] = Rule(waits=False)
    if asked.prune:
        RULES["pruned"] = PruningRule()
    began = time.monotonic()
    print(f"| night | {' | '.join(RULES)} |\n|---|{'---|' * len(RULES)}")
    chosen = [night for night in scenarios() if night.name.startswith(asked.only)]
    ratios = {night.name: row(night, asked.nights) for night in chosen}
    six = [ratios[name] for name in ratios if name.split()[0] in SIX and len(name.split()) == 2]
    for rule in RULES if six else ():
        of = [one[rule] for one in six]
        print(f"{rule}: of the gambler's, mean {statistics.mean(of):.2f}, worst {min(of):.2f}")
    print(f"{asked.nights} nights a scenario in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
