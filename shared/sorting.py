"""The embedded task of two leaves: put letters in order. Hard enough to learn, quick to check."""

import random

from shared import pairs

LETTERS = "abcdefghijklmnop"
SEED = 1  # the data are the same for every run, so that seeds differ in training alone


def some(widths: tuple[int, ...], train: int, held: int, held_width: int) -> pairs.Both:
    """Return `train` pairs of these widths in turn, and `held` held-out ones of `held_width`.

    They are split by answer, so that no held-out answer was ever seen, in whatever order.
    """
    draw = random.Random(SEED)
    found: dict[str, pairs.Pair] = {}
    out: dict[str, pairs.Pair] = {}
    while len(found) < train or len(out) < held:
        width = widths[len(found) % len(widths)] if len(found) < train else held_width
        word = "".join(draw.choices(LETTERS, k=width))
        answer = "".join(sorted(word))
        made = pairs.Pair(f"sort {word}", answer, answer, f"embedded:{word}")
        if not pairs.held_out(answer):
            if len(found) < train:
                found[word] = made
        elif width == held_width and len(out) < held:
            out[word] = made
    return list(found.values()), list(out.values())
