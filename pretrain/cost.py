"""What a model costs: FLOPs a token, bytes in training, and whether it fits. Read-only.

Parameters are counted as torch lists them and the rest is what the model's `report()` says, so an
experiment may add, drop and rename whatever it likes. A look-up table is an `nn.Embedding`; every
other matrix is taken to be multiplied with every token.
"""

import os
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

PEAK_FLOPS = {"H100": 989.5e12, "H200": 989.5e12, "A100": 312e12, "B200": 2250e12}  # dense bf16
KEPT_PER_LAYER = 17  # widths kept for the backward pass; 16.3 at 9 x 640, by `make check-gpu`
BYTES_PER_PARAMETER = 16  # float32 weight, gradient, and the optimiser's two moments
LOGIT_COPIES = 3  # in the activations' precision: logits, their gradient, one in flight
FILLED = 0.9  # share of the memory that a width we suggest may take: the estimate is rough


@dataclass(frozen=True)
class Report:
    """What a model says of itself, its parameters apart: `model.report()` in `train.py`."""

    width: int  # channels of the residual stream
    windows: Sequence[int]  # tokens that attention sees, its own included; one number a layer
    context: int  # tokens in a row of a training batch
    tokens: int  # tokens in one forward and backward pass
    logits: int  # logits that exist at once
    bytes_per_activation: int


def matmul_parameters(model: nn.Module) -> int:
    """Return how many parameters each token is multiplied with: matrices, not look-up tables."""
    tables = {id(part.weight) for part in model.modules() if isinstance(part, nn.Embedding)}
    weights = [p for p in model.parameters() if p.ndim >= 2 and id(p) not in tables]
    return sum(weight.numel() for weight in weights)


def flops_per_token(model: Any) -> float:
    """Return forward and backward FLOPs a token needs, attention counted causally and exactly."""
    report = model.report()
    # Of T tokens the first w see 1, 2, ..., w tokens; the others w each.
    keys = sum(w - w * (w - 1) / (2 * report.context) for w in report.windows)
    return float(6 * matmul_parameters(model) + 12 * report.width * keys)


def speed(model: Any, tokens: int, seconds: float, device_name: str) -> dict[str, float]:
    """Return GFLOP/s, and the share of the device's peak (mfu) where that is known."""
    flops = flops_per_token(model) * tokens / seconds
    peaks = [peak for name, peak in PEAK_FLOPS.items() if name in device_name]
    return {"gflops_per_s": flops / 1e9, **({"mfu": flops / peaks[0]} if peaks else {})}


def bytes_needed(model: Any) -> float:
    """Return about what training holds at once: parameters, activations, one chunk of logits."""
    report = model.report()
    parameters = sum(parameter.numel() for parameter in model.parameters())
    kept = KEPT_PER_LAYER * len(report.windows) * report.width * report.tokens
    return float(
        BYTES_PER_PARAMETER * parameters
        + report.bytes_per_activation * kept
        + LOGIT_COPIES * report.bytes_per_activation * report.logits
    )


def memory(device: torch.device) -> float:
    """Return the bytes the device has: a GPU's own, else this machine's."""
    if device.type == "cuda":
        return float(torch.cuda.get_device_properties(device).total_memory)
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def check_fits(build: Callable[[int], Any], width: int, step: int, device: torch.device) -> None:
    """Stop before the first allocation when the model cannot fit; name the width that would.

    `build` makes the model at a width, which is a multiple of `step`; it is called on torch's
    meta device, where tensors have shapes and no memory. The sentence opens as torch's own error
    does, so that a reader of logs knows it.
    """

    def need(width: int) -> float:
        with torch.device("meta"):
            return bytes_needed(build(width))

    there = memory(device)
    if need(width) <= there:
        return
    widths = range(step, width, step)
    fitting = bisect_right(widths, FILLED * there, key=need)
    raise SystemExit(
        f"torch.OutOfMemoryError: width {width} needs about {need(width) / 2**20:,.0f} MB of "
        f"{there / 2**20:,.0f}; the largest width that fits is {widths[max(0, fitting - 1)]}"
    )
