"""Watch one run: its stage, how much of its budget is gone, the newest loss."""

import json
from pathlib import Path
from typing import Any

from ..notebook import Notebook, lookup
from ..system import left
from ..system.home import KEEPER_LOG, Home
from ..text import num, span

TAIL_BYTES = 4096  # of a step log or an output: one line is far shorter


class Watch:
    """One experiment at work: its stage, how much of its budget is gone, the loss so far."""

    def __init__(
        self, book: Notebook, home: Home, experiment: int, budget_s: float | None = None
    ) -> None:
        self.book, self.home, self.experiment = book, home, experiment
        self.budget_s = budget_s

    def look(self) -> tuple[object, str]:
        """Return a key that changes with the stage, and the line to show."""
        made = lookup.runs(self.book, self.experiment)
        row = made[-1] if made else None
        name = f"e{self.experiment}"
        if row is None:
            return (name, "starting"), f"{name} starting"
        folder = self.home.run(self.experiment, row["id"])
        stage = _stage(row["started"], folder)
        words = [f"{name} seed {row['seed']} {stage}"]
        step = last_step(folder / "steps.jsonl") if stage == "training" else None
        if step:
            words += step_words(step, self.budget_s)
        return (name, row["id"], stage), ", ".join(words)


def _stage(started: str | None, folder: Path) -> str:
    said = folder / KEEPER_LOG  # what a rented run waits for
    if not (folder / "run.log").exists() and left.is_file(said):
        return next(reversed(left.text(said).splitlines()), "starting")
    if started is None:
        return "preparing or waiting for a device"
    return "evaluating" if (folder / "evaluate.log").exists() else "training"


def step_words(step: dict[str, Any], budget_s: float | None) -> list[str]:
    """Return the newest step in words: how far, and the first number it logged."""
    words = []
    if isinstance(step.get("elapsed_s"), int | float):
        of = "" if budget_s is None else f" of {span(budget_s)}"
        words.append(f"{span(step['elapsed_s'])}{of}")
    if "step" in step:
        words.append(f"step {step['step']}")
    others = [name for name in step if name not in ("step", "elapsed_s", "nonfinite")]
    known = [name for name in others if isinstance(step[name], int | float)]
    words += [f"{name} {num(step[name])}" for name in known[:1]]
    return words


def last_step(path: Path) -> dict[str, Any] | None:
    """Return the last whole line of a step log, or None."""
    for line in reversed(tail(path)[:-1]):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            return found
    return None


def tail(path: Path) -> list[bytes]:
    """Return the last lines of a file; [] without it. The newest may not be whole yet."""
    try:
        with left.opened(path) as file:
            file.seek(max(0, file.seek(0, 2) - TAIL_BYTES))
            return file.read().split(b"\n")
    except OSError:
        return []
