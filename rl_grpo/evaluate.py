"""The leaf's only metric: mean reward at temperature 1 on held-out prompts. Read-only.

A change here makes every earlier number incomparable, so it needs a pull request.

The trained weights are put into a base that this process loads itself and asked each held-out
prompt several times. The scorer is `shared/scoring.py`, or the `task/score.py` of a person's own:
`reward.py`, which an experiment may change, has no say here.
"""

import time
from typing import Any

from shared import artefact, data_cache, language_models, prompts, run, samples, scoring, summary
from shared import device as devices

LEAF = "rl_grpo"
BATCH = {"cpu": 256, "cuda": 256}  # completions drawn at once
DTYPE = {"cuda": "bfloat16"}  # what the models of the hub were trained in; float32 elsewhere
ATTENTION = "sdpa"  # torch's own, so that no number depends on what else is installed
DRAW_SEED = 1  # the same draws for every run: two models then differ by their weights alone
KL_ROWS = 256  # completions the distance from the base is measured on


def main() -> None:
    """Print the block that counts."""
    started, here = time.perf_counter(), run.here(__file__)
    language_models.quiet(here)
    meta, held = data_cache.read(here), prompts.read(here.held_out / prompts.HELD_OUT)
    artefact.check(here.dir, LEAF, meta["base"], held)
    import torch  # after the refusals, which should not wait for it

    base, tokenizer = load(here)
    model = artefact.load(here.dir, load(here)[0])
    questions, instruction = [pair.prompt for pair in held], here.settings.get("instruction", "")
    texts = language_models.rendered(tokenizer, questions, str(instruction))
    limit, times = int(here.settings["max_new_tokens"]), int(here.settings["samples"])
    batch = BATCH.get(model.device.type, 64)
    torch.manual_seed(DRAW_SEED)
    completions = language_models.complete(model, tokenizer, texts * times, limit, 1.0, batch)
    likeliest = language_models.complete(model, tokenizer, texts, limit, 0.0, batch)
    score = scoring.scorer(here.leaf)
    rewards = scores(score, held * times, completions)
    greedy = scores(score, held, likeliest)
    samples.write(here.dir, held, completions[: len(held)], rewards[: len(held)])
    some = [(text, drawn.text) for text, drawn in zip(texts, completions, strict=False)][:KL_ROWS]
    summary.report(
        {
            "eval_reward_mean": sum(rewards) / len(rewards),
            "eval_greedy": sum(greedy) / len(greedy),
            "eval_kl": kl(model, base, tokenizer, some),
            "eval_truncated_rate": sum(c.truncated for c in completions) / len(completions),
            "eval_answer_tokens": sum(c.tokens for c in completions) / len(completions),
            "eval_prompts": len(held),
            "eval_samples": len(completions),
            "eval_s": time.perf_counter() - started,
        }
    )


def load(here: run.Run) -> tuple[Any, Any]:
    """Return the base and its tokenizer."""
    device = devices.pick(here.needs)
    return language_models.load(here, device, DTYPE.get(device.type, "float32"), ATTENTION)


def scores(
    score: scoring.Score, pairs: list[prompts.Pair], completions: list[language_models.Completion]
) -> list[float]:
    """Return what each completion is worth."""
    rows = zip(pairs, completions, strict=True)
    return [score(pair.prompt, completion.text, pair.answer) for pair, completion in rows]


def kl(model: Any, base: Any, tokenizer: Any, rows: list[tuple[str, str]]) -> float:
    """Return how far the model has moved: nats a completion, estimated on its own draws."""
    import torch

    with torch.inference_mode():
        gaps = [log_prob(model, tokenizer, *row) - log_prob(base, tokenizer, *row) for row in rows]
    return sum(gaps) / len(gaps)


def log_prob(model: Any, tokenizer: Any, prompt: str, completion: str) -> float:
    """Return the log-probability of a completion and its end."""
    import torch

    prompt_ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    completion_ids = tokenizer(completion, add_special_tokens=False)["input_ids"]
    ids = torch.tensor(
        [[*prompt_ids, *completion_ids, tokenizer.eos_token_id]], device=model.device
    )
    logits = model(input_ids=ids, use_cache=False).logits[0, len(prompt_ids) - 1 : -1].float()
    return float(logits.log_softmax(-1).gather(-1, ids[0, len(prompt_ids) :, None]).sum())


if __name__ == "__main__":
    main()
