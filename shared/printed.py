"""The yardstick of a script that prints its own score: the number is read, not measured.

    LAB_PRINTED='{"accuracy": "test accuracy: {}"}' python -m labtree.shared.printed

A pattern is the text of a line, `{}` where the number stands; the last line that has it counts.
"""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

from . import summary

NUMBER = r"[-+]?(?:\d[\d,_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
VALUE = rf"{NUMBER}|[-+]?(?:nan|inf(?:inity)?)\b"  # what is no number counts as none
COLOURS = re.compile(r"\x1b\[[\d;]*[A-Za-z]")
LOG = "run.log"  # what a training printed, in its run's folder


def main() -> None:
    """Print the block, from what the training beside it printed."""
    patterns = json.loads(os.environ["LAB_PRINTED"])
    log = Path(os.environ["LAB_RUN_DIR"]) / LOG
    found = parse(log.read_text(errors="replace"), patterns)
    missing = ", ".join(f"{name} ({patterns[name]!r})" for name in patterns if name not in found)
    if missing:
        print(f"not printed: {missing}", flush=True)
    summary.report(found)


def parse(text: str, patterns: Mapping[str, str]) -> dict[str, float]:
    """Return the last number that each pattern finds in a text, NaN and infinity among them.

    >>> parse("1: loss 0.5\\n2: loss 0.25, acc 91.5%", {"loss": "loss {}", "acc": "acc {}"})
    {'loss': 0.25, 'acc': 91.5}
    >>> parse("loss 0.5\\nloss \\x1b[31mnan\\x1b[0m", {"loss": "loss {}"})
    {'loss': nan}
    """
    found, text = {}, COLOURS.sub("", text)
    for name, pattern in patterns.items():
        numbers = expression(pattern).findall(text)
        if numbers:
            found[name] = float(re.sub("[,_]", "", numbers[-1]))
    return found


def expression(pattern: str) -> re.Pattern[str]:
    """Return the expression of a pattern: blanks count as any blanks, capitals as small ones."""
    before, _, after = pattern.partition("{}")
    sides = [r"\s+".join(map(re.escape, side.split())) for side in (before, after)]
    opens = r"(?<![\w.])" if before[:1].isalnum() else ""
    gap, end = (r"\s*" if sides[0] else r"(?<![\w.])"), (r"\s*" if sides[1] else r"(?![\w])")
    return re.compile(f"{opens}{sides[0]}{gap}({VALUE}){end}{sides[1]}", re.IGNORECASE)


if __name__ == "__main__":
    main()
