"""What a model costs: FLOPs a token, bytes in training, and whether it fits. Read-only.

Counts for the model `train.py` starts with; an experiment that changes its shape gets estimates.
"""

import os
from types import SimpleNamespace
from typing import Any

PEAK_FLOPS = {"H100": 989.5e12, "H200": 989.5e12, "A100": 312e12, "B200": 2250e12}  # dense bf16
KEPT_PER_LAYER = 16  # widths kept for the backward pass: 60 GB published at 9 x 640, 2^18 tokens
BYTES_PER_WEIGHT = 16  # float32 weight, gradient, and the optimiser's two moments
BYTES_PER_LOGIT = 12  # float32 logits, their exponentials, one copy in flight


def flops_per_token(sizes: SimpleNamespace) -> float:
    """Return forward and backward FLOPs a token needs, attention counted causally and exactly."""
    matrices = 12 * sizes.depth * sizes.width**2 + sizes.vocab * sizes.width
    # Of T tokens the first w see 1, 2, ..., w tokens; the others w each.
    keys = sum(w - w * (w - 1) / (2 * sizes.context) for w in sizes.windows)
    return float(6 * matrices + 12 * sizes.width * keys)


def weights(sizes: SimpleNamespace) -> int:
    """Return the number of weights in tables and matrices; gates and scalars are left out."""
    tables = 2 + (sizes.depth + 1) // 2 * bool(sizes.value_embeds)
    rows = 12 * sizes.depth * sizes.width + tables * sizes.vocab + sizes.hash_rows
    return int(rows * sizes.width)


def bytes_needed(sizes: SimpleNamespace, bytes_per_value: int, logit_rows: int) -> float:
    """Return about what training holds at once: weights, activations and one chunk of logits."""
    kept = KEPT_PER_LAYER * sizes.depth * sizes.width * sizes.device_tokens * bytes_per_value
    logits = BYTES_PER_LOGIT * min(logit_rows, sizes.device_tokens) * sizes.vocab
    return float(BYTES_PER_WEIGHT * weights(sizes) + kept + logits)


def room(where: Any) -> float:
    """Return the bytes the device has: a GPU's own, else this machine's."""
    if where.type == "cuda":
        import torch

        return float(torch.cuda.get_device_properties(where).total_memory)
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def check_fits(sizes: SimpleNamespace, where: Any, logit_rows: int) -> None:
    """Stop before the first allocation when the model cannot fit; name the width that would.

    The sentence opens as torch's own error does, so that a reader of logs knows it.
    """
    each = 2 if where.type == "cuda" else 4
    need, there = bytes_needed(sizes, each, logit_rows), room(where)
    if need <= there:
        return
    fits = SimpleNamespace(**vars(sizes))
    while fits.width > fits.head_dim and bytes_needed(fits, each, logit_rows) > 0.9 * there:
        fits.width -= fits.head_dim
    raise SystemExit(
        f"torch.OutOfMemoryError: width {sizes.width}, depth {sizes.depth} needs about "
        f"{need / 2**20:,.0f} MB of {there / 2**20:,.0f}; "
        f"the largest width that fits is {fits.width}"
    )
