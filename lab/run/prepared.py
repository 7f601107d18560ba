"""Prepared data: made once, known by its contents, in folders of which training is told of one.

Standard library only: it travels.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .manifest import Stamp, damaged, hashes, look


def held_out(cache: Path) -> Path:
    """Return the folder beside a cache for what the yardstick alone may read."""
    return cache.with_name(f"{cache.name}.held-out")


def sealed(cache: Path) -> Path:
    """Return the folder beside a cache for what is held out of the yardstick as well."""
    return cache.with_name(f"{cache.name}.sealed")


class Prepared:
    """What a leaf's `prepare` made: the cache, what is held out of it, and perhaps a sealed set."""

    def __init__(self, cache: Path, *, with_sealed: bool = False) -> None:
        self.cache, self.held_out = cache, held_out(cache)
        self.sealed = sealed(cache) if with_sealed else None
        self.ready = cache.with_name(f"{cache.name}.ready")
        self.lock = cache.with_name(f"{cache.name}.lock")
        self._hashes: dict[Path, Mapping[str, str]] = {}
        self._stamps: dict[Path, Mapping[str, Stamp]] = {}

    @property
    def folders(self) -> tuple[Path, ...]:
        return (self.cache, self.held_out, *([self.sealed] if self.sealed else []))

    def make_folders(self) -> None:
        for folder in self.folders:
            folder.mkdir(parents=True, exist_ok=True)

    def is_ready(self) -> bool:
        """Return whether all is there as `prepare` made it; what has another stamp is read."""
        noted = self._noted()
        if noted is None:
            return False
        self._hashes = {folder: noted[number]["hashes"] for number, folder in self._each()}
        self._stamps = {folder: _stamps(noted[number]["stamps"]) for number, folder in self._each()}
        return not self.spoiled()

    def note(self) -> None:
        """Write down what was made: all of it or nothing, whenever this process ends."""
        written = self.ready.with_suffix(".new")
        self._hashes = {folder: hashes(folder) for folder in self.folders}
        made = [
            {"stamps": look(folder, strict=True), "hashes": self._hashes[folder]}
            for folder in self.folders
        ]
        written.write_text(json.dumps(made))
        written.replace(self.ready)

    def digest(self) -> str:
        """Return one hash for all that is prepared, wherever and whenever it was made."""
        each = [[folder.suffix, sorted(self._hashes[folder].items())] for folder in self.folders]
        return hashlib.sha256(json.dumps(each).encode()).hexdigest()[:16]

    def remember(self) -> None:
        """Take what lies there for what the run was given."""
        self._stamps = {folder: look(folder, strict=True) for folder in self.folders}

    def spoiled(self) -> list[str]:
        """Return the files that were changed or removed since; the same contents are no change."""
        found = []
        for folder, stamps in self._stamps.items():
            inside = damaged(stamps, folder, self._hashes.get(folder, {}), strict=True)
            aside = "" if folder == self.cache else f"{folder.name}/"
            found += [f"{aside}{path}" for path in inside]
        return found

    def trim(self) -> bool:
        """Remove the files that are new; return whether there were any.

        Libraries keep notes there, and so could a run that wants to tell the next one something.
        """
        new = [
            folder / path
            for folder, stamps in self._stamps.items()
            for path in look(folder)
            if path not in stamps
        ]
        for path in new:
            path.unlink(missing_ok=True)
        return bool(new)

    def forget(self) -> None:
        """Let the next run prepare anew, from nothing."""
        self.ready.unlink(missing_ok=True)
        for folder in self.folders:
            shutil.rmtree(folder, ignore_errors=True)

    def _each(self) -> Iterator[tuple[int, Path]]:
        return enumerate(self.folders)

    def _noted(self) -> list[dict[str, Any]] | None:
        """Return what was written down; None for nothing, or by an earlier release."""
        try:
            found = json.loads(self.ready.read_text())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, list) and len(found) == len(self.folders) else None


def _stamps(found: Mapping[str, list[int]]) -> dict[str, Stamp]:
    """Return stamps that went through JSON."""
    return {path: (size, at, inode) for path, (size, at, inode) in found.items()}
