"""Published recipes as settings of our own trainer, so that only the recipe differs."""

from pathlib import Path
from typing import Any

# What autoresearch's own file begins with: github.com/karpathy/autoresearch, train.py of its main
# branch in March 2026; 0.9979 bits per byte. Its momentum rises over 300 steps, ours over a tenth.
MASTER = {
    "settings": {
        "LEARNING_RATE": 0.04,
        "EMBED_LR": 0.6,
        "HEAD_LR": 0.004,
        "WEIGHT_DECAY": 0.2,
        "WARMDOWN": 0.5,
        "FINAL_LR": 0.0,
        "INIT_SCALE": 1.0,
        "ROPE_BASE": 10_000,
        "X0_INIT": 0.1,
        "EMBED_DECAY": 0.0,
        "VALUE_DECAY": 0.0,
        "HEAD_DECAY": 0.0,
    },
    "start": {
        "depth": 8,
        "width": 512,
        "batch_tokens": 2**19,
        "window_pattern": "SSSL",
        "short_window": 1024,
        "hash_rows": 0,
    },
}
# Where its best published night ended: branch exp/H100/mar8, results.tsv, commit 438a26e; 0.9697.
# Our start for a GPU is that recipe, and has a bigram table besides.
MAR8: dict[str, Any] = {"settings": {}, "start": {"hash_rows": 0}}
OURS: dict[str, Any] = {"settings": {}, "start": {}}
ALL = {"MASTER": MASTER, "MAR8": MAR8, "OURS": OURS}

# What a rehearsal on a CPU shrinks every recipe to.
TINY = {
    "depth": 2,
    "width": 64,
    "head_dim": 32,
    "context": 64,
    "batch_tokens": 1024,
    "micro_batch_tokens": 512,
    "short_window": 16,
}


def write(name: str, leaf: Path, rehearse: bool) -> None:
    """Put a recipe's settings into a copy of the leaf, behind its own."""
    recipe = ALL[name]
    lines = [f"{setting} = {value!r}" for setting, value in recipe["settings"].items()]
    start = {**recipe["start"], **(TINY if rehearse else {})}
    changes = ", ".join(f"{field}={value!r}" for field, value in start.items())
    lines.append(f'START = dict.fromkeys(START, replace(START["gpu"], {changes}))')
    path, marker = leaf / "train.py", "\n\ndef scale("
    before, after = path.read_text().split(marker)
    path.write_text(before + "\n" + "\n".join(lines) + "\n" + marker + after)
