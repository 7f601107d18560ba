"""What a run ran with is on record: its packages, and no secret that its log printed."""

import json
import stat
from pathlib import Path

import pytest
from toy import TRAIN, Toy

from lab.system import masking

KEY = "sk-proj-AbCdEf0123456789GhIjKl"
PRIVATE = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNza\n-----END OPENSSH PRIVATE KEY-----"


def package(folder: Path, name: str, version: str) -> None:
    """Install a package, as far as its folder's name tells of it."""
    (folder / f"{name}-{version}.dist-info").mkdir(parents=True)


def test_a_run_names_its_environment_and_its_lock_is_written_once(ready: Toy) -> None:
    shown = ready.here("show", "e1", "--json").json
    (one,) = shown["environments"]
    assert {run["environment"] for run in shown["runs"]} == {one["environment"]}
    assert one["packages"] > 5
    told = ready.here("show", "e1").out
    assert f"environment {one['environment']}: Python {one['python']}, " in told
    rows = [json.loads(line) for line in ready.here("export").out.splitlines()]
    (lock,) = (row for row in rows if row["table"] == "environments")
    assert lock["uid"] == one["environment"]
    assert "click" in json.loads(lock["packages"])


def test_reproduce_says_which_packages_differ(ready: Toy, tmp_path: Path) -> None:
    site = tmp_path / "site"
    package(site, "Some_Package", "1.0")
    same = ready.lab("reproduce", "e1", cwd=ready.root / "toy").out
    assert "the same packages, environment " in same
    answer = ready.lab("reproduce", "e1", cwd=ready.root / "toy", PYTHONPATH=str(site))
    assert "another some-package: none, now 1.0\n" in answer.out
    found = ready.lab("reproduce", "e1", "--json", cwd=ready.root / "toy").json
    assert found["environment"]["then"] == found["environment"]["now"]


def test_an_environment_travels_with_its_runs(ready: Toy, tmp_path: Path) -> None:
    file = tmp_path / "all.jsonl"
    ready.here("export", "-o", str(file))
    assert ready.here("import", str(file), "--json").json["new"] == 0
    assert ready.here("doctor", "--json").json["ok"]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (f"using {KEY}", "using [secret]"),
        ("AKIAABCDEFGHIJKLMNOP in us-east-1", "[secret] in us-east-1"),
        ("token ghp_0123456789abcdefghijABCDEFGHIJ012345", "token [secret]"),
        ("login hf_abcdefghijklmnopqrstuvwxyz0123", "login [secret]"),
        ("Authorization: Bearer abcdef.123456-xyz", "Authorization: Bearer [secret]"),
        ("WANDB_API_KEY=0123456789abcdef0123", "WANDB_API_KEY=[secret]"),
        ("DB_PASSWORD='hunter22' MY_TOKEN: abcdefgh1", "DB_PASSWORD='[secret]' MY_TOKEN: [secret]"),
        ('{"api_key": "0123456789abc"}', '{"api_key": "[secret]"}'),
        (f"before\n{PRIVATE}\nafter", "before\n[secret]\nafter"),
    ],
)
def test_what_looks_like_a_secret_is_masked(said: str, kept: str) -> None:
    assert masking.mask(said) == kept


@pytest.mark.parametrize(
    "said",
    [
        "pad_token=<pad> eos_token_id=50256 PAD_TOKEN=50256 max_tokens: 512 n_key_value_heads=8",
        "sk-learn-baselines-with-cross-validation task-0123456789abcdefghij sort_key=loss",
        "step 12, loss 3.14159265358979, 123456 tokens per second, KEY_VALUE 12, https://a.org/b@c",
    ],
)
def test_what_a_training_prints_is_left_as_it_is(said: str) -> None:
    assert masking.mask(said) == said


def test_a_log_in_pieces_is_masked_whole() -> None:
    masker = masking.Masker()
    text = f"a\n{KEY}\n{PRIVATE}\nlast"
    pieces = [masker.feed(text[place : place + 7]) for place in range(0, len(text), 7)]
    assert "".join([*pieces, masker.rest()]) == "a\n[secret]\n[secret]\nlast"


def test_a_secret_in_a_log_is_nowhere_told_and_its_file_is_its_owners(toy: Toy) -> None:
    toy.leaf(
        train=TRAIN.replace('print("trained")', f'print("using {KEY}"); raise ValueError("{KEY}")')
    )
    toy.commit("a script that talks")
    toy.lab("run", "--baseline", "--no-dry-run", cwd=toy.root / "toy", code=None)
    log = toy.root / ".lab" / "runs" / "e1" / "1" / "run.log"
    assert KEY in log.read_text()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    for words in (["output", "e1"], ["show", "e1"], ["show", "e1", "--json"], ["wait", "e1"]):
        answer = toy.here(*words, code=None)
        assert KEY not in answer.out + answer.err, words
    assert "using [secret]" in toy.here("output", "e1").out
    assert "[secret]" in toy.here("show", "e1").out
    assert KEY.encode() not in (toy.root / ".lab" / "notebook.db").read_bytes()
