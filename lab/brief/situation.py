"""Where a leaf stands, as far as the next step depends on it."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .. import judge as judging
from ..documents.experiments import Reference, Stage
from ..documents.leaves import Mine
from ..notebook import Notebook, ledger, measurements, pace, read, state
from ..run.assessment import policy_of, reference
from ..workspace import Workspace
from ..workspace.incumbent import find_incumbent

OUTSIDE = 5  # experiments that are named as spread unlike the others


@dataclass(frozen=True)
class Situation:
    """What is being compared, what stands, and what this campaign has open."""

    workspace: Workspace
    book: Notebook
    policy: judging.Policy
    scope: int
    incumbent: Reference | None  # None before a baseline
    noise: judging.Noise | None
    outside: list[str]  # experiments of which that noise is without
    stands: ledger.Ledger | None  # None without a baseline
    best: ledger.Best | None
    bag: Sequence[sqlite3.Row]
    mine: Sequence[Mine]

    @property
    def campaign(self) -> str | None:
        """The campaign in whose worktree one stands."""
        return self.workspace.place.campaign

    @property
    def value(self) -> float | None:
        """The incumbent's number."""
        return self.incumbent["value"] if self.incumbent else None


def situation(workspace: Workspace, book: Notebook) -> Situation:
    """Return what the next step depends on, in the workspace's scope."""
    found, policy = workspace.scope, policy_of(workspace.leaf.judge)
    scope = state.scope(book, found.leaf, found.profile, found.platform, found.yardstick)
    noise, outside = measurements.noise_and_outside(book, scope)
    incumbent = _incumbent(workspace, book)
    stands = None
    if incumbent is not None:
        stands = ledger.of(book, int(incumbent["experiment"][1:]), noise, policy)
    return Situation(
        *(workspace, book, policy, scope, incumbent, noise),
        outside=[f"e{one}" for one in outside[:OUTSIDE]],
        stands=stands,
        best=ledger.best(book, scope, policy),
        bag=ledger.bag(book, stands.tip) if stands else [],
        mine=_mine(book, workspace.leaf_name, workspace.place.campaign),
    )


def _incumbent(workspace: Workspace, book: Notebook) -> Reference | None:
    row = find_incumbent(workspace, book)
    if row is None:
        return None
    return reference(row["experiment"], measurements.known_by(book, row["experiment"]))


def _mine(book: Notebook, leaf: str, campaign: str | None) -> list[Mine]:
    """What this campaign has in flight, without a verdict, lost, or written down and never run."""
    tried = [_tried(book, row, row["status"]) for row in read.undecided(book, leaf, campaign)]
    lost = [_tried(book, row, "lost") for row in read.lost(book, leaf, campaign)]
    ideas: list[Mine] = [
        {"hypothesis": f"h{row['id']}", "claim": row["claim"], "status": "not run"}
        for row in read.open_ideas(book, leaf, campaign)
    ]
    return tried + lost + ideas


def _tried(book: Notebook, row: sqlite3.Row, status: Stage | Literal["lost"]) -> Mine:
    return {
        "experiment": f"e{row['experiment']}",
        "hypothesis": read.h(row["hypothesis"]),
        "claim": row["claim"],
        "status": status,
        "value": row["value"],
        "gain": row["gain"],
        "pace": pace.mark(book, row["experiment"]),
    }
