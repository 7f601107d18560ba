"""Make the base model and the prompts. Read-only during experiments.

    python prepare.py                # the profile for this machine
    LAB_PROFILE=cpu python prepare.py

A change here makes every earlier number incomparable, so it needs a pull request. Leaves in the
cache: `train.jsonl`, `eval.jsonl`, for the tiny model `base/`, and, last of all, `meta.json`.
"""

import random
from collections.abc import Iterator
from typing import Any

from shared import language, pairs, prepared, run, sorting, tiny

TOLD = ("model", "source", "held_out", "instruction")
WIDTH = 7  # letters of every held-out word
WIDTHS = (6, 7, 8)  # of those to train on, a third each: the difficulty an experiment may mix
TRAIN_PAIRS = 12_000
# Stopped half way: it sorts four words in five when it takes the likeliest letter, but not half
# of them when it draws. A base that knows more, or nothing, leaves reinforcement no signal.
BASE_STEPS, BASE_BATCH = 200, 32
SEED = 1  # of the base: the same for every run, so that seeds differ in training alone


def main() -> None:
    """Prepare the profile's data and base, or say that they are ready."""
    here = run.here(__file__)
    language.quiet(here)
    prepared.once(here, __file__, TOLD, lambda: make(here))


def make(here: run.Run) -> dict[str, Any]:
    """Write pairs and base; return what `meta.json` records."""
    counts = prepared.keep(here, prepared.data(here, lambda: embedded(here)))
    lessons = tiny.Lessons(sorted_words, BASE_STEPS, SEED)
    return {**counts, **language.keep_base(here, lambda folder: tiny.base(folder, lessons))}


def embedded(here: run.Run) -> pairs.Both:
    """Return the embedded task: put letters in order."""
    return sorting.some(WIDTHS, TRAIN_PAIRS, int(here.settings["held_out"]), WIDTH)


def sorted_words(made: Any) -> Iterator[list[tuple[str, str]]]:
    """Yield batches of words in order, none of them held out."""
    draw = random.Random(SEED)
    while True:
        words = ["".join(draw.choices(sorting.LETTERS, k=WIDTH)) for _ in range(2 * BASE_BATCH)]
        answers = {word: "".join(sorted(word)) for word in words}
        kept = [word for word in words if not pairs.held_out(answers[word])][:BASE_BATCH]
        prompts = language.rendered(made, [f"sort {word}" for word in kept])
        yield [(prompt, answers[word]) for prompt, word in zip(prompts, kept, strict=True)]


if __name__ == "__main__":
    main()
