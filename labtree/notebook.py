"""The notebook from Python: plain objects, and frames where pandas is installed.

    from labtree import notebook

    best = max(notebook.experiments("pretrain"), key=lambda one: one.gain or 0)
    notebook.runs(best.experiment).frame()
    notebook.curves(best.experiment).frame().plot("step", "loss")

Everything is read from the notebook of the repository one stands in (or of `where`), which
nothing here changes but `record`. Ids are written as everywhere: `e34`, `h12`. A metric is in its
leaf's own unit, a gain is positive when better, times are UTC.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .shared import steps as _steps

if TYPE_CHECKING:
    import pandas

    from lab import repo as _repo
    from lab.notebook import Notebook as _Notebook
    from lab.notebook import lookup as _lookup
    from lab.notebook import read as _read
    from lab.system.home import Home as _Home
else:
    try:  # installed: all of it lies in this package
        from .lab import repo as _repo
        from .lab.notebook import Notebook as _Notebook
        from .lab.notebook import lookup as _lookup
        from .lab.notebook import read as _read
        from .lab.system.home import Home as _Home
    except ImportError:  # a checkout of Labtree itself
        from lab import repo as _repo
        from lab.notebook import Notebook as _Notebook
        from lab.notebook import lookup as _lookup
        from lab.notebook import read as _read
        from lab.system.home import Home as _Home

__all__ = ["Curve", "Experiment", "Run", "Table", "curves", "experiments", "log", "record", "runs"]
MOST = 1_000_000  # experiments: all of them
Row = TypeVar("Row")


class Table(list[Row], Generic[Row]):
    """A list of rows, which is also a frame."""

    def frame(self) -> "pandas.DataFrame":
        """Return the rows as a pandas frame, a column for each field; ImportError without pandas.

        What a row holds as a table (`metrics`) becomes a column for each name in it.
        """
        import pandas

        found = [{**asdict(row), **getattr(row, "metrics", {})} for row in self]  # type: ignore[call-overload]
        for row in found:
            row.pop("metrics", None)
        return pandas.DataFrame(found)


@dataclass(frozen=True)
class Experiment:
    """One experiment, with its verdict."""

    experiment: str  # e34
    hypothesis: str | None  # h12; None for a baseline
    claim: str | None  # what the hypothesis says
    leaf: str
    status: str  # queued, running, finished, failed, pruned
    verdict: str | None  # keep, discard, crash; None before
    failure: str | None  # the class of failure
    value: float | None  # the mean of the metric over its runs
    gain: float | None  # against its incumbent; positive is better
    commit: str | None
    parent: str | None
    seconds: float | None  # of its runs together
    at: str  # when it was begun, UTC
    claimed: bool  # typed in, not measured here
    imported: bool  # from another tool's log


@dataclass(frozen=True)
class Run:
    """One run of an experiment, with all that it printed in its block."""

    run: int
    experiment: str
    seed: int
    status: str | None  # finished, failed; None before its end
    failure: str | None
    value: float | None
    seconds: float | None  # of wall time, without waiting for a device
    at: str
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Curve:
    """One step of a run's step log; `metrics` holds the numbers that it logged."""

    experiment: str
    run: int
    seed: int
    step: float
    elapsed_s: float | None
    metrics: Mapping[str, float]


def experiments(leaf: str | None = None, where: Path | str = ".") -> Table[Experiment]:
    """Return the experiments of a leaf, or of all, oldest first.

    >>> experiments(where="/nowhere-near-a-repository")
    Traceback (most recent call last):
        ...
    labtree.notebook.NotFound: /nowhere-near-a-repository is not within a git repository
    """
    names = [field.name for field in fields(Experiment)]
    with _opened(where) as (book, _):
        found = _read.log(book, leaf, MOST) if book else []
    rows: list[dict[str, Any]] = [{name: dict(one)[name] for name in names} for one in found]
    return Table(Experiment(**row) for row in reversed(rows))


def runs(experiment: str | None = None, where: Path | str = ".") -> Table[Run]:
    """Return the runs of an experiment, or of all, oldest first; NotFound for no such one."""
    query = "select * from runs where ?1 is null or experiment = ?1 order by id"
    with _opened(where) as (book, _):
        if book is None:
            return Table()
        number = book.need(experiment, "e")["id"] if experiment else None
        known: dict[int, dict[str, float]] = {}
        for row in book.all("select run, name, value from metrics order by id"):
            known.setdefault(row["run"], {})[row["name"]] = row["value"]
        return Table(
            Run(
                run=row["id"],
                experiment=f"e{row['experiment']}",
                seed=row["seed"],
                status=row["status"],
                failure=row["failure"],
                value=row["value"],
                seconds=row["seconds"],
                at=row["at"],
                metrics=known.get(row["id"], {}),
            )
            for row in book.all(query, number)
        )


def curves(experiment: str, where: Path | str = ".") -> Table[Curve]:
    """Return every step that the runs of an experiment logged; NotFound for no such one."""
    with _opened(where) as (book, home):
        if book is None:
            raise NotFound(f"no experiment {experiment} here: there is no notebook yet")
        row = book.need(experiment, "e")
        made = _lookup.runs(book, row["id"])
    found: Table[Curve] = Table()
    for run in made:
        path = home.run(row["id"], run["id"]) / _steps.STEPS
        for step in _steps.read(path) if path.is_file() else []:
            metrics = {k: v for k, v in step.items() if isinstance(v, int | float)}
            at, elapsed = metrics.pop("step", 0), metrics.pop("elapsed_s", None)
            found.append(Curve(experiment, run["id"], run["seed"], at, elapsed, metrics))
    return found


def record(
    claim: str,
    mechanism: str,
    metrics: Mapping[str, float],
    verdict: str = "discard",
    *,
    leaf: str | None = None,
    where: Path | str = ".",
) -> str:
    """Record an experiment that ran elsewhere, and return its id; its numbers count as claimed.

    `verdict` is keep, discard or crash. Refused, with what `lab` says, where that refuses.
    """
    of = ["--leaf", leaf] if leaf else []
    idea = _typed(where, "hypothesis", claim, "-m", mechanism, *of).split()[0]
    name = json.loads(_typed(where, "experiment", idea, "--json"))["experiment"]
    _typed(where, "result", name, "-v", verdict, "--metrics", json.dumps(dict(metrics)))
    return str(name)


def log(step: int, elapsed_s: float, **values: float) -> None:
    """Log one step of the training that this process is; outside of a run it does nothing.

    The first call begins the step log of the run (`steps.jsonl` in LAB_RUN_DIR).
    """
    _steps.log(step, elapsed_s, **values)


class NotFound(LookupError):
    """There is no such thing, or no repository."""


class Refused(RuntimeError):
    """`lab` refused; says why, and what to type."""


@contextmanager
def _opened(where: Path | str) -> Iterator[tuple[_Notebook | None, _Home]]:
    """Open the notebook of the repository at `where`; None where there is none yet."""
    path = Path(where).resolve()
    if not any((up / ".git").exists() for up in (path, *path.parents)):
        raise NotFound(f"{where} is not within a git repository")
    place = _repo.place(path)
    try:
        if not place.notebook.exists():
            yield None, place.home
            return
        with _Notebook(place.notebook, who="python") as book:
            yield book, place.home
    except LookupError:
        raise
    except Exception as error:
        if type(error).__name__ == "NotFound":  # the notebook's own
            raise NotFound(str(error)) from None
        raise


def _typed(where: Path | str, *words: str) -> str:
    """Type a command of `lab`; return what it printed."""
    command = [sys.executable, "-m", "labtree", *words]
    done = subprocess.run(command, cwd=where, capture_output=True, text=True)
    if done.returncode:
        raise Refused(done.stderr.strip())
    return done.stdout
