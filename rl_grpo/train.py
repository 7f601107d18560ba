"""Improve a language model by GRPO with a verifiable reward. Everything here may be changed.

    python train.py                      # the profile for this machine
    LAB_PROFILE=smoke python train.py    # seconds, and the same number for the same seed

Read it downwards: settings, prompts, reward, training. It leaves `model/`, `artefact.json` and
`trained_on.txt` in the run's folder; `evaluate.py` asks that model the held-out prompts. What is
rewarded stands in `reward.py`. GRPO: arXiv 2402.03300; the loss of DAPO: arXiv 2503.14476.
"""

import importlib.util
import random
from collections.abc import Callable
from typing import Any

from shared import artefact, budgeted, clock, device, language, pairs, prepared, run, steps, summary

if __name__ == "__main__":
    HERE = run.here(__file__)
    prepared.read(HERE)  # says at once when there is nothing to train on
    language.quiet(HERE)  # before transformers is imported

# Three quarters of the start: torch 2 s, transformers' models and TRL's trainer 3 s, peft 1 s.
from datasets import Dataset
from peft import LoraConfig
from reward import reward
from trl import GRPOConfig, GRPOTrainer

# -- Settings: edit these, one at a time --------------------------------------

LEARNING_RATE_X = 1.0  # step of the weights, times the profile's start
NORM_LR_X = 10.0  # of the norms' gains: with few steps they sharpen every draw at once
BATCH_X = 1.0  # completions a step, times the profile's start
GENERATIONS = 8  # completions of each prompt: what one is compared with
GENERATE_STEPS = 2  # batches drawn at once
ITERATIONS = 2  # times each batch is learnt from before new ones are drawn
TEMPERATURE = 1.0  # of the draws; the yardstick draws at 1
BETA = 0.0  # pull towards the base; above 0 a second model is asked at every step
EPSILON_HIGH = 0.2  # how far a likely gain may be followed before it is clipped
SCALE = "group"  # divide by a group's deviation; "none" favours prompts that are half solved
LOSS = "dapo"  # mean over the tokens of a batch; "dr_grpo" divides by the room instead
WARMUP = 0.0  # share of the budget over which the rate rises
FINAL_LR = 0.1  # what the rate falls to, as a share; 1 as good drawn, worse greedy (0.83 for 0.92)
EASIEST = 0.334  # of the training prompts by length of their answers, from this share
HARDEST = 0.666  # up to this one; in the embedded data a third each has 6, 7 and 8 letters

# Where each kind of machine starts; the settings above act on whichever is run.
START: dict[str, dict[str, Any]] = {
    "cpu": {
        "learning_rate": 1e-4,  # 3e-4 learns faster and forgets: 0.62 where this reaches 0.69
        "batch": 64,
        "lora": 0,  # train every weight: on a tiny model an adapter is slower and learns less
    },
    "gpu": {
        "learning_rate": 4e-5,  # ten times that of full fine-tuning
        "batch": 64,
        "lora": 32,
    },
}


def start(kind: str) -> dict[str, Any]:
    """Return where this kind of machine starts, with the settings above applied."""
    sizes = dict(START[kind])
    sizes["learning_rate"] *= LEARNING_RATE_X
    groups = max(1, round(sizes["batch"] * BATCH_X / GENERATIONS))
    sizes["batch"] = groups * GENERATIONS
    return sizes


# -- Prompts ------------------------------------------------------------------


def prompts(found: list[pairs.Pair], seed: int) -> list[pairs.Pair]:
    """Return the prompts to train on: those between two lengths of answer, shuffled."""
    by_length = sorted(found, key=lambda one: len(one.completion))
    first, last = round(len(found) * EASIEST), round(len(found) * HARDEST)
    chosen = by_length[first : max(last, first + 1)]
    random.Random(seed).shuffle(chosen)
    return chosen


def dataset(made: Any, chosen: list[pairs.Pair], instruction: str) -> Dataset:
    """Return rows of a rendered prompt, the question in it and its answer."""
    texts = language.rendered(made, [one.prompt for one in chosen], instruction)
    return Dataset.from_list(
        [
            {"prompt": text, "question": one.prompt, "answer": one.answer}
            for text, one in zip(texts, chosen, strict=True)
        ]
    )


# -- Reward -------------------------------------------------------------------


def rewarded(ends: set[int]) -> Callable[..., list[float]]:
    """Return `reward` as TRL calls it; it also logs how many groups teach nothing.

    A group whose completions all earn the same has no advantages: all ones say that the prompts
    are too easy, all zeros that they are too hard.
    """

    def earned(
        completions: list[str],
        completion_ids: list[list[int]],
        question: list[str],
        answer: list[str],
        log_metric: Callable[[str, float], None],
        **_: Any,
    ) -> list[float]:
        cut = [not ids or ids[-1] not in ends for ids in completion_ids]
        rows = zip(question, completions, answer, cut, strict=True)
        values = [float(reward(*row)) for row in rows]
        groups = [values[at : at + GENERATIONS] for at in range(0, len(values), GENERATIONS)]
        flat = [group[0] for group in groups if min(group) == max(group)]
        log_metric("all_one_rate", sum(value >= 1 for value in flat) / len(groups))
        log_metric("all_zero_rate", sum(value <= 0 for value in flat) / len(groups))
        return values

    return earned


# -- Training -----------------------------------------------------------------


def generation(kind: str) -> dict[str, Any]:
    """Return how completions are drawn: vLLM beside the model where installed.

    Without vLLM, transformers' continuous batching on a GPU; on a CPU that is a hundred times
    slower than its plain loop.
    """
    if kind != "gpu":
        return {}
    if importlib.util.find_spec("vllm"):
        return {"use_vllm": True, "vllm_mode": "colocate", "vllm_gpu_memory_utilization": 0.3}
    return {"use_transformers_continuous_batching": True}


def trainer(model: Any, made: Any, data: Dataset, here: run.Run, arguments: dict[str, Any]) -> Any:
    """Return TRL's trainer."""
    kind = "gpu" if model.device.type == "cuda" else "cpu"
    sizes = start(kind)
    config = GRPOConfig(
        **arguments,
        **generation(kind),
        learning_rate=sizes["learning_rate"],
        per_device_train_batch_size=sizes["batch"],
        num_generations=GENERATIONS,
        steps_per_generation=GENERATE_STEPS,
        num_iterations=ITERATIONS,
        max_completion_length=int(here.settings["room"]),
        temperature=TEMPERATURE,
        beta=BETA,
        epsilon_high=EPSILON_HIGH,
        scale_rewards=SCALE,
        loss_type=LOSS,
    )
    lora = (
        LoraConfig(r=sizes["lora"], lora_alpha=2 * sizes["lora"], target_modules="all-linear")
        if sizes["lora"]
        else None
    )
    judge = rewarded({made.eos_token_id})
    built = GRPOTrainer(
        model, judge, config, train_dataset=data, processing_class=made, peft_config=lora
    )
    built.create_optimizer()
    for group in built.optimizer.param_groups[1:]:  # what decays no weight: gains, no matrices
        group["lr"] *= NORM_LR_X
    return built


def train(here: run.Run) -> dict[str, float]:
    """Train until the budget is used; leave the model; return what to report."""
    meta, where = prepared.read(here), device.pick(here.needs)
    device.seed_everything(here.seed)
    chosen = prompts(pairs.read(here.cache / pairs.TRAIN), here.seed)
    model, made = language.load(here, where)
    data = dataset(made, chosen, str(here.settings.get("instruction", "")))
    budget = clock.Clock(here.clock, here.budget_s, here.steps)
    with steps.StepLog(here.dir) as log:
        watch = budgeted.Watch(log, budget)
        arguments = budgeted.arguments(here, where, budget)
        learner = budgeted.within(trainer(model, made, data, here, arguments), watch, rate)
        learner.train()
    told = watch.report(where)
    artefact.save(here.dir, "rl_grpo", meta["base"], learner.model, [one.prompt for one in chosen])
    tokens = learner.state.num_input_tokens_seen
    names = ("reward", "reward_std", "all_one_rate", "all_zero_rate", "cut_rate")
    return {
        **told,
        **{f"train_{name}" if "reward" in name else name: watch.mean(name, 0.2) for name in names},
        "completion_tokens": watch.mean("completion_tokens", 0.2),
        "kl": watch.mean("kl", 0.2),
        "tokens": tokens,
        "tokens_per_s": tokens / told["train_s"],
        "prompts": len(chosen),
    }


def rate(progress: float) -> float:
    """Return the share of the learning rate at this share of the budget."""
    return budgeted.rate_at(progress, WARMUP, FINAL_LR)


if __name__ == "__main__":
    summary.finish(lambda: train(HERE), HERE.dir, smaller="lower BATCH_X, or GENERATIONS with it")
