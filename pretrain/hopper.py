"""The perceptron's matmuls with the squared ReLU inside, for Hopper GPUs. Needs triton.

Between `up` and `down` a layer would write and read four widths a token twice on the way forth and
three times on the way back; here the matmul that makes them applies the activation. Kept for the
way back is its result: the slope of relu(z)^2 is 2 relu(z), twice the root of what is kept.

On an H200 3.94 ms where cuBLAS and torch's compiler take 4.37 (131,072 tokens, width 640, both
ways), its gradients off by 3.0e-3 and theirs by 4.4e-3. `LAB_MLP_KERNEL=0` switches it off.
Everything here may be changed.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor

ROWS, COLUMNS, DEPTH = 128, 256, 64  # of a tile; two groups of four warps, 128 x 128 sums each
STAGES, WARPS = 3, 8  # 208 of 227 KB shared memory


@triton.jit
def _matmul(
    a_d, b_d, kept_d, out_d, M, N, K,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr,
    BACK: tl.constexpr, PROGRAMS: tl.constexpr,
):  # fmt: skip
    """out = relu(a b^T)^2; with BACK out = 2 sqrt(kept) (a b^T). One program a processor."""
    down, across = tl.cdiv(M, ROWS), tl.cdiv(N, COLUMNS)
    for tile in tl.range(tl.program_id(0), down * across, PROGRAMS, flatten=True):
        # Eight rows of tiles at a time, so that what they share stays in the L2 cache.
        first = tile // (8 * across) * 8
        high = min(down - first, 8)
        row, column = first + tile % (8 * across) % high, tile % (8 * across) // high
        sums = tl.zeros((ROWS, COLUMNS), tl.float32)
        for step in range(tl.cdiv(K, DEPTH)):
            a = a_d.load([row * ROWS, step * DEPTH])
            b = b_d.load([column * COLUMNS, step * DEPTH])
            sums = tl.dot(a, b.T, sums)
        # In halves, so that what is staged for the store fits beside the operands.
        halves = tl.permute(tl.reshape(sums, (ROWS, 2, COLUMNS // 2)), (0, 2, 1))
        left, right = tl.split(halves)
        at = column * COLUMNS
        if BACK:
            slope = 2.0 * tl.sqrt(kept_d.load([row * ROWS, at]).to(tl.float32))
            out_d.store([row * ROWS, at], (slope * left).to(out_d.dtype))
            slope = 2.0 * tl.sqrt(kept_d.load([row * ROWS, at + COLUMNS // 2]).to(tl.float32))
            out_d.store([row * ROWS, at + COLUMNS // 2], (slope * right).to(out_d.dtype))
        else:
            left, right = tl.maximum(left, 0.0), tl.maximum(right, 0.0)
            out_d.store([row * ROWS, at], (left * left).to(out_d.dtype))
            out_d.store([row * ROWS, at + COLUMNS // 2], (right * right).to(out_d.dtype))


def _run(a: Tensor, b: Tensor, kept: Tensor | None) -> Tensor:
    """Launch on a (M, K), b (N, K) and kept (M, N), all contiguous."""
    (m, k), n = a.shape, b.shape[0]
    out = a.new_empty(m, n)
    tiles = triton.cdiv(m, ROWS) * triton.cdiv(n, COLUMNS)
    programs = 4
    if a.is_cuda:
        programs = torch.cuda.get_device_properties(a.device).multi_processor_count
    whole: Any = TensorDescriptor.from_tensor
    half = [ROWS, COLUMNS // 2]
    _matmul[(min(programs, tiles),)](
        whole(a, [ROWS, DEPTH]), whole(b, [COLUMNS, DEPTH]),
        whole(out if kept is None else kept, half), whole(out, half), m, n, k,
        ROWS=ROWS, COLUMNS=COLUMNS, DEPTH=DEPTH, BACK=kept is not None, PROGRAMS=programs,
        num_stages=STAGES, num_warps=WARPS,
    )  # fmt: skip
    return out


@torch.library.custom_op("pretrain::perceptron", mutates_args=())
def perceptron(x: Tensor, up: Tensor, down: Tensor) -> tuple[Tensor, Tensor]:
    """Return relu(x up^T)^2 down^T of x (tokens, width), and what stands before `down`."""
    kept = _run(x, up, None)
    return kept @ down.T, kept


@torch.library.custom_op("pretrain::lowered", mutates_args=())
def lowered(grad: Tensor, down: Tensor, kept: Tensor) -> Tensor:
    """Return the gradient before the activation, from that of `kept down^T`."""
    return _run(grad.contiguous(), down.T.contiguous(), kept)


@perceptron.register_fake
def _(x: Tensor, up: Tensor, down: Tensor) -> tuple[Tensor, Tensor]:
    return x.new_empty(x.shape[0], down.shape[0]), x.new_empty(x.shape[0], up.shape[0])


@lowered.register_fake
def _(grad: Tensor, down: Tensor, kept: Tensor) -> Tensor:
    return torch.empty_like(kept)


def _keep(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(*inputs, output[1])
    ctx.set_materialize_grads(False)


def _back(ctx: Any, grad: Tensor, _: None) -> tuple[Tensor, Tensor, Tensor]:
    x, up, down, kept = ctx.saved_tensors
    before = lowered(grad, down, kept)
    return before @ up, before.T @ x, grad.T @ kept


perceptron.register_autograd(_back, setup_context=_keep)
