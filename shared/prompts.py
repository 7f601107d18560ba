"""Prompts with their answers: read, proved apart, split by answer, remembered by hash.

A line of `task/train.jsonl` or `task/eval.jsonl`:

    {"prompt": "2+2=", "answer": "4"}
    {"prompt": "2+2=", "completion": "two and two make #### 4"}

`completion` is what supervised training imitates, `answer` what a completion is checked against;
either stands in for the other.
"""

import hashlib
import json
import os
import unicodedata
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import scoring

TRAIN, HELD_OUT = "train.jsonl", "eval.jsonl"
PROMPT_NAMES = ("prompt", "question", "problem", "instruction")
COMPLETION_NAMES = ("completion", "solution", "response", "output")
HELD_OUT_SHARE = 20  # one answer in so many is held out
KEY_DIGITS = 16  # 64 bits: no two of a billion prompts meet by chance


@dataclass(frozen=True)
class Pair:
    """A prompt, the answer it is checked against, and the completion to imitate."""

    prompt: str
    answer: str
    completion: str
    where: str = ""  # file and line it came from, for an editor to jump to


Both = tuple[list[Pair], list[Pair]]  # to train on, held out


def read(path: Path, called: str = "") -> list[Pair]:
    """Return the pairs of a JSON Lines file; stop with file and line at the first bad one."""
    called = called or path.name
    pairs = []
    for number, line in enumerate(_lines(path, called), start=1):
        where = f"{called}:{number}"
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise SystemExit(f"{where}: not JSON ({error.msg})") from None
        if not isinstance(record, dict):
            raise SystemExit(f'{where}: not an object; write {{"prompt": ..., "answer": ...}}')
        pairs.append(pair(record, where))
    if not pairs:
        raise SystemExit(f"{called}: empty; give one prompt and answer a line")
    return pairs


def pair(record: Mapping[str, Any], where: str) -> Pair:
    """Return one record as a pair; stop with `where` when it lacks a field.

    >>> pair({"question": "2+2?", "answer": "two and two: #### 4"}, "x:1")
    Pair(prompt='2+2?', answer='4', completion='two and two: #### 4', where='x:1')
    """
    prompt = _first(record, PROMPT_NAMES)
    answer, completion = _first(record, ("answer",)), _first(record, COMPLETION_NAMES)
    if not prompt:
        raise SystemExit(f"{where}: missing prompt")
    if not (answer or completion):
        raise SystemExit(f"{where}: missing answer")
    full = completion or answer
    return Pair(prompt, scoring.final(answer or completion), full, where)


def write(path: Path, pairs: Iterable[Pair]) -> None:
    """Write pairs so that `read` gives them back, whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        for pair in pairs:
            row = {"prompt": pair.prompt, "answer": pair.answer, "completion": pair.completion}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    part.replace(path)


def own(leaf: Path) -> Both | None:
    """Return the user's own (training, held-out) pairs, or None where `task/` holds none."""
    train, held = leaf / "task" / TRAIN, leaf / "task" / HELD_OUT
    if not train.exists() and not held.exists():
        return None
    return read(train, f"task/{TRAIN}"), read(held, f"task/{HELD_OUT}")


def check_apart(train: Iterable[Pair], held: Iterable[Pair]) -> None:
    """Stop when a held-out prompt is also trained on, but for case and spaces.

    >>> check_apart([Pair("Sort CAB", "", "", "t:7")], [Pair("sort  cab", "", "", "e:3")])
    Traceback (most recent call last):
    SystemExit: e:3: also in t:7; a held-out prompt must be new
    """
    seen: dict[str, str] = {}
    for pair in train:
        seen.setdefault(key(pair.prompt), pair.where)
    for pair in held:
        if (where := seen.get(key(pair.prompt))) is not None:
            raise SystemExit(f"{pair.where}: also in {where}; a held-out prompt must be new")


def key(prompt: str) -> str:
    """Return a prompt's hash, blind to case, spaces and the way its letters are encoded."""
    plain = " ".join(unicodedata.normalize("NFKC", prompt).casefold().split())
    return hashlib.sha256(plain.encode()).hexdigest()[:KEY_DIGITS]


def held_out(answer: str) -> bool:
    """Return whether an embedded pair is held out: by its answer, so that no answer is seen.

    >>> [word for word in ("abc", "abd", "abe", "abn") if held_out(word)]
    []
    """
    return zlib.crc32(answer.encode()) % HELD_OUT_SHARE == 0


def fetch(source: str, limits: tuple[int, int] = (10**6, 10**4)) -> Both:
    """Return (training, held-out) pairs of a folder, or of `hub:OWNER/NAME[/CONFIG]`.

    A folder holds train.jsonl and eval.jsonl. A data set of the hub gives its splits "train" and
    "test". `limits` are the most pairs of each.
    """
    if source.startswith("hub:"):
        train, held = _hub(source.removeprefix("hub:"))
    else:
        folder = Path(source).expanduser()
        train, held = read(folder / TRAIN), read(folder / HELD_OUT)
    return train[: limits[0]], held[: limits[1]]


def _hub(name: str) -> Both:
    """Fetch a data set's two splits by the `datasets` library."""
    os.environ.pop("HF_HUB_OFFLINE", None)
    owner, dataset, *config = name.split("/")
    try:
        import importlib

        load: Any = importlib.import_module("datasets").load_dataset
        splits = [load(f"{owner}/{dataset}", *config, split=split) for split in ("train", "test")]
    except ImportError:
        raise SystemExit("datasets is not installed; type: pip install 'labtree[train]'") from None
    except Exception as error:  # the hub's client raises a dozen kinds, all mean the same here
        why = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise SystemExit(
            f"cannot fetch {name}: {why}\nwithout the hub use --profile cpu, or set source in "
            "leaf.toml to a folder with train.jsonl and eval.jsonl, or put these two into task/"
        ) from None
    train, held = (
        [pair(record, f"{name}:{number}") for number, record in enumerate(split, start=1)]
        for split in splits
    )
    return train, held


def _first(record: Mapping[str, Any], names: Iterable[str]) -> str:
    """Return the first of these fields that is there, as text."""
    values = (record.get(name) for name in names)
    return next((str(value) for value in values if value not in (None, "")), "")


def _lines(path: Path, called: str) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SystemExit(f"{called} is missing; it belongs beside its other half") from None
    except UnicodeDecodeError:
        raise SystemExit(f"{called}: not UTF-8 text") from None
    return text.splitlines()
