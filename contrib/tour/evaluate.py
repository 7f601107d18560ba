"""The leaf's only metric: how long a tour is, in sides of the square. Read-only.

A change here makes every earlier number incomparable, so it needs a pull request.
"""

import json
from pathlib import Path

from prepare import CITIES, cities, length

from shared import run, summary

LEAF = "contrib/tour"


def main() -> None:
    """Print the block that counts."""
    here = run.here(__file__)
    tour_length = length(cities(), read(here.dir / "tour.json"))
    summary.report({"tour_length": tour_length, "cities": CITIES})


def read(path: Path) -> list[int]:
    """Return the tour, or refuse what is missing, of another leaf, or not a round trip."""
    try:
        answer = json.loads(path.read_text())
    except (OSError, ValueError):
        raise SystemExit(f"no finished tour at {path}; type: python solve.py") from None
    if not isinstance(answer, dict) or answer.get("leaf") != LEAF:
        raise SystemExit(f"refused: {path} is no tour of leaf {LEAF}")
    tour = answer.get("tour")
    if not isinstance(tour, list) or not all(type(city) is int for city in tour):
        raise SystemExit("refused: a tour is a list of city numbers")
    if sorted(tour) != list(range(CITIES)):
        raise SystemExit(f"refused: a tour visits each of {CITIES} cities once")
    return tour


if __name__ == "__main__":
    main()
