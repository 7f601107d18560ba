"""A surface: what the metric does over the knobs, as a Bayesian quadratic of all runs.

Ridge regression on each coordinate, its square and the products of two, about a centre; what is
known beforehand is that a well kept script stands near a peak. Source of the recipe: Bayesian
linear regression as in Bishop, Pattern Recognition and Machine Learning, 3.3.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .space import Array, Space

# What is believed before any run, in noises per range: how steep the metric may be at the centre,
# how far it bends down to either side, and what two knobs do together beyond each alone.
SLOPE = 20.0
BEND, BEND_SD = 40.0, 60.0
CROSS = 5.0
MIDDLE = 1.0  # how far a range's author is believed to have drawn it about the best value
CHOICE = 5.0  # of a choice without an order, against the others
LEVEL = 100.0  # of a program, against the others
SCALES = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0)  # by which all of that may be off: the runs say
FAR = 40.0  # noises below the median: a cliff, of which no quadratic should hear
BLUR = 0.1  # share of the middle runs' spread below which a noise is not believed


@dataclass(frozen=True)
class Known:
    """One run that gave a number, or one that said that there is none to be had."""

    experiment: int
    place: Array
    program: str  # the mutable files but for the knobs
    seed: int
    value: float | None  # in units of the metric, higher is better


@dataclass(frozen=True)
class Surface:
    """What is believed of the metric, in `unit`s of it: a normal distribution of coefficients."""

    space: Space
    centre: Array
    unit: float
    scale: float  # of the beliefs, as the runs had it
    mean: Array
    root: Array  # Cholesky factor of the precision

    def features(self, places: Array) -> Array:
        """Return what is multiplied by the coefficients, for places as rows."""
        return _features(self.space, self.centre, places)

    def expected(self, places: Array) -> Array:
        """Return the expected metric up to a constant, in units."""
        return np.asarray(self.features(places) @ self.mean)

    def drawn(self, chance: np.random.Generator) -> Array:
        """Return one vector of coefficients that may be the true one."""
        luck = np.linalg.solve(self.root.T, chance.standard_normal(len(self.root)))
        return np.asarray(self.mean + luck[: len(self.mean)])

    def above(self, base: Array, places: Array) -> tuple[Array, Array]:
        """Return by how much places are above a base, and how sure that is (deviations)."""
        apart = self.features(places) - self.features(base[None])
        padded = np.zeros((len(apart), len(self.root)))
        padded[:, : len(self.mean)] = apart
        spread = np.linalg.solve(self.root, padded.T)
        return np.asarray(apart @ self.mean), np.sqrt((spread**2).sum(axis=0))


def fitted(
    space: Space,
    runs: Sequence[Known],
    centre: Array,
    noise: float,
    rho: float = 0.0,
    scales: Sequence[float] | None = None,
) -> Surface:
    """Return what runs that gave a number say; `noise` is the deviation of one run, `rho` how much
    of it two programs share at the same seed.

    The scale of the beliefs is the one under which these runs were likeliest.
    """
    values = np.array([run.value for run in runs], dtype=float)
    places = np.array([run.place for run in runs]).reshape(len(runs), len(space))
    unit = unit_of(values, noise)
    quiet = max((noise / unit) ** 2, BLUR)
    shared, shared_sd = _shared(runs, rho, quiet)
    own = _features(space, centre, places)
    design = np.concatenate([own, shared], axis=1)
    target = (values - np.median(values)) / unit if len(values) else values
    left = quiet * (1 - rho) if rho else quiet
    fits = [
        (*_solved(design, target, left, *_prior(space, centre, scale, shared_sd)), scale)
        for scale in scales or SCALES
    ]
    _, mean, root, scale = max(fits, key=lambda fit: fit[0])
    return Surface(space, centre, unit, scale, mean[: own.shape[1]], root)


def unit_of(values: Array, noise: float) -> float:
    """Return the unit that beliefs are told in: the noise, or a tenth of what the runs span."""
    low, high = np.quantile(values, (0.25, 0.75)) if len(values) else (0.0, 0.0)
    return max(noise, BLUR * float(high - low)) or 1.0


def _features(space: Space, centre: Array, places: Array) -> Array:
    """Return coordinates, squares and products about the centre, and a column for each choice."""
    apart = (places - centre)[:, space.ordered]
    one, other = np.triu_indices(apart.shape[1], 1)
    chosen = [
        (places[:, column] == choice).astype(float)
        for column in np.flatnonzero(~space.ordered)
        for choice in range(len(space.knobs[space.names[column]].choices))
    ]
    parts = [apart, apart**2, apart[:, one] * apart[:, other]]
    return np.concatenate([*parts, np.array(chosen).reshape(-1, len(places)).T], axis=1)


def _shared(runs: Sequence[Known], rho: float, quiet: float) -> tuple[Array, Array]:
    """Return a column for each program and, where seeds share luck, for each seed."""
    programs = sorted({run.program for run in runs})
    seeds = sorted({run.seed for run in runs}) if rho else []
    columns = [[float(run.program == one) for run in runs] for one in programs]
    columns += [[float(run.seed == one) for run in runs] for one in seeds]
    spread = [LEVEL] * len(programs) + [(rho * quiet) ** 0.5] * len(seeds)
    return np.array(columns).reshape(len(spread), len(runs)).T, np.array(spread)


def _prior(space: Space, centre: Array, scale: float, shared: Array) -> tuple[Array, Array]:
    """Return the mean and deviation of each coefficient before any run."""
    lines = int(space.ordered.sum())
    pairs = lines * (lines - 1) // 2
    choices = sum(
        len(space.knobs[name].choices)
        for name, line in zip(space.names, space.ordered, strict=True)
        if not line
    )
    inwards = 2 * MIDDLE * BEND * scale * (0.5 - centre[space.ordered])
    mean = np.concatenate(
        [inwards, np.full(lines, -BEND * scale), np.zeros(pairs + choices + len(shared))]
    )
    wide = [(SLOPE, lines), (BEND_SD, lines), (CROSS, pairs), (CHOICE, choices)]
    return mean, np.concatenate([*(np.full(n, sd * scale) for sd, n in wide), shared])


def _solved(
    design: Array, target: Array, noise: float, before: Array, spread: Array
) -> tuple[float, Array, Array]:
    """Return how likely the runs were, the coefficients' mean and the root of their precision."""
    precision = design.T @ design / noise + np.diag(spread**-2.0)
    root = np.linalg.cholesky(precision)
    right = design.T @ target / noise + before / spread**2
    mean = np.linalg.solve(root.T, np.linalg.solve(root, right))
    misfit = ((target - design @ mean) ** 2).sum() / noise + (((mean - before) / spread) ** 2).sum()
    volume = 2 * np.log(np.diag(root)).sum() + 2 * np.log(spread).sum()
    return -0.5 * float(misfit + volume), np.asarray(mean), np.asarray(root)
