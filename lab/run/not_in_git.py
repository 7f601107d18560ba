"""What a failed run missed: something that lies in the checkout, but that git does not have."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

LINES = 20  # of a log's end: the last exception, or the last words of a script
_MODULE = re.compile(r"No module named '([\w.]+)'")
_QUOTED = re.compile(r"'([^'\n]+)'|\"([^\"\n]+)\"|`([^`\n]+)`")
_PATH = re.compile(r"[\w@+~-]*[./][\w.@+~/-]*\w")  # a bare word may be any word: it needs quotes


def missed(said: str, exports: Sequence[Path], checkouts: Sequence[Path], leaf: str) -> str | None:
    """Return the path, from the top, of the first thing named that only a checkout has.

    `said` are a failed command's last words, `exports` what it ran in, `leaf` its folder there.
    """
    for name in _named("\n".join(said.splitlines()[-LINES:])):
        for path in _places(name, exports, leaf):
            absent = not (exports[0] / path).exists()
            if absent and any((top / path).exists() for top in checkouts):
                return path
    return None


def _named(text: str) -> Iterator[str]:
    """Yield what a text may name: modules as the files they could be, quoted words, paths."""
    for module in _MODULE.findall(text):
        parts = module.split(".")
        for count in range(len(parts), 0, -1):
            yield from (f"{'/'.join(parts[:count])}{ending}" for ending in (".py", ""))
    for words in _QUOTED.findall(text):
        yield from filter(None, words)
    yield from _PATH.findall(text)


def _places(name: str, exports: Sequence[Path], leaf: str) -> Iterator[str]:
    """Yield where a name may lie, from the top: in the leaf, at the top, or where it says."""
    for start in ("", *map(str, exports)):
        inner = name.removeprefix(f"{start}/") if start else name
        for above in (leaf, ""):
            path = os.path.normpath(os.path.join(above, inner))
            if not path.startswith(("/", "..", ".git/", ".lab/")) and path != ".":
                yield path
