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

    def spend(self) -> None:
        """Try wave after wave, and what is in the bag between them."""
        while self.spare >= 1:
            several = list(islice(self.ideas, int(min(self.rule.width, self.spare))))
            if not several:
                break
            self.result.ideas += len(several)
            self.wave(several)
            some = self.several()
            if some and self.spare >= 1:
                self.waiting = [one for one in self.waiting if one not in some]
                self.tried(some)
            if self.audits and self.high() and self.spare >= 2 * self.policy.audit_runs:
                self.audit()
        if self.audits and self.tip is not self.confirmed:
            self.audit()

    def wave(self, several: list[Idea]) -> None:
        """Run each on top of the tip, then judge them together."""
        noise, rho = self.noise, self.rho()
        first, second = islice(self.order(), 2)
        runs = [(idea, self.run(self.result.true + idea, [first])) for idea in several]
        said = [self.judged(values, [idea], noise, rho) for idea, values in runs]
        best = max(range(len(runs)), key=lambda place: said[place].gain or 0.0)
        idea, values = runs[best]
        keeps = said[best].suggest == "keep"
        bar = best_of(len(several)) * noise.sd if self.rule.bar else 0.0
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
            self.tip = Record(values, {}, wave=len(several))
            self.result.true += idea
            self.result.kept += 1
