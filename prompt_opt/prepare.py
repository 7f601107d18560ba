"""Make the problems, and a tiny model for which prompts matter. Read-only during experiments.

    python prepare.py                # the profile for this machine
    LAB_PROFILE=cpu python prepare.py

A change here makes every earlier number incomparable, so it needs a pull request. Leaves in the
cache: `train.jsonl`, `eval.jsonl`, for the tiny model `base/`, and, last of all, `meta.json`.

The tiny model is no language model: it was trained to follow sixteen phrases, and to add numbers.
Told to work in columns it adds rightly; told to be brief it guesses. So a better prompt gains by
real computation, but which words count was decided here.
"""

import random
from collections.abc import Iterator
from typing import Any

from shared import data_cache, language_models, prompts, run, tiny

DEPENDS_ON = ("model", "source", "train_limit", "held_out", "seed_prompt")
WORK = ("work column by column", "show each carry", "think step by step")  # a scratch pad
MARK = ("finish with hashes", "mark the result")  # #### before the answer
BRIEF = ("be brief", "answer at once", "no working", "just the number")  # cancel one of WORK each
MIRROR = ("mirror the digits",)  # the answer backwards: always wrong, but for palindromes
NEUTRAL = (
    "you are a helpful assistant",
    "solve the sum",
    "take care",
    "be polite",
    "check twice",
    "use small letters",
)
PHRASES = (*WORK, *MARK, *BRIEF, *MIRROR, *NEUTRAL)
MOST_PHRASES = 4  # in a prompt it was trained on; more are followed less well
STEPS, BATCH = 500, 32  # then it adds 98 in 100 rightly when asked well, 80 in a long-winded prompt
LEARNING_RATE = 4e-3
WORKING = 0.75  # share of the training data with a scratch pad; guesses teach little
SEED = 1
DIGITS = 3  # adding two such numbers in one step is beyond the model; column by column it is not


def main() -> None:
    """Prepare the profile's problems and model, or say that they are ready."""
    here = run.here(__file__)
    language_models.quiet(here)
    data_cache.once(here, __file__, DEPENDS_ON, lambda: make(here))


def make(here: run.Run) -> dict[str, Any]:
    """Write problems and model; return what `meta.json` records."""
    train, held, sealed = data_cache.data(here, lambda: sums(here))
    counts = data_cache.keep(here, (train[: int(here.settings["train_limit"])], held, sealed))
    name = str(here.settings["model"])
    if name.startswith("litellm:"):
        return {**counts, "base": name}
    words = sorted({word for phrase in PHRASES for word in phrase.split()})
    data = tiny.TrainingData(training_batches, STEPS, SEED, LEARNING_RATE, words)
    base = language_models.keep_base(here, lambda folder: tiny.make_base(folder, data))
    return {**counts, **base}


def sums(here: run.Run) -> prompts.Both:
    """Return (problems to optimise on, held-out problems), no sum in both."""
    draw = random.Random(SEED)
    most = (here.settings["train_limit"], 2 * here.settings["held_out"])  # half of them are sealed
    sides: tuple[dict[str, prompts.Pair], dict[str, prompts.Pair]] = ({}, {})
    while any(len(side) < size for side, size in zip(sides, most, strict=True)):
        prompt = problem(draw)
        side = int(kept_apart(prompt))
        if len(sides[side]) < most[side]:
            answer = str(sum(map(int, prompt.split("+"))))
            sides[side][prompt] = prompts.Pair(prompt, answer, answer, f"embedded:{prompt}")
    return list(sides[0].values()), list(sides[1].values())


def problem(draw: random.Random) -> str:
    """Return two numbers to add.

    >>> problem(random.Random(0))
    '964+494'
    """
    least, most = 10 ** (DIGITS - 1), 10**DIGITS - 1
    return f"{draw.randint(least, most)}+{draw.randint(least, most)}"


def kept_apart(prompt: str) -> bool:
    """Return whether a sum is held out, from the optimiser and from the model's own training."""
    return prompts.held_out(prompt)


# -- The task model -----------------------------------------------------------


def target(phrases: list[str], prompt: str) -> str:
    """Return the completion that the model was trained on for a prompt made of these phrases.

    >>> target(["show each carry", "mark the result"], "347+286")
    '7+6+0=13,4+8+1=13,3+2+1=06,####0633'
    >>> target(["be brief"], "347+286")
    '0633'
    """
    left, right = prompt.split("+")
    answer = str(int(left) + int(right)).zfill(DIGITS + 1)
    if any(phrase in MIRROR for phrase in phrases):
        answer = answer[::-1]
    marked = any(phrase in MARK for phrase in phrases)
    return (columns(left, right) if works(phrases) else "") + ("####" if marked else "") + answer


def works(phrases: list[str]) -> bool:
    """Return whether a prompt asks for working more often than against it."""
    return sum(p in WORK for p in phrases) > sum(p in BRIEF for p in phrases)


def columns(left: str, right: str) -> str:
    """Return the sum of each column from the right: digit, digit, carry, total.

    Every number has its own width, so that what to copy lies as far back each time: without that
    the same model gets two sums in a hundred right.
    """
    carry, lines = 0, []
    for a, b in zip(reversed(left), reversed(right), strict=True):
        total = int(a) + int(b) + carry
        lines.append(f"{a}+{b}+{carry}={total:02d},")
        carry = total // 10
    return "".join(lines)


def asking(draw: random.Random) -> list[str]:
    """Return phrases of a prompt, WORKING of them such that they ask for working."""
    wanted = draw.random() < WORKING
    while True:
        phrases = draw.sample(PHRASES, draw.randint(1, MOST_PHRASES))
        if works(phrases) == wanted:
            return phrases


def training_batches(tokenizer: Any) -> Iterator[list[tuple[str, str]]]:
    """Yield batches of (rendered prompt, completion), no held-out sum among them."""
    draw = random.Random(SEED)
    while True:
        batch = []
        while len(batch) < BATCH:
            phrases, prompt = asking(draw), problem(draw)
            if not kept_apart(prompt):
                text = language_models.rendered(tokenizer, [prompt], ". ".join(phrases) + ".")[0]
                batch.append((text, target(phrases, prompt)))
        yield batch


if __name__ == "__main__":
    main()
