"""What training at real size will need, from shapes alone: `[dry_run] estimate` of leaf.toml.

    LAB_PROFILE=gpu python estimate.py

The model is built on the meta device, where tensors have shapes and no memory; `cost.py` counts.
"""

import math

import torch
from cost import bytes_needed
from train import GPT, PRECISION, START, scale

from shared import run as runs
from shared import summary

DEVICE = {"gpu": "cuda", "cpu": "cpu"}  # that a profile's training runs on


def main() -> None:
    """Print the memory in MB that training will hold, and the parameters it trains."""
    run = runs.here(__file__)
    sizes = scale(START[run.needs], run.settings["vocab_size"], run.settings["row_tokens"])
    with torch.device("meta"):
        model = GPT(sizes, PRECISION.get(DEVICE[run.needs], torch.float32))
    parameters = sum(math.prod(weight.shape) for weight in model.parameters())
    summary.report({"peak_memory_mb": bytes_needed(model) / 2**20, "parameters": parameters})


if __name__ == "__main__":
    main()
