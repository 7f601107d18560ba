"""The leaf's only metric: bits per byte of held-out text. Read-only during experiments.

A change here makes every earlier number incomparable, so it needs a pull request.

The sum runs over the original bytes, so no tokenizer flatters itself: every token of every
held-out document is predicted exactly once, given what stands before it in its row, and the nats
are divided by the bytes those tokens spell. The mark that opens a document stands for no byte and
is not counted. The model answers from a process of its own (`serve.py`), and what it says is
checked before it is believed.
"""

import json
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from data import read_meta

from shared import device as devices
from shared import model_server, summary
from shared import run as runs

LEAF = "pretrain"
BOS_ID = 0
BATCH_BYTES = {"cpu": 2**24, "cuda": 2**29}  # of log-probabilities; a CPU likes its cache
SUM_TOLERANCE = 1e-4  # float32 log_softmax stays below 1e-5; more would be a free lunch
AHEAD_TOLERANCE = 1e-3  # same shapes take the same kernels, so honest models differ by 0
CHECKED_ROWS = 32  # rows that are scored once more with other tokens behind a cut
CHECKED_PLACES = 16  # of such a row: the last before the cut, and others by chance

Score = Callable[[torch.Tensor], torch.Tensor]


def main() -> None:
    """Print the block that counts."""
    started, run = time.perf_counter(), runs.here(__file__)
    device = devices.pick(run.needs)
    meta = read_meta(run.cache)
    if not meta:
        raise SystemExit(f"no data in {run.cache}; type: python prepare.py")
    meta |= json.loads((run.held_out / "held_out.json").read_text(encoding="utf-8"))
    check_artefact(run.dir, meta)
    rows = held_out_rows(run.held_out, meta).to(device)
    length, vocab = meta["row_tokens"], meta["vocab_size"]
    batch = max(1, BATCH_BYTES.get(device.type, 2**26) // (4 * length * vocab))
    shape = (min(batch, len(rows)), length, vocab)
    score = model_server.RemoteScore(run.leaf, device, *shape)
    with torch.inference_mode():
        with score.server:
            nats, tokens, probes = total_nats(score, rows, vocab, batch)
        apart = model_server.RemoteScore(run.leaf, device, *shape)
        with apart.server:
            check_ahead(apart, rows, probes, vocab)
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


def held_out_rows(folder: Path, meta: dict[str, Any]) -> torch.Tensor:
    """Return (rows, row_tokens + 1) int64: each row ends where the next begins, padded with BOS."""
    tokens = np.fromfile(folder / "held_out.bin", dtype=np.uint16).astype(np.int64)
    length = meta["row_tokens"]
    count = math.ceil((len(tokens) - 1) / length)
    padded = np.full(count * length + 1, BOS_ID, dtype=np.int64)
    padded[: len(tokens)] = tokens
    return torch.from_numpy(padded).unfold(0, length + 1, length)


@dataclass
class Probe:
    """Rows with other tokens behind a cut; up to it a model says what it says without."""

    rows: list[int]  # which of the held-out ones
    inputs: torch.Tensor  # (len(rows), T)
    places: torch.Tensor  # (len(rows), CHECKED_PLACES), at or before the cut
    said: list[torch.Tensor | None]  # of each row, with the tokens that follow there
    changed: list[torch.Tensor | None]  # and with others

    def moved(self) -> float:
        """Return by how much a log-probability differs at most."""
        pairs = zip(self.said, self.changed, strict=True)
        return max(float((one - other).abs().max()) for one, other in pairs)  # type: ignore[operator]


def draw_probe(rows: torch.Tensor, batch: int, chance: random.Random) -> Probe:
    """Return a probe of `batch` rows by chance; what follows the cut is another row's text.

    All rows of a probe change at once and stand beside others, so leaks between rows show as well.
    """
    inputs, length = rows[:, :-1], rows.shape[1] - 1
    whole = len(rows) // batch * batch  # a batch of another shape may take other kernels
    picked = chance.sample(range(whole), batch)
    cuts = [chance.randrange(length - 1) for _ in picked]
    mixed = changed_behind(inputs, picked, cuts, chance)
    places = [
        [cut, *(chance.randrange(cut + 1) for _ in range(CHECKED_PLACES - 1))] for cut in cuts
    ]
    at = torch.tensor(places, device=rows.device)
    return Probe(picked, mixed, at, [None] * batch, [None] * batch)


def changed_behind(
    inputs: torch.Tensor, picked: list[int], cuts: list[int], chance: random.Random
) -> torch.Tensor:
    """Return rows (len(picked), T) whose tokens behind their cuts are another row's, by chance."""
    mixed = inputs[picked].clone()
    for row, cut, number in zip(mixed, cuts, picked, strict=True):
        other = inputs[(number + chance.randrange(1, max(2, len(inputs)))) % len(inputs)]
        row[cut + 1 :] = other[cut + 1 :].clone()
        if row[cut + 1] == inputs[number, cut + 1]:
            row[cut + 1] = inputs[number, cut]  # text seldom says a token twice
    return mixed


def total_nats(
    score: Score, rows: torch.Tensor, vocab: int, batch: int
) -> tuple[float, int, list[Probe]]:
    """Return (nats, tokens) over every target that stands for bytes, and what is to be checked.

    Probes lie among the batches that count, all in an order that no model can know: what the model
    says then may hang on nothing that it was asked before.
    """
    chance, batch = random.SystemRandom(), min(batch, len(rows))
    probes = [draw_probe(rows, batch, chance) for _ in range(math.ceil(CHECKED_ROWS / batch))]
    asked: list[Probe | int] = [*probes, *range(0, len(rows), batch)]
    chance.shuffle(asked)
    nats, tokens = {}, 0
    for one in asked:
        if isinstance(one, Probe):
            log_probs = checked(score(one.inputs.contiguous()), one.inputs, vocab)
            one.changed = [found[at] for found, at in zip(log_probs, one.places, strict=True)]
            continue
        inputs, targets = rows[one : one + batch, :-1], rows[one : one + batch, 1:]
        log_probs = checked(score(inputs.contiguous()), inputs, vocab)
        remember(probes, one, log_probs)
        picked = log_probs.gather(-1, targets.unsqueeze(-1)).squeeze(-1).double()
        counted = targets != BOS_ID
        nats[one] = -float((picked * counted).sum())
        tokens += int(counted.sum())
    refuse_ahead(probes)
    return math.fsum(nats[first] for first in sorted(nats)), tokens, probes


def check_ahead(score: Score, rows: torch.Tensor, probes: list[Probe], vocab: int) -> None:
    """Ask changed rows of a model that never saw the held-out ones, and cannot recall them.

    They are changed anew: a model that met the first change before its row told the row by that.
    """
    chance = random.SystemRandom()
    for one in probes:
        one.inputs = changed_behind(rows[:, :-1], one.rows, one.places[:, 0].tolist(), chance)
        log_probs = checked(score(one.inputs.contiguous()), one.inputs, vocab)
        one.changed = [found[at] for found, at in zip(log_probs, one.places, strict=True)]
    refuse_ahead(probes)


def refuse_ahead(probes: list[Probe]) -> None:
    """Stop where a probe's rows were told otherwise before their cut."""
    if not max(one.moved() for one in probes) <= AHEAD_TOLERANCE:
        raise SystemExit("refused: the model looks ahead: later tokens change its predictions")


def remember(probes: list[Probe], first: int, log_probs: torch.Tensor) -> None:
    """Keep for each probe what the model said of its rows among those from `first` on."""
    for one in probes:
        for number, row in enumerate(one.rows):
            if first <= row < first + len(log_probs):
                one.said[number] = log_probs[row - first, one.places[number]]


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


if __name__ == "__main__":
    main()
