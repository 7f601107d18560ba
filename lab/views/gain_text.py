"""A gain in words: one number with its error, and what equal seeds say of it."""

from collections.abc import Sequence

from .. import judge as judging
from ..documents.experiments import AtSeed
from ..text import error, num

EACH = 4  # equal seeds that are told one by one


def gain_text(gain: float | None, se: float | None, p_better: float | None) -> str:
    """Return a gain as it is told everywhere, with what is known of its error.

    >>> gain_text(0.0123, 0.0049, 0.98), gain_text(-1.5, None, None)
    ('gain +0.0123 ± 0.0049, P(better) 0.98', 'gain -1.5')
    """
    spread = f" ± {error(se)}" if se is not None else ""
    sure = f", P(better) {error(p_better)}" if p_better is not None else ""
    return f"gain {num(gain, sign=True)}{spread}{sure}"


def equal_seeds_text(found: Sequence[AtSeed]) -> str:
    """Return the differences at equal seeds in a clause, "" without any.

    >>> equal_seeds_text([{"seed": 0, "gain": 0.02}, {"seed": 1, "gain": -0.01}])
    'at equal seeds +0.02 (0), -0.01 (1): +0.005 ± 0.015'
    >>> equal_seeds_text([{"seed": 0, "gain": 0.02}])
    'at equal seeds +0.02 (0)'
    """
    if not found:
        return ""
    gains = [one["gain"] for one in found]
    told = ", ".join(f"{num(one['gain'], sign=True)} ({one['seed']})" for one in found)
    each = told if len(found) <= EACH else f"{len(found)} of them"
    if len(found) == 1:
        return f"at equal seeds {each}"
    spread = judging.spread(gains)
    luck = f" ± {error(spread / len(gains) ** 0.5)}" if spread is not None else ""
    return f"at equal seeds {each}: {num(judging.mean(gains), sign=True)}{luck}"
