"""The pretrain leaf through its own scripts: prepare, train, evaluate, and what they refuse.

`train.py` is what experiments change: a test that asserts a number sets it first.
"""

import importlib.util
import json
import math
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
from leaves import edit, environ, numbers, refusal, script

from shared import run, steps

for module in ("torch", "numpy", "tokenizers"):
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"pretrain needs {module}", allow_module_level=True)

ROOT = Path(__file__).parents[1]
Script = Callable[..., subprocess.CompletedProcess[str]]


def copy_of_leaf(home: Path) -> Path:
    """Copy the leaf, with a corpus of its own and eight steps of 2 x 1024 tokens when smoked."""
    leaf = home / "pretrain"
    shutil.copytree(ROOT / "pretrain", leaf, ignore=shutil.ignore_patterns("runs", "__pycache__"))
    edit(leaf / "leaf.toml", r"^steps = \d+", "steps = 8")
    edit(leaf / "leaf.toml", r"^vocab_size = 2048", "vocab_size = 512")
    edit(leaf / "train.py", r"^BATCH_X = \S+", "BATCH_X = 1.0")
    edit(leaf / "train.py", r"^( +)batch_tokens=[^,]+", r"\1batch_tokens=2048")
    edit(leaf / "train.py", r"^( +)micro_batch_tokens=[^,]+,", r"\1micro_batch_tokens=1024,")
    edit(leaf / "train.py", r"^LOG_EVERY = \d+", "LOG_EVERY = 4")
    for name in ("argparse.py", "ast.py", "inspect.py", "tarfile.py"):
        shutil.copy(Path(sysconfig.get_paths()["stdlib"]) / name, leaf / "task" / name)
    return leaf


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the leaf whose smoke profile has been prepared and trained."""
    leaf = copy_of_leaf(tmp_path_factory.mktemp("trained"))
    for name in ("prepare.py", "train.py"):
        done = script(leaf, name)
        assert done.returncode == 0, done.stderr
    return leaf


@pytest.fixture
def again(trained: Path, tmp_path: Path) -> Path:
    """A trained copy of one's own, to spoil."""
    shutil.copytree(trained.parent, tmp_path / "home")
    return tmp_path / "home" / "pretrain"


def test_it_learns_from_the_text_in_task(trained: Path) -> None:
    got = numbers(script(trained, "evaluate.py"))
    meta = json.loads((trained.parent / "cache/meta.json").read_text())
    assert 1.0 < got["val_bpb"] < 8.0
    assert got["val_nats_per_token"] < math.log(512) - 0.2  # which is what knowing nothing costs
    assert got["held_out_bytes"] == meta["held_out_bytes"] < 60_000


def test_there_is_a_sealed_set_of_other_documents(again: Path) -> None:
    home = again.parent
    (home / "sealed").mkdir()
    (home / "cache/meta.json").unlink()
    assert script(again, "prepare.py", LAB_SEALED_DIR=str(home / "sealed")).returncode == 0
    got = numbers(script(again, "evaluate.py", LAB_HELD_OUT_DIR=str(home / "sealed")))
    assert 1.0 < got["val_bpb"] < 8.0
    assert got["val_bpb"] != numbers(script(again, "evaluate.py"))["val_bpb"]


def test_train_reports_what_the_brief_asks_for(again: Path) -> None:
    got = numbers(script(again, "train.py"))
    asked = {"num_steps", "tokens", "tokens_per_s", "train_s", "wall_s", "cpu_s", "startup_s"}
    assert asked | {"peak_memory_mb", "grad_norm", "grad_norm_max", "train_loss"} <= got.keys()
    assert got["num_steps"] == 8
    assert got["tokens"] == 8 * 2048
    logged = steps.read(again.parent / "run/steps.jsonl")
    assert [row["step"] for row in logged] == [0, 4]
    assert logged[0]["loss"] == pytest.approx(math.log(512), abs=0.5)
    assert got["train_loss"] < logged[0]["loss"]


def test_the_same_seed_gives_the_same_number_and_another_seed_another(again: Path) -> None:
    first = numbers(script(again, "evaluate.py"))["val_bpb"]
    values = []
    for seed in ("0", "1"):
        numbers(script(again, "train.py", LAB_SEED=seed))
        values.append(numbers(script(again, "evaluate.py"))["val_bpb"])
    assert values[0] == first
    assert values[1] != first


def test_preparing_again_changes_nothing_until_the_text_changes(again: Path) -> None:
    before = (again.parent / "cache/meta.json").read_text()
    done = script(again, "prepare.py")
    assert done.stderr.startswith("ready: ")
    assert (again.parent / "cache/meta.json").read_text() == before
    (again / "task/more.txt").write_text("a line of my own\n" * 2000)
    assert script(again, "prepare.py").stderr.splitlines()[-1].startswith("made ")
    after = json.loads((again.parent / "cache/meta.json").read_text())
    assert after["corpus_sha256"] != json.loads(before)["corpus_sha256"]


def test_a_half_made_cache_is_made_again(again: Path) -> None:
    (again.parent / "cache/meta.json").write_text('{"key": ')
    assert script(again, "prepare.py").stderr.splitlines()[-1].startswith("made ")


CHEATS = {
    "sums-to-two": ("return score(t) + 0.6931", "do not sum to one"),
    "nothing-but-nan": ("return score(t) * float('nan')", "do not sum to one"),
    "looks-one-ahead": (
        "return F.log_softmax(score(t) + 5 * F.one_hot(t.roll(-1, 1), score(t).shape[-1]), -1)",
        "looks ahead",
    ),
    "recalls-what-it-was-asked": (  # by its first token, and answers the same in the probe
        "seen = cheat.__dict__.setdefault('seen', {})\n"
        "        known = torch.stack([seen.setdefault(int(row[0]), row.clone()) for row in t])\n"
        "        ahead = F.one_hot(known.roll(-1, 1), score(t).shape[-1])\n"
        "        return F.log_softmax(score(t) + 5 * ahead, -1)",
        "looks ahead",
    ),
    "looks-at-other-rows": (
        "return F.log_softmax(score(t) + score(t).mean(0, keepdim=True), -1)",
        "looks ahead",
    ),
    "another-vocabulary": ("return score(t)[..., :100]", "shape"),
}
CHEAT = """

honest_load_model = load_model


def load_model(run_dir, device):
    score = honest_load_model(run_dir, device)

    def cheat(t):
        {body}

    return cheat
"""


@pytest.mark.parametrize(("body", "sentence"), CHEATS.values(), ids=CHEATS.keys())
def test_a_model_that_cheats_is_refused(again: Path, body: str, sentence: str) -> None:
    with (again / "train.py").open("a") as file:
        file.write(CHEAT.format(body=body))
    assert sentence in refusal(script(again, "evaluate.py"))


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"leaf": "sft"}, "a model of leaf 'sft'"),
        ({"tokenizer_sha256": "0" * 64}, "another tokenizer"),
    ],
    ids=["leaf", "tokenizer"],
)
def test_an_artefact_from_elsewhere_is_refused(
    again: Path, told: dict[str, str], sentence: str
) -> None:
    path = again.parent / "run/artefact.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | told))
    assert sentence in refusal(script(again, "evaluate.py"))


def test_no_model_and_no_data_say_what_to_type(again: Path, tmp_path: Path) -> None:
    empty = str(tmp_path / "empty")
    assert "type: python train.py" in refusal(script(again, "evaluate.py", LAB_RUN_DIR=empty))
    for name in ("train.py", "evaluate.py"):
        assert "type: python prepare.py" in refusal(script(again, name, LAB_CACHE_DIR=empty))


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        (
            "LEARNING_RATE",
            "1e38",
            r"^diverged at step \d+: loss is (nan|inf); lower LEARNING_RATE$",
        ),
        (
            "WIDTH_X",
            "1e5",
            r"^torch.OutOfMemoryError: width .* the largest width that fits is \d+$",
        ),
        ("DEPTH_PLUS", "-99", r"^depth -\d+ and context \d+ cannot be trained"),
    ],
    ids=["diverges", "too-wide", "no-layers"],
)
def test_a_hopeless_setting_stops_with_a_sentence(
    again: Path, setting: str, value: str, sentence: str
) -> None:
    edit(again / "train.py", rf"^{setting} = \S+", f"{setting} = {value}")
    assert re.search(sentence, refusal(script(again, "train.py")), re.M)


def test_a_budget_of_zero_is_refused(again: Path) -> None:
    assert "no time to train" in refusal(script(again, "train.py", LAB_BUDGET_S="0"))


def test_a_cpu_clock_stops_at_its_budget(again: Path) -> None:
    edit(again / "leaf.toml", r"^steps = 8", "steps = 1")
    got = numbers(script(again, "train.py", LAB_CLOCK="cpu", LAB_BUDGET_S="1"))
    assert got["train_s"] >= 1.0
    assert got["cpu_s"] > 0.1  # what it cost, whatever it was worth
    assert got["num_steps"] > 1


# What an experiment rewrites, by what no longer stands in the file afterwards.
REWRITES = {
    "hash_rows|bigram": [
        (r"^HASH_X = .*\n", ""),
        (r"^ +hash_rows[:=].*\n", ""),
        (r"^ +if (self\.)?sizes\.hash_rows:\n( {12}.*\n)+", ""),
        (r"oken and bigram embeddings", "oken embeddings"),
    ],
    "value_|ve_gate": [
        (r"^ +value_embeds[:=].*\n", ""),
        (r"^ +if sizes\.value_embeds .*\n( {12}.*\n)+", ""),
        (r"^ +if hasattr\(self, \"value_embeds\"\):\n( {12}.*\n)+", ""),
        (r"^ +value_tables = .*\n", ""),
        (r"^ +\{\"params\": value_tables.*\n", ""),
        (r" if \"value_embeds\" not in name", ""),
    ],
    r"\b(depth|head_dim|micro_batch_tokens|sizes|blocks|wte|lm_head)\b": [
        (r"\b(depth|head_dim|micro_batch_tokens|sizes|blocks|wte|lm_head)\b", r"my_\1"),
    ],
}


@pytest.mark.parametrize("gone", REWRITES, ids=["bigram-table", "value-embeds", "other-names"])
def test_an_experiment_may_delete_and_rename_what_it_likes(again: Path, gone: str) -> None:
    text = (again / "train.py").read_text()
    for pattern, new in REWRITES[gone]:
        text = re.sub(pattern, new, text, flags=re.M)
    assert not re.search(gone, re.sub(r"#.*", "", text))
    (again / "train.py").write_text(text)
    done = numbers(script(again, "train.py"))
    assert done["params"] > 0
    assert done["gflops_per_s"] > 0
    assert numbers(script(again, "evaluate.py"))["val_bpb"] < 8.0


ASK_WHERE_KERNELS_GO = """
import runpy

runpy.run_path("train.py", run_name="__main__")

from torch._inductor.runtime.cache_dir_utils import cache_dir

print(cache_dir())
"""


def test_kernels_compiled_by_one_run_are_found_by_the_next(again: Path) -> None:
    (again / "ask.py").write_text(ASK_WHERE_KERNELS_GO)
    done = script(again, "ask.py")
    assert done.stdout.splitlines()[-1] == str(again.parent / "cache/compile"), done.stderr


def test_an_empty_corpus_is_refused(tmp_path: Path) -> None:
    leaf = copy_of_leaf(tmp_path)
    for file in (leaf / "task").glob("*.py"):
        file.write_text("")
    assert "empty or too small" in refusal(script(leaf, "prepare.py"))


def test_a_corpus_setting_that_names_nothing_is_refused(tmp_path: Path) -> None:
    leaf = copy_of_leaf(tmp_path)
    for file in (leaf / "task").glob("*.py"):
        file.unlink()
    edit(leaf / "leaf.toml", r'^corpus = "stdlib"', 'corpus = "/no/such/folder"')
    assert "set corpus in leaf.toml" in refusal(script(leaf, "prepare.py"))


def test_no_hub_names_the_profile_that_works_and_how_to_fetch(tmp_path: Path) -> None:
    leaf = copy_of_leaf(tmp_path)
    for file in (leaf / "task").glob("*.py"):
        file.unlink()
    said = refusal(script(leaf, "prepare.py", LAB_PROFILE="gpu", HF_ENDPOINT="http://127.0.0.1:9"))
    assert "--profile cpu" in said
    assert "hf download karpathy/climbmix-400b-shuffle shard_00000.parquet" in said


def test_the_offline_profile_needs_a_gpu_and_no_hub(tmp_path: Path) -> None:
    told = run.here(ROOT / "pretrain", environ(tmp_path / "pretrain", LAB_PROFILE="offline"))
    online = run.here(ROOT / "pretrain", environ(tmp_path / "pretrain", LAB_PROFILE="gpu"))
    assert told.needs == online.needs == "gpu"
    assert told.settings["corpus"] == "stdlib"
    assert told.settings["held_out_bytes"] == 20_000_000
    same = {"vocab_size", "row_tokens", "max_tokens"}
    assert {told.settings[name] == online.settings[name] for name in same} == {True}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_a_sentence_and_leaves_no_finished_cache(tmp_path: Path) -> None:
    leaf = copy_of_leaf(tmp_path)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/train.bin").symlink_to("/dev/full")
    assert "free some space" in refusal(script(leaf, "prepare.py"))
    assert not (tmp_path / "cache/meta.json").exists()


def test_the_gpu_profile_reads_a_folder_named_in_one_setting(tmp_path: Path) -> None:
    leaf = copy_of_leaf(tmp_path)
    corpus = tmp_path / "corpus"
    shutil.copytree(leaf / "task", corpus)
    for file in (leaf / "task").glob("*.py"):
        file.unlink()
    edit(leaf / "leaf.toml", r'^corpus = "hub:[^"]*"', f'corpus = "{corpus}"')
    edit(leaf / "leaf.toml", r"^vocab_size = 8192", "vocab_size = 600")
    done = script(leaf, "prepare.py", LAB_PROFILE="gpu")
    assert done.returncode == 0, done.stderr
    meta = json.loads((tmp_path / "cache/meta.json").read_text())
    assert (meta["row_tokens"], meta["vocab_size"]) == (2048, 600)
    assert meta["train_tokens"] % 2048 == 0
