"""Mechanism of an experiment: what its runs show of its observables, beside what was claimed."""

import sqlite3

from .. import judge as judging
from ..documents.experiments import Mechanism, Observation, Outcome, Source
from ..leaf import Condition
from ..notebook import Notebook, lookup, measurements

RUNS = 1, 3  # what most ideas get, and what settles more
AND = " and "  # between the conditions of an idea: none contains it


def mechanism(book: Notebook, experiment: sqlite3.Row) -> Mechanism | None:
    """Return what the measured metrics say of the observables, beside what was claimed."""
    idea = lookup.hypothesis(book, experiment["hypothesis"])
    observable = idea["observe"] if idea else None
    seen = _observations(book, experiment, observable) if observable else []
    last = lookup.last_result(book, experiment["id"])
    claimed = last["mechanism"] if last else None
    said = _said(seen, claimed)
    if said is None:
        return None
    outcome, source = said
    return {
        "outcome": outcome,
        "source": source,
        "observable": observable,
        "seen": seen,
        "claimed": claimed,
    }


def _said(seen: list[Observation], claimed: Outcome | None) -> tuple[Outcome, Source] | None:
    """Return what is believed, and by whom: figures before words, words before nothing."""
    sources = [one["source"] for one in seen if one["value"] is not None]
    if sources:
        reported: Source = "self-reported" if "self-reported" in sources else "measured"
        return judging.overall([one["outcome"] for one in seen]), reported
    if claimed is not None:
        return claimed, "claimed"
    return ("open", "measured") if seen else None


def _observations(book: Notebook, experiment: sqlite3.Row, observable: str) -> list[Observation]:
    if not measurements.known_by(book, experiment["id"]).runs:
        return []
    conditions = [Condition.parse(words) for words in observable.split(AND)]
    return [_observation(book, experiment, condition) for condition in conditions]


def _observation(book: Notebook, experiment: sqlite3.Row, condition: Condition) -> Observation:
    """Return what the runs of an experiment and of its incumbent say of one condition."""
    name, number, incumbent = condition.metric, experiment["id"], experiment["incumbent"]
    ours = measurements.metric_by_seed(book, number, name)
    theirs = measurements.metric_by_seed(book, incumbent, name) if incumbent else {}
    wanted = judging.Wanted(condition.op, condition.value, condition.relative)
    luck = judging.spread_of(measurements.repeats_of(book, number, name))
    seen = judging.moved(wanted, list(ours.values()), list(theirs.values()), luck)
    if condition.relative and ours and all(theirs.get(at) == value for at, value in ours.items()):
        still = condition.holds({name: 1.0}, {name: 1.0})
        seen = judging.Seen("confirmed" if still else "refuted", 1.0, 0.0)  # not moved at all
    before = {name: judging.mean(list(theirs.values()))} if theirs else {}
    trivial = seen.outcome == "confirmed" and condition.holds(before, before)
    return {
        "condition": condition.text,
        "outcome": "trivial" if trivial else seen.outcome,
        "source": _source(book, number, name),
        "value": seen.value,
        "error": seen.error,
        "relative": condition.relative,
    }


def beforehand(book: Notebook, incumbent: int, condition: Condition) -> str | None:
    """Return in words what one run and several can say of a condition; None: nothing is known."""
    name = condition.metric
    theirs = list(measurements.metric_by_seed(book, incumbent, name).values())
    wanted = judging.Wanted(condition.op, condition.value, condition.relative)
    luck = judging.spread_of(measurements.repeats_of(book, incumbent, name))
    one, several = (judging.settled_by(wanted, theirs, luck, runs) for runs in RUNS)
    if one is None or several is None:
        return None
    unit = "x" if condition.relative else ""
    edges = [f"{edge:.3g}{unit}" for edge in (*one, *several)]
    return (
        f"{condition.text}: one run confirms it from {edges[0]} on and refutes it from {edges[1]}, "
        f"{RUNS[1]} runs from {edges[2]} and {edges[3]}; between it stays open"
    )


def _source(book: Notebook, number: int, metric: str) -> Source:
    """Return who says a metric: the harness and the yardstick, or the training alone."""
    return "measured" if measurements.is_measured(book, number, metric) else "self-reported"
