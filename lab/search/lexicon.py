"""Lexicon: the field's vocabulary, compiled from pages of words.

`vocabulary.py` has what is asked for most; `fields.txt` other fields' terms, `glossary.txt` what
terms are, `related.txt` words of common speech that go together.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib import resources

from . import vocabulary
from .tokens import stem, words

Form = tuple[str, ...]


class Lexicon:
    """The vocabulary, compiled: each concept's spellings, and each spelling by its first word."""

    def __init__(
        self, tables: Iterable[str], changes: str, quiet: str, groups: Iterable[str]
    ) -> None:
        self.forms: dict[str, tuple[Form, ...]] = {}
        self.hints: dict[str, tuple[Form, ...]] = {}
        self.changes: set[str] = set()
        self.starts: dict[str, list[tuple[Form, str, bool]]] = {}
        self.related: dict[Form, dict[Form, None]] = {}
        self.openings: dict[str, list[Form]] = {}  # what is related, by its first word
        self.quiet = frozenset(words(quiet, limit=len(quiet)))
        for table in tables:
            for line in _lines(table):
                name, colon, spellings = line.partition(":")
                if colon:
                    self._add(name.strip(), spellings, is_change=table is changes)
        self._hint_at_own_words()
        for line in (line for table in groups for line in _lines(table)):
            self._add_group(line)

    def _add_group(self, line: str) -> None:
        """Take in words that go together, or terms and, after a colon, what they are."""
        terms, colon, meaning = line.partition(":")
        forms = [form for word in terms.split(",") if (form := _form(word))]
        if not colon:
            self._relate(forms, forms)
            return
        plain = dict.fromkeys(words(meaning))
        explained: list[Form] = [(w,) for w in plain if w not in self.quiet and len(w) > 2]
        self._relate(forms, explained)
        self._relate(explained, forms)

    def _hint_at_own_words(self) -> None:
        """Let a word that only one concept's spellings hold hint at it: "json" of "json mode"."""
        owners: dict[str, set[str]] = {}
        for name, forms in self.forms.items():
            for word in {word for form in forms for word in form}:
                owners.setdefault(word, set()).add(name)
        for word, (name, *others) in ((word, tuple(names)) for word, names in owners.items()):
            telling = not others and word not in self.quiet and len(word) > 2
            if telling and name not in self.changes and (word,) not in self.forms[name]:
                self.hints[name] = (*self.hints[name], (word,))
                self.starts.setdefault(word, []).append(((word,), name, False))

    def _relate(self, some: Sequence[Form], others: Sequence[Form]) -> None:
        """Note that each of `some` suggests all `others`."""
        for form in some:
            if form not in self.related:
                self.openings.setdefault(form[0], []).append(form)
            self.related.setdefault(form, {}).update(dict.fromkeys(others))

    def _add(self, name: str, spellings: str, is_change: bool) -> None:
        """Take in one line of the vocabulary."""
        strong, _, weak = spellings.partition("~")
        forms = dict.fromkeys(_form(s) for s in (name, *strong.split(",")))
        hints = dict.fromkeys(_form(s) for s in weak.split(",") if s.strip())
        self.forms[name] = tuple(form for form in forms if form)
        self.hints[name] = tuple(form for form in hints if form and form not in forms)
        if is_change:
            self.changes.add(name)
        for form in self.forms[name]:
            self.starts.setdefault(form[0], []).append((form, name, True))
        for form in self.hints[name]:
            self.starts.setdefault(form[0], []).append((form, name, False))


def _form(spelling: str) -> Form:
    """Return a spelling as tokens: what `words` says of it, more quickly where it is plain."""
    parts = spelling.split()
    plain = all(part.isalpha() and part.isascii() and part.islower() for part in parts)
    if plain and len(parts) < 2:  # "1 sixth" is one token, so several words are read together
        return tuple(stem(part) for part in parts)
    return tuple(words(spelling))


def _lines(table: str) -> list[str]:
    """Return a table's lines; an indented one goes on with the one above."""
    return re.sub(r"\n +", " ", table).splitlines()


def _table(name: str) -> str:
    """Return a page of words that lies beside this module, without its remarks."""
    page = resources.files(__package__).joinpath(f"{name}.txt").read_text(encoding="utf-8")
    return "\n".join(line for line in page.splitlines() if not line.startswith("#"))


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """Compile the vocabulary, once, when a question is first asked."""
    tables = (*vocabulary.TABLES, _table("fields"))
    groups = (_table("related"), _table("glossary"))
    return Lexicon(tables, vocabulary.CHANGES, vocabulary.QUIET, groups)
