"""`lab board`: counts, what was kept, the confirmed gain beside the provisional one."""

import math
import sqlite3
from collections.abc import Sequence

from ..documents.leaves import Block, Board, Going, Leader, Row
from ..judge import Policy, total
from ..notebook import Notebook, history, ledger, lookup, measurements, read, repeats, runs
from ..notebook.history import Point
from ..notebook.marks import marks

MOST = 1000  # experiments on one board, the newest; `lab export` has all
DEFAULT = Policy()


def board(book: Notebook, leaf: str, n: int = MOST, policy: Policy = DEFAULT) -> Board:
    """Return the JSON of `lab board` for one leaf; `policy` is the leaf's own."""
    rows = read.experiments(book, leaf, n)
    rows.reverse()
    named = next((row for row in reversed(_ours(rows)) if row["metric"]), None)
    counts = read.counts(book, leaf)
    warm = runs.warm(book, (row["experiment"] for row in rows))
    keeps = history.keeps(book, leaf)
    errors = {row["experiment"]: row["se"] for row in keeps}
    scope = history.head_scope(book, leaf)
    won = chain(keeps, scope["id"] if scope else None)
    stands = standing(book, won, policy)
    shown = as_reported(history.points(book, leaf, scope["id"], n)) if scope else []
    return {
        "leaf": leaf,
        "metric": named["metric"] if named else None,
        "direction": named["direction"] if named else None,
        "experiments": [
            _row(book, row, errors.get(row["experiment"]), policy, row["experiment"] in warm)
            for row in rows
        ],
        "claimed_gain": _claimed(won, stands),
        "confirmed_gain": stands.confirmed_gain if stands else None,
        "provisional_gain": stands.provisional_gain if stands else None,
        "level": stands.level if stands else None,
        "over_first": stands.over_first if stands else None,
        "profiles": _profiles(book, leaf, keeps, policy),
        "expected_gain": stands.confirmed_gain if stands else None,
        "counts": counts,
        "pruning": repeats.pruned(book, leaf),
        "self_reported": bool(runs.self_reported(book, (row["experiment"] for row in rows))),
        "imported": sum(row["made"] == "import" for row in rows),
        "truncated": counts["experiments"] > len(rows),
        "best": _best(book, scope, policy),
        "best_so_far": [value for value in best_so_far(shown) if value is not None],
        "running": [_flight(row) for row in read.in_flight(book) if row["leaf"] == leaf],
    }


def _claimed(won: Sequence[sqlite3.Row], stands: ledger.Ledger | None) -> float | None:
    """Return the gains that lead to the best; no more than above where the leaf began."""
    claimed = total(row["gain"] for row in won) if won else None
    over = stands.over_first if stands else None
    return claimed if claimed is None or over is None or over > 0 else min(claimed, over)


def _profiles(
    book: Notebook, leaf: str, keeps: Sequence[sqlite3.Row], policy: Policy
) -> list[Block]:
    """Return a block for each profile that something was kept in: none compares with another."""
    newest = {}
    for row in keeps:
        scope = history.scope(book, row["scope"])
        newest[scope["profile"]] = scope
    found: list[Block] = []
    for profile, scope in newest.items():
        stands = standing(book, chain(keeps, scope["id"]), policy)
        found.append(
            {
                "profile": profile,
                "platform": scope["platform"],
                "kept": sum(row["scope"] == scope["id"] for row in keeps),
                "best": _best(book, scope, policy),
                "confirmed_gain": stands.confirmed_gain if stands else None,
                "provisional_gain": stands.provisional_gain if stands else None,
            }
        )
    return found


def _ours(rows: Sequence[sqlite3.Row]) -> Sequence[sqlite3.Row]:
    """Return the experiments made here; where there are none, the imported ones."""
    return [row for row in rows if row["made"] != "import"] or rows


def _row(book: Notebook, row: sqlite3.Row, error: float | None, policy: Policy, warm: bool) -> Row:
    kept = row["verdict"] == "keep"  # of the others too many to ask the notebook about each
    audited = ledger.audited_gain(book, row["experiment"]) if kept and row["claim"] else None
    gain, error = audited or (row["gain"], error)
    return {
        "experiment": f"e{row['experiment']}",
        "claim": row["claim"],
        "value": row["value"],
        "gain": gain,
        "verdict": row["verdict"],
        "failure": row["failure"],
        "commit": row["commit"],
        "seconds": row["seconds"],
        "status": row["status"],
        "campaign": row["campaign"],
        "mechanism_outcome": row["mechanism"],
        "runs": row["runs"],
        "claimed": bool(row["claimed"]),
        "imported": row["made"] == "import",
        "warm_start": warm,
        "se": error,
        "gain_status": ledger.gain_status(book, row, policy) if kept else None,
        "marks": marks(book, row["experiment"]) if kept and row["claim"] else [],
    }


def _flight(row: sqlite3.Row) -> Going:
    return {
        "experiment": f"e{row['experiment']}",
        "campaign": row["campaign"],
        "status": row["status"],
        "claim": row["claim"],
    }


def _best(book: Notebook, scope: sqlite3.Row | None, policy: Policy) -> Leader | None:
    best = ledger.best(book, scope["id"], policy) if scope else None
    if best is None:
        return None
    row = best.row
    return {
        "experiment": f"e{row['experiment']}",
        "value": best.value,
        "runs": best.runs,
        "campaign": row["campaign"],
        "profile": row["profile"],
        "platform": row["platform"],
    }


def as_reported(points: list[Point]) -> list[Point]:
    """Return points of which none was measured here, such as an imported log, as if they were."""
    if any(point["value"] is not None and not point["claimed"] for point in points):
        return points
    return [{**point, "claimed": 0} for point in points]


def best_so_far(points: Sequence[Point]) -> list[float | None]:
    """Return, at each point, the best measured mean of those kept until then (or a baseline's).

    >>> row = {"verdict": "keep", "claimed": 0, "direction": "minimize"}
    >>> best_so_far([row | {"value": 3.0}, row | {"value": 4.0}, row | {"value": 2.0}])
    [3.0, 3.0, 2.0]
    """
    found: list[float | None] = []
    best: float | None = None
    for point in points:
        value = point["value"]
        if point["verdict"] == "keep" and value is not None and not point["claimed"]:
            better = max if point["direction"] == "maximize" else min
            best = value if best is None else better(best, value)
        found.append(best)
    return found


# -- The chain that leads to the best ------------------------------------------


def chain(keeps: Sequence[sqlite3.Row], scope: int | None = None) -> list[sqlite3.Row]:
    """Return the kept changes that lead to the best, oldest first.

    Two campaigns may each have won 0.01 from the same start, and that is not 0.02. So: the
    campaign that has the best measured change, its newest keep, and from there back from
    incumbent to incumbent. Imported keeps are nobody's progress here; where there are no others,
    all of them are taken, since they know no incumbent. Without a `scope` the newest keep's counts.
    """
    keeps = [row for row in keeps if row["kind"] != "import"] or list(keeps)
    known_in = {row["scope"] for row in keeps}
    wanted = scope if scope in known_in else keeps[-1]["scope"] if keeps else None
    keeps = [row for row in keeps if row["scope"] == wanted]
    if not keeps:
        return []
    best = min(keeps, key=lambda row: math.inf if row["ordinal"] is None else row["ordinal"])
    mine = [row for row in keeps if row["campaign"] == best["campaign"]]
    if any(row["kind"] == "import" for row in mine):
        return mine
    known = {row["experiment"]: row for row in mine}
    found = [mine[-1]]
    while (before := known.get(found[-1]["incumbent"])) is not None:
        found.append(before)
    return found[::-1]


def standing(
    book: Notebook, won: Sequence[sqlite3.Row], policy: Policy, first: int = 0
) -> ledger.Ledger | None:
    """Return how the end of a chain stands, from the experiment `first` on; None for an import."""
    if not won or won[-1]["kind"] == "import":
        return None
    tip = won[-1]["experiment"]
    noise = measurements.noise(book, lookup.state(book, tip)["scope"])
    return ledger.of(book, tip, noise, policy, first)
