"""The change that an experiment makes: what the mutable files were committed as, and are now."""

import functools
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .. import repo
from ..leaf import less
from ..notebook import Notebook, record
from . import edits

IMPORT = re.compile(r"^[ \t]*(?:from|import)[ \t]+(\w+)", re.MULTILINE)
Texts = tuple[str | None, str | None]  # of a file, before and after; None where it is not there


class Change:
    """What was edited in the mutable files of a checkout."""

    def __init__(self, top: Path, head: str, mutable: Sequence[str]) -> None:
        self.top, self.head, self.mutable = top, head, mutable

    def _texts(self, path: str) -> Texts:
        file = self.top / path
        new = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else None
        return repo.show_file(self.top, self.head, path), new

    @functools.cached_property
    def programs(self) -> list[Texts]:
        """Each mutable Python file as it was committed and as it is now."""
        return [self._texts(path) for path in self.mutable if path.endswith(".py")]

    def edited(self, paths: Iterable[str]) -> list[Texts]:
        """Return those of `paths` that differ, as they were committed and as they are now."""
        return [(old, new) for old, new in map(self._texts, paths) if old != new]

    @property
    def axis(self) -> str | None:
        """The constant or place that it turns, where it is one."""
        return next((name for texts in self.programs if (name := edits.axis(*texts))), None)

    @property
    def touched(self) -> list[str]:
        """The names of what it touches."""
        return [name for texts in self.programs for name in edits.touched(*texts)]

    @property
    def net_lines(self) -> int:
        """Statements added less those removed."""
        return sum(less(old, new) for old, new in self.programs)


def data(edited: Sequence[Texts], frozen: Iterable[str]) -> dict[str, Any]:
    """Return how many characters of literals an edit adds, and of those that are no words.

    And which of the leaf's frozen modules it imports that it did not before: one of them may hold
    the answers.
    """
    counts = {"literals": edits.literals, "packed": edits.packed}
    added = {name: sum(of(new) - of(old) for old, new in edited) for name, of in counts.items()}
    modules = {path.removesuffix(".py") for path in frozen if path.endswith(".py")}
    new = {name for before, after in edited for name in _imports(after) - _imports(before)}
    found: dict[str, Any] = {name: count for name, count in added.items() if count > 0}
    return found | ({"imports": sorted(new & modules)} if new & modules else {})


def _imports(text: str | None) -> set[str]:
    """Return the modules that a text names in its imports, wherever in it."""
    return set(IMPORT.findall(text or ""))


def note(book: Notebook, number: int, edited: Sequence[Texts]) -> None:
    """Record what an edit changes: constants with both values, and the words of the rest."""
    turned = [one for texts in edited for one in edits.turned(*texts)]
    words = [word for texts in edited for word in edits.words(*texts)]
    said = [edits.as_words(one) for one in turned]
    record.change(book, number, turned, "\n".join([*said, " ".join(words)]))
