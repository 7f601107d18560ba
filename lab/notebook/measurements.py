"""Queries about numbers: the runs behind an experiment, the noise, the metrics."""

from ..judge import Group, Noise, Side, mean, pooled
from . import Notebook
from .read import LOOK_BACK


def noise(book: Notebook, scope: int) -> Noise | None:
    """Return the pooled spread between replicates within a scope, or None when unknown."""
    return noise_and_outside(book, scope)[0]


def noise_and_outside(book: Notebook, scope: int) -> tuple[Noise | None, list[int]]:
    """Return the noise, and the experiments that stay out of it, since theirs is unlike the rest's.

    Pooled over the newest experiments that have replicates.
    """
    rows = book.all(
        "select experiment, spread, df from state where scope = ? and df > 0 "
        "order by experiment desc limit ?",
        *(scope, LOOK_BACK),
    )
    groups = [Group(*row) for row in rows]
    found, places = pooled(groups)
    return found, [groups[place].experiment for place in places]


def side(book: Notebook, experiment: int) -> Side:
    """Return the runs that won an experiment its place, and those measured afterwards.

    Nothing selected a baseline, so all its runs are fresh.
    """
    from .state import values_by_seed

    runs = book.all("select * from runs where experiment = ? order by id", experiment)
    made = book.all("select kind from experiments where id = ?", experiment)[0][0]
    first = book.one(
        "select min(at) from results where experiment = ? and verdict = 'keep'", experiment
    )
    kept_at = first[0] if first else None
    if made == "baseline":
        return Side(selecting=(), fresh=tuple(values_by_seed(runs)))
    values = values_by_seed(runs)
    used = values_by_seed([run for run in runs if kept_at is None or run["at"] <= kept_at])
    return Side(selecting=tuple(used), fresh=tuple(values[len(used) :]))


def metrics(book: Notebook, experiment: int) -> dict[str, float]:
    """Return the mean of each metric over the experiment's runs; evaluate's numbers win."""
    rows = book.all(
        "select m.name, m.value, r.id from metrics m join runs r on r.id = m.run "
        "where r.experiment = ? and r.status = 'finished' "
        "order by r.id, case m.source when 'train' then 0 when 'harness' then 1 else 2 end",
        experiment,
    )
    by_run: dict[tuple[str, int], float] = {(row[0], row[2]): row[1] for row in rows}
    sums: dict[str, list[float]] = {}
    for (name, _), value in by_run.items():
        sums.setdefault(name, []).append(value)
    return {name: mean(values) for name, values in sums.items()}


def run_metrics(book: Notebook, run: int) -> dict[str, float]:
    """Return one run's metrics; evaluate's numbers win over train's."""
    rows = book.all(
        "select name, value from metrics where run = ? "
        "order by case source when 'train' then 0 when 'harness' then 1 else 2 end",
        run,
    )
    return {row["name"]: row["value"] for row in rows}


def known_metrics(book: Notebook, leaf: str) -> list[str]:
    """Return the metrics that a leaf has reported, from its newest runs."""
    rows = book.all(
        "select distinct m.name from metrics m where m.run in (select r.id from runs r "
        "where r.experiment in (select experiment from state where leaf = ? "
        "order by experiment desc limit 20)) order by m.name",
        leaf,
    )
    return [row[0] for row in rows]
