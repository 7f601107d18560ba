"""What training rewards: the strongest lever of this leaf. May be changed.

The yardstick never reads this file: `evaluate.py` scores with its own, so a reward that praises
everything raises `train_reward` and nothing else.
"""

from pathlib import Path

from shared import scoring

PARTIAL = 0.0  # weight of the share of letters in place; it made the tiny model worse
TRUNCATION_PENALTY = 0.0  # taken off an answer that max_new_tokens cut off before its end
SCORE = scoring.scorer(Path(__file__).parent)  # task/score.py, or the whole answer exactly


def reward(prompt: str, completion: str, answer: str, truncated: bool) -> float:
    """Return what a completion earns; only differences within a prompt's group count."""
    correct = SCORE(prompt, completion, answer)
    return (
        correct
        + PARTIAL * in_place(scoring.final(completion), answer)
        - TRUNCATION_PENALTY * truncated
    )


def in_place(given: str, answer: str) -> float:
    """Return the share of the answer's characters that stand where they should.

    >>> in_place("abdc", "abcd")
    0.5
    """
    same = sum(a == b for a, b in zip(given, answer, strict=False))
    return same / max(len(answer), len(given), 1)
