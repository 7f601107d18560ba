"""Sampling: the tuner's next proposal, by the sampler that the leaf names."""

import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from ..campaign.limits import Ending, Over
from ..errors import Environment
from ..judge.stagnation import Move
from ..leaf import Knob
from ..notebook import Notebook, attempts, measurements
from ..text import num
from ..tuner import coordinates
from ..tuner.trials import Change, Proposal, parse
from ..workspace import Workspace
from ..workspace.incumbent import find_incumbent
from .history import History, scope_of

DRAWS = 60  # of the model's surface for one proposal, before all it draws counts as tried
LOST = 100  # edits of knobs that failed in a dry run, the newest, which a proposal keeps away from
ENOUGH = 0.1  # noises that the best run to come must be worth


def check(workspace: Workspace) -> None:
    """Refuse a sampler whose library is missing."""
    if workspace.leaf.sampler == "tpe":
        from ..tuner import one_knob

        one_knob.load()
        return
    try:
        import numpy  # noqa: F401 (asked for here, before anything is made)
    except ImportError:
        raise Environment(
            "the tuner needs NumPy, which is not installed.",
            "Install it: pip install 'labtree[tuner]'",
        ) from None


def knob_by_knob(
    workspace: Workspace,
    book: Notebook,
    history: History,
    turned: Mapping[str, Knob],
    now: Mapping[str, Any],
    *,
    seed: str,
    move: Move | None,
    parts: list[int],
) -> Iterator[Proposal]:
    """Yield what Optuna proposes, one knob at a time; first the parts of a bag at once."""
    from ..tuner import one_knob

    proposer = one_knob.Proposer(turned, now, seed)
    tried = history.read(workspace, book, turned)
    several = proposer.several(tried, parts)
    if several is not None:
        yield several
    due = f"; {move.kind} is due" if move is not None else ""
    for one in proposer.proposals(tried, move):
        yield Proposal(one.changes, one.reason + due)


def by_model(
    workspace: Workspace,
    book: Notebook,
    history: History,
    turned: Mapping[str, Knob],
    now: Mapping[str, Any],
    *,
    seed: str,
) -> Iterator[Proposal]:
    """Yield what one model of all runs of the scope proposes; Over when nothing is worth a run."""
    import numpy as np

    from ..tuner import thompson
    from ..tuner.space import Space
    from ..tuner.surface import Known

    known = {n: k for n, k in turned.items() if coordinates.coordinate(k, now[n]) is not None}
    space, scope = Space(known), scope_of(workspace, book)
    tip = space.place(now)
    assert tip is not None
    sign = 1.0 if workspace.leaf.direction == "maximize" else -1.0
    runs = [
        Known(run.experiment, place, program, run.seed, run.value and sign * run.value)
        for run, values, program in history.measured(workspace, book, known)
        if (place := space.place(values)) is not None
    ]
    runs += [
        Known(0, place, "", 0, None)
        for claim in attempts.claims(book, workspace.leaf_name, LOST)
        if (changes := parse(claim))
        and (place := space.place({**now, **{change.name: change.new for change in changes}}))
        is not None
    ]
    noise, pairs = measurements.noise(book, scope), measurements.pairs(book, scope)
    sd, rho = noise.sd if noise else 0.0, pairs.rho if pairs else 0.0
    belief = thompson.believed(space, tip, runs, sd, rho)
    chance = np.random.default_rng(zlib.crc32(seed.encode()))
    worth = thompson.worth(belief, chance)
    if worth < ENOUGH:
        raise Over(Ending("stagnation", f"{worth:.2g} noises are all that another run is worth"))
    incumbent = find_incumbent(workspace, book)
    for _ in range(DRAWS):
        one = thompson.proposed(belief, chance)
        changes = tuple(Change(name, now[name], new) for name, new in one.values.items())
        if changes:
            base = f"e{incumbent['experiment']}" if incumbent else "what is committed"
            yield Proposal(changes, said(one, len(belief.runs), base))


def said(one: Any, runs: int, base: str) -> str:
    """Return what the model expects, how sure it is, and which experiments say so."""
    near = ", ".join(f"e{number}" for number in one.like)
    gain = f"{num(one.gain, sign=True)} ± {one.sd:.2g}"
    return f"a model of {runs} run{'s' * (runs != 1)} expects {gain} over {base}; nearest: {near}"
