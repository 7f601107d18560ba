"""Stagnation: nothing was kept for a while, so one concrete move, each bolder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

STALE = 5  # experiments without a keep before the search is called stuck
PATIENCE = 3  # experiments that each move is given before the next one is proposed
SAME = 4  # experiments in a row that changed nothing at all: what they touch is not reached
AXES, NAME = 4, 24  # axes named in one move, and their letters: a move is read whole, or not at all
SILENT = ("bug", "infra", "interrupted", "lost", "no_metric")  # failures that say nothing of it
ESCALATION = ("axis", "combine", "ablate", "structure", "pivot", "stop")


@dataclass(frozen=True)
class Move:
    """A proposal: its kind (one of ESCALATION, or reach), a sentence, and what it is about."""

    kind: str
    text: str
    about: tuple[str, ...] = ()


def propose(
    since_keep: int,
    *,
    axes: Sequence[Mapping[str, Any]],
    near_misses: Sequence[str],
    kept: Sequence[str],
    knobs: Sequence[str] = (),
) -> Move | None:
    """Return the move that is due, or None while the search is not stuck.

    `near_misses` and `kept` are experiments' ids, best first; `axes` are what was tried, with
    counts. A step that has nothing to stand on (no near-misses to combine) gives way to the next.

    >>> propose(3, axes=[], near_misses=[], kept=[]) is None
    True
    >>> propose(5, axes=[{"axis": "lr", "tried": 5, "kept": 0}], near_misses=[], kept=[]).kind
    'axis'
    """
    if since_keep < STALE:
        return None
    rungs = [step for step in ESCALATION if _possible(step, near_misses, kept)]
    step = rungs[min((since_keep - STALE) // PATIENCE, len(rungs) - 1)]
    tried = f"{since_keep} experiments without a keep"
    if step == "axis":
        return _another_axis(tried, axes, knobs)
    if step == "combine":
        pair = tuple(near_misses[:2])
        text = f"{tried}: combine these near-misses"
        return Move(step, f"lab apply {pair[0]} {pair[1]} --edit  # {text}", pair)
    if step == "ablate":
        text = f"{tried}: take the kept change {kept[0]} out again, to see if it still carries."
        return Move(step, text, (kept[0],))
    if step in ("structure", "pivot"):
        return Move(step, _structural(tried, step))
    return Move(step, f"{tried}, two pivots among them: stop here and say so in notes.md.")


def unreached(same: int) -> Move | None:
    """Return what to do where so many experiments in a row gave the very same numbers as before.

    >>> unreached(3) is None, unreached(4).kind
    (True, 'reach')
    """
    if same < SAME:
        return None
    text = (
        f"the last {same} changed nothing, the same numbers at the same seeds: what they touch is "
        "not reached, or the metric does not see it. See that it is before you run the next: "
        "lab samples, lab diff."
    )
    return Move("reach", text)


def _possible(step: str, near_misses: Sequence[str], kept: Sequence[str]) -> bool:
    if step == "combine":
        return len(near_misses) >= 2
    return step != "ablate" or bool(kept)


def _another_axis(tried: str, axes: Sequence[Mapping[str, Any]], knobs: Sequence[str]) -> Move:
    seen = {row["axis"]: row["tried"] for row in axes}
    fresh = [knob for knob in knobs if knob not in seen]
    rare = sorted(seen, key=lambda axis: (seen[axis], axis))
    names = tuple((fresh or rare)[:3])
    word = "not yet tried" if fresh else "least tried"
    toward = f"; {word}: {', '.join(_short(name) for name in names)}" if names else ""
    most = sorted(seen, key=lambda axis: (-seen[axis], axis))[:AXES]
    known = ", ".join(f"{_short(axis)} x{seen[axis]}" for axis in most) or "none recorded"
    return Move("axis", f"{tried}: change direction{toward}. Axes so far: {known}.", names)


def _short(name: str) -> str:
    return name if len(name) <= NAME else f"{name[: NAME - 1]}\N{HORIZONTAL ELLIPSIS}"


def _structural(tried: str, step: str) -> str:
    if step == "structure":
        return (
            f"{tried}: change the structure (model, objective, data order), not a number. Where "
            "the network is allowed, read what others found first and name the source."
        )
    return (
        f"{tried}: pivot, a second and different structural change, judged after {PATIENCE} "
        "experiments."
    )
