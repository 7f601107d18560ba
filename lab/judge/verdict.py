"""Significance of a gain: keep, replicate or discard, and why."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from .noise import Noise, Side
from .numbers import finite, mean
from .policy import Policy
from .student import student_cdf, student_quantile

SIGN = {"minimize": -1.0, "maximize": 1.0}
NO_NOISE = "noise unknown: lab run --baseline --seeds 3"
DEFAULT = Policy()
HUGE = 2.0**1000  # beyond, sums and errors of a few such numbers may be infinite


@dataclass(frozen=True)
class Judgement:
    """A suggestion with its figures, all in units of the metric; a gain is positive when better."""

    gain: float | None = None  # the candidate's mean against the incumbent's mean
    se: float | None = None  # its standard error
    noise: float | None = None  # standard deviation of one run
    p_better: float | None = None  # P(true gain > min_effect)
    suggest: str = "discard"  # keep | replicate | discard | crash
    reason: str = "worse"  # better | simpler | undecided | worse | constraint | failed
    target: str = "candidate"  # whom to run again when replicating: candidate | incumbent
    more: int = 0  # how many runs that asks for
    bar: float | None = None  # what the candidate's mean must reach for a keep, at these runs
    why: str = ""  # one plain sentence
    near_miss: bool = False  # not kept, and yet worth combining with another change


@dataclass(frozen=True)
class _Case:
    """One comparison: a candidate of `runs` runs against a record of `against` runs."""

    gain: float
    runs: int
    against: int
    noise: Noise
    policy: Policy
    min_effect: float

    @property
    def se(self) -> float:
        return self._error(self.runs, self.against)

    def above(self, floor: float) -> float:
        """Return P(true gain > floor); without noise the gain is the true one."""
        if self.se == 0:
            return float(self.gain > floor)
        return student_cdf((self.gain - floor) / self.se, self.noise.df)

    def needed(self, runs: int, against: int) -> float:
        """Return the gain that is a keep with so many runs, each new one adding to the noise."""
        df = self.noise.df + max(0, runs - self.runs) + max(0, against - self.against)
        error = self._error(runs, against)
        return self.min_effect + student_quantile(self.policy.keep, df) * error

    def _error(self, runs: int, against: int) -> float:
        return self.noise.sd * math.sqrt(1 / runs + 1 / against)

    def not_worse(self) -> float:
        """Return P(it costs no more than a simplification may)."""
        if self.noise.sd == 0:
            return float(self.gain >= 0)
        return self.above(-self.policy.simpler_margin * self.noise.sd)


def failed() -> Judgement:
    """Return the judgement of a run without a metric."""
    return Judgement(suggest="crash", reason="failed", why="the run gave no metric")


def judge(
    values: Sequence[float],
    incumbent: Side | None,
    noise: Noise | None,
    direction: str,
    *,
    policy: Policy = DEFAULT,
    min_effect: float = 0.0,
    broken: Sequence[str] = (),
    lines_changed: int | None = None,
) -> Judgement:
    """Compare a candidate's runs with the incumbent's mean and suggest what to do.

    `noise` is pooled over all replicates of this leaf, profile, platform and yardstick, the
    candidate's own among them. `broken` names the constraints that a run of it broke;
    `lines_changed` is the net change of code lines. Without an incumbent there is nothing to
    compare: the first number is kept.

    >>> baseline = Side((), (0.995, 0.996, 0.994))
    >>> judge([0.9915], baseline, Noise(0.001, 2), "minimize").suggest
    'replicate'
    >>> judge([0.9915, 0.9917], baseline, Noise(0.0009, 8), "minimize").why
    '0.0034 better, 4.14 standard errors; noise 0.0009 from 8 repeats'
    """
    if not values:
        return failed()
    sign = SIGN[direction]
    if incumbent is None:
        verdict = Judgement(suggest="keep", reason="better", why="nothing to compare it with yet")
        return _held_to(broken, verdict)
    record = incumbent.record(policy)
    if max(map(abs, (*values, *record))) > HUGE:
        smaller = partial(judge, direction=direction, policy=policy, broken=broken)
        return _huge(smaller, values, incumbent, noise, min_effect, lines_changed)
    centre = mean(record)
    gain = sign * (mean(values) - centre)
    if noise is None:
        verdict = _by_sign(gain, min_effect, lines_changed)
        verdict = replace(verdict, bar=centre + sign * min_effect)
    else:
        case = _Case(gain, len(values), len(record), noise, policy, min_effect)
        verdict = _by_noise(case, shorter=(lines_changed or 0) < 0)
        bar = case.needed(max(case.runs, policy.keep_runs), case.against)
        verdict = replace(verdict, bar=centre + sign * bar)
    return _held_to(broken, _incumbent_first(verdict, incumbent.missing(policy)))


def _huge(
    smaller: Callable[..., Judgement],
    values: Sequence[float],
    incumbent: Side,
    noise: Noise | None,
    min_effect: float,
    lines_changed: int | None,
) -> Judgement:
    """Judge numbers near the largest there is in a unit of their own; no figure is infinite.

    >>> judge([1.7e308], Side((), (-1.7e308,)), None, "maximize").why
    '3.17e+07 better; noise unknown: lab run --baseline --seeds 3 (in units of 1.07e+301)'
    """

    def less(found: Sequence[float]) -> tuple[float, ...]:
        return tuple(value / HUGE for value in found)

    side = Side(less(incumbent.selecting), less(incumbent.fresh))
    quiet = None if noise is None else Noise(noise.sd / HUGE, noise.df)
    effect = min_effect / HUGE
    verdict = smaller(less(values), side, quiet, min_effect=effect, lines_changed=lines_changed)
    named: dict[str, Any] = {
        name: finite(getattr(verdict, name) * HUGE)
        for name in ("gain", "se", "noise", "settles", "bar")
        if getattr(verdict, name) is not None
    }
    return replace(verdict, why=f"{verdict.why} (in units of {HUGE:.3g})", **named)


def _by_sign(gain: float, min_effect: float, lines_changed: int | None) -> Judgement:
    """Suggest by the sign of the gain alone, since nothing was ever repeated."""
    better = gain > min_effect
    simpler = not better and gain >= 0 and (lines_changed or 0) < 0
    reason = "better" if better else "simpler" if simpler else _short_of_it(gain)
    return Judgement(
        gain=gain,
        suggest="keep" if better or simpler else "discard",
        reason=reason,
        near_miss=gain > 0 and not better,
        why=f"{_size(gain)}; {NO_NOISE}",
    )


def _by_noise(case: _Case, *, shorter: bool) -> Judgement:
    """Suggest by P(better), as far as the runs so far allow."""
    base = Judgement(
        gain=case.gain,
        se=case.se,
        noise=case.noise.sd,
        p_better=case.above(case.min_effect),
        near_miss=case.above(0.0) >= case.policy.near_miss,
        why=_why(case),
    )
    suggest, reason = _decide(case, shorter)
    if suggest == "keep":
        return replace(base, suggest=suggest, reason=reason, near_miss=False)
    if suggest == "replicate":
        return _ask_for_more(case, replace(base, suggest=suggest, reason=reason))
    if reason == "undecided":
        tried = min(case.runs, case.against) >= case.policy.max_runs
        more = f"still undecided after {case.runs} runs" if tried else "too little to go on with"
        base = replace(base, why=f"{base.why}; {more}")
    return replace(base, suggest=suggest, reason=reason)


def _decide(case: _Case, shorter: bool) -> tuple[str, str]:
    """Return suggestion and reason."""
    policy = case.policy
    p_better = case.above(case.min_effect)
    p_simpler = case.not_worse() if shorter else 0.0  # a longer program must be better
    if case.runs >= policy.keep_runs:
        if p_better >= policy.keep:
            return "keep", "better"
        if p_simpler >= policy.simpler:
            return "keep", "simpler"
    if max(p_better, p_simpler) < (
        policy.discard_first if case.runs == 1 else policy.discard_later
    ):
        return "discard", _short_of_it(case.gain)
    exhausted = min(case.runs, case.against) >= policy.max_runs
    return ("discard" if exhausted else "replicate"), "undecided"


def _short_of_it(gain: float) -> str:
    """Return the reason of a discard by numbers: a better number is never called worse."""
    return "undecided" if gain > 0 else "worse"


def _ask_for_more(case: _Case, verdict: Judgement) -> Judgement:
    """Ask for one run of the side that has fewer, and say which gain that could settle.

    One at a time: asking for as many as would settle the present gain costs a tenth more runs and
    keeps nothing more. The incumbent's mean errs the same way for every idea that meets it, so its
    runs serve all that follow.
    """
    runs, against = case.runs, case.against
    if against < min(runs, case.policy.max_runs):
        target, against = "incumbent", against + 1
    else:
        target, runs = "candidate", max(runs + 1, case.policy.keep_runs)
    more = runs + against - case.runs - case.against
    settles = case.needed(max(runs, case.policy.keep_runs), against)
    whose = f"{more} more run{'s' if more > 1 else ''} of the {target}"
    why = f"{verdict.why}; {whose} could settle a gain of {settles:.3g}"
    if case.runs < case.policy.keep_runs:
        why += f", and a keep needs {case.policy.keep_runs} runs"
    return replace(verdict, target=target, more=more, why=why)


def _incumbent_first(verdict: Judgement, missing: int) -> Judgement:
    """Turn a keep into fresh runs of an incumbent that only has the runs that won its place."""
    if verdict.suggest != "keep" or not missing:
        return verdict
    return replace(
        verdict,
        suggest="replicate",
        reason="undecided",
        target="incumbent",
        more=missing,
        near_miss=True,
        why=f"{verdict.why}; the incumbent first: {missing} fresh runs are due",
    )


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


def _why(case: _Case) -> str:
    """Return the figures as a person would say them."""
    if case.noise.sd == 0:
        return f"{_size(case.gain)}; every repeat so far gave the same number"
    repeats = f"{case.noise.df} repeat{'s' if case.noise.df > 1 else ''}"
    errors = f"{abs(case.gain) / case.se:.3g} standard errors"
    return f"{_size(case.gain)}, {errors}; noise {case.noise.sd:.3g} from {repeats}"
