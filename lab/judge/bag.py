"""Bag: near misses of one branch, tried together once."""

from collections.abc import Collection, Mapping


def together(bag: Mapping[int, Collection[str]], size: int) -> list[int]:
    """Return the first `size` changes of a bag that touch different places; [] for too few.

    `bag` has the places (constants, functions) that each change touches, in the order of
    preference. Small gains add up where they meet nothing of each other, and one run tells a sum
    that none of them shows.

    >>> together({3: ["LR"], 4: ["LR"], 5: ["WD"], 6: ["DEPTH"]}, 3)
    [3, 5, 6]
    >>> together({3: ["LR"], 4: ["LR"]}, 2)
    []
    """
    chosen: list[int] = []
    taken: set[str] = set()
    for change, places in bag.items():
        if size and len(chosen) < size and taken.isdisjoint(places):
            chosen.append(change)
            taken |= set(places)
    return chosen if size and len(chosen) == size else []
