"""Which numbers a script prints, what they are called, and which of them is its score."""

import re
from dataclasses import dataclass

from shared.printed import NUMBER

from ..importers import names

UNITS = ("ms", "us", "s", "sec", "seconds", "mb", "gb")  # that belong to a number's name
PLACE = re.compile(rf"(?<![\w.])({NUMBER})(?:\s?(%|[A-Za-z]{{1,7}}\b))?")
LABEL = re.compile(r"[^\W\d_][\w ./%-]*")
APART = re.compile(r"[,;|(){}\[\]<>]|\s{2,}|\t|:\s+(?=[^\W\d_])")
FIELDS = re.compile(r"[,;|]|\s{2,}|\t")  # a line of these says several things
LONGEST_NAME = 40
SCORE = 2  # of `names.rank`: up to here a name says that it is a score


@dataclass(frozen=True)
class Candidate:
    """A number that a script prints: its name, the text around it, its last value."""

    name: str
    pattern: str  # of `[printed]`: `{}` is where the number stands
    value: float

    @property
    def rank(self) -> int | None:
        """How much the name sounds like what a script is judged by, 0 most."""
        return names.rank(self.name)

    @property
    def direction(self) -> str | None:
        """Which way it is better, by its name."""
        return names.by_name(self.name)


def found(text: str) -> list[Candidate]:
    """Return the numbers of a text that have a name, each as it was printed last.

    >>> [one.name for one in found("epoch 3: val_loss=0.25 acc 91%")]
    ['epoch', 'val_loss', 'acc']
    >>> found("Accuracy on the 10000 test images: 54 %")[-1].pattern
    'Accuracy on the 10000 test images: {}'
    >>> found("best of 5: 12.5 ms")[-1].name
    'best_of_ms'
    """
    known: dict[str, Candidate] = {}
    for line in text.splitlines():
        for one in _of_line(line):
            known.pop(one.name, None)
            known[one.name] = one
    return list(known.values())


def _of_line(line: str) -> list[Candidate]:
    made, begins = [], 0
    for place in PLACE.finditer(line):
        before = line[begins : place.start()]
        begins = place.end(1)
        one = _named(line, before, place)
        if one is not None:
            made.append(one)
    return made


def _named(line: str, before: str, place: re.Match[str]) -> Candidate | None:
    """Return the number at a place by what stands before it, or before all numbers of the line."""
    value = float(re.sub("[,_]", "", place[1]))
    clause = APART.split(before)[-1].lstrip(" %:=-")
    unit = (place[2] or "").lower()
    whole = line[: place.start()].lstrip()
    # "Accuracy on the 10000 test images: 54 %": what is measured stands before another number.
    plain_words = not FIELDS.search(whole) and not re.search(r"\d\.\d", whole)
    if plain_words and _says_score(whole) and not _says_score(clause):
        clause = whole
    if not LABEL.search(clause) and unit in UNITS and LABEL.search(whole):
        clause = whole
    name = _name(clause, unit)
    if not name:
        return None
    return Candidate(name, f"{clause}{{}}".strip(), value)


def _says_score(label: str) -> bool:
    return bool(names.words(label) & names.SCORES)


def _name(label: str, unit: str) -> str:
    """Return a name of one word for a number, with its unit where that says something."""
    words = [word for word in re.findall(r"[^\W_]+", label.lower()) if not word.isdigit()]
    words += [unit] if unit in UNITS and unit not in words else []
    name = "_".join(words)
    return name[:LONGEST_NAME].strip("_") if re.search(r"[^\W\d]", name) else ""


def chosen(candidates: list[Candidate]) -> list[Candidate]:
    """Return the numbers that sound most like a score: one where it can be told."""
    ranked = [(_likely(one), one) for one in candidates if one.rank is not None]
    best = min((rank for rank, _ in ranked), default=None)
    return [one for rank, one in ranked if rank == best]


def _likely(one: Candidate) -> int:
    """Return how likely a number is the score: by its name, then where that says which way."""
    rank = one.rank or 0
    return rank if rank <= SCORE else SCORE + (1 if one.direction else 2)
