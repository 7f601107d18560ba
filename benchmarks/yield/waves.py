"""The project's rule where several changes are run at once, on as many devices."""

from dataclasses import dataclass
from itertools import islice

from nights import Idea, Ideas, Machine, Result
from rules import Playing, Rule

from lab.judge import Record
from lab.judge.level import best_of


@dataclass(frozen=True)
class WaveRule(Rule):
    """Waves of so many: the best is kept, what else is above the level goes into the bag."""

    width: int = 8
    bar: bool = True  # none is kept for less than the luck of the best of so many
    again: bool = False  # the best is run once more, and kept only if both say so

    def __call__(self, machine: Machine, ideas: Ideas) -> Result:
        """Spend the night."""
        night = Waves(self, machine, ideas)
        night.spend()
        return night.result


class Waves(Playing):
    """A night of waves; its runs are counted, not its hours."""

    rule: WaveRule

    def attempt(self, ideas: list[Idea]) -> None:
        """Run each on top of the tip, then judge them together."""
        noise, rho = self.noise, self.rho()
        first, second = islice(self.order(), 2)
        runs = [(idea, self.run(self.result.true + idea, [first])) for idea in ideas]
        said = [self.judged(values, [idea], noise, rho) for idea, values in runs]
        best = max(range(len(runs)), key=lambda place: said[place].gain or 0.0)
        idea, values = runs[best]
        keeps = said[best].suggest == "keep"
        bar = best_of(len(ideas)) * noise.sd if self.rule.bar else 0.0
        keeps = keeps and (said[best].gain or 0.0) > bar
        if keeps and self.rule.again and self.spare >= 1:
            values |= self.run(self.result.true + idea, [second])
            keeps = self.judged(values, [idea], noise, rho).suggest == "keep"
        for place, (one, _) in enumerate(runs):
            gain = said[place].gain or 0.0
            kept = keeps and place == best
            self.ideas.judged([one], gain, kept=kept, bagged=gain > 0 and not kept)
            self.waiting += [one] if gain > 0 and not kept else []
        if keeps:
            self.tip = Record(values, {}, wave=len(ideas))
            self.result.true += idea
            self.result.kept += 1
