"""Make the cities, the distances between them and each one's neighbours. Read-only.

A change here makes every earlier number incomparable, so it needs a pull request.
"""

import json
import math
import random

from shared import run

CITIES = 1000  # far more than can be solved in seconds; distances still fit in memory
SEED = 1954  # the year of the first large tour that was proven shortest


def main() -> None:
    """Write `cities.json`; the same one whenever and wherever it runs."""
    here = run.here(__file__)
    (here.cache / "cities.json").write_text(json.dumps(cities()))
    run.say(f"made {CITIES} cities in {here.cache}")


def cities() -> list[tuple[float, float]]:
    """Return the cities: places drawn evenly from the unit square."""
    draw = random.Random(SEED)
    return [(draw.random(), draw.random()) for _ in range(CITIES)]


def length(places: list[tuple[float, float]], tour: list[int]) -> float:
    """Return the length of a closed tour."""
    ends = zip(tour, [*tour[1:], tour[0]], strict=True)
    return math.fsum(math.dist(places[a], places[b]) for a, b in ends)


if __name__ == "__main__":
    main()
