"""TRL's trainers under our budget: when they start and stop, how their rate falls, what they log.

A budget is seconds or steps by `clock.Clock`; the learning rate follows the share of it that is
used, so that a slower machine sees the same schedule with fewer steps.
"""

import importlib
import time
from collections.abc import Callable
from typing import Any

from . import clock, language_models, run, training_log

NEVER = 10**7  # the trainer's own limit on steps, out of the way of a budget in seconds
# What TRL logs -> what our step log calls it.
NAMES = {
    "loss": "loss",
    "grad_norm": "grad_norm",
    "learning_rate": "learning_rate",
    "mean_token_accuracy": "token_accuracy",
    "entropy": "entropy",
    "kl": "kl",
    "reward": "reward",
    "reward_std": "reward_std",
    "completions/mean_length": "completion_tokens",
    "completions/clipped_ratio": "truncated_rate",
    "num_tokens": "tokens",
    "all_one_rate": "all_one_rate",
    "all_zero_rate": "all_zero_rate",
}


def arguments(here: run.Run, device: Any, budget: clock.Clock) -> dict[str, Any]:
    """Return the arguments that every TRL configuration shares: none that a leaf would tune."""
    return {
        "output_dir": str(here.dir / "trainer"),
        "seed": here.seed,
        "max_steps": budget.steps if budget.mode == "steps" else NEVER,
        "use_cpu": device.type == "cpu",
        "lr_scheduler_type": "constant",  # `within` puts the leaf's own schedule in its place
        "logging_steps": training_log.EVERY,
        "logging_nan_inf_filter": False,  # a loss that is no number must be seen
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": device.type == "cuda",
    }


def within(trainer: Any, log: training_log.TrainingLog, schedule: Callable[[float], float]) -> Any:
    """Return the trainer under the budget: it starts the clock, stops with it, writes to `log`.

    `schedule` maps the used share of the budget to the share of the learning rate.
    """
    import torch

    hf: Any = importlib.import_module("transformers")
    budget = log.budget

    class BudgetCallback(hf.TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if not budget.steps_done:
                log.startup_s = time.perf_counter() - language_models.LAUNCHED
                budget.start()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            budget.tick()
            control.should_training_stop |= budget.done()
            control.should_log |= budget.done()

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if logs and "loss" in logs:  # the summary at the end has none
                log.write(state.global_step, ours(logs))

    trainer.remove_callback(hf.PrinterCallback)
    trainer.add_callback(BudgetCallback())
    trainer.create_optimizer()
    trainer.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
        trainer.optimizer, lambda _: schedule(budget.progress())
    )
    return trainer


def ours(logs: dict[str, Any]) -> dict[str, float]:
    """Return one of TRL's log lines under our names.

    >>> ours({"loss": 1, "completions/clipped_ratio": 0.5, "kl": None, "epoch": 0.1})
    {'loss': 1.0, 'truncated_rate': 0.5}
    """
    values = {name: logs.get(theirs) for theirs, name in NAMES.items()}
    return {name: float(value) for name, value in values.items() if value is not None}
