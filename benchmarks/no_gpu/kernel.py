"""The perceptron's kernel by triton's interpreter, on a CPU, against the formula in float32."""

import os
import sys
from pathlib import Path

os.environ["TRITON_INTERPRET"] = "1"  # before triton is imported
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "pretrain"))
AT_MOST = 1e-3  # of the length, in float16: the interpreter gets bfloat16 wrong


def main() -> int:
    """Print how far result and gradients are off; exit code 1 when that is too far."""
    try:
        import hopper
    except ImportError as error:
        print(f"skipped: {error}; type: make check-gpu")
        return 0
    errors = compared(hopper)
    told = ", ".join(f"{name} {error:.1e}" for name, error in errors.items())
    print(f"the perceptron's kernel, by interpreter, is off by: {told}")
    return int(max(errors.values()) > AT_MOST)


def compared(hopper: object) -> dict[str, float]:
    """Return the relative errors of what the kernel gives and of its three gradients."""
    import torch

    torch.manual_seed(0)
    shapes = {"x": (384, 128), "up": (512, 128), "down": (128, 512)}
    ours = [(torch.randn(s) / s[1] ** 0.5).half().requires_grad_() for s in shapes.values()]
    plain = [tensor.detach().float().requires_grad_() for tensor in ours]
    x, up, down = plain
    wanted = torch.relu(x @ up.T).square() @ down.T
    got = hopper.perceptron(*ours)[0]
    grad = torch.randn_like(wanted)
    pairs = zip(
        (got, *torch.autograd.grad(got, ours, grad.half())),
        (wanted, *torch.autograd.grad(wanted, plain, grad)),
        strict=True,
    )
    far = [((a.float() - b).norm() / b.norm()).item() for a, b in pairs]
    return dict(zip(("result", *shapes), far, strict=True))


if __name__ == "__main__":
    sys.exit(main())
