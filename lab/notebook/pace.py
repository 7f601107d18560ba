"""Pace: how quick the machine was for an experiment's runs, and for its incumbent's.

Which figure tells the machine depends on what the budget is counted in. On a wall clock fewer
steps come of a busier machine (more wall seconds for a CPU second), of a slower one, and of dearer
steps (both: fewer steps for a CPU second): only runs in turn tell those apart. The CPU clock
charges no waiting, and charges a slow second by a reference loop for what it was worth: what is
left is the step's own cost. On a clock of steps no number comes of the machine, and a dearer step
is free.
"""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import Notebook, ledger, lookup, runs

Machine = Mapping[str, Any]  # what a run's record says of where and how it ran

LOADED = 0.15  # of a run's time spent waiting for a core: more than its own threads make
APART = 0.10  # of the incumbent's pace: the CPU clock's own runs differ by 2.4 %, and four times as
# much is no chance (docs/benchmarks.md)
# Times the CPU seconds of where its branch began, which children may use beside the CPU clock: with
# a neighbour the same budget took 1.3 times as much (docs/benchmarks.md), under load more.
CHILDREN = 1.5
SHORTEST_S = 2.0  # CPU seconds that a pace is told from: either end is seen up to 0.1 s late
MOST = 0.99  # of the time spent waiting for a core: what is left ran at all
OWN = 0.01  # a clock as near as that to CPU seconds is those, and no reference loop


@dataclass(frozen=True)
class Pace:
    """One training between the first and the last moment at which its steps were seen."""

    seed: int
    clock: str
    wall_per_cpu: float
    steps_per_cpu: float
    worth: float | None  # of a CPU second by the reference loop; None where no such loop counted
    delayed: float | None


@dataclass(frozen=True)
class Beside:
    """An experiment's pace, as a share of its incumbent's."""

    clock: str
    wall: float  # wall seconds for a CPU second
    steps: float  # steps for a CPU second
    worth: float | None  # what a CPU second was worth
    waited: tuple[float, float] | None  # shares of the time waiting for a core, its own and theirs

    @property
    def is_alike(self) -> bool:
        """Whether nothing differs that a number could come of."""
        if self.clock == "steps" and self.steps > 1:
            return True
        return not (self.is_busier or _is_apart(self.steps))

    @property
    def is_wider(self) -> bool:
        """Whether more processes or threads than the incumbent's used CPU seconds at once."""
        if self.clock != "cpu" or self.wall >= 1 or not _is_apart(self.wall):
            return False
        return _is_apart(self.wall / self.by_waiting)  # a quieter machine is no second core

    @property
    def by_waiting(self) -> float:
        """What the shares of time spent waiting for a core make of the wall seconds, alone."""
        if self.waited is None:
            return 1.0
        mine, theirs = self.waited
        return (1 - min(theirs, MOST)) / (1 - min(mine, MOST))

    @property
    def is_busier(self) -> bool:
        """Whether more of a wall clock's seconds, or fewer, passed waiting."""
        return self.clock == "wall" and _is_apart(self.wall)

    @property
    def is_machine(self) -> bool:
        """Whether the reference loop was slower by as much as the training."""
        known = self.worth is not None and not self.is_wider
        return known and not _is_apart(self.steps / (self.worth or 1.0))

    @property
    def is_own(self) -> bool:
        """Whether the reference loop was as quick as beside the incumbent."""
        known = self.worth is not None and not self.is_wider and not self.is_machine
        return known and not _is_apart(self.worth or 1.0)


def _is_apart(ratio: float) -> bool:
    return abs(math.log(ratio)) > math.log1p(APART)


def of(machine: Machine) -> Pace | None:
    """Return a run's pace; None where it was too short, or nobody saw its steps."""
    seen = machine.get("pace") or {}
    first, last = seen.get("first"), seen.get("last")
    if not first or not last:
        return None
    cpu, wall, steps = (last[name] - first[name] for name in ("cpu_s", "wall_s", "step"))
    if cpu < SHORTEST_S or wall <= 0 or steps <= 0:
        return None
    told = "clock_s" in first and "clock_s" in last
    worth = (last["clock_s"] - first["clock_s"]) / cpu if told else 0.0
    by_loop = seen["clock"] == "cpu" and worth > 0 and abs(worth - 1) > OWN
    return Pace(
        *(machine["seed"], seen["clock"], wall / cpu, steps / cpu),
        worth=worth if by_loop else None,
        delayed=machine.get("delayed"),
    )


def beside(ours: Sequence[Machine], theirs: Sequence[Machine]) -> Beside | None:
    """Return the pace of some runs beside that of others, over equal seeds where there are any."""
    mine, others = ([pace for one in side if (pace := of(one))] for side in (ours, theirs))
    pairs = list(itertools.product(mine, others))
    pairs = [pair for pair in pairs if pair[0].seed == pair[1].seed] or pairs
    if not pairs or len({pace.clock for pair in pairs for pace in pair}) > 1:
        return None
    worths = [(a.worth, b.worth) for a, b in pairs]
    waited = [(a.delayed, b.delayed) for a, b in pairs]
    return Beside(
        clock=pairs[0][0].clock,
        wall=_ratio((a.wall_per_cpu, b.wall_per_cpu) for a, b in pairs),
        steps=_ratio((a.steps_per_cpu, b.steps_per_cpu) for a, b in pairs),
        worth=_ratio((a, b) for a, b in worths if a and b) if all(map(all, worths)) else None,
        waited=_means(waited),
    )


def _ratio(pairs: Iterable[tuple[float, float]]) -> float:
    """Return the geometric mean of ratios."""
    logs = [math.log(a / b) for a, b in pairs]
    return math.exp(math.fsum(logs) / len(logs))


def _means(pairs: Sequence[tuple[float | None, float | None]]) -> tuple[float, float] | None:
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    if not known:
        return None
    return sum(a for a, _ in known) / len(known), sum(b for _, b in known) / len(known)


# -- In words ------------------------------------------------------------------


def marks(
    book: Notebook, number: int, ours: Sequence[Machine], theirs: Sequence[Machine]
) -> list[str]:
    """Return what there is to bear in mind of the machine: load on either side, or another pace."""
    against = lookup.experiment(book, number)["incumbent"]
    found = beside(ours, theirs)
    if found is None or found.is_alike:
        return _loads(ours, theirs, against)
    told = _words(found, f"e{against}") + _remedy(book, number, against, found)
    return [told] if found.is_busier else [*_loads(ours, theirs, against), told]


def mark(book: Notebook, number: int) -> str | None:
    """Return what is said of an experiment's pace; None where it is much like its incumbent's."""
    against = lookup.experiment(book, number)["incumbent"]
    said = marks(book, number, runs.machines(book, number), runs.machines(book, against))
    return next((words for words in said if words.startswith("pace: ")), None)


def _loads(ours: Sequence[Machine], theirs: Sequence[Machine], against: int | None) -> list[str]:
    """Return that one side waited for a core far longer, in a line, and what that let through.

    Where both waited alike, and on a clock of steps, no difference of theirs can come of it.
    """
    if against is None:
        return []
    mine, others = (_most_delayed(side) for side in (ours, theirs))
    used, than = (_cpu_s(side) for side in (ours, theirs))
    wider = used is not None and than is not None and used > CHILDREN * than
    by_steps = any((one.get("pace") or {}).get("clock") == "steps" for one in ours)
    apart = abs(mine - others) > LOADED and not by_steps
    if max(mine, others) <= LOADED or not (apart or wider):
        return []
    shares = [
        f"{mine:.0%} of its time waiting for a core",
        f"its incumbent e{against} {others:.0%}",
    ]
    if used is not None and than is not None and wider:
        shares.append(f"and it used {used / than:.1f} times the CPU seconds of e{against}")
    return [f"measured under another load ({', '.join(shares)})"]


def _most_delayed(machines: Sequence[Machine]) -> float:
    return max((one.get("delayed") or 0.0 for one in machines), default=0.0)


def _cpu_s(machines: Sequence[Machine]) -> float | None:
    """Return the CPU seconds of a training with all its children, where those are its budget."""
    by_clock = [one for one in machines if (one.get("pace") or {}).get("clock") == "cpu"]
    used = [one["cpu_s"] for one in by_clock if one.get("cpu_s") is not None]
    return sum(used) / len(used) if used else None


def _words(found: Beside, against: str) -> str:
    """Return in what the paces differ and what that comes of."""
    steps = f"{found.steps:.2f} of {against}'s steps per CPU second"
    if found.is_busier:
        both = f"{steps} and " if _is_apart(found.steps) else ""
        wall = f"{found.wall:.2f} of {against}'s wall seconds per CPU second"
        return f"pace: {both}{wall} ({_waits(found, against)})"
    if found.is_wider:
        return (
            f"pace: {steps}: it keeps more cores busy at once ({found.wall:.2f} of its wall "
            "seconds for a CPU second)"
        )
    slower, dearer = ("slower", "dearer") if found.steps < 1 else ("quicker", "cheaper")
    if found.is_machine:
        return (
            f"pace: {steps}, and its reference loop was as much {slower} (the machine, or what the "
            "change leaves of the caches): the CPU clock allowed for it"
        )
    if found.is_own:
        return f"pace: {steps}, from {dearer} steps: the reference loop saw no {slower} machine"
    return f"pace: {steps} ({dearer} steps or a {slower} machine)"


def _waits(found: Beside, against: str) -> str:
    if found.waited is None:
        return "the machine, or other waiting of its own"
    mine, theirs = found.waited
    told = found.by_waiting
    if not _is_apart(told) and _is_apart(found.wall / told):
        return f"no neighbour: it waited for a core as long as {against}"
    return f"waiting for a core {mine:.0%} of its time, {against} {theirs:.0%}"


def _remedy(book: Notebook, number: int, against: int, found: Beside) -> str:
    """Return how to measure both in turn: what was kept by an audit, unless it had one."""
    if found.is_machine or found.is_own or found.is_wider:
        return ""
    kept = lookup.state(book, number)["verdict"] == "keep"
    if kept and ledger.is_audited(book, number):
        return ""
    either = "" if found.is_busier else "; unless the change explains it"
    how = "lab audit" if kept else f"lab run e{against} --seeds 1, lab run e{number} --seeds 1"
    return f"{either}: measure both in turn: {how}"
