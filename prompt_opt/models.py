"""The models that are prompted: one in this process, or any by its LiteLLM name. Read-only.

Every answer counts as a call, and a remote one by its price: what is asked beyond the limits of
leaf.toml ends the search (`BudgetExceeded`), and the best prompt so far is what it found.
"""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from shared import device as devices
from shared import language_models, run

REMOTE = "litellm:"
BATCH = {"cpu": 128, "cuda": 128}  # prompts asked at once
DTYPE = {"cuda": "bfloat16"}  # what the models of the hub were trained in; float32 elsewhere
ATTENTION = "sdpa"  # torch's own, so that no number depends on what else is installed
RETRIES = 3  # of a remote call that failed for reasons outside the prompt
Answer = tuple[str, float]  # a completion and what it cost in dollars


class BudgetExceeded(Exception):
    """The calls or the money that leaf.toml allows are used up."""


@dataclass
class Budget:
    """The money one process may spend, whichever of its models is asked."""

    most_usd: float
    spent_usd: float = 0.0

    def check(self) -> None:
        """Refuse the next call when nothing is left; one call may cross the line."""
        if self.spent_usd >= self.most_usd:
            raise BudgetExceeded(f"{self.most_usd:g} USD")


class Model(Protocol):
    """Something that answers prompts under a system prompt, and counts."""

    calls: int
    cached: int

    def __call__(self, system: str, prompts: Sequence[str]) -> list[str]: ...


class Local:
    """A model in this process: the tiny one, a folder's, or the hub's."""

    def __init__(self, here: run.Run, limit: int) -> None:
        device = devices.pick(here.needs)
        dtype = DTYPE.get(device.type, "float32")
        self.model, self.tokenizer = language_models.load(here, device, dtype, ATTENTION)
        self.batch = BATCH.get(device.type, 64)
        self.max_new_tokens, self.limit = int(here.settings["max_new_tokens"]), limit
        self.calls, self.cached = 0, 0

    def __call__(self, system: str, prompts: Sequence[str]) -> list[str]:
        """Return the likeliest completion of each prompt."""
        if self.calls + len(prompts) > self.limit:
            raise BudgetExceeded(f"{self.limit} calls")
        self.calls += len(prompts)
        texts = language_models.rendered(self.tokenizer, prompts, system)
        completions = language_models.complete(
            self.model, self.tokenizer, texts, self.max_new_tokens, 0.0, self.batch
        )
        return [completion.text for completion in completions]


class Remote:
    """A model behind an API; an answer once paid for is kept in the cache and asked no more."""

    def __init__(
        self,
        name: str,
        cache: Path,
        limit: int,
        budget: Budget,
        ask: Callable[[str, list[dict[str, str]]], Answer],
    ) -> None:
        self.name, self.folder, self.ask = name, cache / "calls", ask
        self.limit, self.budget = limit, budget
        self.calls, self.cached = 0, 0

    def __call__(self, system: str, prompts: Sequence[str]) -> list[str]:
        """Return a completion of each prompt, at temperature 0."""
        first = [{"role": "system", "content": system}] if system else []
        return [self.answer([*first, {"role": "user", "content": prompt}]) for prompt in prompts]

    def answer(self, messages: list[dict[str, str]]) -> str:
        """Return the kept completion of these messages, or ask and pay for one."""
        if self.calls >= self.limit:
            raise BudgetExceeded(f"{self.limit} calls")
        self.calls += 1
        key = json.dumps([self.name, messages], sort_keys=True)
        path = self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
        if path.exists():
            self.cached += 1
            return str(json.loads(path.read_text(encoding="utf-8"))["text"])
        self.budget.check()
        text, cost = self.ask(self.name, messages)
        self.budget.spent_usd += cost
        self.folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps({"text": text, "cost_usd": cost}), encoding="utf-8")
        part.replace(path)  # whole or not at all, whoever else writes it
        return text


def litellm_ask(max_new_tokens: int) -> Callable[[str, list[dict[str, str]]], Answer]:
    """Return what asks LiteLLM: model and messages to (text, dollars)."""
    try:
        import litellm
    except ImportError:
        raise SystemExit("litellm is not installed; type: pip install litellm") from None

    def ask(name: str, messages: list[dict[str, str]]) -> Answer:
        try:
            reply: Any = litellm.completion(
                model=name,
                messages=messages,
                temperature=0.0,
                max_tokens=max_new_tokens,
                num_retries=RETRIES,
                drop_params=True,
            )
        except litellm.AuthenticationError as error:
            why = str(error).splitlines()[0][:160]
            raise SystemExit(
                f"no key for {name}: {why}\nset it (OPENAI_API_KEY, ANTHROPIC_API_KEY, ...), or "
                "use --profile cpu"
            ) from None
        return reply.choices[0].message.content or "", price(litellm, reply)

    return ask


def price(litellm: Any, reply: Any) -> float:
    """Return what a reply cost, or stop: without a price, `max_cost_usd` would protect nobody."""
    try:
        return float(litellm.completion_cost(completion_response=reply))
    except Exception as error:  # litellm raises plain exceptions for a model it has no price of
        raise SystemExit(
            f"no price is known for {reply.model}: {str(error)[:120]}; register one with "
            "litellm.register_model, or choose another model"
        ) from None


def cost_budget(here: run.Run) -> Budget:
    """Return the money that the profile gives each process."""
    return Budget(float(here.settings["max_cost_usd"]))


def task(here: run.Run, limit: int, budget: Budget) -> Model:
    """Return the model that is prompted, allowed `limit` calls."""
    name = str(here.settings["model"])
    if not name.startswith(REMOTE):
        return Local(here, limit)
    return remote(
        here, name.removeprefix(REMOTE), limit, int(here.settings["max_new_tokens"]), budget
    )


def remote(here: run.Run, name: str, limit: int, max_new_tokens: int, budget: Budget) -> Remote:
    """Return a model by its LiteLLM name."""
    return Remote(name, here.cache, limit, budget, litellm_ask(max_new_tokens))
