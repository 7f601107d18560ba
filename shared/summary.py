"""The summary block: what every leaf prints last and `lab` reads first.

    ---
    val_bpb:   0.9932
    num_steps: 953
    ---

`render` and `parse` sit side by side so that neither can change alone. A block cut off by a
crash is not a result, and NaN and infinity are not numbers:

>>> parse(render({"val_bpb": 0.9932, "num_steps": 953}))
{'val_bpb': 0.9932, 'num_steps': 953.0}
>>> parse("---\\nval_bpb: 0.9932\\nnum_ste")
{}
>>> parse(render({"val_bpb": float("nan"), "num_steps": 953}))
{'num_steps': 953.0}
"""

import itertools
import math
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

NAME = re.compile(r"[\w./-]+")
ROW = re.compile(r"\s*([\w./-]+)\s*:\s*(\S.*?)\s*")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
FENCE = "---"


def render(metrics: Mapping[str, float]) -> str:
    """Return the block as text; the leaf's deciding metric goes first.

    Raises ValueError for a name that `parse` could not read back.
    """
    for name in metrics:
        if not NAME.fullmatch(name):
            raise ValueError(f"metric name {name!r}: use letters, digits and _ . / - only")
    width = max((len(name) for name in metrics), default=0) + 1
    rows = [f"{name + ':':<{width}} {_text(value)}" for name, value in metrics.items()]
    return "\n".join([FENCE, *rows, FENCE])


def parse(text: str, metric: str = "") -> dict[str, float]:
    """Return the last whole block in `text`, or {} if there is none.

    With `metric`, the last that has a number of that name, if any has: what a library prints
    between two lines of --- after it is another block. A block opens with a fence directly followed
    by a `name: value` line and ends at the next fence. Values that are not finite numbers are left
    out, other lines inside are skipped.
    """
    lines = text.splitlines()
    fences = [number for number, line in enumerate(lines) if line.rstrip() == FENCE]
    last: dict[str, float] | None = None
    for start, end in reversed(list(itertools.pairwise(fences))):
        if end > start + 1 and ROW.fullmatch(lines[start + 1]):
            found = _numbers(lines[start + 1 : end])
            if not metric or metric in found:
                return found
            last = found if last is None else last
    return last or {}


def report(metrics: Mapping[str, float]) -> None:
    """Print the block on stdout in one flushed write, so that no other output splits it."""
    sys.stdout.write("\n" + render(metrics) + "\n")
    sys.stdout.flush()


def finish(work: Callable[[], Mapping[str, float]], folder: Path, smaller: str = "") -> None:
    """Report what `work` measures; what fits no memory or disk ends the script with a sentence.

    `folder` is where it writes; `smaller` says what to change where torch runs out of memory.
    """
    try:
        report(work())
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":  # torch's, which is not imported here
            raise
        raise SystemExit(
            f"torch.OutOfMemoryError: {str(error).splitlines()[0]}; {smaller}"
        ) from None
    except OSError as error:
        raise SystemExit(f"cannot write {folder}: {error.strerror}; free some space") from None


def _text(value: float) -> str:
    """Return whole numbers exactly, others with 10 digits: enough to tell two seeds apart."""
    return str(int(value)) if isinstance(value, int) else f"{value:.10g}"


def _numbers(lines: list[str]) -> dict[str, float]:
    """Return name and value of each line that carries a finite number."""
    rows = [match.groups() for line in lines if (match := ROW.fullmatch(line))]
    numbers = {name: float(value) for name, value in rows if NUMBER.fullmatch(value)}
    return {name: value for name, value in numbers.items() if math.isfinite(value)}
