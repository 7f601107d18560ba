"""The step log and the sample log: one JSON object a line, whole lines even in a killed run.

    {"step": 40, "elapsed_s": 3.1, "loss": 2.81}

JSON has no NaN: a value that is not finite is written as null and named in `nonfinite`.
"""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

STEPS = "steps.jsonl"
SAMPLES = "samples.jsonl"


class StepLog:
    """Appends to `steps.jsonl` and `samples.jsonl` in the run's folder; a context manager."""

    def __init__(self, run_dir: Path | str) -> None:
        """Start both logs afresh in `run_dir`; raises OSError when it cannot be written."""
        self.dir = Path(run_dir)
        for name in (STEPS, SAMPLES):
            (self.dir / name).unlink(missing_ok=True)
        # Line buffering: what was logged before a kill is on disk as whole lines.
        self._steps = (self.dir / STEPS).open("w", encoding="utf-8", buffering=1)

    def log(self, step: int, elapsed_s: float, **values: float) -> None:
        """Write one step: its number, training seconds so far, and named numbers."""
        row = {"step": step, "elapsed_s": round(elapsed_s, 3), **values}
        self._steps.write(as_json(row) + "\n")

    def sample(
        self, prompt: str, completion: str, reward: float, correct: bool, **more: str
    ) -> None:
        """Write one sample the model made, with what it earned.

        `more`: `answer`, what would have been right, and `trace`, how the program came to its own.
        """
        row = {
            "prompt": prompt,
            "completion": completion,
            "reward": reward,
            "correct": bool(correct),
            **more,
        }
        with (self.dir / SAMPLES).open("a", encoding="utf-8") as file:
            file.write(as_json(row) + "\n")

    def close(self) -> None:
        """Close the files; logging afterwards is an error."""
        self._steps.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_open: dict[str, StepLog] = {}  # the log of this process's run, by its folder


def log(step: int, elapsed_s: float, **values: float) -> None:
    """Write one step into the log of the run that this process is; by hand it does nothing."""
    folder = os.environ.get("LAB_RUN_DIR")
    if folder is None:
        return
    if folder not in _open:
        _open[folder] = StepLog(folder)
    _open[folder].log(step, elapsed_s, **values)


def as_json(row: Mapping[str, Any]) -> str:
    """Return `row` on one line, with null for numbers that are not finite.

    >>> as_json({"step": 3, "loss": float("nan")})
    '{"step": 3, "loss": null, "nonfinite": ["loss"]}'
    """
    bad = [name for name, value in row.items() if _nonfinite(value)]
    clean = {name: None if name in bad else value for name, value in row.items()}
    if bad:
        clean["nonfinite"] = bad
    return json.dumps(clean, allow_nan=False)


def read(path: Path | str) -> list[dict[str, Any]]:
    """Return the whole lines of a log; a line cut off by a kill is left out."""
    rows = []
    for line in Path(path).read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows


def check_finite(step: int, loss: float, advice: str = "lower LEARNING_RATE") -> None:
    """Stop the run with a sentence that `lab` recognises when the loss is not a number.

    >>> check_finite(12, float("nan"))
    Traceback (most recent call last):
    SystemExit: diverged at step 12: loss is nan; lower LEARNING_RATE
    """
    if not math.isfinite(loss):
        raise SystemExit(f"diverged at step {step}: loss is {loss}; {advice}")


def _nonfinite(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
