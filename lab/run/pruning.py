"""Which bars a run is held against: its incumbent's curve at equal seed, and how curves scatter."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ..judge import Group, correlation, faded, pooled, prune, spread
from ..judge.prune import Rules
from ..leaf import Leaf, Settings
from ..notebook import Notebook, lookup, repeats
from ..runner.pruning import Bar, Point, Pruning, value_at
from ..system.home import Home
from . import step_log
from .order import JobContext


def of_run(order: JobContext, leaf: Leaf, settings: Settings, seed: int) -> dict[str, Any] | None:
    """Return what a run is held against, as data; None where it goes on whatever it is worth."""
    table = json.loads(order.job["asked"] or "{}").get("prune")
    if not table:
        return None
    rules = Rules.from_table(table, leaf.metric, leaf.direction)
    against = order.experiment["incumbent"]
    theirs = repeats.of_seed(order.book, against, seed)
    curves = Curves(order.home, rules.metric, settings)
    if theirs is None or not (points := curves.points(theirs)):
        return None
    scope = lookup.state(order.book, order.experiment["id"])["scope"]
    bars = _bars(order.book, scope, curves, rules, points)
    if not bars:
        return None
    by, whole = curves.measure(theirs)
    sign = 1.0 if rules.direction == "minimize" else -1.0
    spared = prune.is_spared(repeats.hopeless(order.book, scope))
    found = (rules.metric, by, whole, sign, f"e{against}", theirs["id"], spared, tuple(bars))
    return asdict(Pruning(*found))


def _bars(
    book: Notebook, scope: int, curves: "Curves", rules: Rules, points: Sequence[Point]
) -> list[Bar]:
    """Return the bar of each rung at which the incumbent has a value and enough curves scatter."""
    groups, sides = repeats.groups(book, scope), repeats.sides(book, scope)
    found = []
    for rung in rules.rungs:
        theirs, values = value_at(points, rung), curves.values(rung)
        noise = pooled(faded([_group(list(values(some).values())) for some in groups]))[0]
        pairs = correlation([(values(one), values(other)) for one, other in sides], noise)
        luck = prune.of_difference(noise, pairs)
        if theirs is not None and luck is not None:
            bar = prune.bar(rules.noises, luck.df)
            found.append(Bar(rung, theirs, luck.sd, luck.df, bar))
    return found


def _group(values: Sequence[float]) -> Group:
    return Group(0, spread(values) or 0.0, max(0, len(values) - 1))


class Curves:
    """The step logs of runs, each read once, by share of the budget."""

    def __init__(self, home: Home, series: str, settings: Settings) -> None:
        self.home, self.series, self.settings = home, series, settings
        self.known: dict[int, list[Point]] = {}
        self.logs: dict[int, list[step_log.Step]] = {}

    def points(self, run: Mapping[str, Any] | sqlite3.Row) -> list[Point]:
        """Return a run's series by share of the budget; [] where its log tells none."""
        if run["id"] not in self.known:
            by, whole = self.measure(run)
            rows = step_log.points(self._log(run), self.series, by) if whole else []
            self.known[run["id"]] = [(at / whole, value) for at, value in rows]
        return self.known[run["id"]]

    def measure(self, run: Mapping[str, Any] | sqlite3.Row) -> tuple[str, float]:
        """Return by what progress is told, and how much of it the budget is.

        On a clock of steps that is `steps` in `[data]`, else the run's own last one.
        """
        if self.settings.clock != "steps":
            return "elapsed_s", self.settings.budget_s
        steps = self.settings.data.get("steps")
        if isinstance(steps, int | float) and steps > 0:
            return "step", float(steps)
        return "step", max((float(row["step"]) for row in self._log(run)), default=0.0)

    def values(self, rung: float) -> Any:
        """Return a function from runs by seed to their values at a rung."""

        def at(runs: Mapping[int, sqlite3.Row]) -> dict[int, float]:
            found = {seed: value_at(self.points(run), rung) for seed, run in runs.items()}
            return {seed: value for seed, value in found.items() if value is not None}

        return at

    def _log(self, run: Mapping[str, Any] | sqlite3.Row) -> list[step_log.Step]:
        number = run["id"]
        if number not in self.logs:
            path = self.home.run(run["experiment"], number) / "steps.jsonl"
            self.logs[number] = step_log.read(path)
        return self.logs[number]


def unlogged(table: Mapping[str, Any], log: Sequence[step_log.Step]) -> str | None:
    """Return what to say where the step log never tells the metric of `[prune]`."""
    if not table or table["metric"] in (there := step_log.series(list(log))):
        return None
    named = ", ".join(there[:6]) or "no number"
    return (
        f"[prune] metric = {table['metric']!r} is not in the step log, so nothing is pruned; "
        f"it has {named}: a person names one of them in leaf.toml"
    )
