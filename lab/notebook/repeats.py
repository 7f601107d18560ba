"""Queries about runs whose curves tell luck: replicates and audits, and who was hopeless."""

import sqlite3
from typing import Any, cast

from ..documents.leaves import Pruning
from . import Notebook, lookup
from .replicates import RUNS, counted, unselected_runs

MOST = 20  # experiments, and audits, the newest: their step logs are read before a run
Seeds = dict[int, Any]  # runs by their seeds


def of_seed(book: Notebook, experiment: int | None, seed: int) -> sqlite3.Row | None:
    """Return the run of an experiment at a seed that counts, if any."""
    rows = book.all(f"{RUNS} where r.experiment = ? and r.seed = ? order by r.id", experiment, seed)
    found = counted(rows)
    return found[0] if found else None  # type: ignore[return-value]


def groups(book: Notebook, scope: int) -> list[Seeds]:
    """Return runs of one program each that nobody selected, the newest programs first."""
    rows = book.all(
        "select s.experiment, e.kind from state s join experiments e on e.id = s.experiment "
        "where s.scope = ? and s.df > 0 order by s.experiment desc limit ?",
        *(scope, MOST),
    )
    found = []
    for row in rows:
        runs = book.all(f"{RUNS} where r.experiment = ? order by r.id", row["experiment"])
        kept = lookup.first_kept(book, row["experiment"])
        found += [_seeds(some) for some in unselected_runs(row["kind"], runs, kept)]
    return found


def sides(book: Notebook, scope: int) -> list[tuple[Seeds, Seeds]]:
    """Return the two sides of the newest audits, and changes run more than once beside theirs."""
    audits = book.all(
        "select a.* from audits a join state s on s.experiment = a.tip "
        "where s.scope = ? and a.ended is not null order by a.id desc limit ?",
        *(scope, MOST),
    )
    found = [
        tuple(_audited(book, one["id"], one[side]) for side in ("tip", "base")) for one in audits
    ]
    changes = book.all(
        "select e.id, e.incumbent from state s join experiments e on e.id = s.experiment "
        "where s.scope = ? and s.runs > 1 and e.kind = 'run' and e.incumbent is not null "
        "order by e.id desc limit ?",
        *(scope, MOST),
    )
    found += [tuple(_own(book, row[side]) for side in ("id", "incumbent")) for row in changes]
    return found  # type: ignore[return-value]


def _audited(book: Notebook, audit: int, experiment: int) -> Seeds:
    where = "where r.experiment = ? and j.audit = ? order by r.id"
    return _seeds(counted(book.all(f"{RUNS} {where}", experiment, audit)))


def _own(book: Notebook, experiment: int) -> Seeds:
    where = "where r.experiment = ? and j.audit is null order by r.id"
    return _seeds(counted(book.all(f"{RUNS} {where}", experiment)))


def _seeds(runs: Any) -> Seeds:
    return {run["seed"]: run for run in runs}


def hopeless(book: Notebook, scope: int) -> int:
    """Return how many runs of a scope were hopeless at a rung, those that went on too."""
    row = book.one(
        "select count(*) from runs r indexed by runs_hopeless join state s "
        "on s.experiment = r.experiment where r.hopeless is not null and s.scope = ?",
        scope,
    )
    return int(row[0]) if row else 0


def margin_of(book: Notebook, experiment: int) -> str | None:
    """Return in words where an experiment's newest run was hopeless, and by how much."""
    row = book.one(
        "select json_extract(hopeless, '$.rung'), json_extract(hopeless, '$.margin') from runs "
        "where experiment = ? and hopeless is not null order by id desc limit 1",
        experiment,
    )
    return f"worse at {row[0]:.0%} by {row[1]:.1f} noises" if row else None


def pruned(book: Notebook, leaf: str) -> Pruning | None:
    """Return how many runs of a leaf were ended early, what that saved, and whether wrongly.

    Of those that were hopeless and went on to a number, winners are what is kept, or should be.
    Saved is what the incumbent's run took longer. None where no run was hopeless.
    """
    row = book.all(
        "select sum(r.failure is 'pruned') as pruned, sum(iif(r.failure is 'pruned', "
        "max(0.0, ifnull(t.seconds - r.seconds, 0.0)), 0.0)) as saved_s, "
        "sum(r.value is not null) as went_on, sum(r.value is not null and (s.verdict is 'keep' "
        "or (select suggest from judgements where experiment = r.experiment order by id desc "
        "limit 1) is 'keep')) as winners from runs r indexed by runs_hopeless "
        "join state s on s.experiment = r.experiment "
        "left join runs t on t.id = json_extract(r.hopeless, '$.incumbent_run') "
        "where r.hopeless is not null and s.leaf = ?",
        leaf,
    )[0]
    if row["pruned"] is None:
        return None
    names = ("pruned", "saved_s", "went_on", "winners")
    return cast(Pruning, {name: row[name] for name in names})
