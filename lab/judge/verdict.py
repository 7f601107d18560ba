"""Verdict: keep, replicate or discard, and why."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ..text import plural
from .level import SIGN, Distance, Record, Runs, distance
from .noise import Noise
from .numbers import finite, mean, step_of
from .policy import STRICT_STEPS, Policy
from .student import student_cdf

BASELINE_RUNS = 3  # the fewest that tell a spread from a coincidence
DEAD_END = 0.05  # P(true gain > 0) below which an idea is not worth another look as it is
LOST = 2.0  # noises below the level that are no near miss, however little is known of the noise
DEFAULT = Policy()
# Times the bar that more runs must reach where the first alone did not: whoever adds one after the
# other until it may be kept does so with 0.36 of all changes of nothing at equal bars, with 0.24
# by one run.
AGAIN = 3.0
OUTNUMBER = 2  # finished runs for each aborted one: with as many, half of what is kept was chosen
HUGE = 2.0**1000  # beyond, sums and errors of a few such numbers may be infinite


@dataclass(frozen=True)
class Judgement:
    """A suggestion with its figures, all in units of the metric; a gain is positive when better."""

    gain: float | None = None  # the candidate's mean against the level of its incumbent
    se: float | None = None  # its standard error
    noise: float | None = None  # standard deviation of one run
    p_better: float | None = None  # P(true gain > min_effect)
    suggest: str = "discard"  # keep | replicate | discard | crash
    # better | simpler | bagged | same | undecided | worse | constraint | failed | pruned
    reason: str = "worse"
    target: str = "candidate"  # whom to run again when replicating: candidate | incumbent
    more: int = 0  # how many runs that asks for
    level: float | None = None  # what the candidate was compared with
    bar: float | None = None  # what the candidate's mean must reach for a keep, at these runs
    why: str = ""  # one plain sentence
    near_miss: bool = False  # not kept, and yet worth trying together with others
    steeper: float | None = None  # noises that more runs must reach, where the first was below

    @property
    def bagged(self) -> bool:
        return self.reason == "bagged"


@dataclass(frozen=True)
class _Case:
    """One candidate beside its level."""

    found: Distance
    noise: Noise
    runs: int
    policy: Policy
    min_effect: float
    together: bool
    simpler: bool  # it takes fewer lines, and may be kept for that
    first: float  # the gain of its first run, or of those that were asked for with it
    begun: int  # how many runs were asked for at once, before any was known
    may_tie: bool  # one run of a share, which is equal by chance
    alike: float  # its mean gain at seeds that the incumbent has run too; infinite without one

    def above(self, floor: float) -> float:
        """Return P(true gain > floor); without noise the gain is the true one."""
        if self.found.se == 0:
            return float(self.found.gain > floor)
        return student_cdf((self.found.gain - floor) / self.found.se, self.noise.df)

    @property
    def bars(self) -> tuple[float, float]:
        """The gain from which it is kept, and the one up to which it is dropped."""
        keep, drop = (0.0, 0.0) if self.together else self.policy.bars(self.runs)
        if self.steeper is not None and self.runs > 1:
            keep = drop = self.steeper
        bar = max(keep * self.found.noise, self.min_effect)
        return bar, drop * self.found.noise if drop < keep else bar

    @property
    def steeper(self) -> float | None:
        """What more runs must reach, in noises, where the first alone did not reach the bar."""
        keep = self.policy.bars(1)[0]
        looked = self.runs == 1 or self.runs > self.begun
        below = looked and self.first <= keep * self.found.noise
        audited = self.policy.rule == "audited" and not self.together
        return AGAIN * keep if audited and below else None


def failed(seeds: int = 0, of: int = 0) -> Judgement:
    """Return the judgement of an experiment whose runs gave no metric, or not all of them.

    >>> failed(2, of=6).why
    '2 of 6 seeds failed'
    """
    if not seeds or seeds == of:
        return Judgement(suggest="crash", reason="failed", why="the run gave no metric")
    return Judgement(
        suggest="discard", reason="failed", why=f"{seeds} of {plural(of, 'seed')} failed"
    )


def pruned(why: str) -> Judgement:
    """Return the judgement of a run that was ended early, worse than its incumbent was there."""
    return Judgement(suggest="discard", reason="pruned", why=why)


def baseline(runs: int, more: int = 0) -> Judgement:
    """Return how a baseline stands: by itself, unless too many of its runs were aborted.

    >>> baseline(2, 1).suggest
    'replicate'
    """
    if not runs:
        return failed()
    if not more:
        return Judgement(suggest="keep", reason="better", why="a baseline stands by itself")
    why = f"too many of its runs were aborted for the {runs} that finished: {more} more must finish"
    return Judgement(suggest="replicate", reason="undecided", more=more, why=why)


def judge(
    values: Runs,
    incumbent: Record | None,
    noise: Noise | None,
    direction: str,
    *,
    policy: Policy = DEFAULT,
    rho: float = 0.0,
    min_effect: float = 0.0,
    broken: Sequence[str] = (),
    lines_changed: int | None = None,
    may_simplify: bool = True,
    together: bool = False,
    failures: int = 0,
    unfinished: int = 0,
    aborted: int = 0,
    at_once: int = 1,
) -> Judgement:
    """Compare a candidate's runs, values by seed, with the level of its incumbent.

    `noise` is pooled over the runs that nobody selected in this leaf, profile, platform and
    yardstick; `rho` is their correlation over equal seeds. `broken` names the constraints that a
    run of it broke; `lines_changed` is the net change of statements; `together` says that it is
    several of a bag at once; `failures` counts its seeds that ended without a number,
    `unfinished` those that were stopped before they could, `aborted` runs that something ended
    after training had begun, also where the same seed was run again; `at_once` of the first values
    were asked for before any was known, so that nobody chose to add the others.

    >>> start = Record({}, {0: 0.995, 1: 0.996, 2: 0.994})
    >>> judge({0: 0.9915}, start, Noise(0.001, 2), "minimize").suggest
    'keep'
    >>> judge({0: 0.9946}, start, Noise(0.001, 2), "minimize").why
    '0.0004 better, 0.4 noises; a keep needs 1, with more seeds 3; noise 0.001 from 2 repeats'
    """
    if policy.rule == "strict":  # what comes after its last step is another look at luck
        values = dict(itertools.islice(values.items(), len(STRICT_STEPS)))
    if failures or not values:
        return failed(failures, failures + len(values))
    if unfinished:
        return _stopped(unfinished, unfinished + len(values))
    if incumbent is None or not incumbent.runs:
        verdict = Judgement(suggest="keep", reason="better", why="nothing to compare it with yet")
        return _held_to(broken, verdict)
    if max(map(abs, (*values.values(), *incumbent.runs.values()))) > HUGE:
        smaller = partial(judge, direction=direction, policy=policy, rho=rho, broken=broken)
        return _huge(smaller, values, incumbent, noise, min_effect, lines_changed)
    if noise is None:
        return _held_to(broken, _without_noise(values, incumbent, policy, direction))
    found = distance(values, incumbent, noise, direction, policy, rho)
    shorter = (lines_changed or 0) < 0 and (may_simplify or _is_same(found))
    begun = dict(itertools.islice(values.items(), max(1, at_once)))
    first = distance(begun, incumbent, noise, direction, policy, rho).gain
    alike = _alike(values, incumbent, direction) if rho == 0 else math.inf
    tie = noise.sd > 0 and _is_same(found) and _may_tie(values, incumbent)
    known = (found, noise, len(values), policy, min_effect, together, shorter)
    case = _Case(*known, first, len(begun), tie, alike)
    sign, level = SIGN[direction], _level(values, found, direction)
    verdict = replace(_by_noise(case), level=level, bar=level + sign * case.bars[0])
    return _held_to(broken, _outnumbering(aborted, len(values), verdict))


def _is_same(found: Distance) -> bool:
    """Return whether a change gave the very same numbers at the same seeds."""
    return found.paired and found.gain == 0


def _may_tie(values: Runs, incumbent: Record) -> bool:
    """Return whether one run is all that is known of a share: equal by chance now and then."""
    told = (*values.values(), *incumbent.runs.values())
    return len(values) == 1 and step_of(told) is not None


def _alike(values: Runs, incumbent: Record, direction: str) -> float:
    """Return the mean gain at equal seeds over runs that nobody selected.

    A seed that is lucky for all programs flatters each candidate beside the mean of three.

    >>> _alike({0: 0.352}, Record({}, {0: 0.3518, 1: 0.3616, 2: 0.3631}), "minimize") < 0
    True
    """
    shared = [seed for seed in values if seed in incumbent.fresh]
    apart = [SIGN[direction] * (values[seed] - incumbent.fresh[seed]) for seed in shared]
    return mean(apart) if apart else math.inf


def _outnumbering(aborted: int, finished: int, verdict: Judgement) -> Judgement:
    """Keep nothing whose finished runs do not outnumber the aborted: the best of two is luck."""
    if verdict.suggest != "keep" or finished > OUTNUMBER * aborted:
        return verdict
    more = OUTNUMBER * aborted + 1 - finished
    return replace(
        verdict,
        suggest="replicate",
        reason="undecided",
        more=more,
        near_miss=(verdict.gain or 0.0) > 0,
        why=f"{verdict.why}; {aborted} of its {aborted + finished} runs were aborted after they "
        f"began to train: {more} more that finish{'es' * (more == 1)} must say the same",
    )


def _stopped(seeds: int, of: int) -> Judgement:
    """Ask for the seeds that were stopped: whoever may stop the unlucky ones keeps luck."""
    return Judgement(
        suggest="replicate",
        reason="undecided",
        more=seeds,
        why=f"{seeds} of {of} seeds were stopped before they ended; they count",
    )


def _level(values: Runs, found: Distance, direction: str) -> float:
    """Return what a candidate was compared with: its own mean less its gain."""
    return mean(list(values.values())) - SIGN[direction] * found.gain


def _without_noise(values: Runs, incumbent: Record, policy: Policy, direction: str) -> Judgement:
    """Ask for the incumbent's repeats: nothing is kept by the sign of a difference."""
    found = distance(values, incumbent, Noise(0.0, 1), direction, policy)
    more = max(1, BASELINE_RUNS - len(incumbent.runs))
    return Judgement(
        gain=found.gain,
        suggest="replicate",
        reason="undecided",
        target="incumbent",
        more=more,
        level=_level(values, found, direction),
        near_miss=found.gain > 0,
        why=f"{_size(found.gain)}; noise unknown, so that luck would decide: {more} more "
        f"run{'s' * (more > 1)} of the incumbent tell it",
    )


def _huge(
    smaller: Callable[..., Judgement],
    values: Runs,
    incumbent: Record,
    noise: Noise | None,
    min_effect: float,
    lines_changed: int | None,
) -> Judgement:
    """Judge numbers near the largest there is in a unit of their own; no figure is infinite.

    >>> judge({0: 1.7e308}, Record({}, {0: -1.7e308}), Noise(0.0, 2), "maximize").why[:15]
    '3.17e+07 better'
    """

    def less(found: Runs) -> Runs:
        return {seed: value / HUGE for seed, value in found.items()}

    record = replace(incumbent, selecting=less(incumbent.selecting), fresh=less(incumbent.fresh))
    quiet = None if noise is None else Noise(noise.sd / HUGE, noise.df)
    effect = min_effect / HUGE
    verdict = smaller(less(values), record, quiet, min_effect=effect, lines_changed=lines_changed)
    named: dict[str, Any] = {
        name: finite(getattr(verdict, name) * HUGE)
        for name in ("gain", "se", "noise", "level", "bar")
        if getattr(verdict, name) is not None
    }
    return replace(verdict, why=f"{verdict.why} (in units of {HUGE:.3g})", **named)


def _by_noise(case: _Case) -> Judgement:
    """Suggest by how far the runs are above the level."""
    suggest, reason = _decide(case)
    return Judgement(
        gain=case.found.gain,
        se=case.found.se,
        noise=case.noise.sd,
        p_better=case.above(case.min_effect),
        suggest=suggest,
        reason=reason,
        more=int(suggest == "replicate"),
        near_miss=suggest != "keep" and case.found.gain > 0,
        why=_why(case, suggest),
        steeper=case.steeper,
    )


def _decide(case: _Case) -> tuple[str, str]:
    """Return suggestion and reason."""
    gain, (keep, drop) = case.found.gain, case.bars
    if gain > keep and (case.alike > 0 or case.policy.rule == "strict"):
        return "keep", "better"
    if case.simpler and gain >= -case.policy.simpler * case.found.noise:
        return ("replicate", "undecided") if case.may_tie else ("keep", "simpler")
    if _is_same(case.found):
        return "discard", "same"
    if gain > drop and drop < keep:
        return "replicate", "undecided"
    audited = case.policy.rule == "audited"
    if gain > 0 and case.policy.bag and audited and not case.together:
        return "discard", "bagged"
    lost = case.above(0.0) < DEAD_END or gain <= -LOST * case.found.noise
    return "discard", "worse" if lost else "undecided"


def _held_to(broken: Sequence[str], verdict: Judgement) -> Judgement:
    """Discard what broke a constraint, whatever its number."""
    if not broken:
        return verdict
    why = f"breaks {', '.join(broken)}" + (f"; {verdict.why}" if verdict.gain is not None else "")
    near = verdict.near_miss or (verdict.gain or 0) > 0
    return replace(
        verdict,
        suggest="discard",
        reason="constraint",
        more=0,
        near_miss=near,
        target="candidate",
        why=why,
    )


def _size(gain: float) -> str:
    if gain == 0:
        return "no difference"
    return f"{abs(gain):.3g} {'better' if gain > 0 else 'worse'}"


def _why(case: _Case, suggest: str) -> str:
    """Return the figures as a person would say them."""
    found = case.found
    if found.noise == 0:
        return f"{_size(found.gain)}; every repeat so far gave the same number"
    words = f"{_size(found.gain)}, {abs(found.gain) / found.noise:.3g} noises"
    if _is_same(found):
        words = "no difference: the same at the same seeds"
    if case.together:
        words += "; several at once, of which any gain is kept"
    elif suggest != "keep" and found.gain > case.bars[0]:
        words += "; no better at the incumbent's own seed, which is a lucky one"
    elif suggest != "keep":
        words += f"; a keep needs {case.bars[0] / found.noise:.3g}{_again(case)}"
    repeats = plural(case.noise.df, "repeat")
    seeds = " of differences at equal seeds" if found.paired else ""
    return f"{words}; noise {found.noise:.3g}{seeds} from {repeats}"


def _again(case: _Case) -> str:
    """Return in words that more runs are held to more than the first was."""
    if not case.steeper:
        return ""
    if case.runs == 1:
        return f", with more seeds {case.steeper:.3g}"
    return ": its first run did not reach the bar"
