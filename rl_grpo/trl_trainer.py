"""The same GRPO by TRL's trainer, for `TRAINER = "trl"`. Everything here may be changed.

It stands apart from `train.py`, which is to be read without it, and which is to start without
importing TRL. All settings are those of `train.py`; what only this trainer has is how it draws.
"""

import importlib.util
from collections.abc import Callable
from typing import Any

from datasets import Dataset
from peft import LoraConfig
from reward import reward
from trl import GRPOConfig, GRPOTrainer

from shared import language_models, prompts, run, training_log, trl_budget

MEMORY = 0.3  # of what is free goes to drawing; the rest is for training, in the same process
GroupMetrics = Callable[[list[float]], dict[str, float]]


class Trainer(GRPOTrainer):  # type: ignore[misc]
    """TRL's trainer, with an adapter that stays float32.

    Before it draws by continuous batching TRL casts all weights to bfloat16, and for good: a step
    of 4e-5 would then move nothing.
    """

    def _generate_single_turn(self, *prompts: Any, **more: Any) -> Any:
        trained = [(p, p.data) for p in self.model.parameters() if p.requires_grad]
        try:
            return super()._generate_single_turn(*prompts, **more)
        finally:
            for parameter, weights in trained:
                parameter.data = weights


def train(
    model: Any,
    tokenizer: Any,
    rows: list[tuple[str, prompts.Pair]],
    here: run.Run,
    log: training_log.TrainingLog,
    config: dict[str, Any],
    lora: int,
    norm_lr_x: float,
    schedule: Callable[[float], float],
    group_metrics: GroupMetrics,
) -> tuple[Any, int]:
    """Train until the budget is used; return the model and how many tokens it saw."""
    data = Dataset.from_list(
        [{"prompt": text, "question": pair.prompt, "answer": pair.answer} for text, pair in rows]
    )
    adapter = LoraConfig(r=lora, lora_alpha=2 * lora, target_modules="all-linear")
    trainer = Trainer(
        model,
        rewarded(language_models.end_tokens(model, tokenizer), group_metrics),
        GRPOConfig(
            **trl_budget.arguments(here, model.device, log.budget),
            **generation(model.device.type),
            **config,
            gradient_checkpointing=False,  # it pays with a third of the speed for memory
        ),
        train_dataset=data,
        processing_class=tokenizer,
        peft_config=adapter if lora else None,
    )
    trainer.create_optimizer()
    for group in trainer.optimizer.param_groups[1:]:  # what decays no weight: gains, no matrices
        group["lr"] *= norm_lr_x
    trl_budget.within(trainer, log, schedule).train()
    return trainer.model, int(trainer.state.num_input_tokens_seen)


def rewarded(ends: set[int], group_metrics: GroupMetrics) -> Callable[..., list[float]]:
    """Return `reward` as TRL calls it; it also logs how many groups teach nothing."""

    def earned(
        completions: list[str],
        completion_ids: list[list[int]],
        question: list[str],
        answer: list[str],
        log_metric: Callable[[str, float], None],
        **_: Any,
    ) -> list[float]:
        truncated = [not ids or ids[-1] not in ends for ids in completion_ids]
        rows = zip(question, completions, answer, truncated, strict=True)
        rewards = [float(reward(*row)) for row in rows]
        for name, value in group_metrics(rewards).items():
            log_metric(name, value)
        return rewards

    return earned


def generation(device_type: str) -> dict[str, Any]:
    """Return how completions are drawn: vLLM beside the model where installed.

    Without vLLM, transformers' continuous batching on a GPU; on a CPU that is a hundred times
    slower than its plain loop.
    """
    if device_type != "cuda":
        return {}
    if importlib.util.find_spec("vllm"):
        return {"use_vllm": True, "vllm_mode": "colocate", "vllm_gpu_memory_utilization": MEMORY}
    return {
        "use_transformers_continuous_batching": True,
        "transformers_continuous_batching_config": {"max_memory_percent": MEMORY},
    }
