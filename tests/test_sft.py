"""The sft leaf: prepared, trained and judged by its own scripts, and what they refuse."""

import json
import shutil
from pathlib import Path
from typing import Any

import leaves
import pytest

from shared import prompts, scoring, steps, tiny

for module in leaves.HEAVY:
    pytest.importorskip(module, reason=f"sft needs {module}")
pytestmark = pytest.mark.filterwarnings("ignore")  # other people's deprecations, once in-process

STEPS = 12  # a line after ten, and one at the end
FEW_STEPS = ("leaf.toml", r"^steps = \d+", f"steps = {STEPS}")
QUICK_BASE = (
    "prepare.py",
    r"BASE_STEPS, BASE_BATCH = 4, \d+, 32",
    "BASE_STEPS, BASE_BATCH = 4, 60, 32",
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the leaf, prepared, trained and judged as the harness does it."""
    leaf = leaves.copy("sft", tmp_path_factory.mktemp("sft"), FEW_STEPS, QUICK_BASE)
    return leaves.played(leaf, "prepare.py", "train.py", "evaluate.py")


@pytest.fixture
def again(trained: Path, tmp_path: Path) -> Path:
    """A trained copy of one's own, to spoil."""
    return leaves.spare(trained, tmp_path / "home")


@pytest.fixture(scope="module")
def train(trained: Path) -> Any:
    """The leaf's train.py, imported."""
    return leaves.modules(trained, ["train"])["train"]


def put(leaf: Path, **files: list[Any]) -> None:
    """Write lines into task/NAME.jsonl; what is no text is written as JSON."""
    for name, rows in files.items():
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        (leaf / "task" / f"{name}.jsonl").write_text("\n".join(lines) + "\n")


def loaded(train: Any, here: Any) -> tuple[Any, Any]:
    """Return the base and its tokenizer."""
    return train.language_models.load(here, train.devices.pick("cpu"), "float32", "sdpa")


# -- What it does -------------------------------------------------------------


def test_training_reports_what_the_brief_asks_for(trained: Path) -> None:
    got = leaves.printed(trained, "train.py")
    asked = {"num_steps", "train_s", "wall_s", "cpu_s", "startup_s", "tokens", "tokens_per_s"}
    asked |= {"peak_memory_mb", "grad_norm", "grad_norm_max", "train_loss", "entropy"}
    assert asked <= got.keys()
    assert got["num_steps"] == STEPS
    assert got["trainable"] > 0
    assert got["train_loss"] > 0


def test_the_step_log_has_rising_steps_and_the_rate_of_the_schedule(
    again: Path, train: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(train, "rate", lambda progress: 1.0 - progress)
    train.train(leaves.here(again))
    rows = steps.read(again.parent / "run/steps.jsonl")
    assert [row["step"] for row in rows] == [10, STEPS]
    # The rate of a step is set when the one before it is about to be counted.
    shares = [row["learning_rate"] / train.start("cpu")["learning_rate"] for row in rows]
    assert shares == pytest.approx([1 - 8 / STEPS, 1 - 10 / STEPS])
    assert rows[0]["loss"] > 0


def test_an_adapter_is_as_wide_as_its_rank_and_full_training_has_none(
    train: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(train, "FULL", False)
    monkeypatch.setattr(train, "RANK", 3)
    monkeypatch.setattr(train, "ALPHA_X", 4.0)
    assert (train.adapter().r, train.adapter().lora_alpha) == (3, 12)
    monkeypatch.setattr(train, "FULL", True)
    assert train.adapter() is None


def test_the_yardstick_writes_what_the_model_said(trained: Path) -> None:
    got = leaves.printed(trained, "evaluate.py")
    rows = steps.read(trained.parent / "run/samples.jsonl")
    assert got["eval_prompts"] == len(rows) == 100
    assert {"prompt", "completion", "reward", "correct"} <= rows[0].keys()
    assert got["eval_accuracy"] == sum(row["correct"] for row in rows) / len(rows)


def test_the_same_seed_gives_the_same_number_and_another_seed_another(
    again: Path, train: Any
) -> None:
    first = leaves.printed(again, "train.py")["train_loss"]
    now = train.train(leaves.here(again))["train_loss"]
    assert float(f"{now:.10g}") == first  # as the block prints it
    assert train.train(leaves.here(again, LAB_SEED="1"))["train_loss"] != now


def test_a_cpu_clock_stops_at_its_budget(again: Path, train: Any) -> None:
    got = train.train(leaves.here(again, LAB_CLOCK="cpu", LAB_BUDGET_S="0.05"))
    assert got["train_s"] >= 0.05
    assert got["cpu_s"] > 0.01  # what it cost, whatever it was worth
    assert got["num_steps"] < STEPS  # where the clock counts steps, all of them


def test_preparing_again_changes_nothing_until_the_data_change(again: Path) -> None:
    before = (again.parent / "cache/meta.json").read_text()
    assert leaves.script(again, "prepare.py").stderr.startswith("ready: ")
    assert (again.parent / "cache/meta.json").read_text() == before
    put(again, train=[{"prompt": "a", "answer": "b"}], eval=[{"prompt": "c", "answer": "d"}])
    done = leaves.script(again, "prepare.py")
    assert done.stderr.splitlines()[-1].endswith("1 prompts to train on, 1 held out")


def test_held_out_answers_were_never_seen_in_any_order(trained: Path) -> None:
    train = prompts.read(trained.parent / "cache" / prompts.TRAIN)
    held = prompts.read(trained.parent / "held-out" / prompts.HELD_OUT)
    assert not {one.answer for one in train} & {one.answer for one in held}


def test_only_completions_are_learnt_and_their_end(trained: Path, train: Any) -> None:
    _, tokenizer = loaded(train, leaves.here(trained))
    one = prompts.Pair("sort ba", "ab", "ab")
    rows = train.tokenised(tokenizer, [one, prompts.Pair("x" * 99, "y", "y")], "", 64)
    assert len(rows) == 1  # what does not fit is left out, or it would teach never to stop
    labels = rows[0]["labels"]
    assert [tokenizer.decode(token) for token in labels if token != -100] == ["a", "b", "<|end|>"]
    assert [a for a, b in zip(rows[0]["input_ids"], labels, strict=True) if b != -100] == labels[
        -3:
    ]


def test_packing_for_a_gpu_keeps_every_completion(trained: Path, train: Any) -> None:
    from trl import pack_dataset

    _, tokenizer = loaded(train, leaves.here(trained))
    found = prompts.read(trained.parent / "cache/train.jsonl")[:50]
    rows = train.tokenised(tokenizer, found, "", 64)
    packed = pack_dataset(rows, 100, "bfd", {})
    learnt = sum(label != -100 for row in packed for label in row["labels"])
    assert learnt == sum(len(one.completion) + 1 for one in found)
    assert max(len(row["input_ids"]) for row in packed) > 64


def test_examples_in_a_packed_row_do_not_see_each_other(trained: Path, train: Any) -> None:
    here = leaves.here(trained)
    torch, sizes = train.packing.torch, train.start("cpu")
    model, tokenizer = train.language_models.load(
        here, train.devices.pick("cpu"), "float32", "packed"
    )
    pairs = train.examples(here)[:6]
    rows = train.tokenised(tokenizer, pairs, "", sizes["max_length"])["input_ids"]
    lengths = torch.tensor([0, *(len(row) for row in rows)])
    ends = lengths.cumsum(0).to(torch.int32)
    packed = model(
        input_ids=torch.tensor([token for row in rows for token in row])[None],
        position_ids=torch.cat([torch.arange(len(row)) for row in rows])[None],
        cu_seq_lens_q=ends,
        cu_seq_lens_k=ends,
        max_length_q=int(lengths.max()),
        max_length_k=int(lengths.max()),
    ).logits[0]
    alone = [model(input_ids=torch.tensor([row])).logits[0] for row in rows]
    assert torch.allclose(packed, torch.cat(alone), atol=1e-4)


def test_training_packed_rows_learns_as_well(again: Path, train: Any, monkeypatch: Any) -> None:
    monkeypatch.setitem(train.START["cpu"], "packing", True)
    monkeypatch.setitem(train.START["cpu"], "attention", "packed")
    leaves.edit(again / "leaf.toml", r"^steps = \d+", "steps = 4")
    got = train.train(leaves.here(again))
    rows = steps.read(again.parent / "run/steps.jsonl")
    assert got["num_steps"] == 4
    assert got["train_loss"] < 6  # of knowing nothing 4.8
    assert rows[-1]["token_accuracy"] > 0


def test_full_training_moves_float32_weights(again: Path, train: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(train, "FULL", True)
    monkeypatch.setitem(train.START["cpu"], "dtype", "bfloat16")
    leaves.edit(again / "leaf.toml", r"^steps = \d+", "steps = 2")
    train.train(leaves.here(again))
    from safetensors.torch import load_file

    weights = load_file(again.parent / "run/model/model.safetensors")
    assert {str(tensor.dtype) for tensor in weights.values()} == {"torch.float32"}


def test_a_model_that_would_think_first_is_told_not_to(trained: Path, train: Any) -> None:
    _, tokenizer = loaded(train, leaves.here(trained))
    tokenizer.chat_template = "{{ '' if enable_thinking is false else '<think>' }}answer"
    assert train.language_models.rendered(tokenizer, ["a"]) == ["answer"]


def test_the_settings_act_on_the_gpu_as_on_the_cpu(train: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(train, "LEARNING_RATE_X", 1.0)
    monkeypatch.setattr(train, "BATCH_X", 1.0)
    plain = {kind: train.start(kind) for kind in ("cpu", "gpu")}
    monkeypatch.setattr(train, "LEARNING_RATE_X", 0.5)
    monkeypatch.setattr(train, "BATCH_X", 2.0)
    for kind, before in plain.items():
        now = train.start(kind)
        assert now["learning_rate"] == before["learning_rate"] / 2
        assert now["batch"] == before["batch"] * 2


def test_a_model_and_data_in_folders_serve_the_gpu_profile(again: Path) -> None:
    base = again.parent / "cache/base"
    put(again, train=[{"prompt": "a", "answer": "b"}], eval=[{"prompt": "c", "answer": "d"}])
    leaves.edit(again / "leaf.toml", r'^model = "Qwen[^"]*"', f'model = "{base}"')
    leaves.edit(again / "leaf.toml", r'^source = "hub[^"]*"', f'source = "{again / "task"}"')
    (again / "task").rename(again.parent / "elsewhere")
    leaves.edit(again / "leaf.toml", str(again / "task"), str(again.parent / "elsewhere"))
    done = leaves.script(again, "prepare.py", LAB_PROFILE="gpu")
    assert done.returncode == 0, done.stderr
    meta = json.loads((again.parent / "cache/meta.json").read_text())
    assert meta["base"].startswith(f"{base}@")
    assert meta["train"] == 1


# -- What it refuses ----------------------------------------------------------


def test_a_held_out_prompt_among_the_training_data_is_refused(again: Path) -> None:
    rows = [{"prompt": f"p{number}", "answer": "a"} for number in range(9)]
    held = [{"prompt": f"q{number}", "answer": "a"} for number in range(9)]
    rows[6]["prompt"] = "Sort  CAB"
    held[2]["prompt"] = "sort cab"
    put(again, train=rows, eval=held)
    said = leaves.refusal(leaves.script(again, "prepare.py"))
    assert "task/eval.jsonl:3: also in task/train.jsonl:7" in said


def test_a_training_that_saw_a_held_out_prompt_is_refused(again: Path) -> None:
    prompt = prompts.read(again.parent / "held-out/eval.jsonl")[4].prompt
    with (again.parent / "run/trained_on.txt").open("a") as file:
        file.write("\n" + prompts.key(prompt))
    said = leaves.refusal(leaves.script(again, "evaluate.py"))
    assert f"1 held-out prompts were trained on, {prompt!r} first" in said


def test_a_training_that_names_no_prompt_is_refused(again: Path) -> None:
    (again.parent / "run/trained_on.txt").write_text("")
    said = leaves.refusal(leaves.script(again, "evaluate.py"))
    assert "nothing says what was trained on" in said


@pytest.mark.parametrize(
    ("told", "sentence"),
    [({"leaf": "rl_grpo"}, "a model of leaf 'rl_grpo'"), ({"base": "0"}, "another base")],
    ids=["leaf", "base"],
)
def test_an_artefact_from_elsewhere_is_refused(
    again: Path, told: dict[str, str], sentence: str
) -> None:
    path = again.parent / "run/artefact.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | told))
    assert sentence in leaves.refusal(leaves.script(again, "evaluate.py"))


def test_weights_of_another_shape_are_refused(again: Path, train: Any) -> None:
    here = leaves.here(again)
    base, tokenizer = loaded(train, here)
    shutil.rmtree(here.dir / "model")
    tiny.make_model(tokenizer, width=32).save_pretrained(here.dir / "model")
    with pytest.raises(SystemExit, match="do not fit the base"):
        train.artefact.load(here.dir, base)


def test_no_model_and_no_data_say_what_to_type(again: Path, tmp_path: Path) -> None:
    empty = str(tmp_path / "empty")
    said = leaves.refusal(leaves.script(again, "evaluate.py", LAB_RUN_DIR=empty))
    assert "run the training first" in said
    for name in ("train.py", "evaluate.py"):
        said = leaves.refusal(leaves.script(again, name, LAB_CACHE_DIR=empty))
        assert "type: python prepare.py" in said


def test_a_rate_that_diverges_stops_with_a_sentence(
    again: Path, train: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(train, "LEARNING_RATE_X", 1e30)
    monkeypatch.setattr(train, "CLIP", 1e30)
    with pytest.raises(SystemExit, match=r"^diverged at step \d+: loss is nan"):
        train.train(leaves.here(again))


def test_examples_longer_than_max_length_stop_with_a_sentence(
    again: Path, train: Any, monkeypatch: Any
) -> None:
    monkeypatch.setitem(train.START["cpu"], "max_length", 4)
    with pytest.raises(SystemExit, match="every example is longer than 4 tokens"):
        train.train(leaves.here(again))


def test_a_budget_of_zero_is_refused(again: Path) -> None:
    assert "no time" in leaves.refusal(leaves.script(again, "train.py", LAB_BUDGET_S="0"))


def test_no_hub_names_the_profile_that_works(again: Path) -> None:
    told = {"LAB_PROFILE": "gpu", "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "1"}
    said = leaves.refusal(leaves.script(again, "prepare.py", **told))
    assert "cannot fetch openai/gsm8k/main" in said
    assert "--profile cpu" in said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_a_sentence_and_leaves_no_finished_cache(again: Path) -> None:
    (again.parent / "cache/meta.json").unlink()
    (again.parent / "cache/train.jsonl.part").symlink_to("/dev/full")
    assert "free some space" in leaves.refusal(leaves.script(again, "prepare.py"))
    assert not (again.parent / "cache/meta.json").exists()


# -- Prompts and scores, which other leaves share -------------------------------


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["{"], "t.jsonl:1: not JSON"),
        (['{"prompt": "a", "answer": "b"}', '{"prompt": "a"}'], "t.jsonl:2: missing answer"),
        (['{"answer": "b"}'], "t.jsonl:1: missing prompt"),
        (["[1]"], "t.jsonl:1: not an object"),
        ([], "t.jsonl: empty"),
    ],
    ids=["no-json", "no-answer", "no-prompt", "no-object", "nothing"],
)
def test_a_bad_line_names_file_and_line(tmp_path: Path, lines: list[str], sentence: str) -> None:
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    with pytest.raises(SystemExit, match=sentence):
        prompts.read(tmp_path / "t.jsonl")


def test_one_half_of_a_task_asks_for_the_other(tmp_path: Path) -> None:
    (tmp_path / "task").mkdir()
    (tmp_path / "task/train.jsonl").write_text('{"prompt": "a", "answer": "b"}\n')
    with pytest.raises(SystemExit, match=r"task/eval.jsonl is missing"):
        prompts.own(tmp_path)


@pytest.mark.parametrize(
    ("said", "answer", "right"),
    [
        ("it is #### 1,000", "1000", 1.0),
        ("#### 7\nno, #### 8", "8", 1.0),
        ("8", "18", 0.0),
        ("8 or 9", "8", 0.0),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}", 1.0),
        ("<answer> a  b </answer>", "a b", 1.0),
        ("", "a", 0.0),
    ],
)
def test_an_answer_is_right_only_as_a_whole(said: str, answer: str, right: float) -> None:
    assert scoring.exact("", said, answer) == right


def test_a_scorer_of_ones_own_replaces_ours_and_is_checked(tmp_path: Path) -> None:
    (tmp_path / "task").mkdir()
    path = tmp_path / "task/score.py"
    path.write_text("def score(prompt, completion, answer):\n    return len(completion) / 10\n")
    score = scoring.scorer(tmp_path)
    assert score("p", "abc", "x") == 0.3
    with pytest.raises(SystemExit, match="give a number from 0 to 1"):
        score("p", "a" * 11, "x")
    path.write_text("wrong = 1\n")
    with pytest.raises(SystemExit, match="has no score"):
        scoring.scorer(tmp_path)


def test_there_is_a_sealed_set_of_the_same_kind(trained: Path, tmp_path: Path) -> None:
    leaves.check_sealed_set(trained, tmp_path / "home")
