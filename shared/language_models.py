"""Language models of the hub, of a folder, or tiny ones: loaded, prompted, and decoded.

`settings["model"]` in leaf.toml names it: "tiny" is the one `prepare.py` left in the cache.
"""

import hashlib
import importlib
import os
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import run

LAUNCHED = time.perf_counter()  # a script imports this before torch and the other slow ones
TINY = "tiny"
BASE = "base"  # the folder in the cache that holds the tiny one


@dataclass(frozen=True)
class Completion:
    """What a model answered to one prompt; `truncated` at `max_new_tokens`, before its end."""

    text: str
    tokens: int
    truncated: bool


def place(here: run.Run) -> str:
    """Return what `from_pretrained` takes for this profile's model."""
    name = str(here.settings.get("model", TINY))
    if name != TINY:
        path = (here.leaf / Path(name).expanduser()).resolve()
        return str(path) if path.is_dir() else name
    if not (here.cache / BASE / "config.json").exists():
        raise SystemExit(f"no base model in {here.cache}; type: python prepare.py")
    return str(here.cache / BASE)


def quiet(here: run.Run) -> None:
    """Set what must be set before transformers is imported: no hub where none is meant."""
    if here.settings.get("model", TINY) == TINY:
        os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # one thread; it forks no better
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    warnings.filterwarnings("ignore", module="torch.jit|transformers|trl|peft|accelerate")


def load(here: run.Run, device: Any, dtype: str, attention: str) -> tuple[Any, Any]:
    """Return (model, tokenizer) on `device`, in the precision and with the attention asked for.

    Both are names that `from_pretrained` knows: "float32", "bfloat16"; "sdpa", "flash_attention_2".
    """
    hf: Any = importlib.import_module("transformers")
    name = place(here)
    try:
        tokenizer = hf.AutoTokenizer.from_pretrained(name, padding_side="left")
        model = hf.AutoModelForCausalLM.from_pretrained(
            name, dtype=dtype, attn_implementation=attention, use_safetensors=True
        )
    except (OSError, ValueError) as error:
        raise SystemExit(_unreachable(name, error)) from None
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model.to(device), tokenizer


def fetch(here: run.Run) -> str:
    """Bring a hub model into the hub's own cache; return what says which weights these are."""
    name = str(here.settings["model"])
    if (folder := here.leaf / Path(name).expanduser()).is_dir():
        return f"{name}@{weights_hash(folder)}"
    hub: Any = importlib.import_module("huggingface_hub")
    try:
        patterns = ["*.json", "*.safetensors", "*.txt", "*.jinja"]
        return f"{name}@{Path(hub.snapshot_download(name, allow_patterns=patterns)).name}"
    except Exception as error:  # the hub's client raises a dozen kinds, all mean the same here
        raise SystemExit(_unreachable(name, error)) from None


def keep_base(here: run.Run, train_base: Callable[[Path], float]) -> dict[str, Any]:
    """Fetch the hub's model, or train the tiny one into the cache; return what meta.json says."""
    if here.settings.get("model", TINY) != TINY:
        return {"base": fetch(here)}
    loss = train_base(here.cache / BASE)
    return {"base": weights_hash(here.cache / BASE), "base_loss": loss}


def weights_hash(folder: Path) -> str:
    """Return 16 digits of the hash of a folder's weights."""
    total = hashlib.sha256()
    for file in sorted(folder.glob("*.safetensors")):
        with file.open("rb") as data:
            total.update(hashlib.file_digest(data, "sha256").digest())
    return total.hexdigest()[:16]


def _unreachable(name: str, error: Exception) -> str:
    why = str(error).strip().splitlines()[0][:160] if str(error) else type(error).__name__
    return (
        f"cannot load {name}: {why}\nwithout the hub use --profile cpu, or set model in leaf.toml "
        f"to a folder; to fetch elsewhere: hf download {name} --local-dir DIR"
    )


def rendered(tokenizer: Any, prompts: Sequence[str], system: str = "") -> list[str]:
    """Return prompts as the model reads them: its chat template, or as they are without one.

    A model that would think first does not: its thoughts alone would fill `max_new_tokens`.
    """
    if tokenizer.chat_template is None:
        return [f"{system}\n\n{prompt}\n" if system else f"{prompt}\n" for prompt in prompts]
    first = [{"role": "system", "content": system}] if system else []
    chats = [[*first, {"role": "user", "content": prompt}] for prompt in prompts]
    texts: list[str] = tokenizer.apply_chat_template(
        chats, tokenize=False, add_generation_prompt=True, enable_thinking=False
    )
    return texts


def complete(
    model: Any,
    tokenizer: Any,
    texts: Sequence[str],
    max_new_tokens: int,
    temperature: float,
    batch: int,
) -> list[Completion]:
    """Return a completion of each rendered text, of at most `max_new_tokens` tokens.

    Temperature 0 takes the likeliest token each time; others draw from torch's seed. Texts of
    like length are batched together, so little is padded; the order of `texts` is kept.
    """
    import torch

    order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
    completions: dict[int, Completion] = {}
    sampling: dict[str, Any] = {"do_sample": False}
    if temperature:
        sampling = {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
    ends = end_tokens(model, tokenizer)
    model.eval()
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        prompt = tokenizer([texts[row] for row in rows], padding=True, return_tensors="pt")
        with torch.inference_mode():
            ids = model.generate(
                **prompt.to(model.device),
                max_new_tokens=max_new_tokens,
                pad_token_id=tokenizer.pad_token_id,
                **sampling,
            )
        for row, completion_ids in zip(
            rows, ids[:, prompt["input_ids"].shape[1] :].tolist(), strict=True
        ):
            completions[row] = _completion(tokenizer, completion_ids, ends)
    return [completions[row] for row in range(len(texts))]


def end_tokens(model: Any, tokenizer: Any) -> set[int]:
    """Return the tokens that end an answer: the tokenizer's, and those of the generation config."""
    ends = model.generation_config.eos_token_id
    return {tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])} - {None}


def _completion(tokenizer: Any, ids: list[int], ends: set[int]) -> Completion:
    """Return a row of tokens as a Completion, up to the first that ends it."""
    end = next((at for at, token in enumerate(ids) if token in ends), len(ids))
    return Completion(tokenizer.decode(ids[:end], skip_special_tokens=True), end, end == len(ids))
