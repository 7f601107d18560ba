"""Sealed set: what audits measured by it, for a person's board and report, for nobody else.

No JSON, no export and no agent's page reads from here. That is discretion, not secrecy: whoever
opens the notebook finds it.
"""

from dataclasses import dataclass

from ..judge import SIGN
from ..judge.numbers import mean
from . import Notebook

# Of a confirmed gain. One that is fitted to the yardstick's own data is elsewhere nothing, give or
# take luck: below this it lies nearly always, and a true one hardly ever.
SHOWN = 0.5
MOST = 20  # audits of a leaf that are told, the newest


@dataclass(frozen=True)
class Sealed:
    """One audit by the sealed set; gains are positive when better, None where one side has none."""

    tip: int
    base: int
    conclusion: str
    claimed: float | None  # the gain that the audit measured by the yardstick
    tip_value: float | None  # the means over the audit's runs, by the sealed set
    base_value: float | None
    gain: float | None

    @property
    def is_missed(self) -> bool:
        """Return whether a gain was confirmed that the sealed set does not show."""
        known = self.gain is not None and self.claimed is not None
        return self.conclusion == "confirmed" and known and self.gain < SHOWN * self.claimed  # type: ignore[operator]


def record(book: Notebook, run: int, value: float | None) -> None:
    """Note what a run's artefact scores by the sealed set."""
    with book.write():
        book.insert("sealed", run=run, value=value)


def of_run(book: Notebook, run: int) -> bool:
    """Return whether a run was measured by the sealed set."""
    return book.one("select 1 from sealed where run = ? limit 1", run) is not None


def of_experiment(book: Notebook, experiment: int) -> list[float]:
    """Return what the runs of an experiment score by the sealed set."""
    rows = book.all(
        "select s.value from sealed s join runs r on r.id = s.run "
        "where r.experiment = ? and s.value is not null order by s.id",
        experiment,
    )
    return [row["value"] for row in rows]


def audits(book: Notebook, leaf: str) -> list[Sealed]:
    """Return a leaf's newest audits that were measured by a sealed set, newest first."""
    rows = book.all(
        "select a.*, e.direction from audits a join experiments e on e.id = a.tip "
        "where a.leaf = ? and a.conclusion <> 'cut' and exists (select 1 from sealed s "
        "join runs r on r.id = s.run join jobs j on j.id = r.job where j.audit = a.id) "
        "order by a.id desc limit ?",
        *(leaf, MOST),
    )
    found = []
    for row in rows:
        tip, base = (_by_audit(book, row["id"], row[side]) for side in ("tip", "base"))
        gain = None if tip is None or base is None else SIGN[row["direction"]] * (tip - base)
        told = (row["tip"], row["base"], row["conclusion"], row["gain"])
        found.append(Sealed(*told, tip_value=tip, base_value=base, gain=gain))
    return found


def alone(book: Notebook, leaf: str) -> list[tuple[int, list[float]]]:
    """Return the newest experiments that were measured outside of audits, and their numbers."""
    rows = book.all(
        "select r.experiment, s.value from sealed s join runs r on r.id = s.run "
        "join jobs j on j.id = r.job join experiments e on e.id = r.experiment "
        "where j.audit is null and e.leaf = ? order by s.id desc limit ?",
        *(leaf, MOST),
    )
    found: dict[int, list[float]] = {}
    for row in rows:
        values = found.setdefault(row["experiment"], [])
        values += [row["value"]] if row["value"] is not None else []
    return [*found.items()]


def _by_audit(book: Notebook, audit: int, experiment: int) -> float | None:
    """Return the mean of one side of an audit; None unless each of its runs has a number."""
    rows = book.all(
        "select s.value from runs r join jobs j on j.id = r.job left join sealed s on s.run = r.id "
        "where j.audit = ? and r.experiment = ? and r.status = 'finished'",
        *(audit, experiment),
    )
    values = [row["value"] for row in rows]
    return None if not values or None in values else mean(values)
