"""What a step of `pretrain` will do on an H100, found out without one.

    make check-gpu                            # installs that machine's torch, then runs this
    python benchmarks/no_gpu --leaf DIR       # another version of the leaf, to compare

Torch's compiler is shown tensors without memory and writes the code that it would run; nothing is
executed, so nothing here is a time. Printed are launches of kernels, bytes that the kernels between
matmuls and attention move, and what is kept for the way back.
"""

import argparse
import copy
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import machine

ROOT = Path(__file__).resolve().parents[2]
# At most this much; behind it what the leaf needed before it was counted.
LIMITS = {
    "loss, KB a token": 50,  # 367
    "model, KB a token": 720,  # 936
    "kept for the way back, GiB": 24,  # 32
    "optimiser, launches a step": 150,  # 1,230
}
NO_KERNEL = re.compile(r"^(?!aten)|empty|detach|_unsafe_view|lift_fresh|_local_scalar|sym_|alias")
LAUNCH = re.compile(r"\.run\(|extern_kernels\.\w|= torch\.ops\.")
MATMUL = re.compile(r"mm\b|mm\.|attention")


class Written(Exception):
    """The compiler has written its code: there is nothing to load it on."""


@dataclass
class Cost:
    """What some part of a step launches and moves."""

    launches: int = 0
    moved: int = 0  # bytes, without matmuls and attention
    kept: int = 0  # bytes that a forward pass leaves to the backward pass
    code: list[str] = field(default_factory=list)
    watched: bool = False  # whether eager operations are counted as well
    paused: bool = False  # while what was compiled is traced on


NOW = Cost()
WRITTEN: list[Any] = []  # the last graph's code, its launches, the bytes it moves


def main() -> int:
    """Print each figure beside its limit; exit code 1 when one is above it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--leaf", type=Path, default=ROOT / "pretrain")
    parser.add_argument("--code", type=Path, help="write the code that was generated to this file")
    asked = parser.parse_args()
    machine.preload()
    try:
        machine.pretend()
    except ImportError as error:
        print(f"skipped: {error}; type: make check-gpu")
        return 0
    leaf = asked.leaf.resolve()
    sys.path[:0] = [str(leaf), str(leaf.parent)]
    figures, code = measured()
    if asked.code:
        asked.code.write_text("\n\n".join(code))
    return report(figures)


def report(figures: dict[str, float]) -> int:
    """Print the table; return the exit code."""
    print("| measure | value | at most |\n|---|---|---|")
    for name, value in figures.items():
        print(f"| {name} | {value:,.1f} | {LIMITS.get(name, '')} |")
    over = [name for name, limit in LIMITS.items() if figures[name] > limit]
    if over:
        print(f"above the limit: {', '.join(over)}", file=sys.stderr)
    return int(bool(over))


# -- The compiler, stopped ------------------------------------------------------


def compiler(graph: Any, inputs: Any) -> Any:
    """Compile as torch does, but hand back the graph itself, to be traced on."""
    from torch._inductor.compile_fx import compile_fx

    return compile_fx(graph, inputs, inner_compile=write)


def write(graph: Any, inputs: Any, **options: Any) -> Any:
    """Write the code of a forward or backward graph."""
    from torch._functorch.aot_autograd import make_boxed_func
    from torch._inductor.compile_fx import compile_fx_inner

    WRITTEN.clear()
    try:
        compile_fx_inner(copy.deepcopy(graph), inputs, **options)
    except Exception:
        if not WRITTEN:
            raise
    code, launches, moved = WRITTEN

    def traced(*values: Any) -> Any:
        NOW.code.append(code)
        NOW.launches += launches
        NOW.moved += moved
        with paused():
            return graph(*values)

    return make_boxed_func(traced)


def count_code(graph: Any) -> Any:
    """Count what the compiler wrote, in place of loading it."""
    code = graph.codegen()[0].value
    launches = len(LAUNCH.findall(code.split("def call(")[-1]))
    between = (node for node in graph.scheduler.nodes if not node.is_extern())
    WRITTEN[:] = code, launches, sum(node.get_read_write_buffers_sizes() for node in between)
    raise Written


@contextmanager
def paused() -> Iterator[None]:
    """Count nothing: what runs was counted as code."""
    before, NOW.paused = NOW.paused, True
    try:
        yield
    finally:
        NOW.paused = before


def eager_counter() -> Any:
    """Return the context that counts what is called one operation at a time."""
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    class Counter(TorchDispatchMode):
        def __torch_dispatch__(
            self, op: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            out = op(*args, **(kwargs or {}))
            if not (NOW.paused or op.is_view or NO_KERNEL.search(str(op))):
                NOW.launches += 1
                tensors = [t for t in tree_leaves((args, kwargs, out)) if hasattr(t, "nbytes")]
                NOW.moved += 0 if MATMUL.search(str(op)) else sum(t.nbytes for t in tensors)
            return out

    return Counter()


# -- What is measured -----------------------------------------------------------


def measured() -> tuple[dict[str, float], list[str]]:
    """Return the figures of one step, and the code that they were counted in."""
    import torch
    import train
    from torch._inductor.graph import GraphLowering
    from torch._subclasses.fake_tensor import FakeTensorMode

    GraphLowering.compile_to_module = count_code
    torch.compile = compile_by(torch.compile)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        model, batch = leaf(train, mode)
        compiled = train.compile_model(model, torch.device("cuda:0"))
        features = []
        forward = counted(lambda: features.append(compiled(batch[0])), model)
        backward = counted(lambda: features[0].sum().backward(), model)
        x, muon = features[0].detach().flatten(0, 1).requires_grad_(), with_gradients(train, model)
        loss = counted(lambda: head_loss(train, model, x, batch[1].flatten()), model, eager=True)
        optimiser = counted(lambda: step(train, muon), model, eager=True)
    tokens, times = batch[0].numel(), train.START["gpu"].batch_tokens // batch[0].numel()
    pieces = (forward, backward, loss)
    return {
        "loss, KB a token": loss.moved / tokens / 1e3,
        "model, KB a token": (forward.moved + backward.moved) / tokens / 1e3,
        "kept for the way back, GiB": forward.kept / 2**30,
        "the same, widths a layer": forward.kept
        / (2 * tokens * model.sizes.width * model.sizes.depth),
        "optimiser, launches a step": optimiser.launches,
        "all, launches a step": times * sum(p.launches for p in pieces) + optimiser.launches,
    }, [text for piece in (*pieces, optimiser) for text in piece.code]


def compile_by(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return torch.compile with our backend in place of its own; what it compiles is not counted.

    Torch compiles nothing below a mode that watches operations.
    """
    from torch.utils._python_dispatch import _pop_mode_temporarily

    def compiled(work: Any, **options: Any) -> Any:
        inside = original(work, backend=compiler, **options)

        def call(*values: Any) -> Any:
            with _pop_mode_temporarily() if NOW.watched else nullcontext():
                return inside(*values)

        return call

    return compiled


def counted(work: Callable[[], Any], model: Any, eager: bool = False) -> Cost:
    """Return what `work` costs, and what it leaves for a backward pass besides the weights."""
    global NOW
    import torch

    NOW, kept = Cost(watched=eager), {}
    tensors = (*model.parameters(), *model.buffers())
    weights = {tensor.untyped_storage()._cdata for tensor in tensors}

    def keep(tensor: Any) -> Any:
        memory = tensor.untyped_storage()
        if tensor.is_cuda and memory._cdata not in weights:
            kept[memory._cdata] = memory
        return tensor

    hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    with eager_counter() if eager else nullcontext(), hooks:
        work()
    NOW.kept = sum(memory.nbytes() for memory in kept.values())
    return NOW


def head_loss(train: Any, model: Any, x: Any, targets: Any) -> None:
    """Compute the loss of the last features and its gradient."""
    train.HeadLoss.apply(x, model.lm_head, targets, model.sizes.softcap).backward()


def with_gradients(train: Any, model: Any) -> Any:
    """Return the optimiser of the matrices, each with a gradient."""
    import torch

    _, muon = train.optimizers(model)
    for group in muon.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.empty_like(parameter)
    return muon


def step(train: Any, muon: Any) -> None:
    """Take the step of the matrices."""
    if hasattr(train, "decay_cautiously"):  # the first version's, which was a loop of its own
        train.decay_cautiously(muon, train.WEIGHT_DECAY)
    muon.step()


def leaf(train: Any, mode: Any) -> tuple[Any, Any]:
    """Return the model for a GPU, and a batch, as if they were on that GPU."""
    import torch
    from torch._subclasses.fake_tensor import FakeTensor

    def on_gpu(tensor: Any) -> Any:
        return FakeTensor(mode, tensor.detach(), torch.device("cuda:0"))

    sizes = train.scale(train.START["gpu"], vocab_size=8192, row_tokens=2048)
    with torch.device("meta"):
        model = train.GPT(sizes, torch.bfloat16)
        batch = torch.empty(2, sizes.micro_batch_tokens, dtype=torch.long)
    for part in model.modules():
        for name, parameter in part._parameters.items():
            part._parameters[name] = torch.nn.Parameter(on_gpu(parameter))
        for name, buffer in part._buffers.items():
            part._buffers[name] = on_gpu(buffer)
    return model, on_gpu(batch).view(2, -1, sizes.context).unbind(0)


if __name__ == "__main__":
    sys.exit(main())
