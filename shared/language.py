"""Language models of the hub, of a folder, or tiny ones: loaded, asked, and heard.

`settings["model"]` in leaf.toml names it: "tiny" is the one `prepare.py` left in the cache.
"""

import hashlib
import importlib
import importlib.util
import os
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared import run

LAUNCHED = time.perf_counter()  # a script imports this before torch and the other slow ones
TINY = "tiny"
BASE = "base"  # the folder in the cache that holds the tiny one


@dataclass(frozen=True)
class Completion:
    """What a model said to one prompt; `cut` when it ran out of room before it ended."""

    text: str
    tokens: int
    cut: bool


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


def load(here: run.Run, device: Any) -> tuple[Any, Any]:
    """Return (model, tokenizer) on `device`: bfloat16 on CUDA, float32 elsewhere."""
    import torch

    hf: Any = importlib.import_module("transformers")
    name = place(here)
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    try:
        made = hf.AutoTokenizer.from_pretrained(name, padding_side="left")
        model = hf.AutoModelForCausalLM.from_pretrained(
            name, dtype=dtype, attn_implementation=attention(device), use_safetensors=True
        )
    except (OSError, ValueError) as error:
        raise SystemExit(_unreachable(name, error)) from None
    if made.pad_token is None:
        made.pad_token = made.eos_token
    return model.to(device), made


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


def keep_base(here: run.Run, teach: Callable[[Path], float]) -> dict[str, Any]:
    """Fetch the hub's model, or `teach` the tiny one into the cache; return what meta.json says."""
    if here.settings.get("model", TINY) != TINY:
        return {"base": fetch(here)}
    loss = teach(here.cache / BASE)
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


def attention(device: Any) -> str:
    """Return the quickest attention there is: FlashAttention where installed, else torch's own."""
    installed = any(map(importlib.util.find_spec, ("flash_attn",)))
    return "flash_attention_2" if installed and device.type == "cuda" else "sdpa"


def rendered(made: Any, prompts: Sequence[str], system: str = "") -> list[str]:
    """Return prompts as the model reads them: its chat template, or as they are without one."""
    if made.chat_template is None:
        return [f"{system}\n\n{prompt}\n" if system else f"{prompt}\n" for prompt in prompts]
    first = [{"role": "system", "content": system}] if system else []
    chats = [[*first, {"role": "user", "content": prompt}] for prompt in prompts]
    done: list[str] = made.apply_chat_template(chats, tokenize=False, add_generation_prompt=True)
    return done


def complete(
    model: Any, made: Any, texts: Sequence[str], room: int, temperature: float, batch: int
) -> list[Completion]:
    """Return a completion of each rendered text, of at most `room` tokens.

    Temperature 0 takes the likeliest token each time; others draw from torch's seed. Texts of
    like length are batched together, so little is padded; the order of `texts` is kept.
    """
    import torch

    order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
    found: dict[int, Completion] = {}
    how: dict[str, Any] = {"do_sample": False}
    if temperature:
        how = {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
    model.eval()
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        asked = made([texts[row] for row in rows], padding=True, return_tensors="pt")
        with torch.inference_mode():
            out = model.generate(
                **asked.to(model.device),
                max_new_tokens=room,
                pad_token_id=made.pad_token_id,
                **how,
            )
        heard = out[:, asked["input_ids"].shape[1] :].cpu()
        found |= dict(zip(rows, map(_ended(model, made), heard), strict=True))
    return [found[row] for row in range(len(texts))]


def _ended(model: Any, made: Any) -> Any:
    """Return what turns a row of tokens into a Completion, up to the first end token."""
    ends = model.generation_config.eos_token_id
    stop = {made.eos_token_id, *(ends if isinstance(ends, list) else [ends])}

    def completion(row: Any) -> Completion:
        ids = row.tolist()
        end = next((at for at, token in enumerate(ids) if token in stop), len(ids))
        text = made.decode(ids[:end], skip_special_tokens=True)
        return Completion(text, end, end == len(ids))

    return completion
