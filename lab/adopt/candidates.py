"""Which numbers a script prints, what they are called, and which of them is its score."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.printed import COLOURS, VALUE

from ..importers import names

UNITS = ("ms", "us", "s", "sec", "seconds", "mb", "gb")  # that belong to a number's name
PLACE = re.compile(rf"(?<![\w.^])({VALUE})(?:\s?(%|[A-Za-z]{{1,7}}\b))?", re.IGNORECASE)
LABEL = re.compile(r"[^\W\d_][\w ./%^-]*")
APART = re.compile(r"[,;|(){}\[\]<>]|\s{2,}|\t|:\s+(?=[^\W\d_])")
FIELDS = re.compile(r"[,;|]|\s{2,}|\t")  # a line of these says several things
LEVEL = re.compile(r"(?:DEBUG|INFO|WARNING|ERROR)\b[\s:|-]*")  # of a line that a logger wrote
LONGEST_NAME = 40
SCORE = 2  # of `names.rank`: up to here a name says that it is a score
PROGRESS = 1.5  # ranks: a score told at the end comes first, what was held out before what was not
CLOSING = frozenset({"final", "overall", "total", "mean", "average", "avg", "result"})


@dataclass(frozen=True)
class Candidate:
    """A number that a script prints: its name, the text around it, its last value."""

    name: str
    pattern: str  # of `[printed]`: `{}` is where the number stands
    value: float
    is_progress: bool = False  # printed several times, with other values

    @property
    def rank(self) -> int | None:
        """How much the name sounds like what a script is judged by, 0 most."""
        return names.rank(self.name)

    @property
    def direction(self) -> str | None:
        """Which way it is better, by its name."""
        return names.by_name(self.name)

    @property
    def likelihood(self) -> float:
        """How likely it is the score, 0 most: by its name, by when, by whether that says a way."""
        rank = SCORE + 9 if self.rank is None else self.rank
        by_name = rank if rank <= SCORE else SCORE + (1 if self.direction else 2)
        return by_name + (PROGRESS if self.is_progress else 0)

    @property
    def why(self) -> str:
        """What speaks for it as the score, in a few words."""
        words = names.words(self.name)
        if not words & names.SCORES:
            return "no name says score, and it comes last"
        said = ["held out"] if words & names.HELD_OUT else ["a score by its name"]
        said += ["as of the end"] if words & CLOSING else []
        return ", ".join(said + ([] if self.is_progress else ["said once"]))


def found(text: str) -> list[Candidate]:
    """Return the numbers of a text that have a name, each as it was printed last.

    >>> [one.name for one in found("epoch 3: val_loss=0.25 acc 91%")]
    ['epoch', 'val_loss', 'acc']
    >>> found("Accuracy on the 10000 test images: 54 %")[-1].pattern
    'Accuracy on the 10000 test images: {}'
    >>> found("best of 5: 12.5 ms")[-1].name
    'best_of_ms'
    >>> [(one.name, one.is_progress) for one in found("loss 3\\rloss 2\\nR^2: nan")]
    [('loss', True), ('r2', False)]
    """
    known: dict[str, Candidate] = {}
    for line in COLOURS.sub("", text).splitlines():
        for one in _of_line(line):
            before = known.pop(one.name, None)
            changed = before is not None and (before.is_progress or before.value != one.value)
            known[one.name] = replace(one, is_progress=changed)
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
    clause = _clause(before, is_first=not PLACE.search(line[: place.start()]))
    unit = (place[2] or "").lower()
    whole = line[: place.start()].lstrip()
    # "Accuracy on the 10000 test images: 54 %": what is measured stands before another number.
    plain_words = not FIELDS.search(whole) and not re.search(r"\d\.\d", whole)
    if plain_words and _says_score(whole) and not _says_score(clause):
        clause = whole
    if not LABEL.search(clause) and unit in UNITS and LABEL.search(whole):
        clause = whole
    name = _name(clause, unit)
    is_number = math.isfinite(value) or _says_score(name)
    if not name or not is_number:  # "no nan there" is no number of that name
        return None
    return Candidate(name, f"{clause}{{}}".strip(), value)


def _clause(before: str, is_first: bool) -> str:
    """Return the words that a number follows; in a table its row's name, for the first of it."""
    *cells, clause = APART.split(before)
    named = [cell for cell in cells if cell.strip()]
    if is_first and not clause.strip() and len(named) == 1:
        clause = f"{named[0]} "
    return LEVEL.sub("", clause.lstrip(" %:=-"), count=1)


def _says_score(label: str) -> bool:
    return bool(names.words(label) & names.SCORES)


def _name(label: str, unit: str) -> str:
    """Return a name of one word for a number, with its unit where that says something."""
    label = re.sub(r"(?<=\w)(?:\^|\*\*)(?=\d)", "", label.lower())  # R^2 is r2
    words = [word for word in re.findall(r"[^\W_]+", label) if not word.isdigit()]
    words += [unit] if unit in UNITS and unit not in words else []
    name = "_".join(words)
    return name[:LONGEST_NAME].strip("_") if re.search(r"[^\W\d]", name) else ""


def chosen(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the numbers that sound most like a score: one where it can be told."""
    ranked = [one for one in candidates if one.rank is not None]
    best = min((one.likelihood for one in ranked), default=None)
    return [one for one in ranked if one.likelihood == best]


def suggested(candidates: Sequence[Candidate]) -> Candidate:
    """Return the number to name where it cannot be told: the likeliest, of several the closing."""
    places = {one.name: number for number, one in enumerate(candidates)}
    return min(
        candidates,
        key=lambda one: (
            not math.isfinite(one.value),
            one.likelihood,
            not names.words(one.name) & CLOSING,
            -places[one.name],
        ),
    )
