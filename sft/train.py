"""Teach a language model a task from examples, by LoRA. Everything in this file may be changed.

    python train.py                      # the profile for this machine
    LAB_PROFILE=smoke python train.py    # seconds, and the same number for the same seed

Read it downwards: settings, data, adapter, training. It leaves `model/`, `artefact.json` and
`trained_on.txt` in the run's folder; `evaluate.py` asks that model the held-out prompts.
"""

import random
from typing import Any

from shared import artefact, budgeted, clock, device, language, pairs, prepared, run, steps, summary

if __name__ == "__main__":
    HERE = run.here(__file__)
    prepared.read(HERE)  # says at once when there is nothing to train on
    language.quiet(HERE)  # before transformers is imported

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

# Where each kind of machine starts; the settings above act on whichever is run.
START: dict[str, dict[str, Any]] = {
    "cpu": {
        "learning_rate": 5e-3,  # a tiny model wants a high one
        "batch": 24,
        "accumulate": 1,
        "room": 64,
        "packing": False,  # all rows are of one length
    },
    "gpu": {
        "learning_rate": 4e-4,  # ten times that of full fine-tuning; 3e-3 diverges
        "batch": 16,
        "accumulate": 1,
        "room": 1024,
        "packing": True,  # twice the tokens a second where FlashAttention is installed
    },
}


def start(kind: str) -> dict[str, Any]:
    """Return where this kind of machine starts, with the settings above applied."""
    sizes = dict(START[kind])
    sizes["learning_rate"] *= LEARNING_RATE_X
    sizes["batch"] = max(1, round(sizes["batch"] * BATCH_X))
    return sizes


# -- Data ---------------------------------------------------------------------


def examples(here: run.Run) -> list[pairs.Pair]:
    """Return the pairs to train on, in an order of this seed's own."""
    found = pairs.read(here.cache / pairs.TRAIN)
    random.Random(here.seed).shuffle(found)
    return found[: max(1, round(len(found) * EXAMPLES))]


def tokenised(made: Any, found: list[pairs.Pair], instruction: str, room: int) -> Dataset:
    """Return rows of ids and labels; -100 stands where nothing is to be learnt.

    Only completions are learnt, and the mark that ends them. What is longer than `room` is left
    out: a completion without its end would teach never to stop.
    """
    prompts = language.rendered(made, [one.prompt for one in found], instruction)
    asked = made(prompts, add_special_tokens=False)["input_ids"]
    said = made([one.completion for one in found], add_special_tokens=False)["input_ids"]
    rows = [
        {"input_ids": [*a, *b, end], "labels": [*[-100] * len(a), *b, end]}
        for a, b, end in zip(asked, said, [made.eos_token_id] * len(said), strict=True)
    ]
    short = [row for row in rows if len(row["input_ids"]) <= room]
    if not short:
        raise SystemExit(f"every example is longer than {room} tokens; raise room in START")
    return Dataset.from_list(short)


# -- Training -----------------------------------------------------------------


def adapter() -> LoraConfig | None:
    """Return the adapter to train, or None to train every weight."""
    if FULL:
        return None
    alpha = RANK * ALPHA_X
    return LoraConfig(r=RANK, lora_alpha=alpha, target_modules=TARGETS, task_type="CAUSAL_LM")


def trainer(model: Any, made: Any, data: Dataset, arguments: dict[str, Any], kind: str) -> Any:
    """Return TRL's trainer for rows that are tokenised already."""
    sizes = start(kind)
    # Without FlashAttention a packed row would pay for attention between its examples.
    packing = sizes["packing"] and model.config._attn_implementation.startswith("flash")
    config = SFTConfig(
        **arguments,
        learning_rate=sizes["learning_rate"],
        per_device_train_batch_size=sizes["batch"] if not packing else max(1, sizes["batch"] // 4),
        gradient_accumulation_steps=sizes["accumulate"],
        packing=packing,
        packing_strategy="bfd",
        max_length=sizes["room"] if packing else None,
        train_sampling_strategy="random" if packing or kind == "cpu" else "group_by_length",
        adam_beta2=BETA2,
        weight_decay=WEIGHT_DECAY,
        max_grad_norm=CLIP,
    )
    return SFTTrainer(
        model, config, train_dataset=data, processing_class=made, peft_config=adapter()
    )


def train(here: run.Run) -> dict[str, float]:
    """Train until the budget is used; leave the model; return what to report."""
    meta, where = prepared.read(here), device.pick(here.needs)
    device.seed_everything(here.seed)
    kind = "gpu" if where.type == "cuda" else "cpu"
    found = examples(here)
    model, made = language.load(here, where)
    data = tokenised(made, found, str(here.settings.get("instruction", "")), start(kind)["room"])
    budget = clock.Clock(here.clock, here.budget_s, here.steps)
    with steps.StepLog(here.dir) as log:
        watch = budgeted.Watch(log, budget)
        arguments = budgeted.arguments(here, where, budget)
        learner = budgeted.within(trainer(model, made, data, arguments, kind), watch, rate)
        learner.train()
    told = watch.report(where)
    artefact.save(here.dir, "sft", meta["base"], learner.model, [one.prompt for one in found])
    tokens = learner.state.num_input_tokens_seen or learner._total_train_tokens
    trainable = sum(p.numel() for p in learner.model.parameters() if p.requires_grad)
    return {
        **told,
        "token_accuracy": watch.mean("token_accuracy", 0.1),
        "tokens": tokens,
        "tokens_per_s": tokens / told["train_s"],
        "examples": len(data),
        "trainable": trainable,
    }


def rate(progress: float) -> float:
    """Return the share of the learning rate at this share of the budget."""
    return budgeted.rate_at(progress, WARMUP, FINAL_LR)


if __name__ == "__main__":
    summary.finish(
        lambda: train(HERE), HERE.dir, smaller="lower BATCH_X and raise accumulate in START as much"
    )
