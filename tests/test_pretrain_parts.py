"""The pretrain leaf's pieces: packing, loader, masks, loss, optimiser groups, arithmetic.

`train.py` is what experiments change. So a test sets the settings that it asserts, or computes
them from the module, and finds parameters by what they are, not by their names.
"""

import copy
import importlib
import math
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

np = pytest.importorskip("numpy", reason="pretrain needs numpy")
torch = pytest.importorskip("torch", reason="pretrain needs torch")
pytest.importorskip("tokenizers", reason="pretrain needs tokenizers")

from torch.utils.flop_counter import FlopCounterMode  # noqa: E402  (after torch was asked for)

LEAF = Path(__file__).parents[1] / "pretrain"
MODULES = ("cost", "data", "head_loss", "muon", "prepare", "train", "evaluate")
CPU = torch.device("cpu")


def leaf_modules() -> dict[str, ModuleType]:
    """Import the leaf's files under their own names, then free those names for other leaves."""
    kept = {name: sys.modules.pop(name) for name in MODULES if name in sys.modules}
    sys.path.insert(0, str(LEAF))
    try:
        return {name: importlib.import_module(name) for name in MODULES}
    finally:
        sys.path.remove(str(LEAF))
        for name in MODULES:
            sys.modules.pop(name, None)
        sys.modules.update(kept)


OURS = leaf_modules()
cost, data, head_loss, muon, prepare, train, evaluate = (OURS[name] for name in MODULES)


TINY = {
    "depth": 3,
    "width": 64,
    "head_dim": 32,
    "context": 32,
    "batch_tokens": 64,
    "micro_batch_tokens": 64,
    "window_pattern": "S",
    "short_window": 8,
    "hash_rows": 50,
    "value_embeds": True,
    "softcap": 15.0,
    "vocab_size": 97,
    "row_tokens": 64,
}


def sizes(**changes: Any) -> Any:
    """A tiny shape with every part switched on that `train.py` still has."""
    wanted = TINY | changes
    known = {name: value for name, value in wanted.items() if hasattr(train.START["gpu"], name)}
    return replace(train.START["gpu"], **known)


def model(**changes: Any) -> Any:
    """A tiny model whose zero matrices are filled, so that every part has a say."""
    torch.manual_seed(0)
    tiny = train.GPT(sizes(**changes))
    for parameter in tiny.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return tiny


# -- Packing and loading ------------------------------------------------------


@given(st.lists(st.integers(1, 40), max_size=60), st.integers(2, 17))
def test_packing_fills_rows_and_loses_less_than_one(lengths: list[int], length: int) -> None:
    total = sum(lengths)
    ids = np.arange(total, dtype=np.uint16)
    pieces = np.split(ids, np.cumsum(lengths)[:-1]) if lengths else []
    rows = list(data.pack(iter(pieces), length))
    assert all(len(row) == length for row in rows)
    packed = np.concatenate(rows) if rows else ids[:0]
    assert len(set(packed.tolist())) == len(packed)
    assert total - len(packed) < length


def test_packing_prefers_whole_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = [np.full(size, size, dtype=np.uint16) for size in (6, 4, 7, 3, 5, 5)]
    rows = [sorted(set(row.tolist())) for row in data.pack(iter(pieces), 10)]
    assert sorted(rows) == [[3, 7], [4, 6], [5]]


def write_rows(path: Path, rows: int, row_tokens: int) -> Path:
    block = np.arange(rows * (row_tokens + 1), dtype=np.uint16).reshape(rows, -1)
    assert data.write_rows(iter(block), path) == rows
    return path


def test_an_epoch_shows_every_window_once(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "train.bin", rows=6, row_tokens=16)
    loader = data.Loader(path, 16, 8, tokens=24, seed=0, device=CPU)
    batches = list(islice(loader, 4))  # 6 rows x 2 windows = 4 batches of 3
    firsts = sorted(int(row[0]) for inputs, _ in batches for row in inputs)
    assert firsts == sorted(17 * row + 8 * half for row in range(6) for half in range(2))
    for inputs, targets in batches:
        assert inputs.shape == targets.shape == (3, 8)
        assert torch.equal(targets, inputs + 1)


def test_batches_depend_on_the_seed_alone(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "train.bin", rows=50, row_tokens=16)

    def first(seed: int) -> list[int]:
        loader = data.Loader(path, 16, 8, tokens=64, seed=seed, device=CPU)
        return [int(x.sum()) for x, _ in islice(loader, 20)]

    assert first(3) == first(3) != first(4)


def test_prefetched_batches_are_the_same_batches(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "train.bin", rows=50, row_tokens=16)
    loader = data.Loader(path, 16, 8, tokens=64, seed=1, device=CPU)
    ahead = data.Loader(path, 16, 8, tokens=64, seed=1, device=CPU)
    for one, two in islice(zip(loader.host_batches(), ahead.prefetched(), strict=False), 9):
        assert torch.equal(one, two)


def test_a_prefetch_that_fails_stops_the_run_instead_of_hanging(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "train.bin", rows=5, row_tokens=16)
    loader = data.Loader(path, 16, 8, tokens=64, seed=1, device=CPU)
    loader.windows = None
    with pytest.raises(AttributeError):
        next(loader.prefetched())


# -- Tokens and bytes ---------------------------------------------------------

TEXT = 'def naïve(x):\n\treturn {"λ": x ** 2}  # <|bos|> 日本\r\n\n    pass\n' * 40


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """A tokenizer trained on a few lines."""
    return prepare.train_tokenizer([TEXT], 300)


@given(text=st.text())
def test_any_text_comes_back_byte_for_byte(tokenizer: Any, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_bits_per_byte_counts_every_byte_once_whatever_the_tokenizer() -> None:
    tokenizer = prepare.train_tokenizer([TEXT], 400)
    vocab = tokenizer.get_vocab_size()
    tokens = np.concatenate(list(prepare.encode(tokenizer, [TEXT[:1500], TEXT[:700]])))
    spelled = len(tokens) - 2
    rows = padded_rows(tokens, 64)

    def guess(x: Any) -> Any:
        return torch.full((*x.shape, vocab), -math.log(vocab))

    nats, counted, _ = evaluate.total_nats(guess, rows, vocab, batch=3)
    assert counted == spelled
    assert nats == pytest.approx(spelled * math.log(vocab), rel=1e-5)


def padded_rows(tokens: Any, length: int) -> Any:
    import tempfile

    folder = Path(tempfile.mkdtemp())
    try:
        tokens.tofile(folder / "held_out.bin")
        return evaluate.held_out_rows(folder, {"row_tokens": length})
    finally:
        shutil.rmtree(folder)


# -- Attention ----------------------------------------------------------------


@pytest.mark.parametrize("window", [1, 5, 16, 64])
def test_windows_see_what_a_loop_says_they_see(window: int) -> None:
    mask = train.dense_mask(32, window, CPU)
    for query in range(32):
        seen = [key for key in range(32) if mask[query, key]]
        assert seen == list(range(max(0, query - window + 1), query + 1))


@pytest.mark.parametrize("window", [1, 16, 100, 256])
def test_attention_is_what_a_plain_mask_says(window: int) -> None:
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 2, 256, 4, 16).unbind(0)
    scores = torch.einsum("bqhd,bkhd->bhqk", q, k) / 4
    seen = train.dense_mask(256, window, CPU)
    weights = scores.masked_fill(~seen, -torch.inf).softmax(-1)
    wanted = torch.einsum("bhqk,bkhd->bqhd", weights, v)
    assert torch.allclose(train.attend(q, k, v, window), wanted, atol=1e-5)


def test_a_gpu_is_asked_for_the_same_window(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def kernel(q: Any, k: Any, v: Any, *rest: Any, **windows: int) -> tuple[Any]:
        asked.update(windows)
        return (v,)

    monkeypatch.setattr(torch.ops.aten, "_flash_attention_forward", kernel)
    train.flash(*torch.randn(3, 2, 64, 4, 16).unbind(0), 16)
    assert asked == {"window_size_left": 15, "window_size_right": 0}  # itself comes on top


def test_a_row_longer_than_the_context_slides_the_window() -> None:
    tiny = model(depth=3, short_window=8, context=8)
    tokens = torch.randint(0, 97, (1, 64))
    changed = tokens.clone()
    changed[0, :30] = (changed[0, :30] + 1) % 97
    moved = (tiny(tokens) - tiny(changed)).abs().amax(-1)[0]
    assert moved[30] > 1e-3
    # Three layers reach 3 x (window - 1) tokens back, embeddings of several tokens a few more.
    assert moved[30 + 3 * 7 + 4 :].max() < 1e-5


def test_no_prediction_moves_when_later_tokens_do() -> None:
    tiny = model()
    tokens = torch.randint(0, 97, (2, 64))
    changed = tokens.clone()
    changed[:, 20:] = (changed[:, 20:] + 5) % 97
    moved = (tiny.log_probs(tokens) - tiny.log_probs(changed)).abs().amax(-1)
    assert moved[:, :20].max() == 0
    assert moved[:, 20:].min() > 0
    assert torch.allclose(tiny.log_probs(tokens).logsumexp(-1), torch.zeros(2, 64), atol=1e-5)


# -- Loss and optimiser -------------------------------------------------------


FORMS = [head_loss.nats_and_gradient, head_loss.fused_nats_and_gradient]


@pytest.mark.parametrize("form", FORMS, ids=["in-place", "fused"])
@pytest.mark.parametrize("cap", [0.0, 15.0])
def test_the_chunked_loss_has_the_gradients_of_cross_entropy(
    cap: float, form: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(head_loss.HeadLoss, "CHUNK", 7)
    monkeypatch.setattr(head_loss.HeadLoss, "inner", staticmethod(form))
    torch.manual_seed(0)
    x, head = torch.randn(20, 8, requires_grad=True), torch.randn(30, 8, requires_grad=True)
    targets = torch.randint(0, 30, (20,))
    ours = head_loss.HeadLoss.apply(x, head, targets, cap)
    mine = torch.autograd.grad(ours, (x, head))
    z = x @ head.T
    z = cap * torch.tanh(z / cap) if cap else z
    theirs = torch.nn.functional.cross_entropy(z, targets)
    wanted = torch.autograd.grad(theirs, (x, head))
    assert torch.allclose(ours, theirs, atol=1e-6)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(mine, wanted, strict=True))


def test_every_parameter_has_exactly_one_optimiser_and_muon_no_table() -> None:
    tiny = train.GPT(sizes())
    adam, muon = train.optimizers(tiny)
    groups = [*adam.param_groups, *muon.param_groups]
    held = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(held) == sorted(id(parameter) for parameter in tiny.parameters())
    tables = {id(part.weight) for part in tiny.modules() if isinstance(part, torch.nn.Embedding)}
    turned = [parameter for group in muon.param_groups for parameter in group["params"]]
    assert {parameter.ndim for parameter in turned} == {2}
    assert not tables & {id(parameter) for parameter in turned}


def test_squared_relu_has_the_gradient_of_its_formula() -> None:
    x = torch.randn(50, requires_grad=True)
    got = torch.autograd.grad(train.SquaredReLU.apply(x).sum(), x)[0]
    assert torch.allclose(got, 2 * x.detach().clamp(min=0))


def test_scoring_rounds_no_weight_of_the_residual_stream() -> None:
    x, x0 = torch.randn(2, 4, 8).bfloat16(), torch.randn(2, 4, 8).bfloat16()
    resid, back = torch.tensor([1.0015]), torch.tensor([0.0503])  # as of one axis: never a scalar
    wanted = (resid * x.float() + back * x0.float()).bfloat16()
    with torch.inference_mode():
        found = train.mixed(x, x0, resid.squeeze(), back.squeeze())
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, wanted)


def test_the_perceptrons_kernel_is_its_formula_by_tritons_interpreter() -> None:
    script = LEAF.parent / "benchmarks" / "no_gpu" / "kernel.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    if done.stdout.startswith("skipped: "):
        pytest.skip("no triton here: torch for a CPU comes without")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is off by: result" in done.stdout


def test_every_parameter_is_learnt() -> None:
    tiny = model()
    tokens = torch.randint(0, 97, (2, 33))
    train.next_token_loss(tiny, tiny, (tokens[:, :-1], tokens[:, 1:])).backward()
    dead = [n for n, p in tiny.named_parameters() if p.grad is None or not p.grad.any()]
    assert dead == []


def published_step(weight: Any, grads: list[Any], lr: float, decay: float) -> Any:
    """Return one matrix after these gradients, by autoresearch's formulas written as a loop."""
    memory, seen = torch.zeros_like(weight), None
    for grad in grads:
        memory = memory + 0.05 * (grad - memory)
        x = grad + 0.95 * (memory - grad)
        x = x / (x.norm() * 1.02 + 1e-6)
        for a, b, c in muon.POLAR_EXPRESS:
            gram = x @ x.T
            x = a * x + (b * gram + c * gram @ gram) @ x
        along = 1 if weight.shape[0] >= weight.shape[1] else 0
        squares = x.square().mean(along, keepdim=True)
        seen = 0.05 * squares if seen is None else 0.95 * seen + 0.05 * squares
        even = x * seen.rsqrt()
        x = even * x.norm() / even.norm()
        weight = weight - lr * (x + decay * weight * (x * weight >= 0))
    return weight


@pytest.mark.parametrize("shape", [(6, 6), (16, 4), (4, 16)], ids=["square", "tall", "wide"])
def test_a_stack_of_matrices_steps_as_published_one_by_one(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    starts, grads = torch.randn(3, *shape), torch.randn(4, 3, *shape)
    weights = [torch.nn.Parameter(start.clone()) for start in starts]
    optimizer = muon.Muon([(weight, 1) for weight in weights], lr=0.1, momentum=0.95)
    optimizer.param_groups[0]["weight_decay"] = 0.2
    for step in grads:
        for weight, grad in zip(weights, step, strict=True):
            weight.grad = grad.clone()
        optimizer.step()
    lr = 0.1 * max(1, shape[0] / shape[1]) ** 0.5
    for number, weight in enumerate(weights):
        wanted = published_step(starts[number], list(grads[:, number]), lr, 0.2)
        assert torch.allclose(weight, wanted, atol=1e-5)


def test_with_torchs_polynomial_and_no_evening_it_is_torchs_muon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(muon, "even_rows", lambda x, _: x)
    monkeypatch.setattr(muon, "POLAR_EXPRESS", [(3.4445, -4.775, 2.0315)] * 5)
    monkeypatch.setattr(muon, "SAFETY", 1.0)
    torch.manual_seed(0)
    weights = [torch.nn.Parameter(torch.zeros(32, 8)) for _ in range(2)]
    theirs = torch.optim.Muon(weights[:1], lr=0.1, momentum=0.95, weight_decay=0.0)
    ours = muon.Muon([(weights[1], 1)], lr=0.1, momentum=0.95)
    for grad in torch.randn(3, 32, 8):
        for weight, optimizer in zip(weights, (theirs, ours), strict=True):
            weight.grad = grad.clone()
            optimizer.step()
    gap = (weights[0] - weights[1]).norm() / weights[1].norm()
    assert gap < 0.02  # torch computes in bfloat16


def test_query_key_and_value_are_turned_as_three_matrices() -> None:
    torch.manual_seed(0)
    whole = torch.nn.Parameter(torch.zeros(24, 8))
    parts = [torch.nn.Parameter(torch.zeros(8, 8)) for _ in range(3)]
    whole.grad = torch.randn(24, 8)
    for part, grad in zip(parts, whole.grad.split(8), strict=True):
        part.grad = grad
    muon.Muon([(whole, 3)], lr=0.1, momentum=0.95).step()
    muon.Muon([(part, 1) for part in parts], lr=0.1, momentum=0.95).step()
    assert torch.allclose(whole, torch.cat(parts))
    tiny = train.GPT(sizes())
    _, optimizer = train.optimizers(tiny)
    assert {w.shape[1:] for _, w, *_ in optimizer.stacks} >= {(64, 64), (256, 64), (64, 256)}
    assert (192, 64) not in {w.shape[1:] for _, w, *_ in optimizer.stacks}


def test_weight_decay_shrinks_only_where_the_step_agrees() -> None:
    weight = torch.nn.Parameter(torch.tensor([[1.0, -1.0], [1.0, 1.0]]))
    weight.grad = torch.tensor([[1.0, 0.0], [0.0, -1.0]])  # of these two the first shrinks it
    plain = copy.deepcopy(weight)
    plain.grad = weight.grad
    for parameter, decay in ((plain, 0.0), (weight, 0.5)):
        optimizer = muon.Muon([(parameter, 1)], lr=0.1, momentum=0.0)
        optimizer.param_groups[0]["weight_decay"] = decay
        optimizer.step()
    lost = (plain - weight).detach().abs()
    assert lost[0, 0] == pytest.approx(0.05, rel=1e-3)
    assert lost[1, 1] == 0


def test_warming_up_leaves_weights_and_optimisers_as_they_were() -> None:
    tiny = model()
    adam, muon_ = train.optimizers(tiny)
    before = copy.deepcopy(tiny.state_dict())
    batch = torch.randint(0, 97, (2, 2, 32)).unbind(0)
    train.warm_up(tiny, tiny, (adam, muon_), batch)
    assert all(torch.equal(before[name], now) for name, now in tiny.state_dict().items())
    assert not adam.state
    assert not any(tensor.any() for _, _, *state in muon_.stacks for tensor in state)
    assert all(parameter.grad is None for parameter in tiny.parameters())


def test_rates_hold_then_fall_to_their_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "WARMDOWN", 0.5)
    monkeypatch.setattr(train, "FINAL_LR", 0.1)
    assert train.lr_multiplier(0.0) == train.lr_multiplier(0.5) == 1.0
    assert train.lr_multiplier(1.0) == pytest.approx(0.1)
    assert 1.0 > train.lr_multiplier(0.6) > train.lr_multiplier(0.8) > 0.1


@pytest.mark.filterwarnings("ignore")  # dynamo warns about its own internals
@pytest.mark.parametrize("pattern", ["L", "SL"])
def test_the_model_is_traced_whole_with_its_gradients(pattern: str) -> None:
    tiny = model(window_pattern=pattern)
    tokens = torch.randint(0, 97, (2, 32))
    assert torch._dynamo.explain(tiny)(tokens).graph_break_count == 0
    traced = torch.compile(tiny, dynamic=False, fullgraph=True, backend="aot_eager")
    weights = [p for p in tiny.blocks.parameters() if p.ndim == 2]
    wanted = torch.autograd.grad(tiny(tokens).square().sum(), weights)
    got = torch.autograd.grad(traced(tokens).square().sum(), weights)
    assert all(torch.allclose(a, b, atol=1e-3) for a, b in zip(got, wanted, strict=True))


@pytest.mark.skipif(shutil.which("g++") is None, reason="compiling for a CPU needs g++")
@pytest.mark.filterwarnings("ignore")  # inductor warns about its own internals
def test_the_loss_compiles_on_a_tiny_shape() -> None:
    z, targets = torch.randn(64, 97), torch.randint(0, 97, (64,))
    plain = head_loss.nats_and_gradient(z.clone(), targets, 15.0)
    fused = torch.compile(head_loss.fused_nats_and_gradient, dynamic=False)
    got = fused(z.clone(), targets, 15.0)
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(plain, got, strict=True))


# -- Arithmetic ---------------------------------------------------------------


class Published(torch.nn.Module):
    """The shape of a published GPT as `cost.py` sees any model: parameters and a report."""

    def __init__(self, depth: int, width: int, vocab: int, windows: list[int], tables: int) -> None:
        super().__init__()
        embedding = torch.nn.Embedding(vocab, width)
        layer = torch.nn.Linear(width, 12 * width, bias=False)
        self.tables = torch.nn.ModuleList([copy.deepcopy(embedding) for _ in range(tables)])
        self.layers = torch.nn.ModuleList([copy.deepcopy(layer) for _ in range(depth)])
        self.head = torch.nn.Linear(width, vocab, bias=False)
        self.told = cost.Report(
            width=width,
            windows=windows,
            context=2048,
            tokens=2**17,
            logits=2**15 * vocab,
            bytes_per_activation=2,
        )

    def report(self) -> Any:
        return self.told


def published(*shape: Any) -> Any:
    with torch.device("meta"):
        return Published(*shape)


def test_flops_are_those_published_for_a_known_shape() -> None:
    known = published(8, 512, 8192, [1024, 1024, 1024, 2048] * 2, 5)
    assert cost.matmul_parameters(known) == 8 * 12 * 512**2 + 8192 * 512
    assert cost.flops_per_token(known) == pytest.approx(217.1e6, rel=0.001)


def test_bytes_are_parameters_activations_and_one_chunk_of_logits() -> None:
    night = published(9, 640, 8192, [256, 256, 256, 256, 2048, 256, 256, 256, 2048], 6)
    parameters, kept = 9 * 12 * 640**2 + 7 * 8192 * 640, cost.KEPT_PER_LAYER * 9 * 640 * 2**17
    assert cost.bytes_needed(night) == 16 * parameters + 2 * kept + 3 * 2 * 2**15 * 8192


@pytest.mark.filterwarnings("ignore")  # dynamo warns about its own internals
def test_what_is_kept_for_the_backward_pass_is_what_the_compiler_keeps() -> None:
    start = sizes(
        depth=4,
        width=256,
        head_dim=64,
        context=256,
        row_tokens=256,
        hash_rows=0,
        window_pattern="L",
    )
    traced = torch.compile(train.GPT(start, torch.bfloat16), backend="aot_eager_decomp_partition")
    kept = {}

    def keep(tensor: Any) -> Any:
        if tensor.numel() >= 2 * 2048:  # what grows with the tokens
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        traced(torch.randint(0, 97, (8, 256)))
    widths = sum(kept.values()) / (2 * 2048 * start.width * start.depth)
    assert widths == pytest.approx(cost.KEPT_PER_LAYER, rel=0.15)


@pytest.mark.filterwarnings("ignore")  # dynamo warns about its own internals
def test_four_steps_with_accumulation_compile_once() -> None:
    torch._dynamo.reset()
    tiny, counter = model(), torch._dynamo.testing.CompileCounterWithBackend("aot_eager")
    traced = torch.compile(tiny, dynamic=False, backend=counter)
    adam, muon_ = train.optimizers(tiny)
    batches = iter(torch.randint(0, 97, (8, 2, 2, 32)))
    for step in range(4):
        train.backward(traced, tiny, batches, 2)
        train.update(adam, muon_, step / 4)
    assert counter.frame_count == 1


def test_a_known_device_has_a_share_of_its_peak_and_another_none() -> None:
    known = published(8, 512, 8192, [2048] * 8, 1)
    per_second = cost.flops_per_token(known) * 1000 / 2
    assert cost.speed(known, 1000, 2.0, "a CPU") == {"gflops_per_s": per_second / 1e9}
    on_gpu = cost.speed(known, 1000, 2.0, "NVIDIA H100 80GB HBM3")
    assert on_gpu["mfu"] == pytest.approx(per_second / 989.5e12)


def test_the_model_costs_what_torch_counts() -> None:
    tiny = model(depth=2, width=256, context=8, window_pattern="L")
    with FlopCounterMode(display=False) as counter:
        train.next_token_loss(tiny, tiny, torch.randint(0, 97, (2, 4, 8)).unbind(0)).backward()
    counted = counter.get_total_flops() / 32
    assert cost.flops_per_token(tiny) == pytest.approx(counted, rel=0.05)


@pytest.mark.parametrize("pattern", ["L", "SL", "SSSSL"])
def test_windows_follow_the_pattern_and_the_last_layer_sees_all(pattern: str) -> None:
    start = sizes(depth=7, context=32, window_pattern=pattern, short_window=8)
    letters = "".join("L" if window == 32 else "S" for window in start.windows)
    assert letters == {"L": "LLLLLLL", "SL": "SLSLSLL", "SSSSL": "SSSSLSL"}[pattern]
    assert set(start.windows) <= {8, 32}
    assert [block.window for block in train.GPT(start).blocks] == start.windows


def test_a_model_too_big_names_the_largest_width_that_fits() -> None:
    big = sizes(depth=2, vocab_size=2048, width=64 * 20_000)

    def build(width: int) -> Any:
        return train.GPT(replace(big, width=width))

    with pytest.raises(SystemExit, match=r"^torch.OutOfMemoryError: width 1280000 ") as stop:
        cost.check_fits(build, big.width, 64, CPU)
    width = int(str(stop.value).rsplit(" ", 1)[1])
    cost.check_fits(build, width, 64, CPU)
    with torch.device("meta"):
        needed, one_more = (cost.bytes_needed(build(w)) for w in (width, width + 64))
    assert needed <= cost.FILLED * cost.memory(CPU) < one_more


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_every_knob_of_size_acts_in_both_lives(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def scaled(**settings: float) -> dict[str, Any]:
        for name, value in settings.items():
            monkeypatch.setattr(train, name, value)
        return asdict(train.scale(train.START[kind], 2048, 4096))

    before = scaled(WIDTH_X=1.0, DEPTH_PLUS=0, BATCH_X=1.0, CONTEXT_X=1.0)
    after = scaled(WIDTH_X=2.0, DEPTH_PLUS=1, BATCH_X=0.5, CONTEXT_X=0.5)
    assert after["width"] == 2 * before["width"]
    assert after["depth"] == before["depth"] + 1
    assert after["batch_tokens"] == before["batch_tokens"] // 2
    assert after["context"] == before["context"] // 2
    assert after["micro_batch_tokens"] <= after["batch_tokens"]
    assert (after["vocab_size"], after["row_tokens"]) == (2048, 4096)


def test_a_micro_batch_is_whole_rows_and_at_most_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WIDTH_X", "BATCH_X", "CONTEXT_X"):
        monkeypatch.setattr(train, name, 1.0)
    start = sizes(context=64, batch_tokens=1000, micro_batch_tokens=300)
    assert train.scale(start, 97, 64).micro_batch_tokens == 256
    assert train.scale(replace(start, batch_tokens=130), 97, 64).micro_batch_tokens == 128
    small = train.scale(replace(start, batch_tokens=1), 97, 64)
    assert (small.batch_tokens, small.micro_batch_tokens) == (64, 64)
