"""The training budget's clock: starts at the first step and charges every step after it.

Imports, data, and compilation are start-up: nobody pays for them, and nobody may train in them.

The CPU clock counts the CPU seconds of all threads by what they are worth: one in which a reference
loop takes twice its time, because of a neighbour, is charged as half a second. So the number of
steps comes from what a step costs, and not from who else is on the machine.

>>> clock = Clock("steps", budget_s=60, steps=4)
>>> clock.start()
>>> while not clock.done():
...     clock.tick()
>>> clock.steps_done, clock.progress()
(4, 1.0)
"""

import time
from collections.abc import Callable

from . import reference

READERS: dict[str, Callable[[], float]] = {
    "wall": time.perf_counter,
    "cpu": time.process_time,  # all threads of this process
}


class Clock:
    """How much of the budget is used, by wall seconds, CPU seconds or a number of steps."""

    def __init__(self, mode: str, budget_s: float, steps: int = 0) -> None:
        """`mode` is wall, cpu or steps; with steps, exactly `steps` of them are the budget."""
        if mode not in (*READERS, "steps"):
            raise ValueError(f"clock {mode!r}: choose wall, cpu or steps")
        if mode == "steps" and steps < 1:
            raise ValueError("a steps clock needs the number of steps, 1 or more")
        if budget_s <= 0:
            raise ValueError("a budget of zero seconds leaves nothing to train in")
        self.mode, self.budget_s, self.steps = mode, budget_s, steps
        self.steps_done = 0
        self._started: dict[str, float] = {}
        self._meter: reference.Meter | None = None

    def start(self) -> None:
        """Start charging. Call it right before the first step that changes a weight."""
        self._meter = reference.Meter() if self.mode == "cpu" else None
        self._started = {name: read() for name, read in READERS.items()}

    def tick(self, steps: int = 1) -> None:
        """Count finished steps."""
        self.steps_done += steps

    def progress(self) -> float:
        """Return the used share of the budget, from 0.0 before the start to 1.0."""
        if self.mode == "steps":
            return min(1.0, self.steps_done / self.steps)
        return min(1.0, self.elapsed() / self.budget_s)

    def done(self) -> bool:
        """Return whether the budget is used up."""
        return self.progress() >= 1.0

    def elapsed(self) -> float:
        """Return the training seconds by this clock; a steps clock tells wall seconds."""
        return self._meter.read() if self._meter else self.wall_s

    @property
    def wall_s(self) -> float:
        """Wall seconds since the start."""
        return self._since("wall")

    @property
    def cpu_s(self) -> float:
        """CPU seconds of this process since the start, whatever they were worth."""
        return self._since("cpu")

    def _since(self, name: str) -> float:
        if not self._started:
            return 0.0
        return READERS[name]() - self._started[name]
