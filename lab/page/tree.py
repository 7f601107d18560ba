"""Data of the tree of experiments by parent, and the way to the best."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..notebook.read import Found

LONGEST = 1000  # steps back from the best; a night has twenty


@dataclass
class Node:
    """An experiment that others were built on: what lost there, and what was kept and went on."""

    row: Found
    lost: list[Found] = field(default_factory=list)
    kept: list[Found] = field(default_factory=list)


@dataclass
class Tree:
    """Nodes by experiment; `roots` have no known parent; `path` leads to the best, oldest first."""

    nodes: dict[int, Node]
    roots: list[int]
    orphans: list[Found]  # lost, and nobody knows where they began
    path: list[int]

    def trunk(self, start: int) -> list[int]:
        """Return `start` and what follows it: along the path, else along the most kept changes."""
        found = [start]
        while self.nodes[found[-1]].kept:
            after = [row["experiment"] for row in self.nodes[found[-1]].kept]
            on_path = [number for number in after if number in self._on_path]
            found.append(on_path[0] if on_path else max(after, key=lambda n: self._size[n]))
        return found

    def __post_init__(self) -> None:
        self._on_path = set(self.path)
        self._size: dict[int, int] = {}
        for number in sorted(self.nodes, reverse=True):  # a child is always newer than its parent
            below = self.nodes[number].kept
            self._size[number] = 1 + sum(self._size.get(row["experiment"], 1) for row in below)


def grow(rows: list[Found], best: int | None, fetch: Callable[[int], Found]) -> Tree:
    """Return the tree of `rows`; `fetch` gives an experiment that is older than they are."""
    known = {row["experiment"]: row for row in rows}
    by_commit = {row["commit"]: row["experiment"] for row in rows if row["kind"] == "run"}
    inferred = _built_on_last_keep(rows)

    def parent(row: Found) -> int | None:
        found = by_commit.get(row["parent"]) if row["parent"] else None
        found = found or row["incumbent"] or inferred.get(row["experiment"])
        return found if found and found < row["experiment"] else None

    path = _path(best, known, parent, fetch)
    nodes: dict[int, Node] = {}
    roots: list[int] = []
    orphans: list[Found] = []
    for row in sorted(known.values(), key=lambda row: int(row["experiment"])):
        above = nodes.get(parent(row) or 0)
        if row["verdict"] == "keep" or row["experiment"] in path:
            nodes[row["experiment"]] = Node(row)
            if above is None:
                roots.append(row["experiment"])
            else:
                above.kept.append(row)
        else:
            (above.lost if above is not None else orphans).append(row)
    return Tree(nodes, roots, orphans, path)


def _built_on_last_keep(rows: list[Found]) -> Mapping[int, int]:
    """Return the parents of imported experiments, whose logs name none: the keep before each."""
    found: dict[int, int] = {}
    last: int | None = None
    for row in rows:
        if row["kind"] != "import":
            continue
        if last is not None and row["parent"] is None and row["incumbent"] is None:
            found[row["experiment"]] = last
        if row["verdict"] == "keep":
            last = row["experiment"]
    return found


def _path(
    best: int | None,
    known: dict[int, Found],
    parent: Callable[[Found], int | None],
    fetch: Callable[[int], Found],
) -> list[int]:
    """Return the way to the best, oldest first, with what it takes of older experiments."""
    found: list[int] = []
    while best is not None and len(found) < LONGEST:
        if best not in known:
            known[best] = fetch(best)
        found.append(best)
        best = parent(known[best])
    return found[::-1]
