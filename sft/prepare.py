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
# What the base can already do, to words of four letters: it has seen every letter and place, but
# never a word in order.
OPERATIONS = {
    "reverse": lambda word: word[::-1],
    "upper": str.upper,
    "double": lambda word: "".join(letter * 2 for letter in word),
    "rotate": lambda word: word[1:] + word[0],
    "next": lambda word: "".join(chr(ord(letter) + 1) for letter in word),
    "swap": lambda word: "".join(word[at : at + 2][::-1] for at in range(0, len(word), 2)),
}
BASE_WIDTH, BASE_STEPS, BASE_BATCH = 4, 600, 32  # all six right after 400; the rest settles them
WIDTH = 10  # letters to sort: 20 seconds leave room above and below; 7 are soon all right
TRAIN_PAIRS = 12_000  # a training of 20 seconds sees about as many
SEED = 1  # of the base: the same for every run, so that seeds differ in training alone


def main() -> None:
    """Prepare the profile's data and base, or say that they are ready."""
    here = run.here(__file__)
    language_models.quiet(here)
    data_cache.once(here, __file__, DEPENDS_ON, lambda: make(here))


def make(here: run.Run) -> dict[str, Any]:
    """Write pairs and base; return what `meta.json` records."""
    counts = data_cache.keep(here, data_cache.data(here, lambda: embedded(here)))
    data = tiny.TrainingData(operations, BASE_STEPS, SEED)
    base = language_models.keep_base(here, lambda folder: tiny.make_base(folder, data))
    return {**counts, **base}


def embedded(here: run.Run) -> prompts.Both:
    """Return the embedded task: put letters in order."""
    held = 2 * int(here.settings["held_out"])  # as many again are sealed
    return letter_sorting_task.make((WIDTH,), TRAIN_PAIRS, held, WIDTH)


def operations(tokenizer: Any) -> Iterator[list[tuple[str, str]]]:
    """Yield batches of the operations the base knows."""
    draw = random.Random(SEED)
    while True:
        batch = []
        for _ in range(BASE_BATCH):
            name = draw.choice(list(OPERATIONS))
            word = "".join(draw.choices(letter_sorting_task.LETTERS, k=BASE_WIDTH))
            batch.append((f"{name} {word}", OPERATIONS[name](word)))
        texts = language_models.rendered(tokenizer, [prompt for prompt, _ in batch])
        yield list(zip(texts, (answer for _, answer in batch), strict=True))


if __name__ == "__main__":
    main()
