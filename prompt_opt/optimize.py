"""Evolve a system prompt with GEPA. Everything in this file may be changed.

    python optimize.py                      # the profile for this machine
    LAB_PROFILE=smoke python optimize.py    # seconds, and the same number for the same seed

Read it downwards: settings, proposers, adapter, search. It leaves `prompt.txt` and `artefact.json`
in the run's folder; `evaluate.py` asks the held-out problems under that prompt. GEPA mutates the
prompts that are best on some problem, as their mistakes suggest: arXiv 2507.19457.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared import (
    artefact,
    clock,
    data_cache,
    language_models,
    prompts,
    run,
    scoring,
    steps,
    summary,
)

if __name__ == "__main__":
    HERE = run.here(__file__)
    data_cache.read(HERE)  # says at once when there is nothing to work on
    language_models.quiet(HERE)  # before transformers is imported

import models
from gepa import EvaluationBatch, optimize

# -- Settings: edit these, one at a time --------------------------------------

PROPOSER = "random"  # edits phrases blindly; "rules" reads the feedback; "model" asks one to write
MINIBATCH = 5  # problems a mutation is tried on before it is measured on all
VALIDATION = 40  # problems every accepted prompt is measured on; the rest are for mutations
MARKED = 0.1  # credit for marking an answer, right or wrong: without it nothing is ever accepted
SELECTION = "pareto"  # which prompt is mutated: "pareto", "current_best" or "epsilon_greedy"
ACCEPT = "strict_improvement"  # on the minibatch; or "improvement_or_equal"
MERGE = False  # cross two good prompts now and then
ADD = 0.5  # how often the built-in proposers add a phrase; else they drop or swap one
LONGEST = 6  # phrases of a prompt
WRITES, WRITTEN = 10**6, 2000  # calls of a model that writes prompts, and tokens of each

# What the built-in proposers write with. These sixteen are what the tiny model was trained to
# follow; for a model of the hub, better ones are yours to write.
BANK = (
    "work column by column",
    "show each carry",
    "think step by step",
    "finish with hashes",
    "mark the result",
    "be brief",
    "answer at once",
    "no working",
    "just the number",
    "mirror the digits",
    "you are a helpful assistant",
    "solve the sum",
    "take care",
    "be polite",
    "check twice",
    "use small letters",
)
# A word of the feedback -> phrases that answer it: our knowledge, not the search's.
RULES = {
    "unmarked": ("finish with hashes", "mark the result"),
    "wrong": ("work column by column", "show each carry", "think step by step"),
    "backwards": ("check twice",),
}
AGAINST = {"wrong": ("be brief", "answer at once", "no working", "just the number")}

Proposer = Callable[[dict[str, str], Mapping[str, Any], list[str]], dict[str, str]]

# -- Proposers: a prompt and what went wrong -> another prompt ----------------


def split(prompt: str) -> list[str]:
    """Return a prompt's phrases.

    >>> split("Be brief. take care.")
    ['be brief', 'take care']
    """
    return [phrase.strip().lower() for phrase in prompt.split(".") if phrase.strip()]


def join(phrases: Sequence[str]) -> str:
    """Return phrases as a prompt, each once."""
    return ". ".join(dict.fromkeys(phrases)) + "."


def edited(phrases: list[str], bank: Sequence[str], draw: random.Random) -> list[str]:
    """Return phrases with one added, dropped or swapped."""
    new, at = draw.choice(bank), draw.randrange(len(phrases) + 1)
    if len(phrases) < LONGEST and (len(phrases) < 2 or draw.random() < ADD):
        return [*phrases[:at], new, *phrases[at:]]
    at = draw.randrange(len(phrases))
    return [*phrases[:at], *([new] if draw.random() < 0.5 else []), *phrases[at + 1 :]]


def random_proposer(seed: int) -> Proposer:
    """Return the proposer that edits at random: what a search without reflection finds."""
    draw = random.Random(seed)

    def propose(candidate: dict[str, str], _: Any, parts: list[str]) -> dict[str, str]:
        return {part: join(edited(split(candidate[part]), BANK, draw)) for part in parts}

    return propose


def rules_proposer(seed: int) -> Proposer:
    """Return the proposer that answers words of the feedback by RULES, blindly at times."""
    draw = random.Random(seed)

    def propose(
        candidate: dict[str, str], dataset: Mapping[str, Any], parts: list[str]
    ) -> dict[str, str]:
        return {part: join(answered(split(candidate[part]), dataset[part])) for part in parts}

    def answered(phrases: list[str], records: Sequence[Mapping[str, str]]) -> list[str]:
        feedback = " ".join(record["Feedback"] for record in records)
        words = [word for word in RULES if word in feedback]
        wanted = [p for word in words for p in RULES[word] if p not in phrases]
        unwanted = [p for word in words for p in AGAINST.get(word, ()) if p in phrases]
        if not wanted or draw.random() < 0.2:  # the rules may be wrong for this model
            return edited(phrases, BANK, draw)
        kept = [phrase for phrase in phrases if phrase not in unwanted[:1]]
        return [*kept, draw.choice(wanted)]

    return propose


# -- Adapter: how GEPA asks the model and hears what went wrong ---------------


class Adapter:
    """Asks the task model, scores what it says, and puts mistakes into words."""

    propose_new_texts = None  # GEPA reads it: proposing is left to the proposer

    def __init__(self, model: models.Model, score: scoring.Score, budget: clock.Clock) -> None:
        self.model, self.score, self.budget = model, score, budget
        self.exceeded = False  # calls or money: what is asked then counts as wrong, and all ends

    def evaluate(
        self, batch: list[prompts.Pair], candidate: dict[str, str], capture_traces: bool = False
    ) -> Any:
        """Return what the model said to a batch under a candidate, scored."""
        try:
            completions = self.model(candidate["system"], [pair.prompt for pair in batch])
        except models.BudgetExceeded as error:
            run.say(f"ends: {error} used up")
            self.exceeded, completions = True, [""] * len(batch)
        self.budget.tick(len(batch))
        rows = zip(batch, completions, strict=True)
        scores = [self.credit(pair, completion) for pair, completion in rows]
        traces = list(zip(batch, completions, scores, strict=True)) if capture_traces else None
        return EvaluationBatch(outputs=completions, scores=scores, trajectories=traces)

    def credit(self, pair: prompts.Pair, completion: str) -> float:
        """Return what the search maximises: right answers, and a little for marking them."""
        correct = self.score(pair.prompt, completion, pair.answer)
        return (1 - MARKED) * correct + MARKED * marked(completion)

    def make_reflective_dataset(
        self, candidate: dict[str, str], evaluated: Any, parts: list[str]
    ) -> dict[str, list[dict[str, str]]]:
        """Return the mistakes and what is to be said about each."""
        records = [
            {
                "Inputs": pair.prompt,
                "Generated Outputs": completion,
                "Feedback": feedback(pair, completion, score),
            }
            for pair, completion, score in evaluated.trajectories
        ]
        return dict.fromkeys(parts, records)


def marked(completion: str) -> bool:
    """Return whether an answer is marked, so that it can be told from the working."""
    return scoring.final(completion) != completion.strip()


def feedback(pair: prompts.Pair, completion: str, score: float) -> str:
    """Return in words what is wrong with an answer."""
    if score >= 1:
        return "right."
    words = [] if marked(completion) else ["the answer is unmarked: put #### before it."]
    if scoring.final(completion) == pair.answer[::-1]:
        return " ".join([*words, "the answer is backwards."])
    return " ".join([*words, f"the answer is wrong: it should be {pair.answer}."])


# -- Search -------------------------------------------------------------------


def proposing(here: run.Run, cost_budget: models.Budget) -> dict[str, Any]:
    """Return GEPA's arguments for the proposer that PROPOSER names."""
    if PROPOSER == "model":
        name = str(here.settings["reflection"])
        if not name:
            raise SystemExit("PROPOSER is 'model' and reflection in leaf.toml names none; set it")
        writer = models.remote(here, name, WRITES, WRITTEN, cost_budget)
        return {"reflection_lm": lambda text: written(writer, text)}
    makers = {"random": random_proposer, "rules": rules_proposer}
    if PROPOSER not in makers:
        raise SystemExit(f"PROPOSER is {PROPOSER!r}; choose random, rules or model")
    return {"custom_candidate_proposer": makers[PROPOSER](here.seed)}


def written(writer: models.Model, text: str) -> str:
    """Return what the model writes; nothing when the money is gone, which ends the search."""
    try:
        return writer("", [text])[0]
    except models.BudgetExceeded:
        return ""


def search(here: run.Run) -> dict[str, float]:
    """Evolve until calls or budget are used; leave the best prompt; return what to report."""
    meta, pairs = data_cache.read(here), prompts.read(here.cache / prompts.TRAIN)
    random.Random(here.seed).shuffle(pairs)
    size = min(VALIDATION, len(pairs) // 2)
    limit = int(here.settings["calls"])
    cost_budget = models.cost_budget(here)
    model = models.task(here, limit, cost_budget)
    adapter = Adapter(
        model, scoring.scorer(here.leaf), clock.Clock(here.clock, here.budget_s, here.steps)
    )
    budget = adapter.budget
    startup = time.perf_counter() - language_models.LAUNCHED
    budget.start()
    with steps.StepLog(here.dir) as log:
        result = optimize(
            seed_candidate={"system": str(here.settings["seed_prompt"])},
            trainset=pairs[size:],
            valset=pairs[:size],
            adapter=adapter,
            candidate_selection_strategy=SELECTION,
            acceptance_criterion=ACCEPT,
            reflection_minibatch_size=MINIBATCH,
            use_merge=MERGE,
            cache_evaluation=True,
            # A round asks two minibatches and, when it is accepted, the validation problems.
            stop_callbacks=lambda _: (
                adapter.exceeded
                or budget.done()
                or cost_budget.spent_usd >= cost_budget.most_usd > 0
                or model.calls + 2 * MINIBATCH + size > limit
            ),
            callbacks=[Logged(log, budget)],
            logger=Silent(),
            seed=here.seed,
            **proposing(here, cost_budget),
        )
    best = result.best_candidate["system"]
    (here.dir / "prompt.txt").write_text(best, encoding="utf-8")
    artefact.label(here.dir, "prompt_opt", meta["base"], [pair.prompt for pair in pairs])
    run.say(f"best prompt: {best}")
    return {
        "val_score": result.val_aggregate_scores[result.best_idx],
        "candidates": len(result.candidates),
        "task_calls": model.calls,
        "cached_calls": model.cached,
        "cost_usd": cost_budget.spent_usd,
        "prompt_words": len(best.split()),
        "train_s": budget.elapsed(),
        "wall_s": budget.wall_s,
        "cpu_s": budget.cpu_s,
        "startup_s": startup,
        "calls_per_s": model.calls / budget.elapsed(),
    }


class Logged:
    """Writes each measured prompt into the step log; the newest score is the step's loss' place."""

    def __init__(self, log: steps.StepLog, budget: clock.Clock) -> None:
        self.log, self.budget, self.best = log, budget, 0.0

    def on_valset_evaluated(self, event: Mapping[str, Any]) -> None:
        """Log a prompt that was measured on all validation problems."""
        score = float(event["average_score"])
        self.best = max(self.best, score)
        self.log.log(
            self.budget.steps_done, self.budget.elapsed(), val_score=score, best_score=self.best
        )


class Silent:
    """Takes what GEPA would print on stdout, where only the summary belongs."""

    def log(self, message: str) -> None:
        """Say nothing."""


if __name__ == "__main__":
    summary.finish(lambda: search(HERE), HERE.dir)
