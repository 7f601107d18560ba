"""What a leaf's training leaves for its yardstick, and what the yardstick takes from it.

`model/` holds weights in safetensors (an adapter, or all of them), `artefact.json` says whose
they are, and `trained_on.txt` holds the hash of every prompt they were trained on.
"""

import importlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from . import prompts

FOLDER, LABEL, SEEN = "model", "artefact.json", "trained_on.txt"


def save(run_dir: Path, leaf: str, base: str, model: Any, trained_on: Iterable[str]) -> None:
    """Leave a model, the leaf and base it belongs to, and the prompts it was trained on."""
    model.save_pretrained(run_dir / FOLDER)
    label(run_dir, leaf, base, trained_on)


def label(run_dir: Path, leaf: str, base: str, trained_on: Iterable[str]) -> None:
    """Say last of all whose artefact this is and which prompts it has seen."""
    seen = sorted({prompts.key(prompt) for prompt in trained_on})
    (run_dir / SEEN).write_text("\n".join(seen), encoding="utf-8")
    (run_dir / LABEL).write_text(json.dumps({"leaf": leaf, "base": base}), encoding="utf-8")


def check(run_dir: Path, leaf: str, base: str, held: Iterable[prompts.Pair]) -> None:
    """Refuse what is missing, of another leaf or base, or trained on a held-out prompt."""
    try:
        label = json.loads((run_dir / LABEL).read_text(encoding="utf-8"))
        seen = set((run_dir / SEEN).read_text(encoding="utf-8").split())
    except (FileNotFoundError, json.JSONDecodeError):
        raise SystemExit(f"nothing finished in {run_dir}; run the training first") from None
    if label.get("leaf") != leaf:
        raise SystemExit(f"refused: {run_dir} holds a model of leaf {label.get('leaf')!r}")
    if label.get("base") != base:
        raise SystemExit("refused: the model grew from another base; train it again")
    leaked = [pair.prompt for pair in held if prompts.key(pair.prompt) in seen]
    why = "" if seen else "nothing says what was trained on"
    if leaked:
        why = f"{len(leaked)} held-out prompts were trained on, {leaked[0]!r} first"
    if why:
        raise SystemExit(f"refused: {why}; train on prompts of the training data alone")


def load(run_dir: Path, model: Any) -> Any:
    """Return `model` with what was trained: an adapter merged in, or all its weights replaced.

    Stops when the weights do not fit `model`, whose shape is part of the yardstick.
    """
    folder = run_dir / FOLDER
    try:
        if (folder / "adapter_config.json").exists():
            peft: Any = importlib.import_module("peft")
            return peft.PeftModel.from_pretrained(model, folder).merge_and_unload()
        weights = _weights(folder)
        if model.config.tie_word_embeddings:
            weights.setdefault("lm_head.weight", model.get_output_embeddings().weight)
        model.load_state_dict(weights)
    except (OSError, RuntimeError, ValueError) as error:
        why = str(error).strip().splitlines()[0][:160]
        raise SystemExit(f"refused: the trained weights do not fit the base: {why}") from None
    model.tie_weights()
    return model


def _weights(folder: Path) -> dict[str, Any]:
    """Return all tensors of a folder's safetensors files."""
    safetensors: Any = importlib.import_module("safetensors.torch")
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise SystemExit(f"no weights in {folder}; type: python train.py")
    return {name: tensor for file in files for name, tensor in safetensors.load_file(file).items()}
