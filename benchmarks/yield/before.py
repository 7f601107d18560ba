"""The rule that `lab` followed until 2026-11, for comparison: replicate until P(better) tells."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from nights import Ideas, Machine, Result

from lab.judge import Noise, mean, pool, student_cdf

DROP, KEEP = 0.75, 0.993  # P(better) below which an idea is dropped, and from which it is kept
KEEP_RUNS, MOST_RUNS, FRESH_RUNS = 2, 6, 3


@dataclass
class Experiment:
    """One content of the file: its true value and the runs made of it."""

    truth: float
    selecting: list[float] = field(default_factory=list)
    fresh: list[float] = field(default_factory=list)

    @property
    def missing(self) -> int:
        return max(0, FRESH_RUNS - len(self.fresh)) if self.selecting else 0

    @property
    def record(self) -> list[float]:
        return self.selecting + self.fresh if self.missing else self.fresh


def suggested(candidate: Experiment, incumbent: Experiment, noise: Noise) -> str:
    """Return keep or discard, or whom to run again: candidate or incumbent."""
    runs, against = len(candidate.selecting), len(incumbent.record)
    gain = mean(candidate.selecting) - mean(incumbent.record)
    error = noise.sd * math.sqrt(1 / runs + 1 / against)
    p_better = student_cdf(gain / error, noise.df) if error else float(gain > 0)
    if runs >= KEEP_RUNS and p_better >= KEEP:
        return "incumbent" if incumbent.missing else "keep"
    if p_better < DROP or min(runs, against) >= MOST_RUNS:
        return "discard"
    return "incumbent" if against < min(runs, MOST_RUNS) else "candidate"


def before(machine: Machine, ideas: Ideas) -> Result:
    """Spend a night by it."""
    result, incumbent = Result(), Experiment(0.0)
    incumbent.fresh = [machine.run(0.0, seed) for seed in range(3)]
    ideas.measured([], dict(enumerate(incumbent.fresh)))
    groups: list[Sequence[float]] = [incumbent.fresh]
    for effect in ideas:
        candidate = Experiment(incumbent.truth + effect)
        groups.append(candidate.selecting)
        result.ideas += 1
        said = "candidate"
        while said in ("candidate", "incumbent") and machine.left:
            one = candidate if said == "candidate" else incumbent
            into = one.selecting if one is candidate else one.fresh
            seed = len(one.selecting) + len(one.fresh)
            into.append(machine.run(one.truth, seed))
            ideas.measured([effect] if one is candidate else [], {seed: into[-1]})
            if one is incumbent and not any(into is group for group in groups):
                groups.append(into)
            noise = pool(groups)
            assert noise is not None
            said = suggested(candidate, incumbent, noise)
        gain = mean(candidate.selecting) - mean(incumbent.record)
        ideas.judged([effect], gain, kept=said == "keep", bagged=False)
        if said == "keep":
            result.claimed += mean(candidate.selecting) - mean(incumbent.record)
            result.kept += 1
            result.false += effect <= 0
            incumbent = candidate
        if not machine.left:
            break
    result.true = incumbent.truth
    return result
