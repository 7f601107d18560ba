"""The leaf's only metric: held-out problems solved under the evolved prompt. Read-only.

A change here makes every earlier number incomparable, so it needs a pull request.

This process loads the task model itself, asks each problem once without sampling, and checks the
answer exactly; credit for form, which the search may use, counts nothing here.
"""

import time
from pathlib import Path

import models

from shared import artefact, data_cache, language_models, prompts, run, samples, scoring, summary

LEAF = "prompt_opt"


def main() -> None:
    """Print the block that counts."""
    started, here = time.perf_counter(), run.here(__file__)
    language_models.quiet(here)
    meta, held = data_cache.read(here), prompts.read(here.held_out / prompts.HELD_OUT)
    artefact.check(here.dir, LEAF, meta["base"], held)
    system = read_prompt(here.dir)
    budget = models.cost_budget(here)
    model = models.task(here, len(held), budget)
    try:
        texts = model(system, [pair.prompt for pair in held])
    except models.BudgetExceeded as error:
        raise SystemExit(
            f"the held-out problems cost more than {error}; raise max_cost_usd, or lower held_out"
        ) from None
    score = scoring.scorer(here.leaf)
    rows = zip(held, texts, strict=True)
    scores = [score(pair.prompt, text, pair.answer) for pair, text in rows]
    completions = [language_models.Completion(text, len(text), False) for text in texts]
    samples.write(here.dir, held, completions, scores)
    summary.report(
        {
            "test_accuracy": sum(scores) / len(scores),
            "test_problems": len(held),
            "test_marked": sum(scoring.final(text) != text.strip() for text in texts) / len(texts),
            "prompt_words": len(system.split()),
            "eval_cost_usd": budget.spent_usd,
            "eval_s": time.perf_counter() - started,
        }
    )


def read_prompt(run_dir: Path) -> str:
    """Return the prompt that was found."""
    try:
        return (run_dir / "prompt.txt").read_text(encoding="utf-8")
    except OSError:
        raise SystemExit(f"no prompt in {run_dir}; type: python optimize.py") from None


if __name__ == "__main__":
    main()
