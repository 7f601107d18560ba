"""The leaf's only metric: the share of held-out prompts answered right. Read-only.

A change here makes every earlier number incomparable, so it needs a pull request.

The trained weights are put into a base that this process loads itself, asked with the tokenizer
of the base and without sampling, and checked against the whole answer; see `shared/answers.py`.
"""

import time
from typing import Any

from shared import answers, artefact, device, language, pairs, prepared, run, samples, summary

LEAF = "sft"
BATCH = {"cpu": 128, "cuda": 200}  # prompts asked at once


def main() -> None:
    """Print the block that counts."""
    started, here = time.perf_counter(), run.here(__file__)
    language.quiet(here)
    meta, held = prepared.read(here), pairs.read(here.cache / pairs.HELD_OUT)
    artefact.check(here.dir, LEAF, meta["base"], held)
    chosen = device.pick(here.needs)
    base, made = language.load(here, chosen)
    model = artefact.load(here.dir, base)
    heard = ask(model, made, held, here, BATCH.get(chosen.type, 64))
    score = answers.scorer(here.leaf)
    scores = [score(p.prompt, h.text, p.answer) for p, h in zip(held, heard, strict=True)]
    samples.write(here.dir, held, heard, scores)
    summary.report(
        {
            "eval_accuracy": sum(scores) / len(scores),
            "eval_prompts": len(held),
            "eval_cut_rate": sum(one.cut for one in heard) / len(heard),
            "eval_answer_tokens": sum(one.tokens for one in heard) / len(heard),
            "eval_s": time.perf_counter() - started,
        }
    )


def ask(
    model: Any, made: Any, held: list[pairs.Pair], here: run.Run, batch: int
) -> list[language.Completion]:
    """Return the likeliest completion of each held-out prompt."""
    instruction = str(here.settings.get("instruction", ""))
    texts = language.rendered(made, [one.prompt for one in held], instruction)
    return language.complete(model, made, texts, int(here.settings["room"]), 0.0, batch)


if __name__ == "__main__":
    main()
