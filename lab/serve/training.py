"""How far a training is: its share of the budget, its curve over its incumbent's, its end."""

import functools
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from .. import leaf as leaves
from ..errors import LabError
from ..judge.forecast import Forecast, forecast
from ..leaf import Settings
from ..notebook import Notebook, lookup, repeats
from ..page import curves as drawn
from ..page.curves import thinned
from ..run import step_log
from ..system.home import Home

POINTS = 120  # of a curve: a lane is as wide as a phone

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Training:
    """One run at work, or what it came to."""

    series: str | None  # what its curve tells; None where nothing is logged yet
    spent: float | None  # of the budget, in its unit
    budget: float | None
    unit: str  # s, or steps
    mine: Points  # by share of the budget
    theirs: Points
    against: int | None  # the experiment whose curve that is
    end: Forecast | None

    @property
    def share(self) -> float | None:
        """How much of the budget is gone, from 0 to 1."""
        if self.spent is None or not self.budget:
            return None
        return min(1.0, self.spent / self.budget)


def settings_of(main: Path, experiment: sqlite3.Row) -> Settings | None:
    """Return the settings that an experiment has by leaf.toml as it is; None without any."""
    folder = main if experiment["leaf"] == "root" else main / experiment["leaf"]
    file = folder / "leaf.toml"
    stamp = file.stat().st_mtime_ns if file.is_file() else 0
    return _settings(main, experiment["leaf"], experiment["profile"], stamp)


@functools.lru_cache(maxsize=64)
def _settings(main: Path, leaf: str, profile: str, _stamp: int) -> Settings | None:
    try:
        return leaves.read(main, leaf).settings(profile)
    except LabError:
        return None


def training(
    book: Notebook, home: Home, experiment: sqlite3.Row, run: sqlite3.Row, settings: Settings | None
) -> Training:
    """Return how far a run is, beside the run of its incumbent at the same seed, or another."""
    log = _log(home, run, run["ended"])
    by = "elapsed_s" if settings is None or settings.clock != "steps" else "step"
    other = _other(book, experiment["incumbent"], run["seed"])
    theirs = _log(home, other, other["ended"]) if other is not None else []
    named = next(iter(drawn.names(log)), None) if log else None
    budget = _budget(settings, by, theirs)
    mine, others = (_by_share(one, named, by, budget) for one in (log, theirs))
    return Training(
        named,
        _last(log, by),
        budget,
        "steps" if by == "step" else "s",
        thinned(mine, POINTS),
        thinned(others, POINTS),
        experiment["incumbent"] if others else None,
        forecast(mine, others) if mine and others else None,
    )


def _other(book: Notebook, incumbent: int | None, seed: int) -> sqlite3.Row | None:
    """Return the incumbent's run at this seed, else its newest with a number."""
    if incumbent is None:
        return None
    found = repeats.of_seed(book, incumbent, seed)
    runs = [run for run in lookup.runs(book, incumbent) if run["value"] is not None]
    return found or (runs[-1] if runs else None)


def _budget(settings: Settings | None, by: str, theirs: list[step_log.Step]) -> float | None:
    """Return how much there is to spend: seconds by the leaf's clock, or steps."""
    if settings is None:
        return None
    if by != "step":
        return float(settings.budget_s)
    steps = settings.data.get("steps")
    return float(steps) if isinstance(steps, int | float) and steps > 0 else _last(theirs, by)


def _last(log: list[step_log.Step], by: str) -> float | None:
    known = (float(step[by]) for step in reversed(log) if step_log.finite(step.get(by)))
    return next(known, None)


def _by_share(
    log: list[step_log.Step], series: str | None, by: str, budget: float | None
) -> Points:
    """Return a series by share of the budget; [] where the log does not tell both."""
    if series is None or not budget:
        return []
    return [(at / budget, value) for at, value in step_log.points(log, series, by)]


def _log(home: Home, run: sqlite3.Row, ended: str | None) -> list[step_log.Step]:
    """Return a run's step log; of one that ended it is read once."""
    path = home.run(run["experiment"], run["id"]) / "steps.jsonl"
    return _ended_log(path) if ended else step_log.read(path)


@functools.lru_cache(maxsize=16)
def _ended_log(path: Path) -> list[step_log.Step]:
    return step_log.read(path)
