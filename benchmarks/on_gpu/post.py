"""Time steps of `sft` and `rl_grpo` on random weights in the shape of Qwen3-0.6B.

    python post.py sft-ours | sft-trl | grpo-plain | grpo-trl  [--rehearse]

Nothing can be fetched, so nobody learns anything: this tells seconds, tokens and memory. `sft-trl`
is TRL's trainer with nothing set but what it must have, `grpo-trl` the same GRPO as ours by TRL.
Completions never end, so each fills its room. Tokens are those that are no padding.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402
import transformers as hf  # noqa: E402

from shared import clock, prompts, steps, tiny, training_log, trl_budget  # noqa: E402
from shared import device as devices  # noqa: E402

SHAPE = {
    "vocab_size": 151_936,
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
}
SMALL = {
    "vocab_size": 512,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
}
SKIPPED = 0.25  # of the steps, before the clock counts


class Bench:
    """The device, and how much is asked of it."""

    def __init__(self, rehearse: bool) -> None:
        self.device = devices.pick("cpu" if rehearse else "gpu")
        self.shape = SMALL if rehearse else SHAPE
        self.kind = "cpu" if rehearse else "gpu"
        self.room = 8 if rehearse else 256  # tokens of a completion
        self.steps = 8 if rehearse else 24
        self.dir = Path(tempfile.mkdtemp(prefix="post-"))

    def model(self, dtype: str, attention: str) -> tuple[Any, Any]:
        """Return (model, tokenizer): random weights; its tokens are characters."""
        config = hf.Qwen3Config(
            **self.shape, tie_word_embeddings=True, bos_token_id=None, eos_token_id=None
        )
        torch.manual_seed(0)
        with self.device:
            model: Any = hf.AutoModelForCausalLM.from_config(
                config, dtype=getattr(torch, dtype), attn_implementation=attention
            )
        tokenizer = tiny.make_tokenizer()
        model.generation_config.eos_token_id = None  # it never ends by itself
        model.generation_config.pad_token_id = tokenizer.pad_token_id
        return model, tokenizer

    def budget(self, count: int) -> clock.Clock:
        """Return a budget of so many steps."""
        return clock.Clock("steps", 1, count)

    def run(self) -> Any:
        """Return what the trainers ask of a run."""
        return SimpleNamespace(dir=self.dir, seed=0)


def pairs(count: int, mean: int) -> list[prompts.Pair]:
    """Return prompts and completions about as long as those of grade-school mathematics."""
    draw, found = random.Random(0), []
    for _ in range(count):
        asked = "".join(draw.choices("abcdefgh ", k=draw.randint(mean // 2, mean)))
        said = "".join(draw.choices("abcdefgh ", k=round(draw.lognormvariate(0, 0.45) * mean)))
        found.append(prompts.Pair(asked, said, said or "a"))
    return found


class Meter:
    """Tokens and seconds of a trainer's steps, the first quarter left out."""

    def __init__(self, bench: Bench, trainer: Any, count: int) -> None:
        self.bench, self.skip, self.done, self.tokens, self.began = (
            bench,
            int(count * SKIPPED),
            0,
            0,
            0.0,
        )
        prepared, step = trainer._prepare_inputs, trainer.training_step

        def counted(inputs: Any) -> Any:
            found = prepared(inputs)
            if "completion_mask" in found:
                self.tokens += int(found["prompt_mask"].sum() + found["completion_mask"].sum())
            elif found.get("attention_mask") is not None:
                self.tokens += int(found["attention_mask"].sum())
            else:
                self.tokens += found["input_ids"].numel()
            return found

        def stepped(*everything: Any) -> Any:
            if self.done == self.skip:
                devices.synchronize(bench.device)
                self.began, self.tokens = time.perf_counter(), 0
            self.done += 1
            return step(*everything)

        trainer._prepare_inputs, trainer.training_step = counted, stepped

    def tell(self, name: str) -> None:
        """Print what was measured."""
        devices.synchronize(self.bench.device)
        tell(self.bench, name, time.perf_counter() - self.began, self.tokens)


def tell(bench: Bench, name: str, seconds: float, tokens: int) -> None:
    """Print a line of figures."""
    memory = devices.peak_memory_mb(bench.device)
    print(
        f"{name}: {tokens / seconds:,.0f} tokens/s in {seconds:.1f} s, {memory:,.0f} MB", flush=True
    )


def leaf(name: str) -> Any:
    """Return a leaf's `train` module."""
    sys.path.insert(0, str(ROOT / name))
    import train

    return train


def sft(bench: Bench, ours: bool) -> None:
    """Supervised steps on 2,000 examples, packed by us and padded by TRL's defaults."""
    train: Any = leaf("sft")
    sizes = train.start(bench.kind)
    model, tokenizer = bench.model(sizes["dtype"], sizes["attention"] if ours else "sdpa")
    data = train.tokenised(tokenizer, pairs(2000, 16 if bench.kind == "cpu" else 140), "", 1024)
    if ours:
        arguments = trl_budget.arguments(bench.run(), bench.device, bench.budget(bench.steps))
        trainer = train.make_trainer(model, tokenizer, data, sizes, arguments)
    else:
        quiet = {"report_to": "none", "disable_tqdm": True, "save_strategy": "no"}
        config = train.SFTConfig(
            **quiet,
            output_dir=str(bench.dir),
            max_steps=bench.steps,
            use_cpu=bench.kind == "cpu",
            bf16=bench.kind == "gpu",
        )
        trainer = train.SFTTrainer(
            model,
            config,
            train_dataset=data,
            processing_class=tokenizer,
            peft_config=train.adapter(),
        )
    meter = Meter(bench, trainer, bench.steps)
    trainer.train()
    meter.tell("sft, ours" if ours else "sft, TRL's defaults")


def grpo(bench: Bench, by_trl: bool) -> None:
    """Two rounds of drawing and learning; the first is not counted."""
    train: Any = leaf("rl_grpo")
    train.reward = lambda question, text, answer, truncated: float(len(set(text)) % 7)
    sizes = {**train.start(bench.kind), "max_new_tokens": bench.room}
    if bench.kind == "cpu":
        sizes |= {"batch": 16, "micro_batch": 8, "lora": 4}
    model, tokenizer = bench.model(sizes["dtype"], sizes["attention"])
    rows = [(pair.prompt, pair) for pair in pairs(512, 100)]
    rounds = 2
    count = rounds * train.GENERATE_STEPS * train.ITERATIONS
    with steps.StepLog(bench.dir) as log:
        logged = training_log.TrainingLog(log, bench.budget(count))
        if by_trl:
            import trl_trainer

            trl_trainer.reward = train.reward
            kept: list[Meter] = []
            within = trl_trainer.trl_budget.within

            def metered(trainer: Any, *rest: Any) -> Any:
                kept.append(Meter(bench, trainer, count * sizes["batch"] // sizes["micro_batch"]))
                return within(trainer, *rest)

            trl_trainer.trl_budget.within = metered
            trl_trainer.train(
                model, tokenizer, rows, bench.run(), logged, **train.trl_settings(sizes)
            )
            kept[0].tell("grpo, by TRL")
        else:
            plain(bench, train, model, tokenizer, rows, logged, sizes)


def plain(
    bench: Bench, train: Any, model: Any, tokenizer: Any, rows: Any, log: Any, sizes: Any
) -> None:
    """Run the leaf's own loop; rounds after the first count, each token once a time it is used."""
    times: list[tuple[float, int]] = []
    drawn: Callable[..., Any] = train.experience

    def timed(*everything: Any) -> Any:
        devices.synchronize(bench.device)
        began = time.perf_counter()
        found = drawn(*everything)
        devices.synchronize(bench.device)
        print(f"drawn in {time.perf_counter() - began:.1f} s", file=sys.stderr, flush=True)
        tokens = int(found[0].attention_mask.sum()) * train.ITERATIONS
        times.append((began, tokens))
        return found

    train.experience = timed
    train.grpo(model, tokenizer, rows, 0, log, sizes)
    devices.synchronize(bench.device)
    seconds = time.perf_counter() - times[1][0]
    tell(bench, "grpo, ours", seconds, sum(tokens for _, tokens in times[1:]))


ARMS: dict[str, Callable[[Bench], None]] = {
    "sft-ours": lambda bench: sft(bench, True),
    "sft-trl": lambda bench: sft(bench, False),
    "grpo-plain": lambda bench: grpo(bench, False),
    "grpo-trl": lambda bench: grpo(bench, True),
}


def main() -> None:
    """Measure one arm."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("arm", choices=ARMS)
    parser.add_argument("--rehearse", action="store_true", help="tiny, on a CPU")
    asked = parser.parse_args()
    ARMS[asked.arm](Bench(asked.rehearse))


if __name__ == "__main__":
    main()
