"""Rows of tokens: packed once, memory-mapped, and read as batches. Read-only in experiments.

`pack` and `Loader` sit side by side so that neither can change alone.
"""

from __future__ import annotations  # torch is named in types, and imported only to read

import json
import queue
import threading
from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

OPEN_PIECES = 2000  # documents the packer chooses from: more fits better and costs memory
READ_AHEAD = 2**18  # tokens gathered at once on a CPU, where small batches cost twice as much
IN_FLIGHT = 3  # batches on their way to a GPU: one hides the copy, two hide a slow gather


def read_meta(cache: Path) -> dict[str, Any]:
    """Return what `meta.json` says, or {} when the cache was never finished."""
    try:
        meta: dict[str, Any] = json.loads((cache / "meta.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return meta


def pack(pieces: Iterable[np.ndarray], length: int) -> Iterator[np.ndarray]:
    """Yield full rows of `length` tokens: no padding, and no token dropped but the last few.

    Best fit: a row takes the longest waiting document that fits; when none does, the shortest is
    cut to fill it and its rest waits on. Documents longer than a row first fill whole rows.
    """
    waiting: list[tuple[int, int, np.ndarray]] = []  # (length, order, tokens), shortest first
    row, room = [], length
    for order, piece in enumerate(chain(pieces, repeat(None))):
        if piece is not None:
            whole = len(piece) - len(piece) % length
            yield from piece[:whole].reshape(-1, length)
            if whole < len(piece):
                insort(waiting, (len(piece) - whole, order, piece[whole:]), key=lambda w: w[:2])
            if len(waiting) < OPEN_PIECES:
                continue
        elif not waiting:
            return
        at = bisect_right(waiting, room, key=lambda w: w[0]) - 1
        size, age, tokens = waiting.pop(max(at, 0))
        row.append(tokens[:room])
        if size > room:
            insort(waiting, (size - room, age, tokens[room:]), key=lambda w: w[:2])
        room -= min(size, room)
        if room == 0:
            yield np.concatenate(row)
            row, room = [], length


def write_rows(rows: Iterable[np.ndarray], path: Path) -> int:
    """Write rows one after the other; return how many."""
    count = 0
    with path.open("wb") as file:
        for row in rows:
            file.write(row.astype(np.uint16, copy=False).tobytes())
            count += 1
    return count


class Loader:
    """Endless shuffled batches of windows from memory-mapped rows, the same for the same seed."""

    def __init__(
        self, path: Path, row_tokens: int, context: int, tokens: int, seed: int, device: Any
    ) -> None:
        """`tokens` a batch, as (tokens // context, context) inputs and targets on `device`."""
        rows = np.memmap(path, dtype=np.uint16, mode="r").reshape(-1, row_tokens + 1)
        # (rows, windows, context + 1): neighbours share the token one predicts and one starts with
        shape = (len(rows), row_tokens // context, context + 1)
        strides = (rows.strides[0], context * rows.itemsize, rows.itemsize)
        self.windows = np.lib.stride_tricks.as_strided(rows, shape, strides, writeable=False)
        self.count, self.device = tokens // context, device
        self.draw = np.random.default_rng(seed)
        self.read_ahead = max(1, READ_AHEAD // tokens) if device.type == "cpu" else 1

    def order(self) -> Iterator[np.ndarray]:
        """Yield the places of the next batches, epoch after epoch; the rest of one is dropped."""
        total = self.windows.shape[0] * self.windows.shape[1]
        each = self.count * max(1, min(self.read_ahead, total // self.count))
        while True:
            places = self.draw.permutation(total)
            if total < each:
                places = np.resize(places, each)
            yield from places[: len(places) // each * each].reshape(-1, each)

    def host_batches(self) -> Iterator[torch.Tensor]:
        """Yield (count, context + 1) int64 in this machine's memory."""
        import torch

        for places in self.order():
            rows, windows = np.divmod(places, self.windows.shape[1])
            block = torch.from_numpy(self.windows[rows, windows].astype(np.int64))
            yield from block.split(self.count)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield (inputs, targets), each (count, context); on a GPU the next one is on its way."""
        source = self.host_batches() if self.device.type == "cpu" else self.prefetched()
        for batch in source:
            yield batch[:, :-1], batch[:, 1:]

    def prefetched(self) -> Iterator[torch.Tensor]:
        """Yield batches on the device; a thread gathers and sends the next ones meanwhile."""
        ready: queue.Queue[Any] = queue.Queue(maxsize=IN_FLIGHT)

        def fill() -> None:
            try:
                for batch in self.host_batches():
                    pinned = batch.pin_memory() if self.device.type == "cuda" else batch
                    ready.put(pinned.to(self.device, non_blocking=True))
            except Exception as error:  # handed over: a dead thread would leave training waiting
                ready.put(error)

        threading.Thread(target=fill, daemon=True).start()
        while True:
            batch = ready.get()
            if isinstance(batch, Exception):
                raise batch
            yield batch
