"""Improve a language model by GRPO with a verifiable reward. Everything here may be changed.

    python train.py                      # the profile for this machine
    LAB_PROFILE=smoke python train.py    # seconds, and the same number for the same seed

Read it downwards: settings, prompts, then the algorithm: sample, reward, advantage, loss, step. It
leaves `model/`, `artefact.json` and `trained_on.txt` in the run's folder; `evaluate.py` asks that
model the held-out prompts. What is rewarded stands in `reward.py`. GRPO: arXiv 2402.03300; its
losses: DAPO, 2503.14476, and Dr. GRPO, 2503.20783. `trl_trainer.py` does the same by TRL.
"""

import importlib.util
import itertools
import math
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from shared import artefact, clock, data_cache, language_models, prompts, run, steps, summary
from shared import device as devices
from shared.training_log import TrainingLog

if __name__ == "__main__":
    HERE = run.here(__file__)
    data_cache.read(HERE)  # says at once when there is nothing to train on
    language_models.quiet(HERE)  # before transformers is imported

import torch
from reward import reward
from torch import Tensor

# -- Settings: edit these, one at a time --------------------------------------

TRAINER = "plain"  # the loop below: on a CPU a third more steps; "trl" can draw by vLLM
LEARNING_RATE_X = 1.0  # step of the weights, times the profile's start
NORM_LR_X = 10.0  # of the norms' gains: with few steps they sharpen every draw at once
BATCH_X = 1.0  # completions a step, times the profile's start
GENERATIONS = 8  # completions of each prompt: what one is compared with
GENERATE_STEPS = 2  # batches drawn at once
ITERATIONS = 2  # times each batch is learnt from before new ones are drawn
TEMPERATURE = 1.0  # of the draws; the yardstick draws at 1
BETA = 0.0  # pull towards the base; above 0 a second model is asked at every step
EPSILON = 0.2  # how far an unlikely loss may be followed before it is clipped
EPSILON_HIGH = 0.2  # how far a likely gain may be followed before it is clipped
SCALE = "group"  # divide by a group's deviation; "none" favours prompts that are half solved
LOSS = "dapo"  # mean over the tokens of a batch; "dr_grpo" divides by max_new_tokens instead
CLIP = 1.0  # longest gradient a step may take
WARMUP = 0.0  # share of the budget over which the rate rises
FINAL_LR = 0.1  # what the rate falls to, as a share; 1 as good drawn, worse greedy (0.83 for 0.92)
EASIEST = 0.334  # of the training prompts by length of their answers, from this share
HARDEST = 0.666  # up to this one; in the embedded data a third each has 6, 7 and 8 letters

# Where each kind of machine starts; the settings above act on whichever is run.
START: dict[str, dict[str, Any]] = {
    "cpu": {
        "learning_rate": 1e-4,  # 3e-4 learns faster and forgets: 0.62 where this reaches 0.69
        "batch": 64,
        "micro_batch": 64,  # rows of one forward pass: the whole batch
        "lora": 0,  # train every weight: on a tiny model an adapter is slower and learns less
        "dtype": "float32",  # a CPU computes bfloat16 no faster
        "attention": "sdpa",
    },
    "gpu": {
        "learning_rate": 4e-5,  # ten times that of full fine-tuning
        "batch": 64,
        "micro_batch": 16,  # 150,000 logits a token: all 64 rows at once keep 73 GB
        "lora": 32,
        "dtype": "bfloat16",  # of the base; what is trained is float32, or small steps are lost
        "attention": "flash_attention_2" if importlib.util.find_spec("flash_attn") else "sdpa",
    },
}


def start(kind: str) -> dict[str, Any]:
    """Return where this kind of machine starts, with the settings above applied."""
    sizes = dict(START[kind])
    sizes["learning_rate"] *= LEARNING_RATE_X
    groups = max(1, round(sizes["batch"] * BATCH_X / GENERATIONS))
    sizes["batch"] = groups * GENERATIONS
    sizes["micro_batch"] = math.gcd(sizes["batch"], sizes["micro_batch"])
    return sizes


def rate(progress: float) -> float:
    """Return the share of the learning rate at this share of the budget: a rise, then a line."""
    if progress < WARMUP:
        return max(progress / WARMUP, 0.01)  # the first step must move too
    return 1 - (1 - FINAL_LR) * (progress - WARMUP) / max(1 - WARMUP, 1e-9)


# -- Prompts ------------------------------------------------------------------

Row = tuple[str, prompts.Pair]  # a prompt as the model reads it, and where it comes from


def training_prompts(pairs: list[prompts.Pair], seed: int) -> list[prompts.Pair]:
    """Return the prompts to train on: those between two lengths of answer, shuffled."""
    by_length = sorted(pairs, key=lambda pair: len(pair.completion))
    first, last = round(len(pairs) * EASIEST), round(len(pairs) * HARDEST)
    chosen = by_length[first : max(last, first + 1)]
    random.Random(seed).shuffle(chosen)
    return chosen


def endless(rows: list[Row], seed: int) -> Iterator[Row]:
    """Yield the prompts in a new order each time; all of them before any comes again."""
    draw = random.Random(seed)
    while True:
        yield from draw.sample(rows, len(rows))


# -- Sample -------------------------------------------------------------------


@dataclass
class Batch:
    """Completions, one a row: those of a prompt side by side, prompts padded on the left."""

    input_ids: Tensor  # (rows, prompt and completion)
    attention_mask: Tensor  # the same shape
    completion_mask: Tensor  # (rows, completion): 1 up to the token that ends it
    truncated: Tensor  # (rows,): whether nothing ends it
    advantages: Tensor = field(default_factory=lambda: torch.zeros(0))  # (rows,)
    old_logps: Tensor = field(default_factory=lambda: torch.zeros(0))  # (rows, completion)
    base_logps: Tensor = field(default_factory=lambda: torch.zeros(0))  # the same, with BETA

    def deal(self, parts: int) -> list["Batch"]:
        """Return so many batches with rows of every prompt.

        Whole groups of half the prompts learn less: 0.436 for 0.458 after 20 steps, four seeds.
        """
        tensors = {name: tensor for name, tensor in vars(self).items() if len(tensor)}
        return [
            Batch(**{name: tensor[first::parts] for name, tensor in tensors.items()})
            for first in range(parts)
        ]

    def split(self, rows: int) -> list["Batch"]:
        """Return batches of so many rows each, for what fits into memory."""
        parts = {name: tensor.split(rows) for name, tensor in vars(self).items() if len(tensor)}
        return [
            Batch(**dict(zip(parts, tensors, strict=True)))
            for tensors in zip(*parts.values(), strict=True)
        ]


@contextmanager
def merged(model: Any) -> Iterator[None]:
    """Have the adapter inside the matrices: 1,608 kernels a token of 28 layers, and not 2,784.

    Afterwards the matrices are what they were, to the last bit.
    """
    if not hasattr(model, "merge_adapter"):
        yield
        return
    with torch.no_grad():
        base = [(p, p.clone()) for name, p in model.named_parameters() if "base_layer" in name]
        model.merge_adapter()
        try:
            yield
        finally:
            model.unmerge_adapter()
            for parameter, weights in base:
                parameter.copy_(weights)


def sample(model: Any, tokenizer: Any, texts: list[str], max_new_tokens: int) -> Batch:
    """Draw one completion of each text."""
    prompt = tokenizer(texts, padding=True, return_tensors="pt").to(model.device)
    with torch.no_grad(), autocast(model), merged(model):
        input_ids = model.generate(
            **prompt,
            max_new_tokens=max_new_tokens,
            do_sample=True,
            temperature=TEMPERATURE,
            top_k=0,  # the whole distribution, whatever the model's own settings cut off
            top_p=1.0,
            repetition_penalty=1.0,
            pad_token_id=tokenizer.pad_token_id,
        )
    ends = sorted(language_models.end_tokens(model, tokenizer))
    completion_ids = input_ids[:, prompt["input_ids"].shape[1] :]
    ended = torch.isin(completion_ids, torch.tensor(ends, device=model.device)).long()
    completion_mask = (ended.cumsum(1) - ended == 0).long()
    attention_mask = torch.cat([prompt["attention_mask"], completion_mask], dim=1)
    return Batch(input_ids, attention_mask, completion_mask, truncated=ended.sum(1) == 0)


# -- Reward, and advantage over the prompt's other completions ----------------


def rewarded(batch: Batch, tokenizer: Any, pairs: list[prompts.Pair]) -> list[float]:
    """Return what each completion earns by `reward.py`; `pairs` has a row's prompt and answer."""
    completion_ids = batch.input_ids[:, -batch.completion_mask.shape[1] :]
    rows = zip(completion_ids, batch.completion_mask.bool(), strict=True)
    texts = tokenizer.batch_decode([ids[mask] for ids, mask in rows], skip_special_tokens=True)
    return [
        float(reward(pair.prompt, text, pair.answer, truncated))
        for pair, text, truncated in zip(pairs, texts, batch.truncated.tolist(), strict=True)
    ]


def advantages(rewards: Tensor) -> Tensor:
    """Return by how much each completion beat its group's mean, in the unit that SCALE names."""
    groups = rewards.view(-1, GENERATIONS)
    unit = {
        "group": groups.std(1, keepdim=True) + 1e-4,  # a group that agrees has none
        "batch": rewards.std() + 1e-4,
        "none": 1.0,
    }[SCALE]
    return ((groups - groups.mean(1, keepdim=True)) / unit).flatten()


def group_metrics(rewards: list[float]) -> dict[str, float]:
    """Return how many groups teach nothing, since all their completions earn the same.

    All ones say that the prompts are too easy, all zeros that they are too hard.
    """
    groups = [rewards[at : at + GENERATIONS] for at in range(0, len(rewards), GENERATIONS)]
    flat = [group[0] for group in groups if min(group) == max(group)]
    return {
        "all_one_rate": sum(value >= 1 for value in flat) / len(groups),
        "all_zero_rate": sum(value <= 0 for value in flat) / len(groups),
    }


# -- Loss ---------------------------------------------------------------------


def autocast(model: Any) -> Any:
    """Return the context that computes in bfloat16 on a GPU, whatever the weights are kept in."""
    return torch.autocast(model.device.type, torch.bfloat16, enabled=model.device.type == "cuda")


def token_logps(model: Any, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return each completion token's log-probability, and the entropy it was drawn from."""
    length = batch.completion_mask.shape[1]
    with autocast(model):
        logits = model(
            input_ids=batch.input_ids,
            attention_mask=batch.attention_mask,
            position_ids=(batch.attention_mask.cumsum(1) - 1).clamp(min=0),
            logits_to_keep=length + 1,
            use_cache=False,
        ).logits[:, :-1]
    logps = (logits.float() / TEMPERATURE).log_softmax(-1)
    with torch.no_grad():
        entropy = -(logps.exp() * logps).sum(-1)
    return logps.gather(-1, batch.input_ids[:, -length:, None]).squeeze(-1), entropy


def fixed_logps(model: Any, batch: Batch, micro_batch: int) -> Tensor:
    """Return log-probabilities without a gradient: of the model that sampled, or of the base."""
    with torch.no_grad():
        return torch.cat([token_logps(model, part)[0] for part in batch.split(micro_batch)])


def token_losses(logps: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return each token's loss, and its distance from the base (zeros without BETA)."""
    ratio = (logps - batch.old_logps).exp()
    clipped = ratio.clamp(1 - EPSILON, 1 + EPSILON_HIGH)
    advantage = batch.advantages[:, None]
    loss = -torch.min(ratio * advantage, clipped * advantage)
    if not BETA:
        return loss, torch.zeros_like(logps)
    gap = batch.base_logps - logps
    kl = (gap.exp() - gap - 1) * ratio  # Schulman's estimate, on what an older model drew
    return loss + BETA * kl, kl.detach()


# -- Step ---------------------------------------------------------------------


def adapted(model: Any, rank: int) -> Any:
    """Return the model with an adapter on all linear layers; as it is where `rank` is 0."""
    if not rank:
        return model
    from peft import LoraConfig, get_peft_model

    lora = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear")
    return get_peft_model(model, lora)


def make_optimizer(model: Any) -> torch.optim.Optimizer:
    """Return Adam over what is trained; the norms' gains are a group with a rate of their own."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    matrices = [parameter for parameter in trained if parameter.ndim > 1]
    gains = [parameter for parameter in trained if parameter.ndim < 2]
    groups = [{"params": matrices, "rate_x": 1.0}, {"params": gains, "rate_x": NORM_LR_X}]
    return torch.optim.AdamW([group for group in groups if group["params"]], weight_decay=0.0)


def step(
    model: Any, optimizer: torch.optim.Optimizer, batch: Batch, rate: float, sizes: dict[str, Any]
) -> dict[str, float]:
    """Move the weights by one batch at this learning rate; return what was measured."""
    tokens = batch.completion_mask.sum().item()
    total = {"dapo": tokens, "dr_grpo": len(batch.advantages) * sizes["max_new_tokens"]}[LOSS]
    sums = torch.zeros(3, device=batch.input_ids.device)
    for part in batch.split(sizes["micro_batch"]):
        logps, entropy = token_logps(model, part)
        losses, kl = token_losses(logps, part)
        loss = (losses * part.completion_mask).sum() / total
        loss.backward()
        means = [(values * part.completion_mask).sum() / tokens for values in (entropy, kl)]
        sums += torch.stack([loss.detach(), *means])
    grad_norm = torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
    for group in optimizer.param_groups:
        group["lr"] = rate * group["rate_x"]
    optimizer.step()
    optimizer.zero_grad()
    measured = dict(zip(("loss", "entropy", "kl"), sums.tolist(), strict=True))
    return {**measured, "grad_norm": grad_norm.item(), "learning_rate": rate}


# -- The loop -----------------------------------------------------------------


def grpo(
    model: Any, tokenizer: Any, rows: list[Row], seed: int, log: TrainingLog, sizes: dict[str, Any]
) -> tuple[Any, int]:
    """Train until the budget is used; return the model and how many tokens it saw."""
    base = deepcopy(model).requires_grad_(False) if BETA and not sizes["lora"] else None
    model = adapted(model, sizes["lora"])
    optimizer, stream, tokens = make_optimizer(model), endless(rows, seed), 0
    budget, prompts_at_once = log.budget, GENERATE_STEPS * sizes["batch"] // GENERATIONS
    log.startup_s = time.perf_counter() - language_models.LAUNCHED
    budget.start()
    while True:
        asked = [
            row for row in itertools.islice(stream, prompts_at_once) for _ in range(GENERATIONS)
        ]
        batch, metrics = experience(model, base, tokenizer, asked, sizes)
        tokens += int(batch.attention_mask.sum())
        for part in batch.deal(GENERATE_STEPS) * ITERATIONS:
            learning_rate = sizes["learning_rate"] * rate(budget.progress())
            measured = step(model, optimizer, part, learning_rate, sizes)
            budget.tick()
            log.add({**metrics, **measured})
            if budget.done():
                return model, tokens


def experience(
    model: Any, base: Any, tokenizer: Any, rows: list[Row], sizes: dict[str, Any]
) -> tuple[Batch, dict[str, float]]:
    """Return a completion of each row with all that the loss needs, and their metrics."""
    batch = sample(model, tokenizer, [text for text, _ in rows], sizes["max_new_tokens"])
    earned = rewarded(batch, tokenizer, [pair for _, pair in rows])
    rewards = torch.tensor(earned, device=model.device)
    batch.advantages = advantages(rewards)
    batch.old_logps = fixed_logps(model, batch, sizes["micro_batch"])
    if BETA:  # the base is a copy, or the same model with its adapter switched off
        with nullcontext() if base else model.disable_adapter():
            batch.base_logps = fixed_logps(base or model, batch, sizes["micro_batch"])
    return batch, {
        "reward": rewards.mean().item(),
        "reward_std": rewards.std().item(),
        "completion_tokens": batch.completion_mask.sum(1).float().mean().item(),
        "truncated_rate": batch.truncated.float().mean().item(),
        **group_metrics(earned),
    }


# -- The run ------------------------------------------------------------------


def trl_settings(sizes: dict[str, Any]) -> dict[str, Any]:
    """Return the settings above as `trl_trainer.train` takes them."""
    accumulate = sizes["batch"] // sizes["micro_batch"]  # TRL counts micro-batches as steps
    config = {  # as TRL's GRPOConfig calls them
        "learning_rate": sizes["learning_rate"],
        "per_device_train_batch_size": sizes["micro_batch"],
        "gradient_accumulation_steps": accumulate,
        "num_generations": GENERATIONS,
        "steps_per_generation": GENERATE_STEPS * accumulate,
        "num_iterations": ITERATIONS,
        "max_completion_length": sizes["max_new_tokens"],
        "temperature": TEMPERATURE,
        "beta": BETA,
        "epsilon": EPSILON,
        "epsilon_high": EPSILON_HIGH,
        "scale_rewards": SCALE,
        "loss_type": LOSS,
        "max_grad_norm": CLIP,
        "bf16": sizes["dtype"] == "bfloat16",
    }
    return {
        "config": config,
        "lora": sizes["lora"],
        "norm_lr_x": NORM_LR_X,
        "schedule": rate,
        "group_metrics": group_metrics,
    }


def train(here: run.Run) -> dict[str, float]:
    """Train until the budget is used; leave the model; return what to report."""
    meta, device = data_cache.read(here), devices.pick(here.needs)
    devices.seed_everything(here.seed)
    sizes = start("gpu" if device.type == "cuda" else "cpu")
    sizes["max_new_tokens"] = int(here.settings["max_new_tokens"])
    chosen = training_prompts(prompts.read(here.cache / prompts.TRAIN), here.seed)
    dtype = sizes["dtype"] if sizes["lora"] else "float32"
    model, tokenizer = language_models.load(here, device, dtype, sizes["attention"])
    questions, instruction = [pair.prompt for pair in chosen], here.settings.get("instruction", "")
    texts = language_models.rendered(tokenizer, questions, str(instruction))
    rows = list(zip(texts, chosen, strict=True))
    with steps.StepLog(here.dir) as step_log:
        log = TrainingLog(step_log, clock.Clock(here.clock, here.budget_s, here.steps))
        if TRAINER == "trl":
            import trl_trainer  # here, since importing TRL takes as long as all the rest

            model, tokens = trl_trainer.train(
                model, tokenizer, rows, here, log, **trl_settings(sizes)
            )
        else:
            model, tokens = grpo(model, tokenizer, rows, here.seed, log, sizes)
    artefact.save(here.dir, "rl_grpo", meta["base"], model, questions)
    return report(log, device, tokens) | {"prompts": len(chosen)}


def report(log: TrainingLog, device: torch.device, tokens: int) -> dict[str, float]:
    """Return what both trainers report: the end of the run, where it is about a state."""
    metrics, last = log.summary(device), 0.2
    return {
        **metrics,
        "train_reward": log.mean("reward", last),
        "train_reward_std": log.mean("reward_std", last),
        "all_one_rate": log.mean("all_one_rate", last),
        "all_zero_rate": log.mean("all_zero_rate", last),
        "truncated_rate": log.mean("truncated_rate", last),
        "completion_tokens": log.mean("completion_tokens", last),
        "kl": log.mean("kl", last),
        "tokens": tokens,
        "tokens_per_s": tokens / metrics["train_s"],
    }


if __name__ == "__main__":
    summary.finish(lambda: train(HERE), HERE.dir, smaller="lower micro_batch in START")
