"""Rules that are compared: the gambler's, and the project's own by the real `lab.judge`.

A rule is given a machine and the ideas' effects, and says in the end where its branch stands in
truth, what it claims, and what it did.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count, islice

from nights import Idea, Ideas, Machine, Result

from lab.judge import (
    Group,
    Judgement,
    Noise,
    Pairs,
    Policy,
    Record,
    conclude,
    correlation,
    due,
    faded,
    judge,
    pooled,
    spread,
    together,
    turns,
)

DIRECTION = "maximize"
BASELINE = 3  # seeds


def gambler(machine: Machine, ideas: Ideas) -> Result:
    """Keep whatever is better than the best so far (autoresearch), always at the same seed."""
    result = Result()
    level = start = machine.run(0.0, 0)
    ideas.measured([], {0: start})
    for effect in ideas:
        if not machine.left:
            break
        value = machine.run(result.true + effect, 0)
        result.ideas += 1
        ideas.measured([effect], {0: value})
        ideas.judged([effect], value - level, kept=value > level, bagged=False)
        if value > level:
            level = value
            result.true += effect
            result.kept += 1
            result.false += effect <= 0
    result.claimed = level - start
    return result


@dataclass(frozen=True)
class Rule:
    """The project's rule as `lab run`, the tuner and `lab audit` follow it."""

    policy: Policy = field(default_factory=Policy)
    pairs: bool = True
    waits: bool = True  # the bag beyond a keep
    width: int = 1  # ideas that are run at once

    def __call__(self, machine: Machine, ideas: Ideas) -> Result:
        """Spend the night."""
        night = Playing(self, machine, ideas)
        night.spend()
        return night.result


class Playing:
    """One night: the tip and what it is known by, the bag, and what was last confirmed."""

    def __init__(self, rule: Rule, machine: Machine, ideas: Ideas) -> None:
        self.ideas = ideas
        self.rule, self.policy, self.machine, self.result = rule, rule.policy, machine, Result()
        self.seeds = count(100)
        first = self.run(0.0, range(BASELINE))
        self.tip = self.confirmed = Record({}, first)
        ideas.measured([], first)
        self.base = 0.0  # true value of what was last confirmed
        self.groups, self.sides = [list(first.values())], list[tuple[dict, dict]]()
        self.waiting: list[Idea] = []
        self.audited_at = 0
        strict = self.policy.rule == "strict"
        self.audits = machine.night.runs >= self.policy.audit_least and not strict

    def run(self, truth: float, seeds) -> dict[int, float]:
        return {seed: self.machine.run(truth, seed) for seed in seeds}

    @property
    def noise(self) -> Noise:
        known = [Group(0, spread(one) or 0.0, len(one) - 1) for one in reversed(self.groups)]
        noise = pooled(faded(known))[0]
        assert noise is not None
        return noise

    @property
    def spare(self) -> int:
        """Runs left when those of the last audit are put aside."""
        return self.machine.left - 2 * self.policy.audit_runs * self.audits

    def spend(self) -> None:
        while self.spare >= 1:
            ideas = list(islice(self.ideas, int(min(self.rule.width, self.spare))))
            if not ideas:
                break
            self.result.ideas += len(ideas)
            self.attempt(ideas)
            some = self.several()
            if some and self.spare >= 1:
                self.waiting = [one for one in self.waiting if one not in some]
                self.tried(some)
            if self.audits and self.high() and self.spare >= 2 * self.policy.audit_runs:
                self.audit()
        if self.audits and self.tip is not self.confirmed:
            self.audit()
        if self.policy.rule == "strict":
            self.result.claimed = self.above()

    def attempt(self, ideas: list[Idea]) -> None:
        """Try the next ideas, as many as are run at once."""
        self.tried(ideas)

    def several(self) -> list[Idea]:
        """Return those of the bag that are to be tried together now."""
        places = {number: [idea.place] for number, idea in enumerate(self.waiting)}
        return [self.waiting[number] for number in together(places, self.policy.bag)]

    def tried(self, effects: list[Idea]) -> None:
        """Run a change, or several of a bag at once, and do as the judge says."""
        truth, values = self.result.true + sum(effects), dict[int, float]()
        noise, rho = self.noise, self.rho()
        for seed in self.order():
            values |= self.run(truth, [seed])
            said = self.judged(values, effects, noise, rho)
            if said.suggest != "replicate" or self.spare < 1:
                break
        gain, kept = said.gain or 0.0, said.suggest == "keep"
        self.ideas.measured(effects, values)
        self.ideas.judged(effects, gain, kept=kept, bagged=said.bagged)
        if kept:
            self.tip = Record(values, {})
            self.result.true = truth
            self.result.kept += 1
            self.result.false += self.policy.rule == "strict" and sum(effects) <= 0
            self.waiting = self.waiting if self.rule.waits else []
        elif said.bagged:
            self.waiting += effects

    def judged(
        self, values: dict[int, float], effects: list[Idea], noise: Noise, rho: float
    ) -> Judgement:
        """Return what the judge says of a change, or of several at once."""
        known = {"policy": self.policy, "rho": rho, "together": len(effects) > 1}
        return judge(values, self.tip, noise, DIRECTION, **known)

    def order(self) -> Iterator[int]:
        """Yield the tip's seeds in their order, then others."""
        yield from self.tip.runs
        yield from (seed for seed in count() if seed not in self.tip.runs)

    def pairs(self) -> Pairs | None:
        return correlation(self.sides, self.noise) if self.rule.pairs else None

    def rho(self) -> float:
        found = self.pairs()
        return found.rho if found else 0.0

    def above(self) -> float:
        """Return how far the level is above that of what was last confirmed."""
        tip, base = (
            one.level(self.policy, self.noise.sd, DIRECTION) for one in (self.tip, self.confirmed)
        )
        assert tip is not None
        assert base is not None
        return tip - base

    def high(self) -> bool:
        return due(self.above(), self.noise, self.policy, self.machine.done - self.audited_at)

    def audit(self) -> None:
        """Run the tip and what was last confirmed in turn; once more across a change of host."""
        self.audited_at = self.machine.done
        for _ in range(2):
            tip, base, hosts = self.taken()
            if len(hosts) == 1 or self.machine.left < 2 * self.policy.audit_runs:
                break
        if len(hosts) > 1:
            return  # nothing is claimed
        known = self.pairs()
        found = conclude(tip, base, self.noise, DIRECTION, rho=known.seen if known else 0.0)
        self.ideas.audited(tip, base, back=found.conclusion == "back")
        self.groups += [list(tip.values()), list(base.values())]
        self.sides.append((tip, base))
        if found.conclusion == "confirmed":
            self.result.claimed += found.gain
            self.result.false += self.result.true <= self.base
            self.base = self.result.true
            self.tip = self.confirmed = Record({}, tip)
        elif found.conclusion == "back":
            self.result.true = self.base
            self.waiting.clear()
            self.tip = self.confirmed = Record({}, base)
        else:
            self.tip, self.confirmed = Record({}, tip), Record({}, base)

    def taken(self) -> tuple[dict[int, float], dict[int, float], set[int]]:
        """Return one audit's runs of either side, and the hosts they were on."""
        runs: dict[str, dict[int, float]] = {"tip": {}, "base": {}}
        truth, hosts = {"tip": self.result.true, "base": self.base}, set[int]()
        seeds = [next(self.seeds) for _ in range(self.policy.audit_runs)]
        for side in turns(self.policy.audit_runs):
            seed = seeds[len(runs[side])]
            runs[side][seed] = self.machine.run(truth[side], seed)
            hosts.add(self.machine.host)
        return runs["tip"], runs["base"], hosts
