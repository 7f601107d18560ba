"""Pre-train a small GPT in a fixed time. Everything in this file may be changed.

    python train.py                      # the profile for this machine
    LAB_PROFILE=smoke python train.py    # seconds, and the same number for the same seed

Read it downwards: settings, attention, model, loss, optimiser, data, training. It leaves
`model.pt` and `artefact.json` in the run's folder; `evaluate.py` measures them through
`load_model`.
"""

import functools
import gc
import json
import math
import os
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from shared import clock, device, run, steps, summary

if __name__ == "__main__":
    HERE = run.here(__file__)
    # Set before torch is imported: kernels compiled by one run are found by the next.
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(HERE.cache / "compile"))

import torch
import torch.nn.functional as F
from cost import PEAK_FLOPS, check_fits, flops_per_token
from data import Loader, read_meta
from torch import Tensor, nn
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

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

# Where each kind of machine starts; the settings above act on whichever is run.
START: dict[str, dict[str, Any]] = {
    "cpu": {
        "depth": 2,  # a minute on one core: more steps beat more layers
        "width": 64,
        "head_dim": 32,
        "context": 64,
        "batch_tokens": 1024,
        "device_tokens": 1024,
        "pattern": "L",
        "short": 64,
        "hash_rows": 16384,  # knows the token before at the price of one look-up
        "value_embeds": False,
        "softcap": 0.0,  # 0 is none: tanh over the vocabulary costs more than it gives here
    },
    "gpu": {  # the best published night on one H100 (126 runs, 0.9979 -> 0.9697 bits per byte)
        "depth": 9,
        "width": 640,
        "head_dim": 128,
        "context": 2048,
        "batch_tokens": 2**18,  # half of what it began with: 42 % of that night's gain
        "device_tokens": 2**17,
        "pattern": "SSSSL",
        "short": 256,
        "hash_rows": 0,
        "value_embeds": True,
        "softcap": 15.0,
    },
}
ROPE_BASE = 200_000
EMBED_DECAY, VALUE_DECAY, HEAD_DECAY = 0.001, 0.003, 0.01  # the high rates need a leash
COMPILE = True  # on CUDA only: a CPU would spend half a minute on it
LOG_EVERY = 10  # steps between lines of the step log


def shape(kind: str, vocab: int, row_tokens: int) -> SimpleNamespace:
    """Return the sizes of the model and its batches on this kind of machine."""
    sizes = SimpleNamespace(**START[kind], vocab=vocab, row_tokens=row_tokens)
    sizes.depth += DEPTH_PLUS
    sizes.width = max(1, round(sizes.width * WIDTH_X / sizes.head_dim)) * sizes.head_dim
    sizes.context = min(row_tokens, 2 ** max(1, round(math.log2(sizes.context * CONTEXT_X))))
    sizes.batch_tokens = max(sizes.context, int(sizes.batch_tokens * BATCH_X))
    sizes.device_tokens = max(sizes.context, min(sizes.device_tokens, sizes.batch_tokens))
    sizes.hash_rows = int(sizes.hash_rows * HASH_X)
    if sizes.depth < 1 or row_tokens % sizes.context:
        raise SystemExit(
            f"depth {sizes.depth} and context {sizes.context} cannot be trained: give at least one "
            f"layer and a context that divides {row_tokens}"
        )
    # How many tokens each layer sees, its own included; the last layer always sees all.
    letters = (sizes.pattern * sizes.depth)[: sizes.depth - 1] + "L"
    short, long = min(sizes.short, sizes.context), sizes.context
    sizes.windows = [long if letter == "L" else short for letter in letters]
    return sizes


# -- Attention: (batch, heads, tokens, head_dim) in and out -------------------


def flash() -> Any:
    """Return FlashAttention's function, version 3 before 2, or None when neither is there."""
    for module in ("flash_attn_interface", "flash_attn"):
        try:
            return __import__(module).flash_attn_func
        except (ImportError, AttributeError):
            continue
    return None


FLASH = flash() if torch.cuda.is_available() else None


def block_mask(tokens: int, window: int, where: str) -> Any:
    """Return FlexAttention's block mask: a token sees itself and the `window - 1` before it."""

    def seen(b: Tensor, h: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (query >= key) & (query - key < window)

    return create_block_mask(seen, None, None, tokens, tokens, device=where)


@functools.cache
def plain_mask(tokens: int, window: int, where: str) -> Tensor:
    """Return the same mask as (tokens, tokens) booleans."""
    gap = torch.arange(tokens)[:, None] - torch.arange(tokens)[None, :]
    return ((gap >= 0) & (gap < window)).to(where)


def attend(q: Tensor, k: Tensor, v: Tensor, window: int, blocks: Any = None) -> Tensor:
    """Return causal attention over the last `window` tokens, by the quickest kernel there is.

    `blocks` is FlexAttention's mask, given where the model is compiled: else it would write out
    every score.
    """
    tokens = q.shape[-2]
    if FLASH is not None and q.is_cuda and q.dtype == torch.bfloat16:
        q, k, v = (x.transpose(1, 2) for x in (q, k, v))
        out = FLASH(q, k, v, causal=True, window_size=(window - 1, 0))
        return (out[0] if isinstance(out, tuple) else out).transpose(1, 2)
    if window >= tokens:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    if blocks is not None:
        return flex_attention(q, k, v, block_mask=blocks)
    mask = plain_mask(tokens, window, str(q.device))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


# -- Model --------------------------------------------------------------------


def norm(x: Tensor) -> Tensor:
    """Return x with root mean square 1 along its last axis (RMSNorm without weights)."""
    return F.rms_norm(x, (x.shape[-1],))


def linear(x: Tensor, weight: nn.Parameter) -> Tensor:
    """Multiply in the activations' precision; weights stay float32 for the optimiser."""
    return F.linear(x, weight.to(x.dtype))


def uniform(*size: int) -> nn.Parameter:
    """Return a matrix of deviation INIT_SCALE / sqrt(its last axis)."""
    bound = INIT_SCALE * (3 / size[-1]) ** 0.5
    return nn.Parameter(torch.empty(size).uniform_(-bound, bound))


class Block(nn.Module):
    """Attention, then a squared-ReLU perceptron, each added to what came in."""

    def __init__(self, layer: int, sizes: SimpleNamespace) -> None:
        super().__init__()
        width = sizes.width
        self.heads, self.window = width // sizes.head_dim, sizes.windows[layer]
        self.flex: Any = None  # FlexAttention's mask, once the model is compiled
        self.qkv = uniform(3 * width, width)
        self.out = nn.Parameter(torch.zeros(width, width))
        self.up = uniform(4 * width, width)
        self.down = nn.Parameter(torch.zeros(width, 4 * width))
        # Value embeddings on every second layer, the last included.
        if sizes.value_embeds and layer % 2 == (sizes.depth - 1) % 2:
            self.values = uniform(sizes.vocab, width)
            self.gate = nn.Parameter(torch.zeros(self.heads, 32))

    def forward(self, x: Tensor, tokens: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
        x = x + self.attention(norm(x), tokens, turn)
        return x + linear(F.relu(linear(norm(x), self.up)).square(), self.down)

    def attention(self, x: Tensor, tokens: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
        """Return attention's addition to x: (batch, tokens, width)."""
        batch, length, width = x.shape
        split = linear(x, self.qkv).view(batch, length, 3, self.heads, -1)
        qk, v = split[:, :, :2], split[:, :, 2]
        if hasattr(self, "values"):
            extra = F.embedding(tokens, self.values).to(x.dtype).view_as(v)
            v = v + 2 * torch.sigmoid(linear(x[..., :32], self.gate)).unsqueeze(-1) * extra
        q, k = norm(rotate(qk.permute(2, 0, 3, 1, 4), *turn)).unbind(0)
        y = attend(q * QK_SCALE, k, v.transpose(1, 2), self.window, self.flex)
        return linear(y.transpose(1, 2).reshape(batch, length, width), self.out)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn pairs of channels by an angle that grows with the position (RoPE, arXiv 2104.09864)."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos + b * sin, b * cos - a * sin), dim=-1)


class GPT(nn.Module):
    """Token and bigram embeddings, blocks with weighted residuals, and an untied head."""

    def __init__(self, sizes: SimpleNamespace, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.sizes, self.dtype = sizes, dtype
        self.embed = nn.Parameter(torch.randn(sizes.vocab, sizes.width))
        self.head = nn.Parameter(torch.randn(sizes.vocab, sizes.width) * 0.001)
        self.blocks = nn.ModuleList(Block(layer, sizes) for layer in range(sizes.depth))
        self.stay = nn.Parameter(torch.ones(sizes.depth))  # weight of the stream at each layer
        self.back = nn.Parameter(torch.full((sizes.depth,), 0.05))  # and of the first embedding
        if sizes.hash_rows:
            self.bigrams = nn.Parameter(torch.zeros(sizes.hash_rows, sizes.width))
        rates = ROPE_BASE ** -(torch.arange(0, sizes.head_dim, 2) / sizes.head_dim)
        angles = torch.arange(sizes.row_tokens)[:, None] * rates
        self.register_buffer("cos", angles.cos().to(dtype), persistent=False)
        self.register_buffer("sin", angles.sin().to(dtype), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the last features of (batch, tokens): (batch, tokens, width), normalised."""
        x = F.embedding(tokens, self.embed)
        if self.sizes.hash_rows:
            # The token and the one before it share a row with few other pairs.
            pairs = (tokens * 36313 ^ F.pad(tokens, (1, 0))[:, :-1] * 27191) % self.sizes.hash_rows
            x = x + F.embedding(pairs, self.bigrams)
        x = first = norm(x).to(self.dtype)
        turn = self.cos[: tokens.shape[1]], self.sin[: tokens.shape[1]]
        for stay, back, block in zip(self.stay, self.back, self.blocks, strict=True):
            x = block(stay.to(x.dtype) * x + back.to(x.dtype) * first, tokens, turn)
        return norm(x)

    def log_probs(self, tokens: Tensor) -> Tensor:
        """Return log-probabilities of what follows each token: (batch, tokens, vocab) float32."""
        z = linear(self(tokens), self.head).float()
        cap = self.sizes.softcap
        return F.log_softmax(cap * torch.tanh(z / cap) if cap else z, dim=-1)


def load_model(run_dir: Path, where: torch.device) -> Any:
    """Return what `evaluate.py` measures: tokens (B, T) -> log-probabilities (B, T, V)."""
    saved = torch.load(Path(run_dir) / "model.pt", map_location=where, weights_only=True)
    model = GPT(SimpleNamespace(**saved["sizes"]), precision(where)).to(where)
    model.load_state_dict(saved["weights"])
    return model.eval().log_probs


def precision(where: torch.device) -> torch.dtype:
    """Return what activations are kept in: bfloat16 halves the traffic of a CUDA device."""
    return torch.bfloat16 if where.type == "cuda" else torch.float32


# -- Loss ---------------------------------------------------------------------


def nats_and_gradient(z: Tensor, targets: Tensor, cap: float) -> tuple[Tensor, Tensor]:
    """Return the summed cross-entropy of float32 logits (N, V) and its gradient, reusing z."""
    if cap:
        tanh = torch.tanh(z / cap)
        z = cap * tanh
    z = z.sub_(z.amax(-1, keepdim=True))
    picked = z.gather(-1, targets[:, None])
    total = z.exp_().sum(-1, keepdim=True)
    nats = (total.log() - picked).sum()
    z.div_(total).scatter_add_(-1, targets[:, None], torch.full_like(picked, -1.0))
    return nats, z * (1 - tanh * tanh) if cap else z


class HeadLoss(torch.autograd.Function):
    """Mean cross-entropy of `features @ head.T`, holding only one chunk of logits at a time.

    The gradient is made in the forward pass, where the logits already are: that is a third less
    traffic on a CPU, and on a GPU 262,144 x 8,192 logits never exist together.
    """

    CHUNK = 2**15  # tokens: 1 GB of float32 logits at a vocabulary of 8192
    inner = staticmethod(nats_and_gradient)  # replaced by its compiled form on CUDA

    @staticmethod
    def forward(ctx: Any, x: Tensor, head: Tensor, targets: Tensor, cap: float) -> Tensor:
        weight, nats = head.to(x.dtype), x.new_zeros((), dtype=torch.float32)
        for_x, for_head = torch.empty_like(x), torch.zeros_like(head)
        chunks = zip(*(t.split(HeadLoss.CHUNK) for t in (x, targets, for_x)), strict=True)
        for part, target, out in chunks:
            part_nats, gradient = HeadLoss.inner((part @ weight.T).float(), target, cap)
            gradient = gradient.to(x.dtype)
            nats += part_nats
            torch.mm(gradient, weight, out=out)
            for_head += gradient.T @ part
        ctx.save_for_backward(for_x, for_head)
        return nats / len(x)

    @staticmethod
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor, Tensor, None, None]:
        for_x, for_head = ctx.saved_tensors
        scale = scale / len(for_x)
        return for_x * scale.to(for_x.dtype), for_head * scale, None, None


# -- Optimiser ----------------------------------------------------------------


def optimizers(model: GPT) -> tuple[torch.optim.AdamW, torch.optim.Muon]:
    """Return AdamW for embeddings, head and scalars, and torch's Muon for the matrices."""
    matrices = [p for b in model.blocks for n, p in b.named_parameters() if n != "values"]
    tables = [p for n, p in model.named_parameters() if n.endswith(".values")]
    by_width = (model.sizes.width / 768) ** -0.5
    words = [model.embed, *([model.bigrams] if model.sizes.hash_rows else [])]
    groups = [
        {"params": words, "lr": EMBED_LR * by_width, "weight_decay": EMBED_DECAY},
        {"params": tables, "lr": EMBED_LR * by_width, "weight_decay": VALUE_DECAY},
        {"params": [model.head], "lr": HEAD_LR * by_width, "weight_decay": HEAD_DECAY},
        {"params": [model.stay], "lr": SCALAR_LR * 0.01},
        {"params": [model.back], "lr": SCALAR_LR, "betas": (0.96, 0.95)},
    ]
    adam = torch.optim.AdamW(
        [group for group in groups if group["params"]],
        betas=(BETA1, BETA2),
        eps=1e-10,
        weight_decay=0.0,
        fused=model.embed.device.type != "mps",
    )
    muon = torch.optim.Muon(matrices, lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=0.0)
    for group in [*adam.param_groups, *muon.param_groups]:
        group["start"] = group["lr"]
    return adam, muon


def decay_cautiously(muon: torch.optim.Muon, weight_decay: float) -> None:
    """Shrink matrix entries, but only those that the gradient shrinks too (arXiv 2411.16085)."""
    for group in muon.param_groups:
        for weight in group["params"]:
            agrees = (weight.grad * weight > 0).to(weight.dtype)
            weight.data.mul_(1 - group["lr"] * weight_decay * agrees)


def rate_at(progress: float) -> float:
    """Return the share of every learning rate at this share of the budget."""
    falling = (1 - progress) / WARMDOWN if WARMDOWN else 1.0
    return FINAL_LR + (1 - FINAL_LR) * min(1.0, falling)


# -- Training -----------------------------------------------------------------


def compiled(model: GPT, sizes: SimpleNamespace, where: torch.device) -> Any:
    """Return the model as it is trained: compiled on CUDA, windows by FlexAttention there."""
    if not (COMPILE and where.type == "cuda"):
        return model
    for block in model.blocks:
        if FLASH is None and block.window < sizes.context:
            block.flex = block_mask(sizes.context, block.window, str(where))
    HeadLoss.inner = staticmethod(torch.compile(nats_and_gradient, dynamic=False))
    return torch.compile(model, dynamic=False)


def backward(trunk: Any, model: GPT, batches: Iterator[Any], times: int) -> Tensor:
    """Add the gradients of `times` device batches; return their mean loss."""
    total = torch.zeros((), device=model.embed.device)
    for _ in range(times):
        inputs, targets = next(batches)
        features = trunk(inputs).flatten(0, 1)
        cap = model.sizes.softcap
        loss = HeadLoss.apply(features, model.head, targets.flatten(), cap) / times
        loss.backward()
        total += loss.detach()
    return total


def gradient_norm(model: GPT) -> float:
    """Return the length of the whole gradient."""
    norms = torch._foreach_norm([p.grad for p in model.parameters() if p.grad is not None])
    return float(torch.stack(norms).norm())


def train(here: run.Run) -> dict[str, float]:
    """Train until the budget is used; leave the model; return what to report."""
    launched, meta = time.perf_counter(), read_meta(here.cache)
    if not meta:
        raise SystemExit(f"no data in {here.cache}; type: python prepare.py")
    where = device.pick(here.needs)
    device.seed_everything(here.seed)
    kind = "gpu" if where.type == "cuda" else "cpu"
    sizes = shape(kind, meta["vocab_size"], meta["row_tokens"])
    check_fits(sizes, where, HeadLoss.CHUNK)
    model = GPT(sizes, precision(where)).to(where)
    each = sizes.device_tokens // sizes.context * sizes.context
    times = max(1, sizes.batch_tokens // each)
    rows = here.cache / "train.bin"
    batches = iter(Loader(rows, sizes.row_tokens, sizes.context, each, here.seed, where))
    trunk = compiled(model, sizes, where)
    if trunk is not model:  # compile now: the gradients of this batch are thrown away
        backward(trunk, model, batches, 1)
        model.zero_grad(set_to_none=True)
    device.synchronize(where)
    budget = clock.Clock(here.clock, here.budget_s, here.steps)
    startup = time.perf_counter() - launched
    found = loop(model, lambda: backward(trunk, model, batches, times).item(), budget, here.dir)
    device.synchronize(where)
    spent = {"train_s": budget.elapsed(), "wall_s": budget.wall_s, "cpu_s": budget.cpu_s}
    save(model, sizes, meta, here.dir)
    tokens = budget.steps_done * times * each
    used = flops_per_token(sizes) * tokens / spent["wall_s"]
    peak = [flops for name, flops in PEAK_FLOPS.items() if name in device.name(where)]
    return {
        **found,
        "num_steps": budget.steps_done,
        "tokens": tokens,
        "tokens_per_s": tokens / spent["train_s"],
        **spent,
        "startup_s": startup,
        "peak_memory_mb": device.peak_memory_mb(where),
        "params": sum(p.numel() for p in model.parameters()),
        "gflops_per_s": used / 1e9,
        **({"mfu": used / peak[0]} if peak else {}),
    }


def loop(model: GPT, gradients: Any, budget: clock.Clock, run_dir: Path) -> dict[str, float]:
    """Step until the budget is used; return the last hundred steps' loss and the gradient norms."""
    adam, muon = optimizers(model)
    losses: deque[float] = deque(maxlen=100)
    norms: list[float] = []
    gc.collect()
    gc.freeze()  # a full collection costs half a second in the middle of training
    gc.disable()
    with steps.StepLog(run_dir) as log:
        budget.start()
        while not budget.done():
            step, progress = budget.steps_done, budget.progress()
            losses.append(gradients())
            steps.check_finite(step, losses[-1])
            if step % LOG_EVERY == 0:
                norms.append(gradient_norm(model))
                log.log(step, budget.elapsed(), loss=losses[-1], grad_norm=norms[-1])
            update(adam, muon, progress)
            budget.tick()
    return {
        "train_loss": sum(losses) / len(losses),
        "grad_norm": sum(norms) / len(norms),
        "grad_norm_max": max(norms),
    }


def update(adam: torch.optim.AdamW, muon: torch.optim.Muon, progress: float) -> None:
    """Take one step with the rates of this share of the budget."""
    for group in [*adam.param_groups, *muon.param_groups]:
        group["lr"] = group["start"] * rate_at(progress)
    for group in muon.param_groups:
        group["momentum"] = MOMENTUM - max(0.0, MOMENTUM - 0.85) * max(0.0, 1 - 10 * progress)
    if WEIGHT_DECAY:
        decay_cautiously(muon, WEIGHT_DECAY * (1 - progress))
    for optimizer in (adam, muon):
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


def save(model: GPT, sizes: SimpleNamespace, meta: dict[str, Any], run_dir: Path) -> None:
    """Leave the artefact that `evaluate.py` accepts: weights, sizes, and whose they are."""
    torch.save({"weights": model.state_dict(), "sizes": vars(sizes)}, run_dir / "model.pt")
    told = {"leaf": "pretrain", "tokenizer_sha256": meta["tokenizer_sha256"]}
    (run_dir / "artefact.json").write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    summary.finish(
        lambda: train(HERE), HERE.dir, smaller="halve device_tokens in START, or lower WIDTH_X"
    )
