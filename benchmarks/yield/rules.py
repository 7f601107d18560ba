"""Rules that are compared: the gambler, today's (the real `lab.judge`), and one run with audits.

A rule is given a machine and the ideas' effects, and says in the end where its branch stands in
truth, what it claims, and what it did.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from nights import Machine
from simulate_nights import Experiment

from lab.judge import Noise, Policy, judge, mean, pool, student_quantile


@dataclass
class Result:
    """What one night came to, in deviations of one run."""

    true: float = 0.0  # of the branch, above the start
    claimed: float = 0.0
    ideas: int = 0
    kept: int = 0
    false: int = 0  # claims of a change, or of a chain, that is no gain


def gambler(machine: Machine, ideas: Iterator[float]) -> Result:
    """Keep whatever is lower than the lowest so far (autoresearch), always at the same seed."""
    result = Result()
    level = start = machine.run(0.0, 0)
    for effect in ideas:
        if not machine.left:
            break
        value = machine.run(result.true + effect, 0)
        result.ideas += 1
        if value > level:
            level = value
            result.true += effect
            result.kept += 1
            result.false += effect <= 0
    result.claimed = level - start
    return result


Pool = Callable[[Sequence[Sequence[float]]], Noise | None]


def plain(groups: Sequence[Sequence[float]]) -> Noise | None:
    """Return the noise pooled over all groups, whatever their spread: the rule until 2026-11."""
    df = sum(len(group) - 1 for group in groups if group)
    squares = sum((value - mean(group)) ** 2 for group in groups if group for value in group)
    return Noise(math.sqrt(squares / df), df) if df else None


def today(machine: Machine, ideas: Iterator[float], pool: Pool = pool) -> Result:
    """Do as `lab run` suggests: replicate until P(better) tells, fresh runs when a keep is due."""
    policy, result, groups = Policy(), Result(), []
    incumbent = Experiment(0.0)
    incumbent.fresh = [machine.run(0.0, seed) for seed in range(3)]
    groups.append(incumbent.fresh)
    for effect in ideas:
        if not machine.left:
            break
        candidate = Experiment(incumbent.truth + effect)
        groups.append(candidate.selecting)
        result.ideas += 1
        while machine.left:
            asked = candidate
            if candidate.selecting:
                noise = pool(groups)
                said = judge(candidate.selecting, incumbent.side, noise, "maximize", policy=policy)
                if said.suggest != "replicate":
                    break
                asked = incumbent if said.target == "incumbent" else candidate
            into = asked.fresh if asked is incumbent else asked.selecting
            into.append(machine.run(asked.truth, len(asked.selecting) + len(asked.fresh)))
            if asked is incumbent and into not in groups:
                groups.append(into)
        else:
            break
        if said.suggest == "keep":
            result.claimed += said.gain or 0.0
            result.kept += 1
            result.false += effect <= 0
            incumbent = candidate
    result.true = incumbent.truth
    return result


@dataclass(frozen=True)
class Audited:
    """One run an idea, near misses in threes, claims from interleaved audits alone."""

    keep_at: float = 1.0  # noises above the level, for a keep by itself
    luck: float = 0.4  # noises taken off a kept number
    bag: int = 3  # near misses that are tried together; 0 is no bag
    audit_at: float = 20.0  # noises above what was last confirmed
    audit_runs: int = 3  # of each side
    paired: bool = False
    least: int = 40  # runs from which audits start by themselves

    def __call__(self, machine: Machine, ideas: Iterator[float]) -> Result:
        """Spend the night."""
        night = _AuditedNight(self, machine)
        night.spend(ideas)
        return night.result


class _AuditedNight:
    """One night under the rule: the level, the bag, and what was last confirmed."""

    def __init__(self, rule: Audited, machine: Machine) -> None:
        self.rule, self.machine, self.result = rule, machine, Result()
        self.seeds = count(100)
        self.groups = [[machine.run(0.0, seed) for seed in range(3)]]
        self.level, self.at_seed = mean(self.groups[0]), {}
        self.confirmed = (0.0, self.level)  # true value and level of what was last confirmed
        self.waiting: list[float] = []
        self.audits = machine.night.runs >= rule.least

    @property
    def noise(self) -> float:
        noise = pool(self.groups)
        assert noise is not None
        return noise.sd

    @property
    def spare(self) -> int:
        """Runs left when those of the last audit are put aside."""
        return self.machine.left - 2 * self.rule.audit_runs * self.audits

    def spend(self, ideas: Iterator[float]) -> None:
        for effect in ideas:
            if self.spare < 1:
                break
            self.result.ideas += 1
            self.tried(effect, alone=True)
            if self.rule.bag and len(self.waiting) >= self.rule.bag and self.spare >= 1:
                together = sum(self.waiting[: self.rule.bag])
                del self.waiting[: self.rule.bag]
                self.tried(together, alone=False)
            high = self.level - self.confirmed[1] >= self.rule.audit_at * self.noise
            if self.audits and high and self.spare >= 2 * self.rule.audit_runs:
                self.audit()
        if self.audits:
            self.audit()

    def tried(self, effect: float, alone: bool) -> None:
        value = self.machine.run(self.result.true + effect, 0)
        above, noise = value - self.level, self.noise
        if above > (self.rule.keep_at * noise if alone and self.rule.bag else 0.0):
            self.level = value - self.rule.luck * noise
            self.result.true += effect
            self.result.kept += 1
        elif above > 0 and alone:
            self.waiting.append(effect)

    def audit(self) -> None:
        """Run the tip and what was last confirmed in turn, A B B A A B, at new equal seeds."""
        base, _ = self.confirmed
        if self.result.true == base and self.result.kept == 0:
            return
        tip, old = [], []
        for turn in range(self.rule.audit_runs):
            seed = next(self.seeds)
            pair = [(tip, self.result.true), (old, base)]
            for into, truth in pair if turn % 2 == 0 else pair[::-1]:
                into.append(self.machine.run(truth, seed))
        self.groups += [tip, old]
        noise = pool(self.groups)
        assert noise is not None
        gain = mean(tip) - mean(old)
        error = noise.sd * math.sqrt(2 / self.rule.audit_runs)
        if gain > student_quantile(0.975, noise.df) * error:
            self.result.claimed += gain
            self.result.false += self.result.true <= base
            self.confirmed = (self.result.true, mean(tip))
        elif gain < 0:
            self.result.true = base
            self.waiting.clear()
        self.level = mean(tip) if gain >= 0 else mean(old)
