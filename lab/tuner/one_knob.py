"""One knob at a time, by Optuna's ask and tell: `[tuner] sampler = "tpe"`.

Each knob has a study of its own, told the values tried so far and how much worse than the best
known value each was. What other changes gave does not blur it: a gain is always measured against
the incumbent of its time, so losses along one knob can be chained from value to value.
"""

import itertools
import math
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import Environment
from ..judge import mean
from ..judge.stagnation import Move
from ..leaf import Knob
from ..system import source
from ..text import plural
from .coordinates import DIGITS, position, same_value
from .trials import Change, PastTrial, Proposal

ASKS = 24  # suggestions drawn for one knob before it counts as exhausted
CLOSE = 0.02  # of a knob's range: nearer than this to a value already tried is that value
EDGE = 0.2  # of a range at either end: where its author expects trouble, not tried first
FEW = 6  # suggestions looked at for a knob's first try: all outer one time in 250
FAILED = math.inf  # the loss of a value that gave no number


class Proposer:
    """Turns what was tried into proposals, best first. The same history gives the same ones."""

    def __init__(self, turned: Mapping[str, Knob], current: Mapping[str, Any], seed: str) -> None:
        self.knobs = {name: knob for name, knob in turned.items() if name in current}
        self.current, self.seed = current, seed

    def proposals(self, tried: Sequence[PastTrial], move: Move | None) -> Iterator[Proposal]:
        """Yield what to try next, the move that is due first."""
        if move is not None and move.kind == "combine":
            yield from self._combined(tried, move)
        if move is not None and move.kind == "ablate":
            yield from self._taken_back(tried, move)
        for name in self._ranked(tried, move):
            records = [one for one in tried if self._only(one, name)]
            reason = f"tried {plural(len(records), 'time')}" if records else "not yet tried"
            if tried and self._only(tried[0], name) and tried[0].verdict == "keep":
                reason = f"e{tried[0].experiment} was kept: further on the same axis"
            for value in self._values(name, records):
                yield Proposal((Change(name, self.current[name], value),), reason)

    def _only(self, one: PastTrial, name: str) -> bool:
        return len(one.changes) == 1 and one.changes[0].name == name

    def _ranked(self, tried: Sequence[PastTrial], move: Move | None) -> list[str]:
        """Return the knobs, the most promising first.

        What was kept or nearly kept raises a knob, each try lowers it, and a value far from the
        middle of the range that the leaf's author drew is likelier to be a bad one.
        """
        named = {about.lower() for about in move.about} if move and move.kind == "axis" else set()

        def promise(name: str) -> float:
            records = [one for one in tried if self._only(one, name)]
            kept = sum(one.verdict == "keep" for one in records)
            near = sum(one.near_miss for one in records)
            score = (0.5 + kept + near / 2 + self._off_centre(name)) / (1 + len(records))
            hot = bool(tried) and self._only(tried[0], name) and tried[0].verdict == "keep"
            return score + 2 * hot + 4 * (name.lower() in named)

        return sorted(self.knobs, key=lambda name: (-promise(name), self._toss(name)))

    def _off_centre(self, name: str) -> float:
        """Return 0 for a value in the middle of its range, 1 at or beyond an end."""
        place = position(self.knobs[name], self.current[name])
        return 0.0 if place is None else min(1.0, abs(2 * place - 1))

    def _toss(self, name: str) -> int:
        return zlib.crc32(f"{self.seed}/{name}".encode())

    def _values(self, name: str, records: Sequence[PastTrial]) -> Iterator[Any]:
        """Yield new values of one knob as Optuna suggests them."""
        knob = self.knobs[name]
        points = losses(name, self.current[name], records)
        seen = [value for value, _ in points]
        fresh = _new(knob, ask(knob, points, self._toss(name)), seen)
        if not records:  # a few, the inner ones first
            few = list(itertools.islice(fresh, FEW))
            yield from sorted(few, key=lambda value: _is_outer(knob, value))
        yield from fresh

    def several(self, tried: Sequence[PastTrial], parts: Sequence[int]) -> Proposal | None:
        """Return what some near misses, of different knobs, turned: all of it at once."""
        chosen = [one for one in tried if one.experiment in parts]
        new = {change.name: change.new for one in chosen for change in one.changes}
        changes = self._changes(new)
        if not parts or len(changes) < len(new):
            return None
        names = ", ".join(f"e{number}" for number in sorted(parts))
        return Proposal(changes, f"{names} at once: each alone was a little above the level", True)

    def _combined(self, tried: Sequence[PastTrial], move: Move) -> Iterator[Proposal]:
        """Yield the two near-misses at once, where both turned knobs only."""
        by_id = {f"e{one.experiment}": one for one in tried}
        pair = [by_id[name] for name in move.about if name in by_id]
        new = {change.name: change.new for one in pair for change in one.changes}
        changes = self._changes(new)
        if len(pair) == 2 and len(changes) >= 2:
            yield Proposal(changes, f"combines the near-misses {' and '.join(move.about)}")

    def _taken_back(self, tried: Sequence[PastTrial], move: Move) -> Iterator[Proposal]:
        """Yield a kept change undone, to see whether it still carries."""
        for one in tried:
            if f"e{one.experiment}" in move.about:
                old = {change.name: change.old for change in one.changes}
                changes = self._changes(old)
                if changes:
                    yield Proposal(
                        changes, f"takes back {move.about[0]}, to see if it still carries"
                    )

    def _changes(self, new: Mapping[str, Any]) -> tuple[Change, ...]:
        return tuple(
            Change(name, self.current[name], value)
            for name, value in new.items()
            if name in self.knobs and value != self.current[name]
        )


def losses(name: str, current: Any, records: Sequence[PastTrial]) -> list[tuple[Any, float]]:
    """Return each value tried on a knob with its mean loss, chained from where it was tried.

    >>> one = PastTrial(5, (Change("LR", 0.1, 0.2),), 0.5, "keep", False)
    >>> losses("LR", 0.2, [one])
    [(0.1, 0.0), (0.2, -0.5)]
    """
    known: dict[Any, list[float]] = {}
    for one in reversed(records):
        change = next(change for change in one.changes if change.name == name)
        base = _loss(known.setdefault(change.old, [0.0]))
        loss = FAILED if one.gain is None else base - one.gain
        known.setdefault(change.new, []).append(loss)
    known.setdefault(current, [0.0])
    return [(value, _loss(tried)) for value, tried in known.items()]


def _loss(tried: Sequence[float]) -> float:
    """Return the mean loss of the tries that gave a number: the best of them is mostly luck."""
    known = [loss for loss in tried if loss != FAILED]
    return mean(known) if known else FAILED


def _new(knob: Knob, values: Iterator[Any], seen: list[Any]) -> Iterator[Any]:
    """Yield the values that are like none seen before."""
    for value in values:
        if not any(_alike(knob, value, other) for other in seen):
            seen.append(value)
            yield value


def _is_outer(knob: Knob, value: Any) -> bool:
    place = position(knob, value)
    return place is not None and not EDGE <= place <= 1 - EDGE


def ask(knob: Knob, points: Sequence[tuple[Any, float]], seed: int) -> Iterator[Any]:
    """Yield Optuna's suggestions for one knob, told `points` (value, loss)."""
    optuna = load()
    dist = _distribution(knob)
    sampler = _sampler(optuna, seed)
    study = optuna.create_study(sampler=sampler, direction="minimize")
    for value, loss in points:
        inside = _inside(knob, value)
        if inside is not None:
            study.add_trial(
                optuna.trial.create_trial(
                    params={knob.name: inside}, distributions={knob.name: dist}, value=loss
                )
            )
    for _ in range(ASKS):
        yield _tidy(knob, study.ask({knob.name: dist}).params[knob.name])


def _sampler(optuna: Any, seed: int) -> Any:
    """Return a sampler for a handful of points on one axis.

    Optuna's own settings are made for hundreds of trials: with ten points they call only the best
    one good, and look where nobody has been. Here the best third is good and the prior weighs less;
    over 80 noisy parabolas that leaves 0.9 % of the loss after six tries, instead of 3.7 %.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # both go away in Optuna 6; we need < 6
        return optuna.samplers.TPESampler(
            seed=seed,
            n_startup_trials=4,  # the incumbent's value and three others, drawn evenly
            gamma=lambda trials: max(1, math.ceil(trials / 3)),
            prior_weight=0.3,
        )


def load() -> Any:
    """Return Optuna, quiet; Environment when it is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own imports: nothing a user could act upon
            import optuna
    except ImportError:
        raise Environment(
            "the tuner needs Optuna, which is not installed.",
            f"Install it: {source.to_install('tuner')}",
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _distribution(knob: Knob) -> Any:
    make = load().distributions
    if knob.kind == "choice":
        return make.CategoricalDistribution(list(knob.choices))
    if knob.kind == "int":
        return make.IntDistribution(int(knob.low or 0), int(knob.high or 0), log=knob.log)
    return make.FloatDistribution(knob.low, knob.high, log=knob.log)


def _inside(knob: Knob, value: Any) -> Any:
    """Return a value the study can be told: clipped to the range; None for an unknown choice."""
    if knob.kind == "choice":
        return next((one for one in knob.choices if same_value(one, value)), None)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    assert knob.low is not None
    assert knob.high is not None
    clipped = min(max(value, knob.low), knob.high)
    return round(clipped) if knob.kind == "int" else float(clipped)


def _tidy(knob: Knob, value: Any) -> Any:
    """Return a suggestion as one would write it down."""
    if knob.kind != "float":
        return value
    return _inside(knob, float(f"{value:.{DIGITS}g}"))


def _alike(knob: Knob, one: Any, other: Any) -> bool:
    """Return whether two values are the same for all that an experiment could show."""
    if knob.kind != "float":
        return same_value(one, other)
    here, there = position(knob, one), position(knob, other)
    return here is not None and there is not None and abs(here - there) < CLOSE
