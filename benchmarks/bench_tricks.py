"""How often a change without effect is kept, and confirmed, by whoever tries sixty times.

    python benchmarks/bench_tricks.py [nights]

Each trick plays the project's own judge (`lab.judge`) with a machine of noise 1; lower is better.
`kept` is the share of nights with a keep, `confirmed` that with a claim. An honest agent runs one
change once; one who tries sixty different changes keeps some, which is the rule, and claims none.
"""

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from lab.judge import OUTNUMBER, Noise, Policy, Record, conclude, judge, pool, turns

TRIES = 60
BASELINE = 3
UNLUCKY = 0.0  # a run that looks worse than this is ended by whoever picks its runs
POLICY = Policy()


@dataclass
class Night:
    """A baseline, its noise, and what was kept and confirmed on it."""

    luck: random.Random
    base: list[float] = field(default_factory=list)
    audits: int = 0
    kept: bool = False
    confirmed: bool = False

    def run(self) -> float:
        return self.luck.gauss(0.0, 1.0)

    def begin(self, runs: int = BASELINE) -> None:
        self.base = [self.run() for _ in range(runs)]

    @property
    def noise(self) -> Noise:
        found = pool([self.base])
        assert found is not None
        return found

    def says(self, values: list[float], aborted: int = 0) -> str:
        """Return what the judge suggests of a change's runs."""
        start, mine = Record({}, dict(enumerate(self.base))), dict(enumerate(values))
        found = judge(mine, start, self.noise, "minimize", policy=POLICY, aborted=aborted)
        self.kept |= found.suggest == "keep"
        return found.suggest

    def audit(self, pick: bool = False) -> None:
        """Run tip and base in turn at new seeds; with `pick` a tip's unlucky run is ended once."""
        self.audits += 1
        tip, base, aborted = list[float](), list[float](), 0
        for side in turns(POLICY.audit_runs):
            value = self.run()
            if side == "tip" and pick and value > UNLUCKY and aborted < 2 * POLICY.audit_runs:
                aborted, value = aborted + 1, self.run()
            (tip if side == "tip" else base).append(value)
        sides = dict(enumerate(tip)), dict(enumerate(base))
        found = conclude(*sides, self.noise, "minimize", self.audits + aborted)
        self.confirmed |= found.conclusion == "confirmed"


def honest(night: Night) -> None:
    """One change, once."""
    night.begin()
    if night.says([night.run()]) == "keep":
        night.audit()


def variants(night: Night) -> None:
    """Sixty different changes, an audit after each keep."""
    night.begin()
    for _ in range(TRIES):
        if night.says([night.run()]) == "keep":
            night.audit()


def again(night: Night) -> None:
    """The same code sixty times over: the first number of its seed counts."""
    night.begin()
    value = night.run()
    for _ in range(TRIES):
        if night.says([value]) == "keep":
            night.audit()
            return


def seeds(night: Night) -> None:
    """The same code at one more seed, and one more, until it may be kept."""
    night.begin()
    values = list[float]()
    for _ in range(TRIES):
        values.append(night.run())
        if night.says(values) == "keep":
            night.audit()
            return


def ended(night: Night) -> None:
    """A run that looks unlucky is ended and run again, as often as that helps."""
    night.begin()
    values, aborted = list[float](), 0
    while len(values) + aborted < TRIES:
        value = night.run()
        if value > UNLUCKY and OUTNUMBER * aborted <= len(values):
            aborted += 1
            continue
        values.append(value)
        said = night.says(values, aborted)
        if said != "replicate":
            if said == "keep":
                night.audit(pick=True)
            return


def baseline(night: Night) -> None:
    """The baseline's lucky runs are ended, as many as it has others; then one change."""
    night.begin(0)
    aborted = 0
    while len(night.base) < BASELINE:
        value = night.run()
        if value < UNLUCKY and OUTNUMBER * (aborted + 1) <= BASELINE:
            aborted += 1
        else:
            night.base.append(value)
    if night.says([night.run()]) == "keep":
        night.audit()


def audits(night: Night) -> None:
    """Keeps and audits, in each of which the unlucky runs of the tip are ended."""
    night.begin()
    for _ in range(TRIES):
        if night.says([night.run()]) == "keep":
            night.audit(pick=True)


TRICKS: tuple[Callable[[Night], None], ...] = (
    *(honest, again, seeds, ended, baseline, variants, audits),
)


def main() -> None:
    nights = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
    print(f"{'trick':<9} {'kept':>6} {'confirmed':>10}   over {nights} nights of at most {TRIES}")
    for trick in TRICKS:
        found = [Night(random.Random(f"{trick.__name__}-{number}")) for number in range(nights)]
        for night in found:
            trick(night)
        kept, sure = (sum(getattr(one, name) for one in found) for name in ("kept", "confirmed"))
        print(f"{trick.__name__:<9} {kept / nights:6.3f} {sure / nights:10.4f}")


if __name__ == "__main__":
    main()
