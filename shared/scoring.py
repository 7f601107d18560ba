"""What a completion answers, and whether that is right: exact, and the same for every leaf.

The answer is what follows the last `####`, or stands in the last `\\boxed{}` or `<answer>` tag, or
else the whole text. Numbers are compared as numbers, so 1,000 is 1000.0; nothing else is forgiven.
"""

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path

MARKS = (
    re.compile(r"####\s*(.*)"),
    re.compile(r"\\boxed\{((?:[^{}]|\{[^{}]*\})*)\}"),
    re.compile(r"<answer>(.*?)</answer>", re.DOTALL),
)
NUMBER = re.compile(r"[-+]?\$?[\d,]*\.?\d+")

Score = Callable[[str, str, str], float]


def final(text: str) -> str:
    r"""Return the answer that a text ends with.

    >>> final("3 and 4 make 7\n#### 7")
    '7'
    >>> final(r"so \boxed{\frac{1}{2}} it is")
    '\\frac{1}{2}'
    """
    marked = [answer for mark in MARKS for answer in mark.findall(text)]
    return (marked[-1] if marked else text).strip()


def exact(prompt: str, completion: str, answer: str) -> float:
    """Return 1.0 when the completion's final answer is the answer, else 0.0.

    >>> exact("", "altogether #### 1,000", "1000.0"), exact("", "abc", "abd")
    (1.0, 0.0)
    """
    return float(_plain(final(completion)) == _plain(final(answer)))


def scorer(leaf: Path) -> Score:
    """Return the user's `score(prompt, completion, answer)` of task/score.py, else `exact`."""
    path = leaf / "task/score.py"
    if not path.exists():
        return exact
    spec = importlib.util.spec_from_file_location("score", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    score = getattr(module, "score", None)
    if not callable(score):
        raise SystemExit("task/score.py has no score(prompt, completion, answer); define it there")
    return lambda prompt, completion, answer: _checked(score(prompt, completion, answer))


def _checked(value: object) -> float:
    """Return a score between 0 and 1, or stop: outside, the metric would not be an accuracy."""
    if isinstance(value, int | float) and 0 <= value <= 1:
        return float(value)
    raise SystemExit(f"task/score.py: score() gave {value!r}; give a number from 0 to 1")


def _plain(text: str) -> str:
    """Return a number as Python writes it, other text with single spaces."""
    if NUMBER.fullmatch(text):
        return repr(float(text.replace(",", "").replace("$", "")))
    return " ".join(text.split())
