"""Pre-train a small GPT in a fixed time. Everything in this file may be changed.

    python train.py                      # the profile for this machine
    LAB_PROFILE=smoke python train.py    # seconds, and the same number for the same seed

Read it downwards: settings, attention, model, loss, optimiser, training. What a step spends its
time in stands in `head_loss.py`, `muon.py` and `hopper.py`. It leaves `model.pt` and
`artefact.json` in the run's folder; `evaluate.py` measures them through `load_model`.
"""

import functools
import gc
import importlib.util
import json
import math
import os
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from shared import clock, steps, summary
from shared import device as devices
from shared import run as runs

if __name__ == "__main__":
    run = runs.here(__file__)
    # Set before torch is imported: kernels compiled by one run are found by the next.
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(run.cache / "compile"))

import torch
import torch.nn.functional as F
from cost import Report, check_fits, speed
from data import Loader, read_meta
from head_loss import HeadLoss, fused_nats_and_gradient
from muon import Muon, muon_step
from torch import Tensor, nn

# -- Settings: edit these, one at a time --------------------------------------

LEARNING_RATE = 0.04  # Muon's step for the matrices: too low wastes the budget, too high diverges
EMBED_LR = 0.9  # embeddings start with deviation 1; both Adam rates are meant at width 768
HEAD_LR = 0.005  # the last matrix starts near zero and learns the token frequencies first
SCALAR_LR = 0.5  # residual weights: a handful of numbers, cheap to move
BETA1 = 0.8  # Adam's memory of the gradient: short, because the run is short
BETA2 = 0.95  # and of its square
MOMENTUM = 0.95  # Muon's memory; begins at 0.85 and gets there in a tenth of the budget
WEIGHT_DECAY = 0.2  # of matrices, only where it agrees with the gradient; fades to zero
WARMDOWN = 0.75  # share of the budget over which the rates fall
FINAL_LR = 0.05  # what they fall to, as a share: the last steps still learn
INIT_SCALE = 0.68  # of a uniform init with deviation 1/sqrt(width)
QK_SCALE = 1.0  # above 1 sharpens attention, query and key being normalised
BATCH_X = 1.0  # tokens a step, times the profile's start
CONTEXT_X = 1.0  # tokens the model trains on in a row, times the profile's start
WIDTH_X = 1.0  # width, times the profile's start
DEPTH_PLUS = 0  # layers more than the profile's start
HASH_X = 1.0  # rows of the hashed bigram table, times the profile's start


@dataclass(frozen=True)
class Sizes:
    """How large the model and its batches are."""

    depth: int  # layers
    width: int  # channels of the residual stream
    head_dim: int  # channels of one attention head
    context: int  # tokens in a row of a training batch
    batch_tokens: int  # tokens a step
    micro_batch_tokens: int  # tokens in one forward and backward pass, as many as fit
    window_pattern: str = "L"  # a letter a layer, over again: L sees the context, S a window
    short_window: int = 64  # tokens that a layer of letter S sees, its own included
    hash_rows: int = 0  # rows of the hashed bigram table; 0 for none
    value_embeds: bool = False  # whether every second layer has a table of values
    softcap: float = 0.0  # logits stay below it; 0 for no cap
    vocab_size: int = 0  # tokens in the vocabulary; the data says it
    row_tokens: int = 0  # tokens in a prepared row, the most the model ever sees; the data says it

    @property
    def windows(self) -> list[int]:
        """How many tokens each layer sees, its own included; the last layer always sees all."""
        letters = (self.window_pattern * self.depth)[: self.depth - 1] + "L"
        short = min(self.short_window, self.context)
        return [self.context if letter == "L" else short for letter in letters]


# Where each kind of machine starts; the settings above act on whichever is run.
START = {
    "cpu": Sizes(
        depth=2,  # a minute on one core: more steps beat more layers
        width=64,
        head_dim=32,
        context=64,
        batch_tokens=1024,
        micro_batch_tokens=1024,
        hash_rows=16384,  # knows the token before at the price of one look-up
    ),
    "gpu": Sizes(  # the best published night on one H100 (126 runs, 0.9979 -> 0.9697 bits per byte)
        depth=9,
        width=640,
        head_dim=128,
        context=2048,
        batch_tokens=2**18,  # half of what it began with: 42 % of that night's gain
        micro_batch_tokens=2**17,
        window_pattern="SSSSL",
        short_window=256,
        hash_rows=2**16,  # eight a token: knowing the token before costs one row of a look-up
        value_embeds=True,
        softcap=15.0,  # on a CPU tanh over the vocabulary costs more than it gives
    ),
}
ROPE_BASE = 200_000
X0_INIT = 0.05  # of the first embedding's weight at each layer
EMBED_DECAY, VALUE_DECAY, HEAD_DECAY = 0.001, 0.003, 0.01  # the high rates need a leash
PRECISION = {"cuda": torch.bfloat16}  # of activations, half the traffic; float32 elsewhere
COMPILE = True  # on CUDA only: a CPU would spend half a minute on it
HOPPER = torch.cuda.is_available() and torch.cuda.get_device_capability()[0] == 9
MLP_KERNEL = HOPPER and os.environ.get("LAB_MLP_KERNEL") != "0"  # hopper.py: 3 % more tokens
LOG_EVERY = 10  # steps between lines of the step log


def scale(start: Sizes, vocab_size: int, row_tokens: int) -> Sizes:
    """Return the sizes to train with: the start, with the settings above and the data's own."""
    depth = start.depth + DEPTH_PLUS
    context = min(row_tokens, 2 ** max(1, round(math.log2(start.context * CONTEXT_X))))
    if depth < 1 or row_tokens % context:
        raise SystemExit(
            f"depth {depth} and context {context} cannot be trained: give at least one "
            f"layer and a context that divides {row_tokens}"
        )
    batch_tokens = max(context, int(start.batch_tokens * BATCH_X))
    rows = max(1, min(start.micro_batch_tokens, batch_tokens) // context)
    return replace(
        start,
        depth=depth,
        width=max(1, round(start.width * WIDTH_X / start.head_dim)) * start.head_dim,
        context=context,
        batch_tokens=batch_tokens,
        micro_batch_tokens=rows * context,
        hash_rows=int(start.hash_rows * HASH_X),
        vocab_size=vocab_size,
        row_tokens=row_tokens,
    )


# -- Attention: (batch, tokens, heads, head_dim) in and out -------------------

if torch.cuda.is_available() and importlib.util.find_spec("flash_attn_interface"):
    torch.nn.attention.activate_flash_attention_impl("FA3")  # torch's own calls then end there


@functools.cache
def dense_mask(tokens: int, window: int, device: torch.device) -> Tensor:
    """Return what a token sees as (tokens, tokens) booleans: itself, the `window - 1` before it."""
    gap = torch.arange(tokens)[:, None] - torch.arange(tokens)[None, :]
    return ((gap >= 0) & (gap < window)).to(device)


def flash(q: Tensor, k: Tensor, v: Tensor, window: int) -> Tensor:
    """Return windowed attention by the FlashAttention in torch, whose SDPA takes no window."""
    tokens, call = q.shape[1], torch.ops.aten._flash_attention_forward
    seen = {"window_size_left": window - 1, "window_size_right": 0}
    y: Tensor = call(q, k, v, None, None, tokens, tokens, 0.0, False, False, **seen)[0]
    return y


def attend(q: Tensor, k: Tensor, v: Tensor, window: int) -> Tensor:
    """Return causal attention over the last `window` tokens, by the quickest kernel there is."""
    tokens = q.shape[1]
    if window < tokens and q.is_cuda and q.dtype == torch.bfloat16:
        return flash(q, k, v, window)
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    mask = None if window >= tokens else dense_mask(tokens, window, q.device)
    y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
    return y.transpose(1, 2)


# -- Model --------------------------------------------------------------------


def norm(x: Tensor) -> Tensor:
    """Return x with root mean square 1 along its last axis (RMSNorm without weights)."""
    return F.rms_norm(x, (x.shape[-1],))


def linear(x: Tensor, weight: Tensor) -> Tensor:
    """Multiply in the activations' precision; weights stay float32 for the optimiser."""
    return F.linear(x, weight.to(x.dtype))


def uniform(*size: int) -> Tensor:
    """Return a matrix of deviation INIT_SCALE / sqrt(its last axis)."""
    bound = INIT_SCALE * (3 / size[-1]) ** 0.5
    return torch.empty(size).uniform_(-bound, bound)


def apply_rotary_emb(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn pairs of channels by an angle that grows with the position (RoPE, arXiv 2104.09864)."""
    x1, x2 = x.chunk(2, dim=-1)
    return torch.cat((x1 * cos + x2 * sin, x2 * cos - x1 * sin), dim=-1)


def mixed(x: Tensor, x0: Tensor, resid: Tensor, back: Tensor) -> Tensor:
    """Return resid x + back x0, whose weights no precision of x may round.

    Compiled, as in training, they are not; one operation at a time, as when scored, they would be.
    """
    if torch.is_grad_enabled():
        return resid * x + back * x0
    return (resid * x.float() + back * x0.float()).to(x.dtype)


class SquaredReLU(torch.autograd.Function):
    """relu(x)^2, its slope 2 relu(x) from the result alone: four widths a layer less are kept."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y = F.relu(x).square()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return 2 * grad * ctx.saved_tensors[0].sqrt()


class Block(nn.Module):
    """Attention, then a squared-ReLU perceptron, each added to what came in."""

    def __init__(self, sizes: Sizes, layer: int) -> None:
        super().__init__()
        width = sizes.width
        self.n_head, self.window = width // sizes.head_dim, sizes.windows[layer]
        self.qkv = nn.Parameter(uniform(3 * width, width))
        self.attn_proj = nn.Parameter(torch.zeros(width, width))
        self.mlp_fc = nn.Parameter(uniform(4 * width, width))
        self.mlp_proj = nn.Parameter(torch.zeros(width, 4 * width))
        # Value embeddings on every second layer, the last included.
        if sizes.value_embeds and layer % 2 == (sizes.depth - 1) % 2:
            values = uniform(sizes.vocab_size, width)
            self.value_embeds = nn.Embedding.from_pretrained(values, freeze=False)
            self.ve_gate = nn.Parameter(torch.zeros(self.n_head, 32))

    def forward(self, x: Tensor, idx: Tensor, cos_sin: tuple[Tensor, Tensor]) -> Tensor:
        x = x + self.attention(norm(x), idx, cos_sin)
        return x + self.perceptron(norm(x))

    def perceptron(self, x: Tensor) -> Tensor:
        """Return the perceptron's addition to x: (batch, tokens, width)."""
        if MLP_KERNEL and torch.is_grad_enabled():
            import hopper  # it needs triton, which torch brings where there is such a GPU

            matrices = (weight.to(x.dtype) for weight in (self.mlp_fc, self.mlp_proj))
            y: Tensor = hopper.perceptron(x.flatten(0, 1), *matrices)[0]
            return y.view_as(x)
        return linear(SquaredReLU.apply(linear(x, self.mlp_fc)), self.mlp_proj)

    def attention(self, x: Tensor, idx: Tensor, cos_sin: tuple[Tensor, Tensor]) -> Tensor:
        """Return attention's addition to x: (batch, tokens, width)."""
        B, T, C = x.shape
        q, k, v = linear(x, self.qkv).view(B, T, 3, self.n_head, -1).unbind(2)
        if hasattr(self, "value_embeds"):
            ve = self.value_embeds(idx).to(x.dtype).view_as(v)
            v = v + 2 * torch.sigmoid(linear(x[..., :32], self.ve_gate)).unsqueeze(-1) * ve
        # Turned after they are normalised, which is the same: half the traffic of the reverse.
        q, k = (apply_rotary_emb(norm(x), *cos_sin) for x in (q, k))
        y = attend(q * QK_SCALE, k, v, self.window)
        return linear(y.reshape(B, T, C), self.attn_proj)


class GPT(nn.Module):
    """Token and bigram embeddings, blocks with weighted residuals, and an untied head."""

    def __init__(self, sizes: Sizes, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        vocab_size, width = sizes.vocab_size, sizes.width
        self.sizes, self.dtype = sizes, dtype  # dtype is the activations'
        self.wte = nn.Embedding.from_pretrained(torch.randn(vocab_size, width), freeze=False)
        self.lm_head = nn.Parameter(torch.randn(vocab_size, width) * 0.001)
        self.blocks = nn.ModuleList(Block(sizes, layer) for layer in range(sizes.depth))
        # Weights of the residual stream and of the first embedding, a layer each.
        self.resid_lambdas = nn.Parameter(torch.ones(sizes.depth))
        self.x0_lambdas = nn.Parameter(torch.full((sizes.depth,), X0_INIT))
        if sizes.hash_rows:
            bigrams = torch.zeros(sizes.hash_rows, width)
            self.bigram_embeds = nn.Embedding.from_pretrained(bigrams, freeze=False)
        inv_freq = ROPE_BASE ** -(torch.arange(0, sizes.head_dim, 2) / sizes.head_dim)
        angles = torch.arange(sizes.row_tokens)[:, None] * inv_freq
        self.register_buffer("cos", angles.cos().to(dtype), persistent=False)
        self.register_buffer("sin", angles.sin().to(dtype), persistent=False)

    def forward(self, idx: Tensor) -> Tensor:
        """Return the last features of (batch, tokens): (batch, tokens, width), normalised."""
        x = self.wte(idx)
        if self.sizes.hash_rows:
            # The token and the one before it share a row with few other pairs.
            bigrams = (idx * 36313 ^ F.pad(idx, (1, 0))[:, :-1] * 27191) % self.sizes.hash_rows
            x = x + self.bigram_embeds(bigrams)
        x = x0 = norm(x).to(self.dtype)
        cos_sin = self.cos[: idx.shape[1], None], self.sin[: idx.shape[1], None]
        # The weights stay float32: in bfloat16 they would move in jumps, or not at all.
        for resid, back, block in zip(
            self.resid_lambdas, self.x0_lambdas, self.blocks, strict=True
        ):
            x = block(mixed(x, x0, resid, back), idx, cos_sin)
        return norm(x)

    def log_probs(self, idx: Tensor) -> Tensor:
        """Return log-probabilities of what follows each token: (batch, tokens, vocab) float32."""
        logits = linear(self(idx), self.lm_head).float()
        cap = self.sizes.softcap
        return F.log_softmax(cap * torch.tanh(logits / cap) if cap else logits, dim=-1)

    def report(self) -> Report:
        """Say what `cost.py` cannot see in the parameters."""
        return Report(
            width=self.sizes.width,
            windows=self.sizes.windows,
            context=self.sizes.context,
            tokens=self.sizes.micro_batch_tokens,
            logits=min(HeadLoss.CHUNK, self.sizes.micro_batch_tokens) * self.sizes.vocab_size,
            bytes_per_activation=self.dtype.itemsize,
        )


def save_model(model: GPT, tokenizer_sha256: str, run_dir: Path) -> None:
    """Leave the artefact that `evaluate.py` accepts: weights, sizes, and whose they are."""
    torch.save({"weights": model.state_dict(), "sizes": asdict(model.sizes)}, run_dir / "model.pt")
    artefact = {"leaf": "pretrain", "tokenizer_sha256": tokenizer_sha256}
    (run_dir / "artefact.json").write_text(json.dumps(artefact), encoding="utf-8")


def load_model(run_dir: Path, device: torch.device) -> Any:
    """Return what `evaluate.py` measures: tokens (B, T) -> log-probabilities (B, T, V)."""
    saved = torch.load(Path(run_dir) / "model.pt", map_location=device, weights_only=True)
    model = GPT(Sizes(**saved["sizes"]), PRECISION.get(device.type, torch.float32)).to(device)
    model.load_state_dict(saved["weights"])
    return model.eval().log_probs


# -- Loss ---------------------------------------------------------------------


def next_token_loss(compiled_model: Any, model: GPT, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Return the mean nats a token that the model spends on this batch of (inputs, targets)."""
    inputs, targets = batch
    features = compiled_model(inputs).flatten(0, 1)
    return HeadLoss.apply(features, model.lm_head, targets.flatten(), model.sizes.softcap)


def compile_model(model: GPT, device: torch.device) -> Any:
    """Return the model as it is trained: compiled on CUDA, with its loss and its optimiser."""
    if not (COMPILE and device.type == "cuda"):
        return model
    HeadLoss.inner = staticmethod(torch.compile(fused_nats_and_gradient, dynamic=False))
    Muon.step_stack = staticmethod(torch.compile(muon_step, dynamic=False))
    return torch.compile(model, dynamic=False)


# -- Optimiser ----------------------------------------------------------------


def optimizers(model: GPT) -> tuple[torch.optim.AdamW, Muon]:
    """Return AdamW for embeddings, head and scalars, and Muon for the matrices."""
    embeddings = [part.weight for part in model.children() if isinstance(part, nn.Embedding)]
    value_tables = [p for name, p in model.blocks.named_parameters() if "value_embeds" in name]
    matrices = [p for name, p in model.blocks.named_parameters() if "value_embeds" not in name]
    qkv = {id(block.qkv) for block in model.blocks}  # three matrices, one above the other
    by_width = (model.sizes.width / 768) ** -0.5
    groups = [
        {"params": embeddings, "lr": EMBED_LR * by_width, "weight_decay": EMBED_DECAY},
        {"params": value_tables, "lr": EMBED_LR * by_width, "weight_decay": VALUE_DECAY},
        {"params": [model.lm_head], "lr": HEAD_LR * by_width, "weight_decay": HEAD_DECAY},
        {"params": [model.resid_lambdas], "lr": SCALAR_LR * 0.01},
        {"params": [model.x0_lambdas], "lr": SCALAR_LR, "betas": (0.96, 0.95)},
    ]
    fused = model.lm_head.device.type != "mps"
    adam = torch.optim.AdamW(groups, betas=(BETA1, BETA2), eps=1e-10, weight_decay=0, fused=fused)
    muon = Muon([(p, 3 if id(p) in qkv else 1) for p in matrices], LEARNING_RATE, MOMENTUM)
    for group in [*adam.param_groups, *muon.param_groups]:
        group["initial_lr"] = group["lr"]
    return adam, muon


def lr_multiplier(progress: float) -> float:
    """Return the share of every learning rate at this share of the budget."""
    falling = (1 - progress) / WARMDOWN if WARMDOWN else 1.0
    return FINAL_LR + (1 - FINAL_LR) * min(1.0, falling)


def update(adam: torch.optim.AdamW, muon: Muon, progress: float, share: float = 1.0) -> None:
    """Take one step at this share of the budget, or a share of one; drop the gradients."""
    for group in [*adam.param_groups, *muon.param_groups]:
        group["lr"] = group["initial_lr"] * lr_multiplier(progress) * share
    for group in muon.param_groups:
        warmup = max(0.0, 1 - 10 * progress)
        group["momentum"] = MOMENTUM - max(0.0, MOMENTUM - 0.85) * warmup
        group["weight_decay"] = WEIGHT_DECAY * (1 - progress)
    for optimizer in (adam, muon):
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


# -- Training -----------------------------------------------------------------


def backward(compiled_model: Any, model: GPT, batches: Iterator[Any], times: int) -> Tensor:
    """Add up the gradients of `times` micro-batches; return their mean loss."""
    step_loss = torch.zeros((), device=model.lm_head.device)
    for _ in range(times):
        loss = next_token_loss(compiled_model, model, next(batches)) / times
        loss.backward()
        step_loss += loss.detach()
    return step_loss


def warm_up(compiled_model: Any, model: GPT, optimizers: tuple[Any, Muon], batch: Any) -> None:
    """Compile all that a step runs, and leave weights and optimisers as they were."""
    backward(compiled_model, model, iter([batch]), 1)
    update(*optimizers, progress=0.0, share=0.0)
    optimizers[0].state.clear()
    optimizers[1].forget()


class Record:
    """What the steps measured, each read when the next is under way: a GPU never waits for it."""

    def __init__(self, log: steps.StepLog) -> None:
        self.log, self.losses, self.grad_norms = log, deque[float](maxlen=100), list[float]()
        self.waiting: tuple[int, float, Tensor, Tensor | None] | None = None

    def add(self, step: int, at: float, loss: Tensor, model: GPT) -> None:
        """Take a step's loss and, for a line of the log, the length of its gradient."""
        grads = [p.grad for p in model.parameters() if p.grad is not None]
        norm = nn.utils.get_total_norm(grads) if step % LOG_EVERY == 0 else None
        self.read()
        self.waiting = step, at, loss, norm

    def read(self) -> None:
        """Read the step before; stop the run when its loss is no number."""
        if not self.waiting:
            return
        step, at, loss, norm = self.waiting
        self.losses.append(loss.item())
        steps.check_finite(step, self.losses[-1])
        if norm is not None:
            self.grad_norms.append(norm.item())
            self.log.log(step, at, loss=self.losses[-1], grad_norm=self.grad_norms[-1])

    def summary(self) -> dict[str, float]:
        """Return the last hundred steps' loss, and the gradient's mean and greatest length."""
        self.read()
        return {
            "train_loss": sum(self.losses) / len(self.losses),
            "grad_norm": sum(self.grad_norms) / len(self.grad_norms),
            "grad_norm_max": max(self.grad_norms),
        }


def main(run: runs.Run) -> dict[str, float]:
    """Train until the budget is used; leave the model; return what to report."""
    device = devices.pick(run.needs)
    launched, meta = time.perf_counter(), read_meta(run.cache)
    if not meta:
        raise SystemExit(f"no data in {run.cache}; type: python prepare.py")
    start = START["gpu" if device.type == "cuda" else "cpu"]
    sizes = scale(start, meta["vocab_size"], meta["row_tokens"])
    grad_accum_steps = max(1, sizes.batch_tokens // sizes.micro_batch_tokens)
    dtype = PRECISION.get(device.type, torch.float32)

    # Model, optimisers and data
    check_fits(lambda w: GPT(replace(sizes, width=w), dtype), sizes.width, sizes.head_dim, device)
    devices.seed_everything(run.seed)
    with device:  # made where it will live: moving it would cost a second
        model = GPT(sizes, dtype)
    adam, muon = optimizers(model)
    rows = run.cache / "train.bin"
    batches = iter(
        Loader(rows, sizes.row_tokens, sizes.context, sizes.micro_batch_tokens, run.seed, device)
    )
    compiled_model = compile_model(model, device)
    if compiled_model is not model:
        warm_up(compiled_model, model, (adam, muon), next(batches))
    gc.collect()
    gc.freeze()  # a full collection costs half a second in the middle of training
    gc.disable()
    devices.synchronize(device)

    # Training loop
    budget = clock.Clock(run.clock, run.budget_s, run.steps)
    startup_s = time.perf_counter() - launched
    with steps.StepLog(run.dir) as log:
        record = Record(log)
        budget.start()
        while not budget.done():
            step, progress = budget.steps_done, budget.progress()
            loss = backward(compiled_model, model, batches, grad_accum_steps)
            record.add(step, budget.elapsed(), loss, model)
            update(adam, muon, progress)
            budget.tick()
        measured = record.summary()
    devices.synchronize(device)
    spent = {"train_s": budget.elapsed(), "wall_s": budget.wall_s, "cpu_s": budget.cpu_s}

    # Report
    save_model(model, meta["tokenizer_sha256"], run.dir)
    tokens = budget.steps_done * grad_accum_steps * sizes.micro_batch_tokens
    return {
        **measured,
        "num_steps": budget.steps_done,
        "tokens": tokens,
        "tokens_per_s": tokens / spent["train_s"],
        **spent,
        "startup_s": startup_s,
        "peak_memory_mb": devices.peak_memory_mb(device),
        "params": sum(p.numel() for p in model.parameters()),
        **speed(model, tokens, spent["wall_s"], devices.name(device)),
    }


if __name__ == "__main__":
    summary.finish(lambda: main(run), run.dir, smaller="lower WIDTH_X or micro_batch_tokens")
