"""The leaf's only metric: bits per byte of held-out text. Read-only during experiments.

A change here makes every earlier number incomparable, so it needs a pull request.

The sum runs over the original bytes, so no tokenizer flatters itself: every token of every
held-out document is predicted exactly once, given what stands before it in its row, and the nats
are divided by the bytes those tokens spell. The mark that opens a document stands for no byte and
is not counted. What `train.load_model` returns is checked before it is believed.
"""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from data import read_meta

from shared import device as devices
from shared import run as runs
from shared import summary

LEAF = "pretrain"
BOS_ID = 0
BATCH_BYTES = {"cpu": 2**24, "cuda": 2**29}  # of log-probabilities; a CPU likes its cache
SUM_TOLERANCE = 1e-4  # float32 log_softmax stays below 1e-5; more would be a free lunch
AHEAD_TOLERANCE = 1e-3  # same shapes take the same kernels, so honest models differ by 0
CHECKED_ROWS = 32  # rows whose later tokens are changed, spread over the held-out text

Score = Callable[[torch.Tensor], torch.Tensor]


def main() -> None:
    """Print the block that counts."""
    started, run = time.perf_counter(), runs.here(__file__)
    device = devices.pick(run.needs)
    meta = read_meta(run.cache)
    if not meta:
        raise SystemExit(f"no data in {run.cache}; type: python prepare.py")
    check_artefact(run.dir, meta)
    score = load(run.dir, device)
    rows = held_out_rows(run.cache, meta).to(device)
    batch = max(
        1, BATCH_BYTES.get(device.type, 2**26) // (4 * meta["row_tokens"] * meta["vocab_size"])
    )
    with torch.inference_mode():
        check_no_look_ahead(score, rows[:, :-1], meta["vocab_size"], batch)
        nats, tokens = total_nats(score, rows, meta["vocab_size"], batch)
    if tokens != meta["held_out_tokens"] - meta["held_out_documents"]:
        raise SystemExit("the held-out tokens are not those that were prepared; clear the cache")
    summary.report(
        {
            "val_bpb": nats / math.log(2) / meta["held_out_bytes"],
            "val_nats_per_token": nats / tokens,
            "held_out_bytes": meta["held_out_bytes"],
            "eval_s": time.perf_counter() - started,
        }
    )


def check_artefact(run_dir: Path, meta: dict[str, Any]) -> None:
    """Refuse a model that is missing, of another leaf, or trained with another tokenizer."""
    try:
        artefact = json.loads((run_dir / "artefact.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        raise SystemExit(f"no finished model in {run_dir}; type: python train.py") from None
    if artefact.get("leaf") != LEAF:
        raise SystemExit(f"refused: {run_dir} holds a model of leaf {artefact.get('leaf')!r}")
    if artefact.get("tokenizer_sha256") != meta["tokenizer_sha256"]:
        raise SystemExit("refused: the model was trained with another tokenizer; train it again")


def load(run_dir: Path, device: torch.device) -> Score:
    """Return the experiment's own `load_model(run_dir, device)`, or stop with a sentence."""
    try:
        from train import load_model
    except ImportError:
        raise SystemExit("train.py has no load_model(run_dir, device); restore it") from None
    score: Score = load_model(run_dir, device)
    return score


def held_out_rows(cache: Path, meta: dict[str, Any]) -> torch.Tensor:
    """Return (rows, row_tokens + 1) int64: each row ends where the next begins, padded with BOS."""
    tokens = np.fromfile(cache / "held_out.bin", dtype=np.uint16).astype(np.int64)
    length = meta["row_tokens"]
    count = math.ceil((len(tokens) - 1) / length)
    padded = np.full(count * length + 1, BOS_ID, dtype=np.int64)
    padded[: len(tokens)] = tokens
    return torch.from_numpy(padded).unfold(0, length + 1, length)


def total_nats(score: Score, rows: torch.Tensor, vocab: int, batch: int) -> tuple[float, int]:
    """Return (nats, tokens) over every target that stands for bytes."""
    nats, tokens = 0.0, 0
    for part in rows.split(batch):
        inputs, targets = part[:, :-1], part[:, 1:]
        log_probs = checked(score(inputs.contiguous()), inputs, vocab)
        picked = log_probs.gather(-1, targets.unsqueeze(-1)).squeeze(-1).double()
        counted = targets != BOS_ID
        nats -= float((picked * counted).sum())
        tokens += int(counted.sum())
    return nats, tokens


def checked(log_probs: torch.Tensor, inputs: torch.Tensor, vocab: int) -> torch.Tensor:
    """Return what the model gave, or refuse what is no probability over the vocabulary."""
    if log_probs.shape != (*inputs.shape, vocab):
        raise SystemExit(
            f"refused: log-probabilities of shape {tuple(log_probs.shape)} where "
            f"{(*inputs.shape, vocab)} is needed"
        )
    off = log_probs.float().logsumexp(-1).abs().max().item()
    if not off <= SUM_TOLERANCE:  # this way round, so that NaN is refused too
        raise SystemExit(
            f"refused: probabilities do not sum to one (log of a sum is off by {off:.2g}); "
            "return log_softmax in float32"
        )
    return log_probs.float()


def check_no_look_ahead(score: Score, inputs: torch.Tensor, vocab: int, batch: int) -> None:
    """Refuse a model whose predictions change when only later tokens, or later rows, change.

    Each checked row gets a cut of its own and other tokens behind it; up to the cut nothing may
    move. All rows of a batch change at once, so leaking between rows shows as well.
    """
    every = max(1, len(inputs) // CHECKED_ROWS)
    picked = inputs[::every][:CHECKED_ROWS].contiguous()
    draw = torch.Generator().manual_seed(0)
    cuts = torch.randint(0, inputs.shape[1] - 1, (len(picked), 1), generator=draw)
    shift = torch.randint(1, vocab, picked.shape, generator=draw)
    cuts, shift = cuts.to(picked.device), shift.to(picked.device)
    later = torch.arange(picked.shape[1], device=picked.device) > cuts
    changed = torch.where(later, (picked + shift) % vocab, picked)
    for before, after, kept in zip(
        picked.split(batch), changed.split(batch), (~later).split(batch), strict=True
    ):
        honest = checked(score(before), before, vocab)
        moved = (honest - checked(score(after), after, vocab)).abs().amax(-1) * kept
        if not moved.max().item() <= AHEAD_TOLERANCE:
            raise SystemExit("refused: the model looks ahead: later tokens change its predictions")


if __name__ == "__main__":
    main()
