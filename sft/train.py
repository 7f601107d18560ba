"""Teach a language model a task from examples, by LoRA. Everything in this file may be changed.

    python train.py                      # the profile for this machine
    LAB_PROFILE=smoke python train.py    # seconds, and the same number for the same seed

Read it downwards: settings, data, adapter, training. It leaves `model/`, `artefact.json` and
`trained_on.txt` in the run's folder; `evaluate.py` asks that model the held-out prompts.
"""

import importlib.util
import random
from typing import Any

from shared import (
    artefact,
    clock,
    data_cache,
    language_models,
    prompts,
    run,
    steps,
    summary,
    trl_budget,
)
from shared import device as devices
from shared.training_log import TrainingLog

if __name__ == "__main__":
    HERE = run.here(__file__)
    data_cache.read(HERE)  # says at once when there is nothing to train on
    language_models.quiet(HERE)  # before transformers is imported

import packing  # noqa: F401  (its attention is known by name from here on)

# Three quarters of the start: torch 2 s, transformers' models and TRL's trainer 3 s, peft 1 s.
from datasets import Dataset
from peft import LoraConfig
from trl import SFTConfig, SFTTrainer

# -- Settings: edit these, one at a time --------------------------------------

LEARNING_RATE_X = 1.0  # step of the adapter, times the profile's start
RANK = 8  # of each adapter: how much of a matrix may change
ALPHA_X = 2.0  # an adapter counts this many times: alpha / rank
BATCH_X = 1.0  # examples a step, times the profile's start
WARMUP = 0.05  # share of the budget over which the rate rises
FINAL_LR = 0.0  # what it falls to, as a share
BETA2 = 0.98  # Adam's memory of squared gradients
WEIGHT_DECAY = 0.0  # an adapter this small needs no leash
CLIP = 1.0  # longest gradient a step may take
EXAMPLES = 1.0  # share of the training data that is used
TARGETS = "all-linear"  # which matrices get an adapter; attention alone learns less
FULL = False  # train every weight instead of adapters
CHECKPOINTING = False  # computing activations twice costs a third of the speed; for want of memory

# Where each kind of machine starts; the settings above act on whichever is run.
START: dict[str, dict[str, Any]] = {
    "cpu": {
        "learning_rate": 5e-3,  # a tiny model wants a high one
        "batch": 24,
        "accumulate": 1,
        "max_length": 64,
        "packing": False,  # all rows are of one length
        "dtype": "float32",  # a CPU computes bfloat16 no faster
        "attention": "sdpa",
    },
    "gpu": {
        "learning_rate": 4e-4,  # ten times that of full fine-tuning; 3e-3 diverges
        "batch": 16,
        "accumulate": 1,
        "max_length": 1024,
        "packing": True,  # twice the tokens a second; needs an attention that knows of it
        "dtype": "bfloat16",  # of the base; what is trained is float32, or small steps are lost
        "attention": "flash_attention_2" if importlib.util.find_spec("flash_attn") else "packed",
    },
}


def start(kind: str) -> dict[str, Any]:
    """Return where this kind of machine starts, with the settings above applied."""
    sizes = dict(START[kind])
    sizes["learning_rate"] *= LEARNING_RATE_X
    sizes["batch"] = max(1, round(sizes["batch"] * BATCH_X))
    return sizes


def rate(progress: float) -> float:
    """Return the share of the learning rate at this share of the budget: a rise, then a line."""
    if progress < WARMUP:
        return max(progress / WARMUP, 0.01)  # the first step must move too
    return 1 - (1 - FINAL_LR) * (progress - WARMUP) / max(1 - WARMUP, 1e-9)


# -- Data ---------------------------------------------------------------------


def examples(here: run.Run) -> list[prompts.Pair]:
    """Return the pairs to train on, in an order of this seed's own."""
    pairs = prompts.read(here.cache / prompts.TRAIN)
    random.Random(here.seed).shuffle(pairs)
    return pairs[: max(1, round(len(pairs) * EXAMPLES))]


def tokenised(
    tokenizer: Any, pairs: list[prompts.Pair], instruction: str, max_length: int
) -> Dataset:
    """Return rows of ids and labels; -100 stands where nothing is to be learnt.

    Only completions are learnt, and the mark that ends them. What is longer than `max_length` is
    left out: a completion without its end would teach never to stop.
    """
    texts = language_models.rendered(tokenizer, [pair.prompt for pair in pairs], instruction)
    prompt_ids = tokenizer(texts, add_special_tokens=False)["input_ids"]
    completions = [pair.completion for pair in pairs]
    completion_ids = tokenizer(completions, add_special_tokens=False)["input_ids"]
    ended = [[*ids, tokenizer.eos_token_id] for ids in completion_ids]
    rows = [
        {"input_ids": [*prompt, *completion], "labels": [*[-100] * len(prompt), *completion]}
        for prompt, completion in zip(prompt_ids, ended, strict=True)
    ]
    short = [row for row in rows if len(row["input_ids"]) <= max_length]
    if not short:
        raise SystemExit(
            f"every example is longer than {max_length} tokens; raise max_length in START"
        )
    return Dataset.from_list(short)


# -- Training -----------------------------------------------------------------


def adapter() -> LoraConfig | None:
    """Return the adapter to train, or None to train every weight."""
    if FULL:
        return None
    alpha = RANK * ALPHA_X
    return LoraConfig(r=RANK, lora_alpha=alpha, target_modules=TARGETS, task_type="CAUSAL_LM")


def make_trainer(
    model: Any, tokenizer: Any, data: Dataset, sizes: dict[str, Any], arguments: dict[str, Any]
) -> SFTTrainer:
    """Return TRL's trainer for rows that are tokenised already."""
    packed = sizes["packing"]
    sampling = "random" if packed or model.device.type == "cpu" else "group_by_length"
    config = SFTConfig(
        **arguments,
        learning_rate=sizes["learning_rate"],
        per_device_train_batch_size=sizes["batch"] if not packed else max(1, sizes["batch"] // 4),
        gradient_accumulation_steps=sizes["accumulate"],
        gradient_checkpointing=CHECKPOINTING,
        bf16=sizes["dtype"] == "bfloat16",
        packing=packed,
        packing_strategy="bfd",
        max_length=sizes["max_length"] if packed else None,
        train_sampling_strategy=sampling,
        adam_beta2=BETA2,
        weight_decay=WEIGHT_DECAY,
        max_grad_norm=CLIP,
    )
    return SFTTrainer(
        model, config, train_dataset=data, processing_class=tokenizer, peft_config=adapter()
    )


def train(here: run.Run) -> dict[str, float]:
    """Train until the budget is used; leave the model; return what to report."""
    meta, device = data_cache.read(here), devices.pick(here.needs)
    devices.seed_everything(here.seed)
    sizes = start("gpu" if device.type == "cuda" else "cpu")
    pairs = examples(here)
    dtype = "float32" if FULL else sizes["dtype"]
    model, tokenizer = language_models.load(here, device, dtype, sizes["attention"])
    instruction = str(here.settings.get("instruction", ""))
    data = tokenised(tokenizer, pairs, instruction, sizes["max_length"])
    budget = clock.Clock(here.clock, here.budget_s, here.steps)
    with steps.StepLog(here.dir) as step_log:
        log = TrainingLog(step_log, budget)
        arguments = trl_budget.arguments(here, device, budget)
        trainer = make_trainer(model, tokenizer, data, sizes, arguments)
        trl_budget.within(trainer, log, rate).train()
    metrics = log.summary(device)
    artefact.save(here.dir, "sft", meta["base"], trainer.model, [pair.prompt for pair in pairs])
    tokens = trainer.state.num_input_tokens_seen or trainer._total_train_tokens
    return {
        **metrics,
        "token_accuracy": log.mean("token_accuracy", 0.1),
        "tokens": tokens,
        "tokens_per_s": tokens / metrics["train_s"],
        "examples": len(data),
        "trainable": sum(p.numel() for p in trainer.model.parameters() if p.requires_grad),
    }


if __name__ == "__main__":
    summary.finish(
        lambda: train(HERE), HERE.dir, smaller="lower BATCH_X and raise accumulate in START as much"
    )
