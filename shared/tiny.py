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

from shared import device, run

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


def tokenizer(words: Sequence[str] = ()) -> Any:
    """Return a tokenizer of characters; each of `words` (small letters) is one token too.

    With words, spaces only separate and are dropped: "be brief 1+2" is be, brief, 1, +, 2.
    """
    hf: Any = importlib.import_module("transformers")
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    known = dict.fromkeys([PAD, END, UNKNOWN, *ROLES, *CHARACTERS, *words])
    made = Tokenizer(models.WordLevel({t: i for i, t in enumerate(known)}, unk_token=UNKNOWN))
    split: Any = pre_tokenizers.Split("", "isolated")
    if words:
        apart = [
            pre_tokenizers.Split(" ", "removed"),
            pre_tokenizers.Split(Regex("[a-z]+|[^a-z]"), "isolated"),
        ]
        split = pre_tokenizers.Sequence(apart)
    made.pre_tokenizer = split
    made.decoder = decoders.Fuse()
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token=PAD,
        eos_token=END,
        unk_token=UNKNOWN,
        additional_special_tokens=list(ROLES),
        chat_template=TEMPLATE,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def model(made: Any, width: int = 64, layers: int = 2, positions: int = 256) -> Any:
    """Return an untrained Qwen3 model for this tokenizer, its weights drawn from torch's seed."""
    hf: Any = importlib.import_module("transformers")
    config = hf.Qwen3Config(
        vocab_size=len(made),
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        head_dim=width // 4,
        max_position_embeddings=positions,
        tie_word_embeddings=True,
        pad_token_id=made.pad_token_id,
        eos_token_id=made.eos_token_id,
        bos_token_id=None,
    )
    built = hf.Qwen3ForCausalLM(config)
    built.generation_config.pad_token_id = made.pad_token_id
    built.generation_config.eos_token_id = made.eos_token_id
    return built


def teach(
    learner: Any,
    made: Any,
    batches: Iterator[list[tuple[str, str]]],
    steps: int,
    learning_rate: float = LEARNING_RATE,
    say: Callable[[str], None] | None = None,
) -> float:
    """Train on `steps` batches of (rendered prompt, completion); return the last loss.

    Only completions are learnt. The rate rises for 20 steps and then falls to zero in a line.
    """
    import torch

    optimizer = torch.optim.AdamW(learner.parameters(), learning_rate, betas=(0.9, 0.98))
    learner.train()
    loss = torch.zeros(())
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * min((step + 1) / 20, 1 - step / steps)
        ids, labels = _batch(made, next(batches))
        logits = learner(input_ids=ids, use_cache=False).logits[:, :-1]
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if say is not None and (step + 1) % LOG_EVERY == 0:
            say(f"base model: step {step + 1} of {steps}, loss {loss.item():.3f}")
    learner.eval()
    return float(loss.item())


@dataclass(frozen=True)
class Lessons:
    """What a tiny model is taught: `batches` makes them for its tokenizer, `words` are its own."""

    batches: Callable[[Any], Iterator[list[tuple[str, str]]]]
    steps: int
    seed: int
    learning_rate: float = LEARNING_RATE
    words: Sequence[str] = ()


def base(folder: Path, lessons: Lessons) -> float:
    """Teach a new tiny model on one CPU thread and save it with its tokenizer; return its loss."""
    import torch

    device.pick("cpu")
    torch.manual_seed(lessons.seed)
    made = tokenizer(lessons.words)
    built = model(made)
    batches = lessons.batches(made)
    loss = teach(built, made, batches, lessons.steps, lessons.learning_rate, run.say)
    built.save_pretrained(folder)
    made.save_pretrained(folder)
    return loss


def _batch(made: Any, pairs: list[tuple[str, str]]) -> tuple[Any, Any]:
    """Return ids and labels (rows, tokens), padded on the right, prompts not to be learnt."""
    import torch

    prompts = made([prompt for prompt, _ in pairs])["input_ids"]
    answers = made([answer for _, answer in pairs])["input_ids"]
    length = max(len(p) + len(a) for p, a in zip(prompts, answers, strict=True)) + 1
    ids = torch.full((len(pairs), length), made.pad_token_id)
    labels = torch.full((len(pairs), length), -100)
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        whole = [*prompt, *answer, made.eos_token_id]
        ids[row, : len(whole)] = torch.tensor(whole)
        labels[row, len(prompt) : len(whole)] = torch.tensor(whole[len(prompt) :])
    return ids, labels
