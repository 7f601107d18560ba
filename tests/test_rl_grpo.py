"""The rl_grpo leaf: a reward may change, the yardstick does not; and what both refuse."""

import json
import shutil
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from types import ModuleType
from typing import Any

import leaves
import pytest

from shared import prompts, steps, summary

for module in leaves.HEAVY:
    pytest.importorskip(module, reason=f"rl_grpo needs {module}")
pytestmark = pytest.mark.filterwarnings("ignore")  # other people's deprecations, once in-process

STEPS = 5  # more than one draw serves, so that a second one is taken from a moved model
FEW_STEPS = ("leaf.toml", r"^steps = \d+", f"steps = {STEPS}")
FEW_PROMPTS = ("leaf.toml", r"^held_out = 100", "held_out = 40")
Judge = Callable[[], dict[str, float]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the leaf, prepared, trained and judged as the harness does it."""
    leaf = leaves.copy("rl_grpo", tmp_path_factory.mktemp("rl"), FEW_STEPS, FEW_PROMPTS)
    return leaves.played(leaf, "prepare.py", "train.py", "evaluate.py")


@pytest.fixture
def again(trained: Path, tmp_path: Path) -> Path:
    """A trained copy of one's own, to spoil."""
    return leaves.spare(trained, tmp_path / "home")


@pytest.fixture(scope="module")
def ours(trained: Path) -> dict[str, ModuleType]:
    """The leaf's files, imported."""
    return leaves.modules(trained, ["reward", "train", "trl_trainer", "evaluate"])


@pytest.fixture
def judge(again: Path, ours: dict[str, ModuleType], monkeypatch: Any, capsys: Any) -> Judge:
    """Measure what lies in the run's folder, in this process."""

    def measured() -> dict[str, float]:
        for name, value in leaves.environ(again).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(ours["evaluate"], "__file__", str(again / "evaluate.py"))
        ours["evaluate"].main()
        return summary.parse(capsys.readouterr().out)

    return measured


def drawn(train: ModuleType) -> int:
    """Return how many completions are drawn for STEPS steps, by the leaf's own settings."""
    steps_a_draw = train.GENERATE_STEPS * train.ITERATIONS
    return -(-STEPS // steps_a_draw) * train.GENERATE_STEPS * train.start("cpu")["batch"]


def loaded(train: ModuleType, leaf: Path) -> tuple[Any, Any, list[Any]]:
    """Return the base, its tokenizer and eight rows to train on."""
    here, sizes = leaves.here(leaf), train.start("cpu")
    device = train.devices.pick("cpu")
    model, tokenizer = train.language_models.load(here, device, "float32", sizes["attention"])
    pairs = prompts.read(here.cache / prompts.TRAIN)[:8]
    texts = train.language_models.rendered(tokenizer, [pair.prompt for pair in pairs])
    return model, tokenizer, list(zip(texts, pairs, strict=True))


def sampled(train: ModuleType, leaf: Path) -> tuple[Any, Any, Any, dict[str, Any]]:
    """Return the base, its tokenizer, a batch drawn from it, and the sizes it was drawn with."""
    model, tokenizer, rows = loaded(train, leaf)
    sizes = train.start("cpu") | {"max_new_tokens": 10, "micro_batch": 24}
    rows = [row for row in rows for _ in range(train.GENERATIONS)]
    train.torch.manual_seed(0)
    base = deepcopy(model) if train.BETA else None
    batch, _ = train.experience(model, base, tokenizer, rows, sizes)
    return model, tokenizer, batch, sizes


# -- What it does -------------------------------------------------------------


def test_training_reports_what_the_brief_asks_for(
    trained: Path, ours: dict[str, ModuleType]
) -> None:
    got = leaves.printed(trained, "train.py")
    asked = {
        "all_one_rate",
        "all_zero_rate",
        "truncated_rate",
        "completion_tokens",
        "entropy",
        "kl",
    }
    asked |= {"train_reward", "tokens_per_s", "startup_s", "train_s", "peak_memory_mb"}
    assert asked <= got.keys()
    assert got["num_steps"] == STEPS
    assert got["entropy"] > 0
    rows = drawn(ours["train"])
    most = rows * (leaves.here(trained).settings["max_new_tokens"] + 16)  # "sort", a word, marks
    assert rows < got["tokens"] <= most


def test_the_yardstick_draws_several_answers_and_writes_them_down(trained: Path) -> None:
    got = leaves.printed(trained, "evaluate.py")
    assert (got["eval_prompts"], got["eval_samples"]) == (40, 80)
    assert 0 < got["eval_reward_mean"] < 1
    rows = steps.read(trained.parent / "run/samples.jsonl")
    assert {"prompt", "completion", "reward", "correct"} <= rows[0].keys()
    assert len(rows) == 40


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(
    again: Path, ours: dict[str, ModuleType], judge: Judge
) -> None:
    train = ours["train"].train
    same = train(leaves.here(again))
    assert float(f"{same['train_loss']:.10g}") == leaves.printed(again, "train.py")["train_loss"]
    kept = {"eval_s"}
    now, before = judge(), leaves.printed(again, "evaluate.py")
    assert {k: now[k] for k in now.keys() - kept} == {k: before[k] for k in now.keys() - kept}
    assert train(leaves.here(again, LAB_SEED="1"))["train_loss"] != same["train_loss"]


def test_a_reward_that_scores_itself_moves_nothing_but_itself(
    again: Path, ours: dict[str, ModuleType], judge: Judge, monkeypatch: Any
) -> None:
    here = leaves.here(again)
    base, _, _ = loaded(ours["train"], again)
    meta = ours["train"].data_cache.read(here)
    ours["train"].artefact.save(here.dir, "rl_grpo", meta["base"], base, ["none"])
    untouched = judge()
    monkeypatch.setattr(ours["train"], "TRAINER", "plain")
    monkeypatch.setattr(ours["train"], "BETA", 0.0)  # or the pull towards the base would move it
    monkeypatch.setattr(ours["train"], "reward", lambda *_: 1.0)
    got = ours["train"].train(here)
    assert (got["train_reward"], got["all_one_rate"]) == (1.0, 1.0)
    (again / "reward.py").unlink()  # the yardstick does not even read it
    for name in ("eval_reward_mean", "eval_greedy"):
        assert judge()[name] == untouched[name] < 0.95


@pytest.mark.parametrize("trainer", ["plain", "trl"])
def test_an_adapter_as_on_a_gpu_is_trained_and_merged(
    again: Path, ours: dict[str, ModuleType], judge: Judge, monkeypatch: Any, trainer: str
) -> None:
    train = ours["train"]
    monkeypatch.setattr(train, "TRAINER", trainer)
    monkeypatch.setattr(train, "rate", lambda progress: 1.0)
    monkeypatch.setattr(train, "LEARNING_RATE_X", 1.0)
    monkeypatch.setattr(train, "BETA", 0.04)  # the base is then the model without its adapter
    monkeypatch.setitem(train.START["cpu"], "lora", 4)
    monkeypatch.setitem(train.START["cpu"], "learning_rate", 3e-2)
    shutil.rmtree(again.parent / "run/model")
    with leaves.importable(ours, "trl_trainer"):
        assert train.train(leaves.here(again))["kl"] > 0
    assert (again.parent / "run/model/adapter_config.json").exists()
    assert judge()["eval_kl"] > 0.05  # the adapter took part in what was measured


def test_drawing_moves_no_weight_and_draws_what_the_adapter_says(
    trained: Path, ours: dict[str, ModuleType]
) -> None:
    train, torch = ours["train"], ours["train"].torch
    base, tokenizer, rows = loaded(train, trained)
    model = train.adapted(base, 4)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(0, 0.05)  # an adapter that says something
    before = {name: weights.clone() for name, weights in model.state_dict().items()}
    prompt = tokenizer([text for text, _ in rows], padding=True, return_tensors="pt")
    with torch.no_grad():
        wanted = model(**prompt).logits
        with train.merged(model):
            assert torch.allclose(model(**prompt).logits, wanted, atol=1e-4)
    train.sample(model, tokenizer, [text for text, _ in rows], 5)
    after = model.state_dict()
    assert all(torch.equal(after[name], weights) for name, weights in before.items())


def test_an_adapter_stays_float32_while_trl_draws_in_bfloat16(
    ours: dict[str, ModuleType], monkeypatch: Any
) -> None:
    torch, trl = ours["train"].torch, ours["trl_trainer"]

    def draws(trainer: Any, prompts: Any) -> Any:  # as TRL does by continuous batching
        trainer.model.to(torch.bfloat16)
        return trainer.model.weight.dtype

    monkeypatch.setattr(trl.GRPOTrainer, "_generate_single_turn", draws)
    trainer = trl.Trainer.__new__(trl.Trainer)
    trainer.model = torch.nn.Linear(2, 2)
    before = trainer.model.weight.detach().clone()
    assert trainer._generate_single_turn(["a"]) == torch.bfloat16
    assert torch.equal(trainer.model.weight, before)
    assert trainer.model.weight.dtype == torch.float32


@pytest.mark.parametrize(("times", "micro"), [(1.0, 16), (0.5, 16), (0.125, 8)])
def test_on_a_gpu_a_batch_is_computed_in_parts(
    ours: dict[str, ModuleType], monkeypatch: Any, times: float, micro: int
) -> None:
    train = ours["train"]
    monkeypatch.setattr(train, "BATCH_X", times)
    monkeypatch.setattr(train, "GENERATIONS", 8)
    sizes = train.start("gpu") | {"max_new_tokens": 400}
    told = train.trl_settings(sizes)["config"]
    assert told["per_device_train_batch_size"] == sizes["micro_batch"] == micro
    assert micro * told["gradient_accumulation_steps"] == sizes["batch"] == int(64 * times)
    drawn = micro * told["steps_per_generation"]
    assert drawn == train.GENERATE_STEPS * sizes["batch"]
    assert ours["trl_trainer"].generation("cuda").keys() & {
        "transformers_continuous_batching_config",
        "vllm_gpu_memory_utilization",
    }


def test_trl_trains_under_the_same_budget_and_reports_the_same(
    again: Path, ours: dict[str, ModuleType], monkeypatch: Any
) -> None:
    monkeypatch.setattr(ours["train"], "TRAINER", "trl")
    monkeypatch.setattr(ours["train"], "rate", lambda progress: 0.5)
    with leaves.importable(ours, "trl_trainer"):
        by_trl = ours["train"].train(leaves.here(again))
    assert by_trl.keys() == leaves.printed(again, "train.py").keys()
    assert by_trl["num_steps"] == STEPS
    rows = steps.read(again.parent / "run/steps.jsonl")
    assert rows[-1]["step"] == STEPS
    assert rows[-1]["learning_rate"] == ours["train"].start("cpu")["learning_rate"] / 2


@pytest.mark.parametrize(
    "settings",
    [
        {"BETA": 0.0, "LOSS": "dapo", "SCALE": "group", "TEMPERATURE": 1.0},
        {"BETA": 0.04, "LOSS": "dr_grpo", "SCALE": "batch", "TEMPERATURE": 0.8},
        {"BETA": 0.0, "LOSS": "dapo", "SCALE": "none", "EPSILON": 0.01, "EPSILON_HIGH": 0.02},
    ],
    ids=["default", "pulled", "clipped"],
)
def test_both_trainers_compute_the_same_loss_and_gradient(
    trained: Path, ours: dict[str, ModuleType], monkeypatch: Any, settings: dict[str, Any]
) -> None:
    train = ours["train"]
    for name, value in settings.items():
        monkeypatch.setattr(train, name, value)
    model, tokenizer, batch, sizes = sampled(train, trained)
    theirs = trl_loss(ours, leaves.here(trained), model, tokenizer, batch, sizes)
    with train.torch.no_grad():  # the weights move on, so that the ratio is not one
        for parameter in model.parameters():
            parameter.add_(train.torch.randn_like(parameter), alpha=0.01)
    theirs(model).backward()
    loss, gradient = float(theirs(model)), gradients(model)
    model.zero_grad()
    monkeypatch.setattr(train.torch.optim.AdamW, "zero_grad", lambda _: None)
    monkeypatch.setattr(train, "CLIP", 1e9)
    got = train.step(model, train.make_optimizer(model), batch, 0.0, sizes)
    assert got["loss"] == pytest.approx(loss, rel=1e-4, abs=1e-6)
    assert train.torch.allclose(gradients(model), gradient, rtol=1e-3, atol=1e-5)


def gradients(model: Any) -> Any:
    """Return the gradient of all weights, in one row."""
    return model.get_input_embeddings().weight.new_tensor(
        [float(parameter.grad.norm()) for parameter in model.parameters()]
    )


def trl_loss(
    ours: dict[str, ModuleType], here: Any, model: Any, tokenizer: Any, batch: Any, sizes: Any
) -> Callable[[Any], Any]:
    """Return the loss that TRL computes of a batch of ours."""
    import trl
    from datasets import Dataset

    train, length = ours["train"], batch.completion_mask.shape[1]
    start = batch.input_ids.shape[1] - length
    budget = train.clock.Clock("steps", 1, 5)
    arguments = ours["trl_trainer"].trl_budget.arguments(here, model.device, budget)
    config = trl.GRPOConfig(**arguments, **train.trl_settings(sizes)["config"])
    row = {"prompt": "a", "question": "a", "answer": "a"}
    trainer = trl.GRPOTrainer(
        model,
        ours["trl_trainer"].rewarded({0}, train.group_metrics),
        config,
        train_dataset=Dataset.from_list([row] * 64),
        processing_class=tokenizer,
    )
    trainer.current_gradient_accumulation_steps = 1
    tensors = {
        "prompt_ids": batch.input_ids[:, :start],
        "prompt_mask": batch.attention_mask[:, :start],
        "completion_ids": batch.input_ids[:, start:],
        "completion_mask": batch.completion_mask,
        "advantages": batch.advantages,
        "old_per_token_logps": batch.old_logps,
        "ref_per_token_logps": batch.base_logps,
        "num_items_in_batch": batch.completion_mask.sum(),
    }
    return lambda model: trainer._compute_loss(model, tensors)


def test_rows_are_computed_in_parts_as_well_as_at_once(
    trained: Path, ours: dict[str, ModuleType], monkeypatch: Any
) -> None:
    train = ours["train"]
    model, _, batch, sizes = sampled(train, trained)
    losses = []
    for micro_batch in (5, len(batch.input_ids)):
        optimizer = train.make_optimizer(deepcopy(model))
        losses.append(
            train.step(model, optimizer, batch, 0.0, sizes | {"micro_batch": micro_batch})
        )
        model.zero_grad()
    assert losses[0] == pytest.approx(losses[1], rel=1e-4, abs=1e-6)


def test_each_step_learns_from_every_prompt_of_a_draw(
    trained: Path, ours: dict[str, ModuleType]
) -> None:
    _, _, batch, _ = sampled(ours["train"], trained)
    length = batch.completion_mask.shape[1]
    wanted = {tuple(ids) for ids in batch.input_ids[:, :-length].tolist()}
    parts = batch.deal(2)
    for part in parts:
        assert {tuple(ids) for ids in part.input_ids[:, :-length].tolist()} == wanted
    assert sum(len(part.advantages) for part in parts) == len(batch.advantages)


def test_what_follows_the_end_of_an_answer_is_not_learnt(
    trained: Path, ours: dict[str, ModuleType]
) -> None:
    _, tokenizer, batch, _ = sampled(ours["train"], trained)
    completions = batch.input_ids[:, -batch.completion_mask.shape[1] :]
    for ids, mask, truncated in zip(
        completions.tolist(), batch.completion_mask.tolist(), batch.truncated.tolist(), strict=True
    ):
        kept = ids[: sum(mask)]
        assert mask == sorted(mask, reverse=True)
        assert kept.count(tokenizer.eos_token_id) == (not truncated)
        assert truncated or kept[-1] == tokenizer.eos_token_id


@pytest.mark.parametrize("scale", ["group", "batch", "none"])
def test_an_advantage_is_over_the_same_prompts_other_completions(
    ours: dict[str, ModuleType], monkeypatch: Any, scale: str
) -> None:
    train = ours["train"]
    monkeypatch.setattr(train, "GENERATIONS", 4)
    monkeypatch.setattr(train, "SCALE", scale)
    rewards = train.torch.tensor([1.0, 0, 0, 0, 1, 1, 1, 1])
    first, second = train.advantages(rewards).split(4)
    unit = {"group": 0.5, "batch": float(rewards.std()), "none": 1.0}[scale]
    assert first.tolist() == pytest.approx(
        [v / unit for v in (0.75, -0.25, -0.25, -0.25)], rel=1e-3
    )
    assert second.tolist() == [0, 0, 0, 0]


def test_the_rate_follows_the_schedule_and_the_norms_have_their_own(
    again: Path, ours: dict[str, ModuleType], monkeypatch: Any
) -> None:
    train = ours["train"]
    used: list[list[float]] = []
    monkeypatch.setattr(train, "TRAINER", "plain")
    monkeypatch.setattr(train, "rate", lambda progress: 1.0 - progress)
    monkeypatch.setattr(train, "NORM_LR_X", 3.0)
    monkeypatch.setitem(train.START["cpu"], "lora", 0)  # an adapter has no gains
    made = train.make_optimizer

    def watched(model: Any) -> Any:
        optimizer = made(model)
        optimizer.register_step_pre_hook(
            lambda *_: used.append([group["lr"] for group in optimizer.param_groups])
        )
        return optimizer

    monkeypatch.setattr(train, "make_optimizer", watched)
    train.train(leaves.here(again))
    top = train.start("cpu")["learning_rate"]
    wanted = [top * (1 - step / STEPS) for step in range(STEPS)]
    assert [matrices for matrices, _ in used] == pytest.approx(wanted)
    assert [gains for _, gains in used] == pytest.approx([3 * rate for rate in wanted])


def test_the_plain_loop_starts_without_importing_trl(again: Path) -> None:
    leaves.edit(again / "train.py", r"^TRAINER = .*", 'TRAINER = "plain"')
    with (again / "train.py").open("a") as file:
        file.write("\n    import sys\n\n    assert not {'trl', 'datasets'} & sys.modules.keys()\n")
    done = leaves.script(again, "train.py")
    assert done.returncode == 0, done.stderr


def test_a_model_is_no_distance_from_itself(trained: Path, ours: dict[str, ModuleType]) -> None:
    base, tokenizer, _ = loaded(ours["train"], trained)
    row = ("<|user|>sort ba<|assistant|>", "ab")
    assert ours["evaluate"].kl(base, base, tokenizer, [row]) == 0
    assert ours["evaluate"].log_prob(base, tokenizer, *row) < 0


def test_the_prompts_trained_on_are_those_between_two_lengths(
    trained: Path, ours: dict[str, ModuleType], monkeypatch: Any
) -> None:
    pairs = prompts.read(trained.parent / "cache/train.jsonl")
    for easiest, hardest, widths in [(0.0, 1.0, {6, 7, 8}), (0.334, 0.666, {7}), (0.67, 1.0, {8})]:
        monkeypatch.setattr(ours["train"], "EASIEST", easiest)
        monkeypatch.setattr(ours["train"], "HARDEST", hardest)
        chosen = ours["train"].training_prompts(pairs, seed=0)
        assert {len(pair.answer) for pair in chosen} == widths
        assert len(chosen) == pytest.approx((hardest - easiest) * len(pairs), abs=1)


def test_groups_that_teach_nothing_are_counted(
    ours: dict[str, ModuleType], monkeypatch: Any
) -> None:
    monkeypatch.setattr(ours["train"], "GENERATIONS", 2)
    rewards = [1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    counted = {"all_one_rate": 0.25, "all_zero_rate": 0.5}
    assert ours["train"].group_metrics(rewards) == counted
    monkeypatch.setattr(ours["trl_trainer"], "reward", lambda *row: float(row[1] == row[2]))
    logged: dict[str, float] = {}
    earned = ours["trl_trainer"].rewarded({9}, ours["train"].group_metrics)(
        completions=["ab", "ab", "ba", "ba", "ab", "ba", "ba", "bb"],
        completion_ids=[[1, 9]] * 8,
        question=["sort ba"] * 8,
        answer=["ab"] * 8,
        log_metric=logged.__setitem__,
    )
    assert (earned, logged) == (rewards, counted)


def test_a_reward_prefers_the_answer_that_the_yardstick_prefers(
    ours: dict[str, ModuleType],
) -> None:
    reward = ours["reward"].reward
    assert reward("", "abcd", "abcd", False) > reward("", "dcba", "abcd", False)
    assert reward("", "abcd", "abcd", False) >= reward("", "abcd", "abcd", True)


@pytest.mark.parametrize("generations", [4, 8, 16])
def test_a_batch_holds_whole_groups(
    ours: dict[str, ModuleType], monkeypatch: Any, generations: int
) -> None:
    monkeypatch.setattr(ours["train"], "GENERATIONS", generations)
    monkeypatch.setattr(ours["train"], "BATCH_X", 0.3)
    assert ours["train"].start("gpu")["batch"] % generations == 0


def test_trl_draws_by_vllm_on_a_gpu_where_installed(
    ours: dict[str, ModuleType], tmp_path: Path, monkeypatch: Any
) -> None:
    generation = ours["trl_trainer"].generation
    assert generation("cpu") == {}
    assert "use_vllm" not in generation("cuda")
    (tmp_path / "vllm.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    assert generation("cuda")["use_vllm"]
    assert generation("cpu") == {}


# -- What it refuses ----------------------------------------------------------


def test_a_held_out_prompt_among_the_training_data_is_refused(again: Path) -> None:
    for name, first in (("train", "sort cab"), ("eval", "SORT cab")):
        rows = [{"prompt": first, "answer": "abc"}, {"prompt": name, "answer": "x"}]
        text = "\n".join(map(json.dumps, rows))
        (again / f"task/{name}.jsonl").write_text(text + "\n")
    said = leaves.refusal(leaves.script(again, "prepare.py"))
    assert "task/eval.jsonl:1: also in task/train.jsonl:1" in said


def test_a_training_on_held_out_prompts_is_refused(
    again: Path, ours: dict[str, ModuleType], monkeypatch: Any
) -> None:
    held = prompts.read(again.parent / "held-out/eval.jsonl")
    monkeypatch.setattr(ours["train"], "training_prompts", lambda pairs, seed: held)
    ours["train"].train(leaves.here(again))
    said = leaves.refusal(leaves.script(again, "evaluate.py"))
    assert "40 held-out prompts were trained on" in said


def test_an_artefact_of_another_leaf_is_refused(again: Path) -> None:
    path = again.parent / "run/artefact.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"leaf": "sft"}))
    said = leaves.refusal(leaves.script(again, "evaluate.py"))
    assert "a model of leaf 'sft'" in said


def test_a_rate_that_diverges_stops_with_a_sentence(
    again: Path, ours: dict[str, ModuleType], monkeypatch: Any
) -> None:
    monkeypatch.setattr(ours["train"], "TRAINER", "plain")
    monkeypatch.setattr(ours["train"], "rate", lambda progress: 1e34)
    # Whichever meets it first, the loss or the next draw; `lab` knows both sentences.
    with pytest.raises((SystemExit, RuntimeError), match=r"diverged at step|probability tensor"):
        ours["train"].train(leaves.here(again))


def test_there_is_a_sealed_set_of_the_same_kind(trained: Path, tmp_path: Path) -> None:
    leaves.check_sealed_set(trained, tmp_path / "home")
