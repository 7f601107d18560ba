"""What a training reports: means of what each step measured, as log lines and as its summary."""

from collections import defaultdict

from . import clock, steps
from . import device as devices

EVERY = 10  # steps a line: enough lines for a curve, too few to cost time


class TrainingLog:
    """Gathers the metrics of steps into lines of the step log, and those into a summary."""

    def __init__(self, log: steps.StepLog, budget: clock.Clock) -> None:
        self.log, self.budget = log, budget
        self.startup_s = 0.0
        self.rows: list[dict[str, float]] = []
        self._window: defaultdict[str, list[float]] = defaultdict(list)

    def add(self, metrics: dict[str, float]) -> None:
        """Take what one step measured; every ten steps, and at the end, write the means."""
        steps.check_finite(self.budget.steps_done, metrics["loss"], "lower LEARNING_RATE_X")
        for name, value in metrics.items():
            self._window[name].append(value)
        if self.budget.steps_done % EVERY == 0 or self.budget.done():
            means = {name: sum(values) / len(values) for name, values in self._window.items()}
            self._window.clear()
            self.write(self.budget.steps_done, means)

    def write(self, step: int, row: dict[str, float]) -> None:
        """Write one line; stop the run when the loss is no number."""
        self.rows.append(row)
        self.log.log(step, self.budget.elapsed(), **row)
        steps.check_finite(step, row["loss"], "lower LEARNING_RATE_X")

    def mean(self, name: str, last: float = 1.0) -> float:
        """Return the mean of a metric over the last share of the lines; 0.0 without any."""
        values = [row[name] for row in self.rows if name in row]
        values = values[-max(1, round(len(values) * last)) :]
        return sum(values) / len(values) if values else 0.0

    def summary(self, device: object) -> dict[str, float]:
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
            "peak_memory_mb": devices.peak_memory_mb(device),
        }
