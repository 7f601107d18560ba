"""The project's rule where a hopeless run costs only the share of the budget up to its rung.

The model: at progress f a curve shows the final effect and luck of its own, of which one run has
1.27 times the final deviation at half and 1.0 times at three quarters, as public curves have
(0.0014 and 0.0011 beside 0.0011 bits per byte); that luck and the final one are independent, the
worst case for a winner. The bars and the tenth that goes on are `lab.judge.prune`'s.
"""

import math

from nights import Idea, Ideas, Machine, Result
from rules import Playing, Rule

from lab.judge import Noise, prune

LUCK = {0.5: 1.27, 0.75: 1.0}  # at each rung, by that of a whole run


class PruningRule(Rule):
    """A rule that ends hopeless runs."""

    def __call__(self, machine: Machine, ideas: Ideas) -> Result:
        """Spend the night."""
        night = Pruning(self, machine, ideas)
        night.spend()
        return night.result


class Pruning(Playing):
    """A night of which some runs end early."""

    hopeless = won = killed = 0  # won, killed: true gains that were kept, or would have been
    saved = 0.0  # runs' worth of time

    def tried(self, effects: list[Idea]) -> None:
        """Run a change, unless its curve shows at a rung that it is hopeless."""
        rung = self.falls(sum(effects))
        self.hopeless += rung is not None
        if rung is None or prune.is_spared(self.hopeless - 1):
            kept = self.result.kept
            super().tried(effects)
            self.won += self.result.kept > kept and sum(effects) > 0
            return None
        self.killed += self.would_win(effects)
        self.saved += 1 - rung
        self.machine.done += rung
        return self.ideas.judged(effects, -math.inf, kept=False, bagged=False)

    def would_win(self, effects: list[Idea]) -> bool:
        """Return whether a true gain would have been kept; nobody in the night learns of it."""
        truth, seed = self.result.true + sum(effects), next(self.order())
        values = {seed: self.machine.run(truth, seed)}
        self.machine.done -= 1
        return (
            self.judged(values, effects, self.noise, self.rho()).suggest == "keep"
            and sum(effects) > 0
        )

    def falls(self, effect: float) -> float | None:
        """Return the first rung at which a run of this effect is hopeless."""
        for rung, times in LUCK.items():
            known = Noise(self.noise.sd * times, self.noise.df)
            luck = prune.of_difference(known, self.pairs())
            wide = times * math.sqrt(2 * (1 - self.machine.night.rho))
            seen = effect + self.machine.rng.gauss(0, wide)
            if luck and -seen / luck.sd > prune.bar(prune.Rules.noises, luck.df):
                return rung
        return None
