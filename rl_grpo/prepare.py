"""Make the base model and the prompts. Read-only during experiments.

    python prepare.py                # the profile for this machine
    LAB_PROFILE=cpu python prepare.py

A change here makes every earlier number incomparable, so it needs a pull request. Leaves in the
cache: `train.jsonl`, `eval.jsonl`, for the tiny model `base/`, and, last of all, `meta.json`.
"""

import random
from collections.abc import Iterator
from typing import Any

from shared import data_cache, language_models, letter_sorting_task, prompts, run, tiny

DEPENDS_ON = ("model", "source", "held_out", "instruction")
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
    language_models.quiet(here)
    data_cache.once(here, __file__, DEPENDS_ON, lambda: make(here))


def make(here: run.Run) -> dict[str, Any]:
    """Write pairs and base; return what `meta.json` records."""
    counts = data_cache.keep(here, data_cache.data(here, lambda: embedded(here)))
    data = tiny.TrainingData(sorted_words, BASE_STEPS, SEED)
    base = language_models.keep_base(here, lambda folder: tiny.make_base(folder, data))
    return {**counts, **base}


def embedded(here: run.Run) -> prompts.Both:
    """Return the embedded task: put letters in order."""
    held = 2 * int(here.settings["held_out"])  # as many again are sealed
    return letter_sorting_task.make(WIDTHS, TRAIN_PAIRS, held, WIDTH)


def sorted_words(tokenizer: Any) -> Iterator[list[tuple[str, str]]]:
    """Yield batches of words in order, none of them held out."""
    draw = random.Random(SEED)
    while True:
        words = [
            "".join(draw.choices(letter_sorting_task.LETTERS, k=WIDTH))
            for _ in range(2 * BASE_BATCH)
        ]
        answers = {word: "".join(sorted(word)) for word in words}
        kept = [word for word in words if not prompts.held_out(answers[word])][:BASE_BATCH]
        texts = language_models.rendered(tokenizer, [f"sort {word}" for word in kept])
        yield [(text, answers[word]) for text, word in zip(texts, kept, strict=True)]


if __name__ == "__main__":
    main()
