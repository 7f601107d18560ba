"""Tiny language models that a CPU trains in seconds, for where no hub can be reached.

They are real Qwen3 models, a ten-thousandth of the smallest published one, with a vocabulary of
characters or words; everything that works on a model of the hub works on them.
"""

import importlib
import string
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import device as devices
from . import run

PAD, END, UNKNOWN = "<|pad|>", "<|end|>", "<|?|>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")
# A message is its role's mark and its text; an answer ends with END.
TEMPLATE = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] }}"
    "{% if m['role'] == 'assistant' %}{{ '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
CHARACTERS = tuple(string.printable[:95])  # what a keyboard writes, the space included
LOG_EVERY = 100
LEARNING_RATE = 3e-3


def make_tokenizer(words: Sequence[str] = ()) -> Any:
    """Return a tokenizer of characters; each of `words` (small letters) is one token too.

    With words, spaces only separate and are dropped: "be brief 1+2" is be, brief, 1, +, 2.
    """
    hf: Any = importlib.import_module("transformers")
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    known = dict.fromkeys([PAD, END, UNKNOWN, *ROLES, *CHARACTERS, *words])
    raw = Tokenizer(models.WordLevel({t: i for i, t in enumerate(known)}, unk_token=UNKNOWN))
    split: Any = pre_tokenizers.Split("", "isolated")
    if words:
        apart = [
            pre_tokenizers.Split(" ", "removed"),
            pre_tokenizers.Split(Regex("[a-z]+|[^a-z]"), "isolated"),
        ]
        split = pre_tokenizers.Sequence(apart)
    raw.pre_tokenizer = split
    raw.decoder = decoders.Fuse()
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=raw,
        pad_token=PAD,
        eos_token=END,
        unk_token=UNKNOWN,
        additional_special_tokens=list(ROLES),
        chat_template=TEMPLATE,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def make_model(tokenizer: Any, width: int = 64, layers: int = 2, positions: int = 256) -> Any:
    """Return an untrained Qwen3 model for this tokenizer, its weights drawn from torch's seed."""
    hf: Any = importlib.import_module("transformers")
    config = hf.Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        head_dim=width // 4,
        max_position_embeddings=positions,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    model = hf.Qwen3ForCausalLM(config)
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    return model


def train_base(
    model: Any,
    tokenizer: Any,
    batches: Iterator[list[tuple[str, str]]],
    steps: int,
    learning_rate: float = LEARNING_RATE,
    say: Callable[[str], None] | None = None,
) -> float:
    """Train on `steps` batches of (rendered prompt, completion); return the last loss.

    Only completions are learnt. The rate rises for 20 steps and then falls to zero in a line.
    """
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), learning_rate, betas=(0.9, 0.98))
    model.train()
    loss = torch.zeros(())
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * min((step + 1) / 20, 1 - step / steps)
        ids, labels = _batch(tokenizer, next(batches))
        logits = model(input_ids=ids, use_cache=False).logits[:, :-1]
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if say is not None and (step + 1) % LOG_EVERY == 0:
            say(f"base model: step {step + 1} of {steps}, loss {loss.item():.3f}")
    model.eval()
    return float(loss.item())


@dataclass(frozen=True)
class TrainingData:
    """What a tiny model is trained on: `batches` makes it for a tokenizer, `words` are its own."""

    batches: Callable[[Any], Iterator[list[tuple[str, str]]]]
    steps: int
    seed: int
    learning_rate: float = LEARNING_RATE
    words: Sequence[str] = ()


def make_base(folder: Path, data: TrainingData) -> float:
    """Train a new tiny model on one CPU thread and save it with its tokenizer; return its loss."""
    import torch

    devices.pick("cpu")
    torch.manual_seed(data.seed)
    tokenizer = make_tokenizer(data.words)
    model = make_model(tokenizer)
    batches = data.batches(tokenizer)
    loss = train_base(model, tokenizer, batches, data.steps, data.learning_rate, run.say)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return loss


def _batch(tokenizer: Any, pairs: list[tuple[str, str]]) -> tuple[Any, Any]:
    """Return ids and labels (rows, tokens), padded on the right, prompts not to be learnt."""
    import torch

    prompt_ids = tokenizer([prompt for prompt, _ in pairs])["input_ids"]
    completion_ids = tokenizer([completion for _, completion in pairs])["input_ids"]
    length = max(len(p) + len(c) for p, c in zip(prompt_ids, completion_ids, strict=True)) + 1
    ids = torch.full((len(pairs), length), tokenizer.pad_token_id)
    labels = torch.full((len(pairs), length), -100)
    for row, (prompt, completion) in enumerate(zip(prompt_ids, completion_ids, strict=True)):
        whole = [*prompt, *completion, tokenizer.eos_token_id]
        ids[row, : len(whole)] = torch.tensor(whole)
        labels[row, len(prompt) : len(whole)] = torch.tensor(whole[len(prompt) :])
    return ids, labels
