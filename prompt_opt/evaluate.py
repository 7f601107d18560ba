"""The leaf's only metric: held-out problems solved under the evolved prompt. Read-only.

A change here makes every earlier number incomparable, so it needs a pull request.

This process loads the task model itself, asks each problem once without sampling, and checks the
answer exactly; credit for form, which the search may use, counts nothing here.
"""

import time
from pathlib import Path

import models

from shared import answers, artefact, language, pairs, prepared, run, samples, summary

LEAF = "prompt_opt"


def main() -> None:
    """Print the block that counts."""
    started, here = time.perf_counter(), run.here(__file__)
    language.quiet(here)
    meta, held = prepared.read(here), pairs.read(here.cache / pairs.HELD_OUT)
    artefact.check(here.dir, LEAF, meta["base"], held)
    system = read_prompt(here.dir)
    money = models.purse(here)
    model = models.task(here, len(held), money)
    try:
        said = model(system, [one.prompt for one in held])
    except models.Spent as error:
        raise SystemExit(
            f"the held-out problems cost more than {error}; raise max_cost_usd, or lower held_out"
        ) from None
    score = answers.scorer(here.leaf)
    scores = [score(p.prompt, text, p.answer) for p, text in zip(held, said, strict=True)]
    heard = [language.Completion(text, len(text), False) for text in said]
    samples.write(here.dir, held, heard, scores)
    summary.report(
        {
            "test_accuracy": sum(scores) / len(scores),
            "test_problems": len(held),
            "test_marked": sum(answers.final(text) != text.strip() for text in said) / len(said),
            "prompt_words": len(system.split()),
            "eval_cost_usd": money.spent_usd,
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
