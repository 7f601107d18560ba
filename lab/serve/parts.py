"""Pages as parts: each made of one moment of the notebook, and kept until what it shows moved."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..notebook import Notebook
from ..page.html import Safe, tag
from ..system.home import Home
from .changes import Versions
from .reading import opened

KEPT = 200  # parts, some 20 kB each
Words = Mapping[str, str]  # of an address, behind its question mark


@dataclass(frozen=True)
class Part:
    """A section of a page."""

    name: str  # its id on the page
    on: tuple[str, ...]  # what moves it: kinds of `changes`
    make: Callable[[Notebook], Safe]
    key: tuple[Any, ...] = ()  # what else it depends on: words of the address


@dataclass(frozen=True)
class Page:
    """A page: a title, and its parts in order."""

    title: str
    parts: Sequence[Part]
    place: str = ""  # which entry of the navigation it is

    @property
    def on(self) -> list[str]:
        """What moves any of its parts."""
        return sorted({kind for part in self.parts for kind in part.on})


class Shelf:
    """Parts made lately: at one version each is made once, however many read it."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._known: OrderedDict[tuple[Any, ...], tuple[tuple[int, ...], Safe]] = OrderedDict()
        self._lock = threading.Lock()

    def body(self, address: str, parts: Sequence[Part], versions: Versions) -> Safe:
        """Return parts in a row, from the shelf or made anew, all of one moment."""
        with self._lock:  # one makes it, and who asked meanwhile has it too
            stale = [part for part in parts if self._found(address, part, versions) is None]
            if stale:
                with opened(self.home) as book:
                    for part in stale:
                        self._put(address, part, versions, part.make(book))
            return Safe("".join(self._found(address, part, versions) or "" for part in parts))

    def _found(self, address: str, part: Part, versions: Versions) -> Safe | None:
        known = self._known.get((address, part.name, *part.key))
        if known is None or known[0] != _version(part, versions):
            return None
        return known[1]

    def _put(self, address: str, part: Part, versions: Versions, body: Safe) -> None:
        key = (address, part.name, *part.key)
        whole = tag("section", body, id=part.name, class_="part", hidden=not body)
        self._known[key] = (_version(part, versions), whole)
        self._known.move_to_end(key)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)


def _version(part: Part, versions: Versions) -> tuple[int, ...]:
    return tuple(versions[kind] for kind in part.on)


def etag(text: str) -> str:
    """Return a name for these very words, as HTTP has it."""
    return f'W/"{hashlib.blake2b(text.encode(), digest_size=12).hexdigest()}"'
