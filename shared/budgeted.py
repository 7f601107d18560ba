"""TRL's trainers under our budget: when they stop, how their rate falls, what they log.

A budget is seconds or steps by `clock.Clock`; the learning rate follows the share of it that is
used, so that a slower machine sees the same schedule with fewer steps.
"""

import importlib
import time
from collections.abc import Callable
from typing import Any

from shared import clock, device, language, run, steps

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
    "completions/clipped_ratio": "cut_rate",
    "num_tokens": "tokens",
    "all_one_rate": "all_one_rate",
    "all_zero_rate": "all_zero_rate",
}


def arguments(here: run.Run, where: Any, budget: clock.Clock) -> dict[str, Any]:
    """Return the arguments that every TRL configuration here shares; `where` is the device."""
    cuda = where.type == "cuda"
    return {
        "output_dir": str(here.dir / "trainer"),
        "seed": here.seed,
        "max_steps": budget.steps if budget.mode == "steps" else NEVER,
        "use_cpu": where.type == "cpu",
        "bf16": cuda,
        "gradient_checkpointing": False,  # it pays with a third of the speed for memory
        "lr_scheduler_type": "constant",  # `Schedule` below has the say
        "logging_steps": 10,
        "logging_nan_inf_filter": False,  # a loss that is no number must be seen
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": cuda,
    }


def rate_at(progress: float, warmup: float, final: float) -> float:
    """Return the share of the learning rate: a rise over `warmup`, then a line down to `final`.

    >>> rate_at(0.05, 0.1, 0.0), rate_at(0.1, 0.1, 0.0), rate_at(1.0, 0.1, 0.25)
    (0.5, 1.0, 0.25)
    """
    if progress < warmup:
        return max(progress / warmup, 0.01)  # the first step must move too
    return 1 - (1 - final) * (progress - warmup) / max(1 - warmup, 1e-9)


class Watch:
    """What a training reports: last and mean values of what TRL logged."""

    def __init__(self, log: steps.StepLog, budget: clock.Clock) -> None:
        self.log, self.budget = log, budget
        self.startup_s = 0.0
        self.rows: list[dict[str, float]] = []

    def logged(self, step: int, values: dict[str, Any]) -> None:
        """Take one of TRL's log lines; stop the run when the loss is no number."""
        row = {
            ours: float(values[theirs])
            for theirs, ours in NAMES.items()
            if values.get(theirs) is not None
        }
        if "loss" not in row:
            return  # the summary at the end
        self.rows.append(row)
        self.log.log(step, self.budget.elapsed(), **row)
        steps.check_finite(step, row["loss"])

    def mean(self, name: str, last: float = 1.0) -> float:
        """Return the mean of a logged value over the last share of the lines; 0.0 without any."""
        values = [row[name] for row in self.rows if name in row]
        values = values[-max(1, round(len(values) * last)) :]
        return sum(values) / len(values) if values else 0.0

    def report(self, where: Any) -> dict[str, float]:
        """Return what every training reports at its end."""
        return {
            "num_steps": self.budget.steps_done,
            "train_s": self.budget.elapsed(),
            "wall_s": self.budget.wall_s,
            "cpu_s": self.budget.cpu_s,
            "startup_s": self.startup_s,
            "train_loss": self.mean("loss", 0.1),
            "grad_norm": self.mean("grad_norm"),
            "grad_norm_max": max((row.get("grad_norm", 0.0) for row in self.rows), default=0.0),
            "entropy": self.mean("entropy", 0.1),
            "peak_memory_mb": device.peak_memory_mb(where),
        }


def within(trainer: Any, watch: Watch, schedule: Callable[[float], float]) -> Any:
    """Return the trainer under the budget: it starts the clock, stops with it, logs to `watch`.

    `schedule` maps the used share of the budget to the share of the learning rate.
    """
    import torch

    hf: Any = importlib.import_module("transformers")
    budget = watch.budget

    class Keeper(hf.TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if not budget.steps_done:
                watch.startup_s = time.perf_counter() - language.LAUNCHED
                budget.start()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            budget.tick()
            control.should_training_stop |= budget.done()
            control.should_log |= budget.done()

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            watch.logged(state.global_step, logs or {})

    trainer.remove_callback(hf.PrinterCallback)
    trainer.add_callback(Keeper())
    trainer.create_optimizer()
    trainer.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
        trainer.optimizer, lambda _: schedule(budget.progress())
    )
    return trainer
