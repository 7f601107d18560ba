"""The leaf's only metric: mean reward at temperature 1 on held-out prompts. Read-only.

A change here makes every earlier number incomparable, so it needs a pull request.

The trained weights are put into a base that this process loads itself and asked each held-out
prompt several times. The scorer is `shared/answers.py`, or the `task/score.py` of a person's own:
`reward.py`, which an experiment may change, has no say here.
"""

import time
from typing import Any

from shared import answers, artefact, device, language, pairs, prepared, run, samples, summary

LEAF = "rl_grpo"
BATCH = {"cpu": 256, "cuda": 256}  # completions drawn at once
DRAW_SEED = 1  # the same draws for every run: two models then differ by their weights alone
KL_ROWS = 256  # completions the distance from the base is measured on


def main() -> None:
    """Print the block that counts."""
    started, here = time.perf_counter(), run.here(__file__)
    language.quiet(here)
    meta, held = prepared.read(here), pairs.read(here.cache / pairs.HELD_OUT)
    artefact.check(here.dir, LEAF, meta["base"], held)
    import torch  # after the refusals, which should not wait for it

    chosen = device.pick(here.needs)
    base, made = language.load(here, chosen)
    model = artefact.load(here.dir, language.load(here, chosen)[0])
    texts = language.rendered(
        made, [one.prompt for one in held], str(here.settings.get("instruction", ""))
    )
    room, times = int(here.settings["room"]), int(here.settings["samples"])
    batch = BATCH.get(chosen.type, 64)
    torch.manual_seed(DRAW_SEED)
    drawn = language.complete(model, made, texts * times, room, 1.0, batch)
    likeliest = language.complete(model, made, texts, room, 0.0, batch)
    score = answers.scorer(here.leaf)
    rewards = [score(p.prompt, h.text, p.answer) for p, h in zip(held * times, drawn, strict=True)]
    greedy = [score(p.prompt, h.text, p.answer) for p, h in zip(held, likeliest, strict=True)]
    samples.write(here.dir, held, drawn[: len(held)], rewards[: len(held)])
    some = list(zip(texts, drawn[: len(texts)], strict=True))[:KL_ROWS]
    summary.report(
        {
            "eval_reward_mean": sum(rewards) / len(rewards),
            "eval_greedy": sum(greedy) / len(greedy),
            "eval_kl": kl(model, base, made, [(text, said.text) for text, said in some]),
            "eval_cut_rate": sum(one.cut for one in drawn) / len(drawn),
            "eval_answer_tokens": sum(one.tokens for one in drawn) / len(drawn),
            "eval_prompts": len(held),
            "eval_samples": len(drawn),
            "eval_s": time.perf_counter() - started,
        }
    )


def kl(model: Any, base: Any, made: Any, said: list[tuple[str, str]]) -> float:
    """Return how far the model has moved: nats a completion, estimated on its own draws."""
    import torch

    with torch.inference_mode():
        apart = [log_prob(model, made, *row) - log_prob(base, made, *row) for row in said]
    return sum(apart) / len(apart)


def log_prob(model: Any, made: Any, prompt: str, completion: str) -> float:
    """Return the log-probability of a completion and its end."""
    import torch

    asked = made(prompt, add_special_tokens=False)["input_ids"]
    heard = [*made(completion, add_special_tokens=False)["input_ids"], made.eos_token_id]
    ids = torch.tensor([[*asked, *heard]], device=model.device)
    logits = model(input_ids=ids, use_cache=False).logits[0, len(asked) - 1 : -1].float()
    return float(logits.log_softmax(-1).gather(-1, ids[0, len(asked) :, None]).sum())


if __name__ == "__main__":
    main()
