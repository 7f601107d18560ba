"""Tokenize a text: stems, and numbers by value however they are written.

This is what the search index holds, so a change here asks for the index to be written anew; what
words mean is `vocabulary`'s business and may change freely.
"""

import math
import re
from functools import lru_cache

_TOKEN = re.compile(
    r"(\d{1,4})(?:\^|\*\*)(\d{1,3})(?!\d)"  # 2^17
    r"|(?<![\d.])(\d{1,6})/(\d{1,6})(?![\d.])"  # 1/6
    r"|((?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[-+]?\d{1,3})?|\.\d+)"
    r"(\s?[kmb](?![^\W_])|\s?%|\s?percent\b)?"  # 131K, 5%, 2e-4
    r"|([^\W\d_][^\W_]*)"  # warmup, x0, beta2
)
_BASE, _EXPONENT, _ABOVE, _BELOW, _NUMBER, _UNIT, _WORD = range(1, 8)  # groups of _TOKEN
_UNITS = {"k": 1e3, "m": 1e6, "b": 1e9, "%": 1e-2, "percent": 1e-2}
_PARTS = {
    "half": 2, "third": 3, "quart": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8,
    "ninth": 9, "tenth": 10, "sixteenth": 16,
}  # fmt: skip
_MARKS = str.maketrans({"\u2192": " to ", "\u21d2": " to ", "\u2044": "/", "\u00d7": "x"})
_IRREGULAR = {
    "zero": "0", "zeros": "0", "zeroed": "0", "one": "1", "two": "2", "three": "3", "four": "4",
    "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10", "twelve": "12",
    "sixteen": "16", "tying": "tie", "tied": "tie", "ties": "tie", "adding": "add",
    "added": "add", "bias": "bias", "biases": "bias", "loss": "loss", "losses": "loss",
    "halve": "half", "halving": "half", "halved": "half", "halves": "half", "indices": "index",
    "matrices": "matrix", "better": "better",
}  # fmt: skip


def words(text: str, limit: int = 4_000) -> list[str]:
    """Reduce `text` to tokens of letters and digits: stems, and numbers by value.

    >>> words("Halve the batch: 262144 to 131K tokens")
    ['half', 'the', 'batch', '262144', 'to', '131072', 'goesdown', 'token']
    >>> words("n_kv_head=1, LR 5e-06, one sixth, tying 6ep")
    ['n', 'kv', 'head', '1', 'lr', '5em06', '1of6', 'tie', '6', 'ep']
    """
    tokens: list[str] = []
    number: tuple[int, float] | None = None  # where the last number stands, and its value
    for match in _TOKEN.finditer(_plain(text[:limit])):
        word = match[_WORD]
        if word:
            tokens.append(stem(word))
            if tokens[-1] in _PARTS and len(tokens) > 1 and tokens[-2] == "1":
                tokens[-2:] = [f"1of{_PARTS[tokens[-1]]}"]
        elif match[_ABOVE]:
            tokens.append(f"{int(match[_ABOVE])}of{int(match[_BELOW])}")
        else:
            value = _value(match)
            tokens.append(_spell(value))
            place, before = len(tokens) - 1, number
            number = place, value
            if before and before[0] == place - 2 and tokens[-2] == "to" and before[1] != value:
                tokens.append("goesup" if value > before[1] else "goesdown")
    return tokens


def _value(match: re.Match[str]) -> float:
    """Return the number that was written as a power, a figure, or a figure with a unit."""
    if match[_BASE]:
        base, exponent = int(match[_BASE]), int(match[_EXPONENT])
        return float(base**exponent) if exponent * len(match[_BASE]) < 300 else math.inf
    unit = match[_UNIT]
    return float(match[_NUMBER].replace(",", "")) * (_UNITS[unit.strip()] if unit else 1.0)


def _spell(value: float) -> str:
    """Write a number in one way, letters and digits only; 131K, 131000 and 2^17 are 131072."""
    if 1000 <= value < 1e12:
        power = 2 ** round(math.log2(value))
        if abs(value / power - 1) < 0.025:  # 1000 / 1024 is 2.3 % off, the largest such habit
            value = float(power)
    return f"{value:.6g}".replace(".", "p").replace("-", "m").replace("+", "")


def _plain(text: str) -> str:
    """Lower the case, drop accents, and write arrows and fractions with ordinary characters."""
    text = text.lower().replace("->", " to ").replace("=>", " to ")
    if text.isascii():
        return text
    import unicodedata

    parts = unicodedata.normalize("NFKD", text.translate(_MARKS)).translate(_MARKS)
    return "".join(c for c in parts if not unicodedata.combining(c))


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """Cut a word's ending, so that clipped, clips and clipping meet; crude, but the same for all.

    >>> [stem(w) for w in ("clipping", "initialise", "initialization", "decaying", "layers")]
    ['clip', 'initializ', 'initializ', 'decay', 'lay']
    """
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) < 4 or not word.isalpha():
        return word
    word = _singular(word).replace("isation", "ization")
    if word.endswith(("ise", "ising", "ised", "iser")) and len(word) > 6:
        word = word.replace("is", "iz") if word.count("is") == 1 else word
    for ending in ("ations", "ation", "ating", "ated", "ator", "ate", "ing", "ed", "er", "est",
                   "ly"):  # fmt: skip
        rest = word.removesuffix(ending)
        if rest != word and len(rest) >= (4 if ending.startswith("at") else 3):
            return _finish(rest)
    return _finish(word)


def _singular(word: str) -> str:
    """Drop a plural's ending."""
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith("sses"):
        return word[:-2]
    return word[:-1] if word.endswith("s") and word[-2] not in "siu" else word


def _finish(word: str) -> str:
    """Undo a doubled last letter (clipp, clip) and drop a silent e."""
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "slz":
        return word[:-1]
    return word[:-1] if len(word) > 3 and word.endswith("e") else word
