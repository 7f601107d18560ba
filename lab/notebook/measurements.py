"""Queries about numbers: the runs behind an experiment, the noise, the pairs, the metrics."""

import itertools
import json
import sqlite3
from dataclasses import dataclass, replace

from ..documents.experiments import AtSeed
from ..judge import (
    SIGN,
    Group,
    Noise,
    Pairs,
    Record,
    Runs,
    beside,
    between,
    correlation,
    faded,
    mean,
    pooled,
    spread,
    step_of,
)
from . import Notebook, lookup, waves
from .read import LOOK_BACK
from .replicates import (
    RUNS,
    Run,
    aborted,
    blamed,
    by_seed,
    counted,
    failures,
    known,
    record,
    tampered,
    unfinished,
    unselected,
    unsteady,
)

PAIRED = 40  # audits and replicated changes, the newest, from which pairs are known


def noise(book: Notebook, scope: int) -> Noise | None:
    """Return the spread of runs that nobody selected within a scope, or None when unknown.

    A metric that its leaf declares deterministic has none.
    """
    return noise_and_outside(book, scope)[0]


def noise_of(book: Notebook, scope: int, program: int | None) -> Noise | None:
    """Return the noise to judge a change of a program by: its own where that is far wider."""
    row = book.one(
        "select experiment, spread, df from state where experiment = ? and df > 0", program
    )
    return beside(noise(book, scope), Group(*row) if row else None)


def noise_and_outside(book: Notebook, scope: int) -> tuple[Noise | None, list[int]]:
    """Return the noise, and the experiments that stay out of it, since theirs is unlike the rest's.

    Pooled over the newest experiments that have replicates; the newest weigh most.
    """
    rows = book.all(
        "select experiment, spread, df from state where scope = ? and df > 0 "
        "order by experiment desc limit ?",
        *(scope, LOOK_BACK),
    )
    groups = [Group(*row) for row in rows]
    found, places = pooled(faded(groups))
    if found is not None and found.sd == 0:
        found = _coarse(book, scope, found)
    return found or _constant(book, scope), [groups[place].experiment for place in places]


def _coarse(book: Notebook, scope: int, found: Noise) -> Noise:
    """Return the noise of a share whose seeds all tied: no less than the step it is told in.

    Three times 194 of 200 is no proof that luck moves nothing.
    """
    values = book.all(
        "select distinct r.value from runs r join state s on s.experiment = r.experiment "
        "where s.scope = ? and r.value is not null order by s.experiment desc limit ?",
        *(scope, LOOK_BACK),
    )
    step = step_of(row["value"] for row in values)
    return Noise(step, found.df) if step is not None and not _constant(book, scope) else found


def noise_beside(book: Notebook, scope: int, audit: int) -> Noise | None:
    """Return the noise of a scope without the runs of one audit."""
    sides = book.one("select tip, base from audits where id = ?", audit)
    assert sides is not None
    rows = book.all(
        "select experiment, spread, df from state where scope = ? and df > 0 "
        "and experiment not in (?, ?) order by experiment desc limit ?",
        *(scope, sides["tip"], sides["base"], LOOK_BACK),
    )
    groups = [Group(*row) for row in rows]
    for number in sides:
        made = book.all("select kind from experiments where id = ?", number)[0][0]
        runs = [run for run in _runs(book, number) if run["audit"] != audit]
        groups += [
            Group(number, spread(some) or 0.0, len(some) - 1) for some in unselected(made, runs)
        ]
    nearest = sorted(groups, key=lambda group: -group.experiment)
    found = pooled(faded(nearest))[0]
    if found is not None and found.sd == 0:
        found = _coarse(book, scope, found)
    return found or _constant(book, scope)


def between_machines(book: Notebook, scope: int) -> float | None:
    """Return how far a program's numbers lie apart on different machines; None where none meet."""
    rows = book.all(
        "select r.*, json_extract(r.machine, '$.host') as host from runs r where r.experiment in "
        "(select experiment from state where scope = ? and df > 0 order by experiment desc limit ?)"
        " and json_extract(r.machine, '$.host') is not null order by r.id",
        *(scope, LOOK_BACK),
    )
    made: dict[int, dict[str, list[sqlite3.Row]]] = {}
    for run in rows:
        made.setdefault(run["experiment"], {}).setdefault(run["host"], []).append(run)
    return between(
        {host: list(by_seed(counted(some)).values()) for host, some in hosts.items()}
        for hosts in made.values()
    )


def elsewhere(book: Notebook, experiment: int, incumbent: int) -> bool:
    """Return whether an experiment and its incumbent were measured on different machines."""
    ours, theirs = (_hosts(book, number) for number in (experiment, incumbent))
    return bool(ours and theirs) and not ours & theirs


def _hosts(book: Notebook, experiment: int) -> set[str]:
    """Return the machines that have measured an experiment, as far as they are known."""
    rows = book.all(
        "select distinct json_extract(machine, '$.host') from runs where experiment = ? "
        "and status = 'finished' and json_extract(machine, '$.host') is not null",
        experiment,
    )
    return {row[0] for row in rows}


def _runs(book: Notebook, experiment: int) -> list[sqlite3.Row]:
    return book.all(f"{RUNS} where r.experiment = ? order by r.id", experiment)


def _constant(book: Notebook, scope: int) -> Noise | None:
    """Return no noise at all where a leaf says so, or where its seeds were seen to change nothing.

    Seen so, `lab audit` claims nothing: that luck is the program's own, and no run tells it.
    """
    row = book.one(
        "select e.deterministic or exists (select 1 from runs where experiment = e.id "
        "and flags like '%seed_ignored%') from experiments e where e.id = "
        "(select max(experiment) from state where scope = ?1 and runs > 0) or e.id = "
        "(select max(s.experiment) from state s join experiments b on b.id = s.experiment "
        "where s.scope = ?1 and b.kind = 'baseline') order by 1 desc limit 1",
        scope,
    )
    return Noise(0.0, 1) if row and row[0] else None


def known_by(book: Notebook, experiment: int) -> Record:
    """Return the runs an experiment is known by: fresh ones, and those that won it its place."""
    found = record(*_beside_keep(book, experiment))
    return found if found.fresh else replace(found, wave=waves.width(book, experiment))


def counting(book: Notebook, experiment: int) -> set[int]:
    """Return the runs that an experiment's mean is over, by their numbers in the notebook."""
    selecting, fresh = known(*_beside_keep(book, experiment))
    return {run["id"] for run in fresh or selecting}


def _beside_keep(book: Notebook, experiment: int) -> tuple[str, list[sqlite3.Row], str | None]:
    """Return an experiment's kind, its runs, and when it first was kept."""
    made = book.all("select kind from experiments where id = ?", experiment)[0][0]
    return made, _runs(book, experiment), lookup.first_kept(book, experiment)


@dataclass(frozen=True)
class Endings:
    """How the runs of an experiment ended that gave no number."""

    failures: int  # seeds, by the idea's own fault
    unfinished: int  # seeds that were begun and stopped, and are due
    tampered: int  # runs that changed what they may not
    aborted: int  # runs that somebody or something ended after training had begun
    unsteady: int  # how many of those more than finished ones


def endings(book: Notebook, experiment: int) -> Endings:
    """Return how the runs of an experiment, and of others of its code, ended without a number.

    What was aborted counts against the idea, however its code is spelled the next time.
    """
    runs = _runs_of_code(book, experiment)
    tried = _runs_of_idea(book, experiment, runs)
    counts = (failures(runs), unfinished(runs), tampered(runs), aborted(tried), unsteady(tried))
    return Endings(*counts)


def _runs_of_idea(book: Notebook, experiment: int, known: list[sqlite3.Row]) -> list[sqlite3.Row]:
    """Return runs with those of other experiments for the same hypothesis that come before."""
    there = {run["id"] for run in known}
    others = book.all(
        f"{RUNS} where r.experiment in (select id from experiments where id < ?1 and hypothesis = "
        "(select hypothesis from experiments where id = ?1)) and j.audit is null order by r.id",
        experiment,
    )
    return [run for run in others if run["id"] not in there] + known


def values(book: Notebook, experiment: int) -> tuple[dict[int, float], int]:
    """Return what is known of a change by its seeds, and how many were asked for before any was.

    Whoever runs the same code again adds to it: the first number of a seed counts, also where an
    earlier experiment, or its audit, measured it. The first job's were asked for at once.
    """
    made = counted(_runs_of_code(book, experiment))
    at_once = itertools.takewhile(lambda run: run["job"] == made[0]["job"], made)
    return by_seed(made), sum(1 for _ in at_once)


def _runs_of_code(book: Notebook, experiment: int) -> list[sqlite3.Row]:
    """Return the runs of an experiment after those of earlier ones that do the very same."""
    one = lookup.experiment(book, experiment)
    own = [run for run in _runs(book, experiment) if run["audit"] is None]
    if one["kind"] != "run":
        return own
    names = ("leaf", "contents", "code", "profile", "platform", "yardstick")
    key: lookup.Key = tuple(one[name] for name in names)
    same = lookup.same_contents(book, key, one["behaviour"])
    alike = (row["id"] for row in same if row["kind"] == "run")
    before = sorted(number for number in alike if number < experiment)
    return [run for number in before for run in _runs(book, number)] + own


def pairs(book: Notebook, scope: int) -> Pairs | None:
    """Return how much of a seed's luck two programs share, as runs at equal seeds tell.

    They are the newest audits', and those of changes that were run more than once.
    """
    audits = book.all(
        "select a.* from audits a join state s on s.experiment = a.tip "
        "where s.scope = ? and a.ended is not null order by a.id desc limit ?",
        *(scope, PAIRED),
    )
    sides: list[tuple[Runs, Runs]] = [
        (by_audit(book, one["id"], one["tip"]), by_audit(book, one["id"], one["base"]))
        for one in audits
    ]
    rows = book.all(
        "select e.id, e.incumbent from state s join experiments e on e.id = s.experiment "
        "where s.scope = ? and s.runs > 1 and e.kind = 'run' and e.incumbent is not null "
        "order by e.id desc limit ?",
        *(scope, PAIRED),
    )
    sides += [
        (known_by(book, row["id"]).selecting, known_by(book, row["incumbent"]).runs) for row in rows
    ]
    return correlation(sides, noise(book, scope))


def at_equal_seeds(book: Notebook, experiment: sqlite3.Row) -> list[AtSeed]:
    """Return how far a change's runs are above its incumbent's at the seeds that both have run.

    Of each side every run that gave a number, whatever was chosen by it.
    """
    if experiment["incumbent"] is None or experiment["direction"] is None:
        return []
    ours, theirs = (
        by_seed(counted(_runs(book, number)))
        for number in (experiment["id"], experiment["incumbent"])
    )
    sign = SIGN[experiment["direction"]]
    shared = sorted(seed for seed in ours if seed in theirs)
    return [{"seed": seed, "gain": sign * (ours[seed] - theirs[seed])} for seed in shared]


def by_audit(book: Notebook, audit: int, experiment: int) -> dict[int, float]:
    """Return the values by seed that an audit has measured of one of its sides."""
    rows = book.all(
        f"{RUNS} where r.experiment = ? and j.audit = ? order by r.id", experiment, audit
    )
    return {run["seed"]: run["value"] for run in counted(rows)}


@dataclass(frozen=True)
class Tried:
    """A run that says something of its program: a number, or that there is none to be had."""

    experiment: int
    commit: str
    seed: int
    value: float | None  # None: it failed by the program's own fault, or broke a constraint


def tried(book: Notebook, scope: int, n: int) -> list[Tried]:
    """Return the runs of the newest experiments of a scope, oldest first, one a seed of each."""
    rows = book.all(
        'select r.*, e."commit" as made from runs r join experiments e on e.id = r.experiment '
        "where e.id in (select experiment from state where scope = ? order by experiment desc "
        'limit ?) and e."commit" is not null order by r.experiment, r.id',
        *(scope, n),
    )
    by_experiment = itertools.groupby(rows, key=lambda run: run["experiment"])
    found = [run for _, runs in by_experiment for run in _telling(list(runs))]
    return [
        Tried(run["experiment"], run["made"], run["seed"], None if broke else run["value"])
        for run in found
        for broke in [json.loads(run["broken"] or "[]")]
    ]


def _telling(runs: list[sqlite3.Row]) -> list[Run]:
    """Return the runs that count, and those whose failure the program is to blame for."""
    lost = [run for run in runs if run["status"] == "failed" and blamed(run)]
    return counted(runs) + lost


def metrics(book: Notebook, experiment: int) -> dict[str, float]:
    """Return the mean of each metric over the runs that count; evaluate's numbers win."""
    seeds = known_by(book, experiment).runs
    rows = book.all(
        "select m.name, m.value, r.id, r.seed from metrics m join runs r on r.id = m.run "
        "where r.experiment = ? and r.status = 'finished' "
        "and ifnull(r.flags, '') not like '%reproduction%' "
        "order by r.id, case m.source when 'train' then 0 when 'harness' then 1 else 2 end",
        experiment,
    )
    by_run: dict[tuple[str, int], float] = {
        (row[0], row[2]): row[1] for row in rows if row["seed"] in seeds
    }
    sums: dict[str, list[float]] = {}
    for (name, _), value in by_run.items():
        sums.setdefault(name, []).append(value)
    return {name: mean(values) for name, values in sums.items()}


def metric_by_seed(book: Notebook, experiment: int, name: str) -> dict[int, float]:
    """Return one metric by seed, of the runs that count; evaluate's numbers win."""
    seeds = known_by(book, experiment).runs
    return {seed: value for seed, value in _told(book, experiment, name).items() if seed in seeds}


def repeats_of(book: Notebook, experiment: int, name: str) -> list[list[float]]:
    """Return a metric in the runs of each experiment of the scope that was repeated, newest first.

    What nobody selected, and the experiment itself.
    """
    rows = book.all(
        "select experiment from state where scope = (select scope from state where experiment = ?1)"
        " and df > 0 order by experiment desc limit ?2",
        *(experiment, PAIRED),
    )
    numbers = sorted({experiment, *(row["experiment"] for row in rows)}, reverse=True)
    return [list(_told(book, number, name).values()) for number in numbers]


def _told(book: Notebook, experiment: int, name: str) -> dict[int, float]:
    """Return a metric by seed as finished runs told it; the last who tells it is believed."""
    rows = book.all(
        "select r.seed, m.value from runs r join metrics m on m.run = r.id and m.name = ?2 "
        "where r.experiment = ?1 and r.status = 'finished' "
        "and ifnull(r.flags, '') not like '%reproduction%' and m.value is not null "
        "order by r.id, case m.source when 'train' then 0 when 'harness' then 1 else 2 end",
        *(experiment, name),
    )
    return {row["seed"]: row["value"] for row in rows}


def is_measured(book: Notebook, experiment: int, metric: str) -> bool:
    """Return whether the yardstick or the harness, and not the training alone, told a metric."""
    row = book.one(
        "select 1 from metrics m join runs r on r.id = m.run where r.experiment = ? "
        "and m.name = ? and m.source <> 'train' limit 1",
        *(experiment, metric),
    )
    return row is not None


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
