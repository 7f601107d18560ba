"""What a model answered to held-out prompts: written by the yardstick, for people and agents."""

from collections.abc import Sequence
from pathlib import Path

from . import language_models, prompts, steps

MOST = 200  # lines: enough to see how it fails, little enough to keep for every run


def write(
    run_dir: Path,
    held: Sequence[prompts.Pair],
    completions: Sequence[language_models.Completion],
    scores: Sequence[float],
) -> None:
    """Write `samples.jsonl` (prompt, completion, reward, correct) of the first MOST prompts."""
    rows = list(zip(held, completions, scores, strict=True))[:MOST]
    lines = [
        steps.as_json(
            {
                "prompt": pair.prompt,
                "completion": completion.text,
                "reward": score,
                "correct": score >= 1.0,
                "answer": pair.answer,
            }
        )
        for pair, completion, score in rows
    ]
    (run_dir / steps.SAMPLES).write_text("\n".join([*lines, ""]), encoding="utf-8")
