"""What training rewards: the strongest lever of this leaf. May be changed.

The yardstick never reads this file: `evaluate.py` scores with its own, so a reward that praises
everything raises `train_reward` and nothing else.
"""

from pathlib import Path

from shared import answers

PARTIAL = 0.0  # weight of the share of letters in place; it made the tiny model worse
CUT = 0.0  # taken off an answer that ran out of room before it ended
SCORE = answers.scorer(Path(__file__).parent)  # task/score.py, or the whole answer exactly


def reward(prompt: str, completion: str, answer: str, cut: bool) -> float:
    """Return what a completion earns; only differences within a prompt's group count."""
    right = SCORE(prompt, completion, answer)
    return right + PARTIAL * in_place(answers.final(completion), answer) - CUT * cut


def in_place(said: str, answer: str) -> float:
    """Return the share of the answer's characters that stand where they should.

    >>> in_place("abdc", "abcd")
    0.5
    """
    same = sum(a == b for a, b in zip(said, answer, strict=False))
    return same / max(len(answer), len(said), 1)
