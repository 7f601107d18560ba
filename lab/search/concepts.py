"""Semantic match of two ideas: the field's vocabulary, and a score. No SQL here.

`parse` turns a question into weighted concepts, each with every spelling the vocabulary knows;
`Concept.match` is its full-text expression; `score` ranks a candidate; `alike` says how far
two claims are the same idea. Texts come in as the tokens that `words` makes of them.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from . import vocabulary
from .tokens import words

Form = tuple[str, ...]

QUESTION_CHARS = 2_000  # a question longer than a page is somebody's log; its start will do
QUESTION_WORDS = 64
CONCEPTS = 8  # a question asks for a handful of things; each costs one or two index reads
DENIED = 100  # longer than any spelling
GAP = 2  # words that may stand between the words of a spelling: "no (learning rate) decay"

# How much a concept counts: a term of the field, a hint of one, a word nobody listed, a number,
# a kind of change ("higher", "remove"), a word that says nothing by itself.
TERM, HINT, WORD, NUMBER, CHANGE, QUIET = 1.0, 0.3, 0.8, 0.45, 0.3, 0.04
SAME, SYNONYM, APART, HINTED = 1.0, 0.92, 0.45, 0.4  # how well a text says it
OPPOSITES = (("higher", "lower"), ("lower", "higher"))  # raising is not a repeat of lowering
FIELDS = (1.0, 0.6, 0.8)  # the claim is the idea; mechanism and lesson talk about it

# -- Concepts -----------------------------------------------------------------


@dataclass(frozen=True)
class Concept:
    """One thing a text speaks of: how much it counts, and every way of saying it."""

    name: str
    weight: float
    said: tuple[Form, ...]  # as this text said it
    forms: tuple[Form, ...] = ()  # as others say it
    hints: tuple[Form, ...] = ()
    _singles: frozenset[str] = field(init=False, repr=False, compare=False)
    _hinted: frozenset[str] = field(init=False, repr=False, compare=False)
    _phrases: tuple[Form, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Set aside the one-word spellings, which are most and cheapest to look for."""
        put = object.__setattr__
        put(self, "_singles", frozenset(f[0] for f in self.forms if len(f) == 1))
        put(self, "_hinted", frozenset(f[0] for f in self.hints if len(f) == 1))
        put(self, "_phrases", tuple(f for f in self.forms if len(f) > 1))

    def match(self) -> str:
        """Return the FTS5 expression for a row that may speak of this concept."""
        kept: list[frozenset[str]] = []
        for form in sorted((*self.said, *self.forms, *self.hints), key=len):
            bag = frozenset(form)
            if not any(k <= bag for k in kept):
                kept.append(bag)
        return " OR ".join("(" + " AND ".join(f'"{w}"' for w in sorted(bag)) + ")" for bag in kept)

    def strength(self, tokens: Sequence[str], bag: frozenset[str]) -> float:
        """Return how well a text of these tokens says it: 0 not at all, 1 in the same words."""
        best = 0.0
        for form in self.said:
            if bag.issuperset(form):
                if len(form) == 1 or _span(tokens, form) is not None:
                    return SAME
                best = APART
        if not self._singles.isdisjoint(bag):
            return SYNONYM
        for form in self._phrases:
            if bag.issuperset(form):
                if _span(tokens, form) is not None:
                    return SYNONYM
                best = APART
        return best or (HINTED if not self._hinted.isdisjoint(bag) else 0.0)


def _span(tokens: Sequence[str], form: Form, start: int = 0) -> list[int] | None:
    """Find where `tokens` say `form` in order, at most GAP words between; None if nowhere."""
    for first in range(start, len(tokens)):
        if tokens[first] != form[0]:
            continue
        found = _follow(tokens, form, first)
        if found is not None:
            return found
    return None


def _follow(tokens: Sequence[str], form: Form, first: int) -> list[int] | None:
    """Return the positions of `form` when it starts at `first`, or None."""
    places = [first]
    for word in form[1:]:
        after = places[-1] + 1
        for place in range(after, min(after + GAP + 1, len(tokens))):
            if tokens[place] == word:
                places.append(place)
                break
        else:
            return None
    return places


class Lexicon:
    """The vocabulary, compiled: each concept's spellings, and each spelling by its first word."""

    def __init__(self, tables: Iterable[str], changes: str, quiet: str) -> None:
        self.forms: dict[str, tuple[Form, ...]] = {}
        self.hints: dict[str, tuple[Form, ...]] = {}
        self.changes: set[str] = set()
        self.starts: dict[str, list[tuple[Form, str, bool]]] = {}
        self.quiet = frozenset(words(quiet, limit=len(quiet)))
        for table in tables:
            for line in re.sub(r"\n +", " ", table).splitlines():
                name, colon, spellings = line.partition(":")
                if colon:
                    self._add(name.strip(), spellings, is_change=table is changes)

    def _add(self, name: str, spellings: str, is_change: bool) -> None:
        """Take in one line of the vocabulary."""
        strong, _, weak = spellings.partition("~")
        forms = dict.fromkeys(tuple(words(s)) for s in (name, *strong.split(",")))
        hints = dict.fromkeys(tuple(words(s)) for s in weak.split(",") if s.strip())
        self.forms[name] = tuple(form for form in forms if form)
        self.hints[name] = tuple(form for form in hints if form and form not in forms)
        if is_change:
            self.changes.add(name)
        for form in self.forms[name]:
            self.starts.setdefault(form[0], []).append((form, name, True))
        for form in self.hints[name]:
            self.starts.setdefault(form[0], []).append((form, name, False))


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """Compile the vocabulary, once, when a question is first asked."""
    return Lexicon(vocabulary.TABLES, vocabulary.CHANGES, vocabulary.QUIET)


def parse(text: str) -> list[Concept]:
    """Return what a question asks for, weightiest first; [] when it says nothing."""
    return concepts(words(text, limit=QUESTION_CHARS)[:QUESTION_WORDS])[:CONCEPTS]


def concepts(tokens: Sequence[str]) -> list[Concept]:
    """Return the concepts `tokens` speak of: terms of the field first, then what is left."""
    spans = _spans(tokens)
    known = {place for places, _, _, strong in spans if strong for place in places}
    senses: dict[tuple[int, ...], int] = {}
    for places, _, _, strong in spans:
        if strong:
            senses[tuple(places)] = senses.get(tuple(places), 0) + 1
    found: dict[str, tuple[float, list[Form]]] = {}
    for places, form, name, strong in spans:
        weight = TERM * (1 + 0.25 * (len(form) - 1)) if strong else HINT
        weight *= CHANGE if name in lexicon().changes else 1.0
        weight /= math.sqrt(senses.get(tuple(places), 1))  # a word of two senses is half of each
        before, said = found.get(name, (0.0, []))
        found[name] = (max(before, weight), [*said, form] if strong else said)
    terms = [
        Concept(name, weight, tuple(said), lexicon().forms[name], lexicon().hints[name])
        for name, (weight, said) in found.items()
    ]
    return sorted([*terms, *_literals(tokens, known)], key=lambda c: -c.weight)


def _spans(tokens: Sequence[str]) -> list[tuple[list[int], Form, str, bool]]:
    """Find the vocabulary in `tokens`; a longer spelling hides the shorter ones inside it."""
    starts = lexicon().starts
    found = [
        (places, form, name, strong)
        for first, token in enumerate(tokens)
        for form, name, strong in starts.get(token, ())
        if (places := _follow(tokens, form, first)) is not None
    ]
    found.sort(key=lambda s: (-_reach(s[1]), s[0][-1] - s[0][0]))
    longest = [0] * len(tokens)
    kept = []
    for places, form, name, strong in found:
        hidden = [longest[p] > _reach(form) for p in places]
        if all(hidden) or (any(hidden) and DENIED in (longest[p] for p in places)):
            continue
        kept.append((places, form, name, strong))
        if strong:
            for p in places:
                longest[p] = max(longest[p], _reach(form))
    return kept


def _reach(form: Form) -> int:
    """Return how strongly a spelling claims its words: by length, and a denial above all.

    What is denied is not asked for: "no lr decay" speaks of lr and of no decay, never of decay.
    """
    return DENIED if len(form) > 1 and form[0] in ("no", "without", "never") else len(form)


def _literals(tokens: Sequence[str], known: set[int]) -> list[Concept]:
    """Return the words and numbers the vocabulary does not know, quiet ones only if alone."""
    quiet = lexicon().quiet
    loud: dict[str, Concept] = {}
    for place, token in enumerate(tokens):
        if place in known or token in loud:
            continue
        is_quiet = token in quiet or (len(token) == 1 and not token.isdigit())
        weight = QUIET if is_quiet else NUMBER if token[0].isdigit() else WORD
        # "soft cap" also asks for "softcap": whoever wrote the row may have joined the two
        joined = [
            (a + b,)
            for a, b in ((token, _at(tokens, place + 1)), (_at(tokens, place - 1), token))
            if a and b and not is_quiet and (a + b).isalpha()
        ]
        loud[token] = Concept(token, weight, ((token,),), tuple(joined))
    kept = [c for c in loud.values() if c.weight > QUIET]
    return kept if kept or known else list(loud.values())


def _at(tokens: Sequence[str], place: int) -> str:
    """Return the token at `place`, or nothing beyond either end."""
    return tokens[place] if 0 <= place < len(tokens) else ""


# -- Scores -------------------------------------------------------------------


def rarity(holders: float, total: float) -> float:
    """Return how telling a concept is, 0.1 to 1: what nearly every row has tells little."""
    if total <= 1:
        return 1.0
    return min(1.0, max(0.1, math.log((total + 1) / (holders + 0.5)) / math.log(total + 1)))


def score(query: Sequence[Concept], weights: Sequence[float], texts: Sequence[str]) -> float:
    """Return how well an indexed idea answers `query`, 0 to 1.

    `texts` are its claim and, where they count, its mechanism and lesson, as indexed (`words`,
    joined by spaces); `weights` are the concepts' weights, times their rarity where that is known.
    """
    total = sum(weights)
    if not total:
        return 0.0
    fields = [(t := text.split(), frozenset(t)) for text in texts]
    reached = 0.0
    for concept, weight in zip(query, weights, strict=True):
        reached += weight * max(
            (share * concept.strength(tokens, bag) if tokens else 0.0)
            for share, (tokens, bag) in zip(FIELDS, fields, strict=False)
        )
    # Among equals the shorter claim is the nearer one: a long one mentions much in passing.
    length = len(fields[0][0])
    return reached / total * (1 - 0.15 * min(1.0, max(0, length - 6) / 60))


def alike(one: Sequence[str], other: Sequence[str]) -> float:
    """Return the shared part of two claims' concepts, both given as `words`.

    1.0 is the same meaning, 0.0 none shared.

    >>> alike(words("lower the learning rate to 1e-4"), words("reduce LR to 0.0001"))
    1.0
    """
    if list(one) == list(other):
        return 1.0
    mine, theirs = _meaning(one), _meaning(other)
    total = sum(mine.values()) + sum(theirs.values())
    shared = 2 * sum(min(mine[name], theirs[name]) for name in mine.keys() & theirs)
    against = any({a} <= mine.keys() - theirs and {b} <= theirs.keys() - mine for a, b in OPPOSITES)
    return round(shared / total * (0.7 if against else 1.0), 4) if total else 0.0


def _meaning(tokens: Sequence[str]) -> dict[str, float]:
    """Return each concept's weight, one weight for all its spellings, hints left out."""
    levels = dict.fromkeys(lexicon().forms, TERM) | dict.fromkeys(lexicon().changes, CHANGE)
    spoken = (c for c in concepts(tokens[:QUESTION_WORDS]) if c.said)
    return {c.name: levels.get(c.name, c.weight) for c in spoken}
