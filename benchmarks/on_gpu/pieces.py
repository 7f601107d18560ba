"""Time each piece of a step of `pretrain`, each way there is, and check it against float32.

Milliseconds are for 131,072 tokens, forward and backward, the median of twelve. A way that fails is
told, and costs nothing else.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "pretrain")]

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
import train  # noqa: E402
from torch import Tensor  # noqa: E402

TIMES = 12
CHECKED = 4096  # tokens that are computed in float32 as well


class Bench:
    """The device, and the shapes of the leaf there: 64 rows of 2,048 tokens, 5 heads of 128."""

    def __init__(self, tiny: bool) -> None:
        self.device = torch.device("cpu" if tiny else "cuda")
        self.dtype = torch.float32 if tiny else torch.bfloat16
        self.rows, self.tokens, self.heads, self.size = (
            (2, 128, 2, 32) if tiny else (64, 2048, 5, 128)
        )
        self.vocab, self.window = (512, 16) if tiny else (8192, 256)
        self.width = self.heads * self.size

    def random(self, *shape: int) -> Tensor:
        """Return a tensor to learn, in the precision of activations."""
        made = torch.randn(shape, device=self.device, dtype=self.dtype) / shape[-1] ** 0.5
        return made.requires_grad_()

    def compiled(self, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return `work` compiled, as training has it on a GPU."""
        return torch.compile(work, dynamic=False) if self.device.type == "cuda" else work

    def wait(self) -> None:
        """Wait for the device."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def milliseconds(self, work: Callable[[], Any]) -> float:
        """Return the median of `work`, warm."""
        spent = []
        for _ in range(3 + TIMES):
            self.wait()
            began = time.perf_counter()
            work()
            self.wait()
            spent.append(1e3 * (time.perf_counter() - began))
        return statistics.median(spent[3:])

    def tell(self, piece: str, way: str, work: Callable[[], Any], off: Any = None) -> None:
        """Print how long one way takes and how far it is off."""
        try:
            took = self.milliseconds(work)
            wrong = f"{off():.1e}" if off else ""
            print(f"| {piece} | {way} | {took:.3f} ms | {wrong} |", flush=True)
        except Exception as error:
            why = str(error).splitlines()[0][:120] if str(error) else ""
            print(f"| {piece} | {way} | failed: {type(error).__name__} {why} | |", flush=True)


def far(ours: tuple[Tensor, ...], wanted: tuple[Tensor, ...]) -> float:
    """Return the greatest relative error among pairs of tensors."""
    pairs = zip(ours, wanted, strict=True)
    return max(float((a.float() - b.float()).norm() / b.float().norm()) for a, b in pairs)


def both_ways(work: Callable[..., Tensor], *inputs: Tensor) -> Callable[[], Any]:
    """Return a call of `work` forward and backward; nothing is computed before the first."""
    grads: list[Tensor] = []

    def call() -> Any:
        out = work(*inputs)
        grads[:] = grads or [torch.randn_like(out)]
        return torch.autograd.grad(out, inputs, grads[0])

    return call


def error(work: Callable[..., Tensor], plain: Callable[..., Tensor], *inputs: Tensor) -> float:
    """Return how far gradients are from those of a plain form in float32."""
    wide = [tensor.detach().float().requires_grad_() for tensor in inputs]
    wanted = plain(*wide)
    grad = torch.randn_like(wanted)
    ours = torch.autograd.grad(work(*inputs), inputs, grad.to(inputs[0].dtype))
    return far(ours, torch.autograd.grad(wanted, wide, grad))


def attention(bench: Bench) -> None:
    """Windows by the leaf's own call, and all tokens by each kernel of torch."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    def by(backend: Any) -> Callable[..., Tensor]:
        def call(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            with sdpa_kernel(backend):
                return train.attend(q, k, v, bench.tokens)

        return call

    ways: dict[str, tuple[int, Callable[..., Tensor]]] = {
        "window, torch's flash": (bench.window, lambda *t: train.attend(*t, bench.window)),
        "all, torch's flash": (bench.tokens, lambda *t: train.flash(*t, bench.tokens)),
        "all, torch's choice": (bench.tokens, lambda *t: train.attend(*t, bench.tokens)),
        "all, cuDNN": (bench.tokens, by(SDPBackend.CUDNN_ATTENTION)),
    }
    shape = (bench.rows, bench.tokens, bench.heads, bench.size)
    inputs = [bench.random(*shape) for _ in range(3)]
    few = [tensor[:1].detach().requires_grad_() for tensor in inputs]
    for way, (window, call) in ways.items():
        plain = lambda *t, seen=window: train.attend(*t, seen)  # noqa: E731  (float32: by a mask)
        bench.tell(
            "attention",
            way,
            both_ways(call, *inputs),
            lambda call=call, plain=plain: error(call, plain, *few),
        )


def loss(bench: Bench) -> None:
    """The head's loss by the leaf, and as autoresearch has it: compiled cross-entropy."""
    count, cap = bench.rows * bench.tokens, 15.0
    x, head = bench.random(count, bench.width), bench.random(bench.vocab, bench.width)
    head = head.detach().float().requires_grad_()
    targets = torch.randint(0, bench.vocab, (count,), device=bench.device)
    fused = bench.compiled(train.fused_nats_and_gradient)
    train.HeadLoss.inner = staticmethod(fused)

    def plain(x: Tensor, head: Tensor) -> Tensor:
        logits = F.linear(x, head.to(x.dtype)).float()
        return F.cross_entropy(cap * torch.tanh(logits / cap), targets[: len(x)])

    def ours(x: Tensor, head: Tensor) -> Tensor:
        return train.HeadLoss.apply(x, head, targets[: len(x)], cap)

    few = x[:CHECKED].detach().requires_grad_()
    bench.tell("loss", "ours", both_ways(ours, x, head), lambda: error(ours, plain, few, head))
    bench.tell("loss", "compiled cross-entropy", both_ways(bench.compiled(plain), x, head))


def perceptron(bench: Bench) -> None:
    """Squared ReLU between two matmuls, and inside the first of them."""
    x = bench.random(bench.rows * bench.tokens, bench.width)
    up, down = (
        bench.random(4 * bench.width, bench.width),
        bench.random(bench.width, 4 * bench.width),
    )

    def usual(x: Tensor, up: Tensor, down: Tensor) -> Tensor:
        return F.linear(train.SquaredReLU.apply(F.linear(x, up)), down)

    def inside(x: Tensor, up: Tensor, down: Tensor) -> Tensor:
        import hopper

        return hopper.perceptron(x, up, down)[0]

    few = x[:CHECKED].detach().requires_grad_()
    for way, call in (("cuBLAS", bench.compiled(usual)), ("hopper.py", inside)):
        bench.tell(
            "perceptron",
            way,
            both_ways(call, x, up, down),
            lambda call=call: error(call, usual, few, up, down),
        )


def optimiser(bench: Bench) -> None:
    """A step of nine layers' matrices by torch's Muon, and by ours."""
    w = bench.width
    shapes = [(3 * w, w), (w, w), (4 * w, w), (w, 4 * w)] * 9
    matrices = [torch.nn.Parameter(torch.randn(s, device=bench.device) * 0.02) for s in shapes]
    for parameter in matrices:
        parameter.grad = torch.randn_like(parameter)
    theirs = torch.optim.Muon(matrices, lr=0.0, weight_decay=0.0)
    bench.tell("optimiser", "torch's Muon", theirs.step)
    train.Muon.step_stack = staticmethod(bench.compiled(train.muon_step))
    count = [(p, 3 if p.shape[0] == 3 * w else 1) for p in matrices]
    bench.tell("optimiser", "stacked", train.Muon(count, lr=0.0, momentum=0.95).step)


def main() -> None:
    """Print a row for each way."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rehearse", action="store_true", help="tiny, on a CPU")
    bench = Bench(parser.parse_args().rehearse)
    torch.manual_seed(0)
    for piece in (attention, loss, perceptron, optimiser):
        try:
            piece(bench)
        except Exception as error:
            print(f"| {piece.__name__} | failed: {error!r:.200} | | |", flush=True)


if __name__ == "__main__":
    main()
