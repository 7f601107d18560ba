"""The embedded task of two leaves: put letters in order. Hard enough to learn, quick to check."""

import random

from . import prompts

LETTERS = "abcdefghijklmnop"
SEED = 1  # the data are the same for every run, so that seeds differ in training alone


def make(widths: tuple[int, ...], train: int, held: int, held_width: int) -> prompts.Both:
    """Return `train` pairs of these widths in turn, and `held` held-out ones of `held_width`.

    They are split by answer, so that no held-out answer was ever seen, in whatever order.
    """
    draw = random.Random(SEED)
    train_pairs: dict[str, prompts.Pair] = {}
    held_pairs: dict[str, prompts.Pair] = {}
    while len(train_pairs) < train or len(held_pairs) < held:
        width = widths[len(train_pairs) % len(widths)] if len(train_pairs) < train else held_width
        word = "".join(draw.choices(LETTERS, k=width))
        answer = "".join(sorted(word))
        pair = prompts.Pair(f"sort {word}", answer, answer, f"embedded:{word}")
        if not prompts.held_out(answer):
            if len(train_pairs) < train:
                train_pairs[word] = pair
        elif width == held_width and len(held_pairs) < held:
            held_pairs[word] = pair
    return list(train_pairs.values()), list(held_pairs.values())
