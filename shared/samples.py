"""What a model said to held-out prompts, written by the yardstick for people and agents to read."""

from collections.abc import Sequence
from pathlib import Path

from shared import language, pairs, steps

MOST = 200  # lines: enough to see how it fails, little enough to keep for every run


def write(
    run_dir: Path,
    asked: Sequence[pairs.Pair],
    heard: Sequence[language.Completion],
    scores: Sequence[float],
) -> None:
    """Write `samples.jsonl` (prompt, completion, reward, correct) of the first MOST prompts."""
    rows = list(zip(asked, heard, scores, strict=True))[:MOST]
    lines = [
        steps.as_json(
            {
                "prompt": one.prompt,
                "completion": said.text,
                "reward": score,
                "correct": score >= 1.0,
                "answer": one.answer,
            }
        )
        for one, said, score in rows
    ]
    (run_dir / steps.SAMPLES).write_text("\n".join([*lines, ""]), encoding="utf-8")
