"""What to run next: Thompson sampling, a few knobs a step, away from where runs failed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .space import Array, Space
from .surface import FAR, Known, Surface, fitted, unit_of

CANDIDATES = 400  # places looked at for one proposal
FEWEST, MOST = 2, 5  # knobs that one proposal turns away from the best known place
STEP = 0.12  # deviation of a step, as a share of the range ...
WIDE = 0.4  # ... in the median: the logarithm of it varies so, for some leaps among small steps
NEAREST = 3  # runs that a reason names
REACH = 0.15  # of the ranges: how far a failure speaks for its neighbours


@dataclass(frozen=True)
class Expected:
    """A place to run, and what is expected of it."""

    values: dict[str, Any]  # of the knobs that it turns away from the tip
    place: Array
    gain: float  # above the tip, in units of the metric
    sd: float
    like: tuple[int, ...]  # the experiments nearest to it


@dataclass(frozen=True)
class Belief:
    """What is known at one moment: the surface, its best tried place, and what failed."""

    surface: Surface
    tip: Array
    best: Array
    runs: Sequence[Known]
    failed: Array  # places, as rows


def believed(
    space: Space, tip: Array, known: Sequence[Known], noise: float, rho: float = 0.0
) -> Belief:
    """Return what all runs of a scope say; the tip is among them or is at least a place."""
    runs, failed = _without_cliffs(known, noise)
    surface = fitted(space, runs, tip, noise, rho)
    tried = np.array([tip, *(run.place for run in runs)])
    best = tried[int(np.argmax(surface.expected(tried)))]
    surface = fitted(space, runs, best, noise, rho, (surface.scale,))  # about the best: a peak
    return Belief(surface, tip, best, runs, failed)


def proposed(belief: Belief, chance: np.random.Generator) -> Expected:
    """Return what is best under one vector of coefficients that may be the true one."""
    places = candidates(belief, chance)
    said = belief.surface.features(places) @ belief.surface.drawn(chance)
    said -= FAR * risk(belief, places)
    return expected(belief, places[int(np.argmax(said))])


def candidates(belief: Belief, chance: np.random.Generator) -> Array:
    """Return places that turn a few knobs away from the best known one."""
    space = belief.surface.space
    fewest, most = min(FEWEST, len(space)), min(MOST, len(space))
    many = chance.integers(fewest, most + 1, CANDIDATES)
    ranks = chance.random((CANDIDATES, len(space))).argsort(axis=1).argsort(axis=1)
    size = STEP * np.exp(chance.normal(0.0, WIDE, CANDIDATES))
    return space.stepped(belief.best, chance, size, ranks < many[:, None])


def expected(belief: Belief, place: Array) -> Expected:
    """Return a place with what is expected of it against the tip."""
    surface = belief.surface
    gain, sd = surface.above(belief.tip, place[None])
    apart = [(float(np.abs(run.place - place).sum()), run.experiment) for run in belief.runs]
    like = tuple(dict.fromkeys(number for _, number in sorted(apart)))[:NEAREST]
    unit = surface.unit
    values = surface.space.values(place, belief.tip)
    return Expected(values, place, float(gain[0]) * unit, float(sd[0]) * unit, like)


def risk(belief: Belief, places: Array) -> Array:
    """Return how likely places fail, from 0 to 1: who is nearer to failures than to the best.

    >>> from lab.leaf import Knob
    >>> space = Space({"A": Knob("A", "float", 0.0, 1.0, False, (), "")})
    >>> at = lambda *x: np.array([list(x)]).T
    >>> runs = [Known(n, x, "p", n, 1.0) for n, x in enumerate(at(0.4, 0.5, 0.6))]
    >>> runs += [Known(9, np.array([0.9]), "p", 0, None)]
    >>> known = believed(space, np.array([0.5]), runs, noise=1.0)
    >>> [round(float(one), 1) for one in risk(known, at(0.5, 0.7, 0.95))]
    [0.0, 0.2, 0.9]
    """
    if not len(belief.failed):
        return np.zeros(len(places))
    good = np.array([belief.tip, *(run.place for run in belief.runs)])
    bad, fine = _density(places, belief.failed), _density(places, good)
    return np.asarray(bad / (bad + fine + 1e-9))


def _density(places: Array, others: Array) -> Array:
    apart = ((places[:, None, :] - others[None]) ** 2).sum(axis=2)
    return np.asarray(np.exp(-apart / (2 * REACH**2)).sum(axis=1))


def _without_cliffs(known: Sequence[Known], noise: float) -> tuple[list[Known], Array]:
    """Return the runs that gave a number worth modelling, and the places of the others."""
    values = np.array([run.value for run in known if run.value is not None])
    middle = float(np.median(values)) if len(values) else 0.0
    floor = middle - FAR * unit_of(values, noise)
    runs = [run for run in known if run.value is not None and run.value >= floor]
    lost = [run.place for run in known if run.value is None or run.value < floor]
    return runs, np.array(lost, dtype=float)


def worth(belief: Belief, chance: np.random.Generator) -> float:
    """Return the expected improvement over the tip by one more run, in units of the surface.

    Expected improvement as in Jones, Schonlau and Welch 1998, at the best of some candidates.
    """
    places = candidates(belief, chance)
    gain, sd = belief.surface.above(belief.tip, places)
    sure = gain / np.maximum(sd, 1e-9)
    bell = np.exp(-(sure**2) / 2) / math.sqrt(2 * math.pi)
    below = np.array([0.5 * math.erfc(-one / math.sqrt(2)) for one in sure])
    return float(np.max((gain * below + sd * bell) * (1 - risk(belief, places))))
