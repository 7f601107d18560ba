"""Muon for all matrices of a shape at once: some twenty kernels where a loop needs a thousand.

Momentum, the nearest orthogonal matrix, rows made even, cautious decay: the step that the best
published night took. `train.py` says which parameters and at which rate. Everything here may be
changed.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

NORMUON_BETA = 0.95  # memory of how long the rows of a step were (NorMuon, arXiv 2510.05491)
SAFETY = 1.02  # bfloat16 may make a norm too small by a percent, and a value above 1 would explode
# Five steps to the nearest matrix whose singular values are one (Polar Express, arXiv 2505.16932).
POLAR_EXPRESS = (
    (8.156554524902461, -22.48329292557795, 15.878769915207462),
    (4.042929935166739, -2.808917465908714, 0.5000178451051316),
    (3.8916678022926607, -2.772484153217685, 0.5060648178503393),
    (3.285753657755655, -2.3681294933425376, 0.46449024233003106),
    (2.3465413258596377, -1.7097828382687081, 0.42323551169305323),
)
TINY = 1e-10


def orthogonalize(x: Tensor) -> Tensor:
    """Return matrices (many, rows, columns) with all their singular values made about one."""
    x = x / (x.norm(dim=(-2, -1), keepdim=True) * SAFETY + 1e-6)
    tall = x.shape[-2] > x.shape[-1]
    for a, b, c in POLAR_EXPRESS:
        gram = x.mT @ x if tall else x @ x.mT
        polynomial = b * gram + c * (gram @ gram)
        x = a * x + (x @ polynomial if tall else polynomial @ x)
    return x


def even_rows(x: Tensor, second_moment: Tensor) -> Tensor:
    """Return x, as long as it was, with rows (columns where wide) of like length over time."""
    seen = x.square().mean(-1 if second_moment.shape[-1] == 1 else -2, keepdim=True)
    second_moment.lerp_(seen, 1 - NORMUON_BETA)
    scale = second_moment.clamp_min(TINY).rsqrt()
    before = seen.sum((-2, -1), keepdim=True)
    after = (seen * scale.square()).sum((-2, -1), keepdim=True).clamp_min(TINY)
    return x * scale * (before / after).sqrt()


def muon_step(
    weights: Tensor, grads: Tensor, momentum_buffer: Tensor, second_moment: Tensor, now: Tensor
) -> None:
    """Step a stack of matrices; `now` is rate, momentum and decay.

    They are numbers of a tensor so that one compiled form serves every value. Weights decay only
    where the step shrinks them anyway (arXiv 2411.16085).
    """
    lr, momentum, weight_decay = now.unbind()
    momentum_buffer.lerp_(grads, 1 - momentum)
    x = grads.lerp(momentum_buffer, momentum)
    # Half the traffic on a GPU; a CPU multiplies bfloat16 no faster.
    x = orthogonalize(x.bfloat16() if x.is_cuda else x).float()
    x = even_rows(x, second_moment)
    weights.sub_(lr * (x + weight_decay * weights * (x * weights >= 0)))


class Muon(torch.optim.Optimizer):
    """Muon on stacks of matrices of one shape. A step is the rate times sqrt(rows / columns)."""

    step_stack: Callable[..., None] = staticmethod(muon_step)  # or its compiled form, on CUDA

    def __init__(self, matrices: list[tuple[nn.Parameter, int]], lr: float, momentum: float):
        """`matrices` says of each parameter how many it holds, one above the other."""
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": 0.0}
        super().__init__([parameter for parameter, _ in matrices], defaults)
        by_shape = defaultdict(list)
        for parameter, count in matrices:
            rows, columns = parameter.shape
            by_shape[rows // count, columns].append(parameter)
        self.stacks = [(members, *stack(members, *shape)) for shape, members in by_shape.items()]

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """Take one step with the group's rate, momentum and decay."""
        group = self.param_groups[0]
        for members, weights, *state in self.stacks:
            rows, columns = weights.shape[1:]
            lr = group["lr"] * max(1.0, rows / columns) ** 0.5
            now = torch.tensor([lr, group["momentum"], group["weight_decay"]])
            grads = torch.cat([p.grad.view(-1, rows, columns) for p in members])
            self.step_stack(weights, grads, *state, now.to(weights.device, non_blocking=True))

    def forget(self) -> None:
        """Start afresh, as if no step had been taken."""
        for _, _, *state in self.stacks:
            for tensor in state:
                tensor.zero_()


@torch.no_grad()
def stack(members: list[nn.Parameter], rows: int, columns: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return (weights, momentum, second moments) of parameters, which become windows on weights."""
    weights = torch.cat([parameter.view(-1, rows, columns) for parameter in members])
    parts = weights.split([len(parameter.view(-1, rows, columns)) for parameter in members])
    for parameter, part in zip(members, parts, strict=True):
        parameter.data = part.view_as(parameter)  # so nothing is copied back after a step
    few = (len(weights), rows, 1) if rows >= columns else (len(weights), 1, columns)
    return weights, torch.zeros_like(weights), weights.new_zeros(few)
