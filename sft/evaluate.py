"""The leaf's only metric: the share of held-out prompts answered right. Read-only.

A change here makes every earlier number incomparable, so it needs a pull request.

The trained weights are put into a base that this process loads itself, asked with the tokenizer
of the base and without sampling, and checked against the whole answer; see `shared/scoring.py`.
"""

import time
from typing import Any

from shared import artefact, data_cache, language_models, prompts, run, samples, scoring, summary
from shared import device as devices

LEAF = "sft"
BATCH = {"cpu": 128, "cuda": 200}  # prompts asked at once
DTYPE = {"cuda": "bfloat16"}  # what the models of the hub were trained in; float32 elsewhere
ATTENTION = "sdpa"  # torch's own, so that no number depends on what else is installed


def main() -> None:
    """Print the block that counts."""
    started, here = time.perf_counter(), run.here(__file__)
    language_models.quiet(here)
    meta, held = data_cache.read(here), prompts.read(here.held_out / prompts.HELD_OUT)
    artefact.check(here.dir, LEAF, meta["base"], held)
    device = devices.pick(here.needs)
    dtype = DTYPE.get(device.type, "float32")
    base, tokenizer = language_models.load(here, device, dtype, ATTENTION)
    model = artefact.load(here.dir, base)
    completions = complete(model, tokenizer, held, here)
    score = scoring.scorer(here.leaf)
    rows = zip(held, completions, strict=True)
    scores = [score(pair.prompt, completion.text, pair.answer) for pair, completion in rows]
    samples.write(here.dir, held, completions, scores)
    summary.report(
        {
            "eval_accuracy": sum(scores) / len(scores),
            "eval_prompts": len(held),
            "eval_truncated_rate": sum(c.truncated for c in completions) / len(completions),
            "eval_answer_tokens": sum(c.tokens for c in completions) / len(completions),
            "eval_s": time.perf_counter() - started,
        }
    )


def complete(
    model: Any, tokenizer: Any, held: list[prompts.Pair], here: run.Run
) -> list[language_models.Completion]:
    """Return the likeliest completion of each held-out prompt."""
    questions, instruction = [pair.prompt for pair in held], here.settings.get("instruction", "")
    texts = language_models.rendered(tokenizer, questions, str(instruction))
    limit, batch = int(here.settings["max_new_tokens"]), BATCH.get(model.device.type, 64)
    return language_models.complete(model, tokenizer, texts, limit, 0.0, batch)


if __name__ == "__main__":
    main()
