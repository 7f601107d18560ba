"""The rl_grpo leaf: a reward may change, the yardstick does not; and what both refuse."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import leaves
import pytest

from shared import pairs, steps, summary

for module in leaves.HEAVY:
    pytest.importorskip(module, reason=f"rl_grpo needs {module}")
pytestmark = pytest.mark.filterwarnings("ignore")  # other people's deprecations, once in-process

FEW_STEPS = ("leaf.toml", r"^steps = \d+", "steps = 4")
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
    return leaves.modules(trained, ["reward", "train", "evaluate"])


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


# -- What it does -------------------------------------------------------------


def test_training_reports_what_the_brief_asks_for(trained: Path) -> None:
    got = leaves.printed(trained, "train.py")
    asked = {"all_one_rate", "all_zero_rate", "cut_rate", "completion_tokens", "entropy", "kl"}
    asked |= {"train_reward", "tokens_per_s", "startup_s", "train_s", "peak_memory_mb"}
    assert asked <= got.keys()
    assert got["num_steps"] == 4
    assert 0.1 < got["train_reward"] < 0.9
    assert got["entropy"] > 0
    assert got["tokens"] == pytest.approx(64 * 2 * (13 + got["completion_tokens"]), rel=0.1)


def test_the_yardstick_draws_several_answers_and_writes_them_down(trained: Path) -> None:
    got = leaves.printed(trained, "evaluate.py")
    assert (got["eval_prompts"], got["eval_samples"]) == (40, 80)
    assert got["eval_greedy"] > got["eval_reward_mean"] > 0.2
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
    base, _ = ours["train"].language.load(here, ours["train"].device.pick("cpu"))
    meta = ours["train"].prepared.read(here)
    ours["train"].artefact.save(here.dir, "rl_grpo", meta["base"], base, ["none"])
    untouched = judge()
    monkeypatch.setattr(ours["train"], "reward", lambda *_: 1.0)
    got = ours["train"].train(here)
    assert (got["train_reward"], got["all_one_rate"]) == (1.0, 1.0)
    (again / "reward.py").unlink()  # the yardstick does not even read it
    for name in ("eval_reward_mean", "eval_greedy"):
        assert judge()[name] == untouched[name] < 0.95


def test_an_adapter_as_on_a_gpu_is_trained_and_merged(
    again: Path, ours: dict[str, ModuleType], judge: Judge, monkeypatch: Any
) -> None:
    monkeypatch.setitem(ours["train"].START["cpu"], "lora", 4)
    monkeypatch.setitem(ours["train"].START["cpu"], "learning_rate", 3e-2)
    shutil.rmtree(again.parent / "run/model")
    ours["train"].train(leaves.here(again))
    assert (again.parent / "run/model/adapter_config.json").exists()
    assert judge()["eval_kl"] > 0.05  # the adapter took part in what was measured


def test_a_model_is_no_distance_from_itself(trained: Path, ours: dict[str, ModuleType]) -> None:
    where = ours["train"].device.pick("cpu")
    base, made = ours["train"].language.load(leaves.here(trained), where)
    said = [("<|user|>sort ba<|assistant|>", "ab")]
    assert ours["evaluate"].kl(base, base, made, said) == 0
    assert ours["evaluate"].log_prob(base, made, *said[0]) < 0


def test_the_prompts_trained_on_are_those_between_two_lengths(
    trained: Path, ours: dict[str, ModuleType], monkeypatch: Any
) -> None:
    found = pairs.read(trained.parent / "cache/train.jsonl")
    widths = {len(one.answer) for one in ours["train"].prompts(found, seed=0)}
    assert widths == {7}
    monkeypatch.setattr(ours["train"], "EASIEST", 0.0)
    monkeypatch.setattr(ours["train"], "HARDEST", 1.0)
    assert len(ours["train"].prompts(found, seed=0)) == len(found)


def test_groups_that_teach_nothing_are_counted(
    ours: dict[str, ModuleType], monkeypatch: Any
) -> None:
    monkeypatch.setattr(ours["train"], "GENERATIONS", 2)
    logged: dict[str, float] = {}
    judge = ours["train"].rewarded(ends={9})
    said = ["ab", "ab", "ba", "ba", "ab", "ba", "ba", "bb"]
    values = judge(
        completions=said,
        completion_ids=[[1, 9]] * 8,
        question=["sort ba"] * 8,
        answer=["ab"] * 8,
        log_metric=logged.__setitem__,
    )
    assert values == [1, 1, 0, 0, 1, 0, 0, 0]
    assert logged == {"all_one_rate": 0.25, "all_zero_rate": 0.5}


def test_the_reward_takes_off_what_is_cut_and_adds_what_is_in_place(
    ours: dict[str, ModuleType], monkeypatch: Any
) -> None:
    monkeypatch.setattr(ours["reward"], "PARTIAL", 0.5)
    monkeypatch.setattr(ours["reward"], "CUT", 0.25)
    reward = ours["reward"].reward
    assert reward("", "abcd", "abcd", False) == 1.5
    assert reward("", "abdc", "abcd", False) == 0.25
    assert reward("", "abdc", "abcd", True) == 0.0


@pytest.mark.parametrize("generations", [4, 8, 16])
def test_a_batch_holds_whole_groups(
    ours: dict[str, ModuleType], monkeypatch: Any, generations: int
) -> None:
    monkeypatch.setattr(ours["train"], "GENERATIONS", generations)
    monkeypatch.setattr(ours["train"], "BATCH_X", 0.3)
    assert ours["train"].start("gpu")["batch"] % generations == 0


def test_a_gpu_draws_by_vllm_where_installed(
    ours: dict[str, ModuleType], tmp_path: Path, monkeypatch: Any
) -> None:
    generation = ours["train"].generation
    assert generation("cpu") == {}
    assert generation("gpu") == {"use_transformers_continuous_batching": True}
    (tmp_path / "vllm.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    assert generation("gpu")["vllm_mode"] == "colocate"


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
    held = pairs.read(again.parent / "cache/eval.jsonl")
    monkeypatch.setattr(ours["train"], "prompts", lambda found, seed: held)
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
    monkeypatch.setitem(ours["train"].START["cpu"], "learning_rate", 1e30)
    with pytest.raises((SystemExit, RuntimeError), match=r"diverged at step|probability tensor"):
        ours["train"].train(leaves.here(again))
