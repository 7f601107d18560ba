"""Semantic match of two ideas: the field's vocabulary, and a score. No SQL here.

`parse` turns a question into weighted concepts, each with every spelling the vocabulary knows;
`Concept.match` is its full-text expression; `score` ranks a candidate; `alike` says how far
two claims are the same idea. Texts come in as the tokens that `words` makes of them.
"""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .lexicon import Form, lexicon
from .tokens import words

QUESTION_CHARS = 2_000  # a question longer than a page is somebody's log; its start will do
QUESTION_WORDS = 64
CONCEPTS = 8  # a question asks for a handful of things; each costs one or two index reads
DENIED = 100  # longer than any spelling
GAP = 2  # words that may stand between the words of a spelling: "no (learning rate) decay"

SET_ASIDE = tuple(tuple(words(said)) for said in ("rather than", "instead of", "in place of"))
ASIDE = 0.4  # what was there before still says what the change is about

# How much a concept counts: a term of the field, a hint of one, a word nobody listed, a number,
# a kind of change ("higher", "remove"), a word that says nothing by itself.
TERM, HINT, WORD, NUMBER, CHANGE, QUIET = 1.0, 0.3, 0.8, 0.45, 0.3, 0.04
SAME, SYNONYM, FAMILY, APART, HINTED, FAR = 1.0, 0.92, 0.75, 0.45, 0.4, 0.1  # how well it is said
ROOT = 4  # letters that words of one family share at least, and so large a part of the longer one
KIN = 0.6
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
    far: tuple[Form, ...] = ()  # what a part of it means by itself
    root: str = ""  # how words of its family begin; "" where the vocabulary knows better
    _singles: frozenset[str] = field(init=False, repr=False, compare=False)
    _hinted: frozenset[str] = field(init=False, repr=False, compare=False)
    _far: frozenset[str] = field(init=False, repr=False, compare=False)
    _phrases: dict[str, list[Form]] = field(init=False, repr=False, compare=False)
    _suggested: dict[str, list[Form]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Set aside the one-word spellings, which are most and cheapest to look for."""
        put = object.__setattr__
        put(self, "_singles", _single(self.forms))
        put(self, "_hinted", _single(self.hints))
        put(self, "_far", _single(self.far))
        put(self, "_phrases", _phrases(self.forms))
        put(self, "_suggested", _phrases(self.hints))

    def match(self) -> str:
        """Return the FTS5 expression for a row that says this; of a mere hint, for the hint."""
        ways = _expression((*self.said, *self.forms) or self.hints)
        return f'{ways} OR "{self.root}"*' if self.root else ways

    def loosely(self) -> str:
        """Return the FTS5 expression for a row that says this or suggests it."""
        more = _expression((*self.hints, *self.far))
        return f"{self.match()} OR {more}" if more else self.match()

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
        if self._phrases:
            best = max(best, _says(self._phrases, tokens, bag) * SYNONYM)
        if self.root and any(_kin(self.name, token) for token in bag):
            best = max(best, FAMILY)
        return best or self._suggests(tokens, bag)

    def _suggests(self, tokens: Sequence[str], bag: frozenset[str]) -> float:
        """Return how strongly a text suggests it without saying it."""
        if not self._hinted.isdisjoint(bag) or _says(self._suggested, tokens, bag) == SAME:
            return HINTED
        return FAR if not self._far.isdisjoint(bag) else 0.0


def _single(forms: Iterable[Form]) -> frozenset[str]:
    return frozenset(form[0] for form in forms if len(form) == 1)


def _phrases(forms: Iterable[Form]) -> dict[str, list[Form]]:
    """Return the spellings of several words by their first word."""
    found: dict[str, list[Form]] = {}
    for form in forms:
        if len(form) > 1:
            found.setdefault(form[0], []).append(form)
    return found


def _says(phrases: dict[str, list[Form]], tokens: Sequence[str], bag: frozenset[str]) -> float:
    """Return 1 where one of the phrases stands in a text, less where only its words do."""
    best = 0.0
    for first in phrases.keys() & bag:
        for form in phrases[first]:
            if bag.issuperset(form):
                if _span(tokens, form) is not None:
                    return SAME
                best = APART
    return best


def _expression(forms: Iterable[Form]) -> str:
    """Return the FTS5 expression for a row with all words of one of the forms."""
    kept: list[frozenset[str]] = []
    for form in sorted(forms, key=len):
        bag = frozenset(form)
        if not any(k <= bag for k in kept):
            kept.append(bag)
    return " OR ".join("(" + " AND ".join(f'"{w}"' for w in sorted(bag)) + ")" for bag in kept)


def _kin(one: str, other: str) -> bool:
    """Return whether two words are of one family: they share most of their letters in a row.

    >>> _kin("popularity", "popular"), _kin("infill", "fill"), _kin("inact", "interact")
    (True, True, False)
    """
    shorter, longer = sorted((one, other), key=len)
    shared = max(ROOT, math.ceil(KIN * len(longer)))
    return len(shorter) >= shared and (shorter[:shared] == longer[:shared] or shorter in longer)


def _root(word: str) -> str:
    """Return how the words of a word's family begin, or "" where it is too short to tell."""
    length = max(ROOT, math.ceil(KIN * len(word)))
    return word[:length] if word.isalpha() and word.isascii() and len(word) > ROOT else ""


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


def parse(text: str) -> list[Concept]:
    """Return what a question asks for, weightiest first; [] when it says nothing."""
    tokens = words(text, limit=QUESTION_CHARS)[:QUESTION_WORDS]
    set_aside = _set_aside(tokens)
    asked = _merged(concepts(tokens))
    asked = [_lessened(concept, set_aside) for concept in asked]
    return sorted(asked, key=lambda c: -c.weight)[:CONCEPTS]


def _merged(found: Sequence[Concept]) -> list[Concept]:
    """Make one of the senses of the same words: a row that means any of them is an answer."""
    by_words: dict[tuple[Form, ...], list[Concept]] = {}
    for concept in found:
        by_words.setdefault(concept.said or ((concept.name,),), []).append(concept)
    return [_union(senses) if len(senses) > 1 else senses[0] for senses in by_words.values()]


def _union(senses: Sequence[Concept]) -> Concept:
    """Return one concept with all the spellings of several, as weighty as one of them alone."""
    forms = dict.fromkeys(form for sense in senses for form in sense.forms)
    hints = dict.fromkeys(form for sense in senses for form in sense.hints)
    weight = max(sense.weight for sense in senses) * math.sqrt(len(senses))
    name = " or ".join(sense.name for sense in senses)
    far = dict.fromkeys(form for sense in senses for form in sense.far)
    return Concept(name, weight, senses[0].said, tuple(forms), tuple(hints), tuple(far))


def _set_aside(tokens: Sequence[str]) -> set[str]:
    """Return the words after "rather than" or "instead of": what is not wanted any more."""
    for opening in SET_ASIDE:
        for first in range(1, len(tokens) - len(opening)):
            if tuple(tokens[first : first + len(opening)]) == opening:
                return set(tokens[first + len(opening) :]) - set(tokens[:first])
    return set()


def _lessened(concept: Concept, aside: set[str]) -> Concept:
    """Return the concept, lighter where it stands only among the words set aside."""
    if not aside or not concept.said or not all(aside.issuperset(form) for form in concept.said):
        return concept
    return dataclasses.replace(concept, weight=concept.weight * ASIDE)


def concepts(tokens: Sequence[str]) -> list[Concept]:
    """Return the concepts `tokens` speak of: terms of the field first, then what is left."""
    spans = _spans(tokens)
    known = {place for places, _, _, strong in spans if strong for place in places}
    senses: dict[tuple[int, ...], int] = {}
    for places, _, _, strong in spans:
        if strong:
            senses[tuple(places)] = senses.get(tuple(places), 0) + 1
    near = _related(tokens)
    found: dict[str, tuple[float, list[Form], dict[Form, None], dict[Form, None]]] = {}
    for places, form, name, strong in spans:
        weight = TERM * (1 + 0.25 * (len(form) - 1)) if strong else HINT
        weight *= CHANGE if name in lexicon().changes else 1.0
        weight /= math.sqrt(senses.get(tuple(places), 1))  # a word of two senses is half of each
        before, said, more, far = found.get(name, (0.0, [], {}, {}))
        if strong:
            said, more = [*said, form], more | near.pop(tuple(places), {})
            if len(places) > 1:  # whoever wrote the row may have said a part of it
                far = far | _parts(tokens, places)
        found[name] = (max(before, weight), said, more, far)
    terms = [
        Concept(
            name,
            weight,
            tuple(said),
            lexicon().forms[name],
            tuple(more | dict.fromkeys(lexicon().hints[name])),
            tuple(far),
        )
        for name, (weight, said, more, far) in found.items()
    ]
    return sorted([*terms, *_literals(tokens, known, near)], key=lambda c: -c.weight)


def _parts(tokens: Sequence[str], places: Sequence[int]) -> dict[Form, None]:
    """Return what the single words of a phrase say by themselves, and in other words."""
    found: dict[Form, None] = {}
    for word in (tokens[place] for place in places):
        if word not in lexicon().quiet and len(word) > 2:
            found[(word,)] = None
            found |= lexicon().related.get((word,), {})
            for form, name, strong in lexicon().starts.get(word, ()):
                if strong and form == (word,) and name not in lexicon().changes:
                    found |= dict.fromkeys(lexicon().forms[name])
    return found


def _related(tokens: Sequence[str]) -> dict[tuple[int, ...], dict[Form, None]]:
    """Return what goes together with the words at each place, phrases too."""
    found: dict[tuple[int, ...], dict[Form, None]] = {}
    for first, token in enumerate(tokens):
        for form in lexicon().openings.get(token, ()):
            places = _follow(tokens, form, first)
            if places is not None:
                found[tuple(places)] = lexicon().related[form]
    return found


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


def _literals(
    tokens: Sequence[str], known: set[int], near: dict[tuple[int, ...], dict[Form, None]]
) -> list[Concept]:
    """Return the words and numbers the vocabulary does not know, quiet ones only if alone.

    Each suggests what goes together with it, `near` by place.
    """
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
        hints = tuple(near.get((place,), ()))
        root = "" if is_quiet else _root(token)
        loud[token] = Concept(token, weight, ((token,),), tuple(joined), hints, root=root)
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
    return round(shared / total * (0.7 if _against(mine, theirs) else 1.0), 4) if total else 0.0


def opposite(one: Sequence[str], other: Sequence[str]) -> bool:
    """Return whether two texts, given as `words`, want opposite directions.

    >>> opposite(words("a larger batch"), words("BATCH 64 to 32"))
    True
    """
    return _against(_meaning(one), _meaning(other))


def _against(mine: dict[str, float], theirs: dict[str, float]) -> bool:
    return any({a} <= mine.keys() - theirs and {b} <= theirs.keys() - mine for a, b in OPPOSITES)


def _meaning(tokens: Sequence[str]) -> dict[str, float]:
    """Return each concept's weight, one weight for all its spellings, hints left out."""
    levels = dict.fromkeys(lexicon().forms, TERM) | dict.fromkeys(lexicon().changes, CHANGE)
    spoken = (c for c in concepts(tokens[:QUESTION_WORDS]) if c.said)
    return {c.name: levels.get(c.name, c.weight) for c in spoken}
