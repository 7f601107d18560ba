"""The prompt_opt leaf: what it searches with, what counts, what it pays, what it refuses."""

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import leaves
import pytest

from shared import clock, prompts, steps

for module in ("torch", "transformers", "gepa"):
    pytest.importorskip(module, reason=f"prompt_opt needs {module}")
pytestmark = pytest.mark.filterwarnings("ignore")  # other people's deprecations, once in-process

QUICK_MODEL = ("prepare.py", r"^STEPS, BATCH = \d+, 32", "STEPS, BATCH = 40, 32")
FEW_CALLS = ("leaf.toml", r"^(steps|calls) = 600\b", r"\1 = 200")


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the leaf, prepared, searched and judged as the harness does it."""
    leaf = leaves.copy("prompt_opt", tmp_path_factory.mktemp("prompts"), QUICK_MODEL, FEW_CALLS)
    return leaves.played(leaf, "prepare.py", "optimize.py", "evaluate.py")


@pytest.fixture
def again(searched: Path, tmp_path: Path) -> Path:
    """A searched copy of one's own, to spoil."""
    return leaves.spare(searched, tmp_path / "home")


@pytest.fixture(scope="module")
def ours(searched: Path) -> dict[str, ModuleType]:
    """The leaf's files, imported."""
    return leaves.modules(searched, ["models", "prepare", "optimize", "evaluate"])


class Obedient:
    """A task model that does exactly what the tiny one was trained to do, and counts."""

    def __init__(self, prepare: ModuleType, limit: int = 10**9) -> None:
        self.prepare, self.limit = prepare, limit
        self.calls, self.cached = 0, 0

    def __call__(self, system: str, prompts: list[str]) -> list[str]:
        self.calls += len(prompts)
        phrases = [phrase.strip() for phrase in system.split(".")]
        said = [self.prepare.target(phrases, prompt) for prompt in prompts]
        # Without its scratch pad the model cannot add: the last digit is off.
        return [text if "," in text else f"{text[:-1]}x" for text in said]


@pytest.fixture
def obedient(ours: dict[str, ModuleType], monkeypatch: Any) -> Callable[..., dict[str, float]]:
    """Search with the model that obeys; give back what is reported."""

    def search(leaf: Path, **told: str) -> dict[str, float]:
        model = Obedient(ours["prepare"])
        monkeypatch.setattr(ours["models"], "task", lambda here, limit, budget: model)
        found: dict[str, float] = ours["optimize"].search(leaves.here(leaf, **told))
        return found

    return search


# -- What it does -------------------------------------------------------------


def test_the_search_reports_what_it_asked_and_found(searched: Path) -> None:
    got = leaves.printed(searched, "optimize.py")
    asked = {"val_score", "candidates", "task_calls", "cost_usd", "train_s", "startup_s"}
    assert asked <= got.keys()
    assert 0 < got["task_calls"] <= 200
    assert got["cost_usd"] == 0
    logged = steps.read(searched.parent / "run/steps.jsonl")
    assert logged[0]["step"] > 0
    assert logged[-1]["best_score"] == max(row["val_score"] for row in logged)


def test_the_yardstick_asks_every_held_out_problem_once(searched: Path) -> None:
    got = leaves.printed(searched, "evaluate.py")
    assert got["test_problems"] == 60
    rows = steps.read(searched.parent / "run/samples.jsonl")
    assert got["test_accuracy"] == sum(row["correct"] for row in rows) / 60


def test_the_same_seed_finds_the_same_prompt_and_another_seed_another(
    again: Path, ours: dict[str, ModuleType], obedient: Callable[..., Any]
) -> None:
    prompts = []
    for seed in ("0", "0", "1"):
        obedient(again, LAB_SEED=seed)
        prompts.append((again.parent / "run/prompt.txt").read_text())
    assert prompts[0] == prompts[1]
    assert prompts[0] != prompts[2]


@pytest.mark.parametrize("proposer", ["random", "rules"])
def test_a_search_finds_the_words_that_count(
    again: Path,
    ours: dict[str, ModuleType],
    obedient: Callable[..., Any],
    monkeypatch: Any,
    proposer: str,
) -> None:
    leaves.edit(again / "leaf.toml", r"^steps = 200\b", "steps = 2400")
    leaves.edit(again / "leaf.toml", r"^calls = 200\b", "calls = 2400")
    monkeypatch.setattr(ours["optimize"], "PROPOSER", proposer)
    got = obedient(again)
    assert got["val_score"] == 1.0
    assert got["task_calls"] <= 2400
    found = ours["optimize"].split((again.parent / "run/prompt.txt").read_text())
    assert set(found) & set(ours["prepare"].WORK)
    assert set(found) & set(ours["prepare"].MARK)


def test_without_credit_for_form_nothing_is_ever_accepted(
    again: Path, ours: dict[str, ModuleType], obedient: Callable[..., Any], monkeypatch: Any
) -> None:
    monkeypatch.setattr(ours["optimize"], "MARKED", 0.0)
    monkeypatch.setattr(ours["optimize"], "ACCEPT", "strict_improvement")
    assert obedient(again)["candidates"] == 1


def test_a_model_that_writes_prompts_is_asked_and_heard(
    again: Path, ours: dict[str, ModuleType], obedient: Callable[..., Any], monkeypatch: Any
) -> None:
    asked: list[str] = []

    def writer(system: str, prompts: list[str]) -> list[str]:
        asked.extend(prompts)
        return ["```\nshow each carry. mark the result.\n```"] * len(prompts)

    leaves.edit(again / "leaf.toml", r'^reflection = ""', 'reflection = "some/model"')
    monkeypatch.setattr(ours["optimize"], "PROPOSER", "model")
    monkeypatch.setattr(ours["optimize"], "feedback", lambda *_: "put #### before it.")
    monkeypatch.setattr(ours["models"], "remote", lambda *_: writer)
    assert obedient(again)["val_score"] == 1.0
    assert "put #### before it." in asked[0]


def test_what_the_tiny_model_is_taught_is_right_only_with_a_scratch_pad_in_order(
    ours: dict[str, ModuleType],
) -> None:
    draw, target = random.Random(0), ours["prepare"].target
    for _ in range(200):
        problem = ours["prepare"].problem(draw)
        said = target(["work column by column", "mark the result"], problem)
        columns = re.findall(r"(\d\+\d\+\d)=(\d\d),", said)
        assert len(columns) == 3
        assert all(sum(map(int, left.split("+"))) == int(right) for left, right in columns)
        assert said.endswith(f"####{sum(map(int, problem.split('+'))):04d}")
    assert "," not in target(["work column by column", "be brief"], "347+286")
    assert target(["mirror the digits", "mark the result"], "347+286") == "####3360"


def test_edits_stay_within_bounds_and_reach_every_phrase(ours: dict[str, ModuleType]) -> None:
    optimize, bank, draw = ours["optimize"], ours["prepare"].PHRASES, random.Random(0)
    phrases, seen = ["be brief"], set()
    for _ in range(3000):
        phrases = optimize.edited(phrases, bank, draw)
        assert 1 <= len(phrases) <= optimize.LONGEST
        seen |= set(phrases)
    assert seen == set(bank)


# -- What it pays -------------------------------------------------------------


class Scripted:
    """A remote model that says what it is told to, at a price, and remembers what it was asked."""

    def __init__(self, *replies: str) -> None:
        self.replies, self.asked = list(replies), 0

    def __call__(self, name: str, messages: list[dict[str, str]]) -> tuple[str, float]:
        self.asked += 1
        return self.replies.pop(0), 0.4


def test_an_answer_paid_for_once_is_asked_no_more(
    ours: dict[str, ModuleType], tmp_path: Path
) -> None:
    script = Scripted("four", "five")
    budget, remote_of = ours["models"].Budget, ours["models"].Remote
    remote = remote_of("m", tmp_path, 10, budget(1.0), script)
    assert remote("be brief", ["2+2", "2+3", "2+2"]) == ["four", "five", "four"]
    assert (remote.calls, remote.cached, remote.budget.spent_usd) == (3, 1, 0.8)
    later = remote_of("m", tmp_path, 10, budget(0.0), script)
    assert later("be brief", ["2+3"]) == ["five"]  # another process, no money left
    assert script.asked == 2


def test_money_and_calls_end_the_search_before_they_are_overdrawn(
    ours: dict[str, ModuleType], tmp_path: Path
) -> None:
    exceeded, budget = ours["models"].BudgetExceeded, ours["models"].Budget(0.5)
    remote = ours["models"].Remote("m", tmp_path, 10, budget, Scripted(*"abcd"))
    with pytest.raises(exceeded, match=r"0.5 USD"):
        remote("", ["1", "2", "3"])
    assert budget.spent_usd == 0.8  # the call that crossed the cap, and none after it
    rich = ours["models"].Budget(9.0)
    remote = ours["models"].Remote("m", tmp_path, 1, rich, Scripted(*"abcd"))
    with pytest.raises(exceeded, match="1 calls"):
        remote("", ["4", "5"])


def test_a_search_that_runs_out_of_money_keeps_its_best_prompt(
    again: Path, ours: dict[str, ModuleType], monkeypatch: Any
) -> None:
    class Poor(Obedient):
        def __call__(self, system: str, prompts: list[str]) -> list[str]:
            if self.calls > 90:
                raise ours["models"].BudgetExceeded("2 USD")
            return super().__call__(system, prompts)

    monkeypatch.setattr(ours["models"], "task", lambda here, limit, budget: Poor(ours["prepare"]))
    assert ours["optimize"].search(leaves.here(again))["candidates"] >= 1
    assert (again.parent / "run/prompt.txt").read_text()


# -- What it refuses ----------------------------------------------------------


def test_a_held_out_problem_among_those_to_search_with_is_refused(again: Path) -> None:
    for name in ("train", "eval"):
        (again / f"task/{name}.jsonl").write_text('{"prompt": "7+8", "answer": "15"}\n')
    said = leaves.refusal(leaves.script(again, "prepare.py"))
    assert "task/eval.jsonl:1: also in task/train.jsonl:1" in said


def test_a_search_that_saw_a_held_out_problem_is_refused(again: Path) -> None:
    prompt = prompts.read(again.parent / "held-out/eval.jsonl")[0].prompt
    with (again.parent / "run/trained_on.txt").open("a") as file:
        file.write("\n" + prompts.key(prompt))
    said = leaves.refusal(leaves.script(again, "evaluate.py"))
    assert "1 held-out prompts were trained on" in said


def test_an_artefact_of_another_leaf_is_refused(again: Path) -> None:
    path = again.parent / "run/artefact.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"leaf": "sft"}))
    assert "a model of leaf 'sft'" in leaves.refusal(leaves.script(again, "evaluate.py"))


def test_nothing_searched_and_nothing_prepared_say_what_to_type(
    again: Path, tmp_path: Path
) -> None:
    empty = str(tmp_path / "empty")
    said = leaves.refusal(leaves.script(again, "evaluate.py", LAB_RUN_DIR=empty))
    assert "run the training first" in said
    said = leaves.refusal(leaves.script(again, "optimize.py", LAB_CACHE_DIR=empty))
    assert "type: python prepare.py" in said


def test_a_proposer_that_cannot_work_is_refused(
    again: Path, ours: dict[str, ModuleType], monkeypatch: Any
) -> None:
    here, budget = leaves.here(again), ours["models"].Budget(0.0)
    monkeypatch.setattr(ours["optimize"], "PROPOSER", "oracle")
    with pytest.raises(SystemExit, match="PROPOSER is 'oracle'"):
        ours["optimize"].proposing(here, budget)
    monkeypatch.setattr(ours["optimize"], "PROPOSER", "model")
    with pytest.raises(SystemExit, match=r"reflection in leaf\.toml names none"):
        ours["optimize"].proposing(here, budget)


def test_a_model_without_a_known_price_is_refused(ours: dict[str, ModuleType]) -> None:
    class Unpriced:
        model = "odd/one"

        def completion_cost(self, completion_response: Any) -> float:
            raise ValueError("not mapped")

    with pytest.raises(SystemExit, match="no price is known for odd/one"):
        ours["models"].price(Unpriced(), Unpriced())


def test_a_steps_clock_counts_answers(ours: dict[str, ModuleType]) -> None:
    budget = clock.Clock("steps", 5, steps=7)
    model = Obedient(ours["prepare"])
    adapter = ours["optimize"].Adapter(model, ours["optimize"].scoring.exact, budget)
    one = prompts.Pair("1+2", "3", "3")
    adapter.evaluate([one] * 7, {"system": "be brief."})
    assert budget.done()


def test_there_is_a_sealed_set_of_the_same_kind(searched: Path, tmp_path: Path) -> None:
    leaves.check_sealed_set(searched, tmp_path / "home")
