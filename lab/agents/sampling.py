"""Sampling: the tuner's next proposal, by the sampler that the leaf names."""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..campaign.limits import Ending, Over
from ..errors import Environment
from ..judge.stagnation import Move
from ..leaf import Knob
from ..notebook import Notebook, attempts, measurements
from ..system import source
from ..text import num, plural
from ..tuner import coordinates
from ..tuner.trials import Change, Proposal, parse
from ..workspace import Workspace
from ..workspace.incumbent import find_incumbent
from .history import History, scope_of

if TYPE_CHECKING:  # NumPy is loaded by who proposes
    from ..tuner.thompson import Belief, Expected

DRAWS = 60  # of the model's surface for one proposal, before all it draws counts as tried
LOST = 100  # edits of knobs that failed in a dry run, the newest, which a proposal keeps away from
ENOUGH = 0.1  # noises that the best run to come must be worth


def check(workspace: Workspace) -> None:
    """Refuse a sampler whose library is missing."""
    if workspace.leaf.sampler == "tpe":
        from ..tuner import one_knob

        one_knob.load()
    else:
        check_model()


def check_model() -> None:
    """Refuse to propose from a model where NumPy is missing."""
    try:
        import numpy  # noqa: F401 (asked for here, before anything is made)
    except ImportError:
        raise Environment(
            "the tuner needs NumPy, which is not installed.",
            f"Install it: {source.to_install('tuner')}",
        ) from None


@dataclass(frozen=True)
class Sampling:
    """What a proposal is made from: a worktree as it stands, what was tried, the knobs."""

    workspace: Workspace
    book: Notebook
    history: History
    turned: Mapping[str, Knob]
    now: Mapping[str, Any]  # values of the constants
    seed: str

    def knob_by_knob(self, move: Move | None, parts: list[int]) -> Iterator[Proposal]:
        """Yield what Optuna proposes, one knob at a time; first the parts of a bag at once."""
        from ..tuner import one_knob

        proposer = one_knob.Proposer(self.turned, self.now, self.seed)
        tried = self.history.read(self.workspace, self.book, self.turned)
        several = proposer.several(tried, parts)
        if several is not None:
            yield several
        due = f"; {move.kind} is due" if move is not None else ""
        for one in proposer.proposals(tried, move):
            yield Proposal(one.changes, one.reason + due)

    def by_model(self) -> Iterator[Proposal]:
        """Yield what one model of all runs of the scope proposes; Over when none is worth a run."""
        import numpy as np

        from ..tuner import thompson

        incumbent = find_incumbent(self.workspace, self.book)
        base = f"e{incumbent['experiment']}" if incumbent else "what is committed"
        belief = self._belief()
        chance = np.random.default_rng(zlib.crc32(self.seed.encode()))
        worth = thompson.worth(belief, chance)
        if worth < ENOUGH:
            why = f"{worth:.2g} noises are all that another run is worth"
            raise Over(Ending("stagnation", why))
        for _ in range(DRAWS):
            one = thompson.proposed(belief, chance)
            changes = tuple(Change(name, self.now[name], new) for name, new in one.values.items())
            if changes:
                yield Proposal(changes, said(one, len(belief.runs), base))

    def _belief(self) -> "Belief":
        """Return what the runs of the scope say, and the edits of knobs that could not be run."""
        from ..tuner import thompson
        from ..tuner.space import Space
        from ..tuner.surface import Known

        placed = (name for name, knob in self.turned.items() if self._is_placed(name, knob))
        space = Space({name: self.turned[name] for name in placed})
        tip = space.place(self.now)
        assert tip is not None
        sign = 1.0 if self.workspace.leaf.direction == "maximize" else -1.0
        runs = [
            Known(run.experiment, place, program, run.seed, run.value and sign * run.value)
            for run, values, program in self.history.measured(self.workspace, self.book)
            if (place := space.place(values)) is not None
        ]
        for claim in attempts.claims(self.book, self.workspace.leaf_name, LOST):
            changes = {change.name: change.new for change in parse(claim)}
            place = space.place({**self.now, **changes})
            if changes and place is not None:
                runs.append(Known(0, place, "", 0, None))
        scope = scope_of(self.workspace, self.book)
        noise, pairs = measurements.noise(self.book, scope), measurements.pairs(self.book, scope)
        sd, rho = noise.sd if noise else 0.0, pairs.rho if pairs else 0.0
        return thompson.believed(space, tip, runs, sd, rho)

    def _is_placed(self, name: str, knob: Knob) -> bool:
        """Return whether a knob stands at a value that it can have."""
        return coordinates.coordinate(knob, self.now[name]) is not None


def said(one: "Expected", runs: int, base: str) -> str:
    """Return what the model expects, how sure it is, and which experiments say so."""
    near = ", ".join(f"e{number}" for number in one.like)
    gain = f"{num(one.gain, sign=True)} ± {one.sd:.2g}"
    return f"a model of {plural(runs, 'run')} expects {gain} over {base}; nearest: {near}"
