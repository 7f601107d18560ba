"""Cross-entropy of the head's logits, with its gradient made where the logits already are.

Two forms of the same: one for a CPU, one to be compiled for a GPU. Everything here may be changed.
"""

from typing import Any

import torch
from torch import Tensor


def nats_and_gradient(logits: Tensor, targets: Tensor, cap: float) -> tuple[Tensor, Tensor]:
    """Return the summed cross-entropy of logits (N, V) and its gradient; may overwrite them."""
    z = logits.float()
    if cap:
        tanh = torch.tanh(z / cap)
        z = cap * tanh
    z = z.sub_(z.amax(-1, keepdim=True))
    picked = z.gather(-1, targets[:, None])
    total = z.exp_().sum(-1, keepdim=True)
    nats = (total.log() - picked).sum()
    z.div_(total).scatter_add_(-1, targets[:, None], torch.full_like(picked, -1.0))
    return nats, (z * (1 - tanh * tanh) if cap else z).to(logits.dtype)


def fused_nats_and_gradient(logits: Tensor, targets: Tensor, cap: float) -> tuple[Tensor, Tensor]:
    """Return the same, written to be compiled: no scatter, no gather: one kernel serves.

    On a CPU it would cost twice the time.
    """
    z = logits.float()
    if cap:
        tanh = torch.tanh(z / cap)
        z = cap * tanh
    z = z - z.amax(-1, keepdim=True)
    total = z.exp().sum(-1, keepdim=True)
    hit = targets[:, None] == torch.arange(z.shape[-1], device=z.device)
    nats = (total.log() - (z * hit).sum(-1, keepdim=True)).sum()
    gradient = z.exp() / total - hit.float()
    return nats, (gradient * (1 - tanh * tanh) if cap else gradient).to(logits.dtype)


class HeadLoss(torch.autograd.Function):
    """Mean cross-entropy of `features @ head.T`, holding only one chunk of logits at a time.

    The gradient is made in the forward pass, where the logits already are: that is a third less
    traffic on a CPU, and on a GPU 262,144 x 8,192 logits never exist together.
    """

    CHUNK = 2**16  # tokens: 1 GB of bfloat16 logits at a vocabulary of 8192
    inner = staticmethod(nats_and_gradient)  # replaced by the compiled, fused form on CUDA

    @staticmethod
    def forward(ctx: Any, x: Tensor, lm_head: Tensor, targets: Tensor, cap: float) -> Tensor:
        weight, nats = lm_head.to(x.dtype), x.new_zeros((), dtype=torch.float32)
        grad_x, grad_head = torch.empty_like(x), torch.zeros_like(lm_head)
        chunks = zip(*(t.split(HeadLoss.CHUNK) for t in (x, targets, grad_x)), strict=True)
        for x_chunk, target_chunk, grad_x_chunk in chunks:
            chunk_nats, grad_logits = HeadLoss.inner(x_chunk @ weight.T, target_chunk, cap)
            nats += chunk_nats
            torch.mm(grad_logits, weight, out=grad_x_chunk)
            grad_head += grad_logits.T @ x_chunk
        ctx.save_for_backward(grad_x, grad_head)
        return nats / len(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        grad_x, grad_head = ctx.saved_tensors
        grad = grad / len(grad_x)
        return grad_x * grad.to(grad_x.dtype), grad_head * grad, None, None
