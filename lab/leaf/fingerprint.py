"""Hashes: of what makes numbers comparable (the yardstick), and of data (the cache)."""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from .model import Leaf, Settings

DIGITS = 12  # 48 bits: no two of a million yardsticks are likely to meet
LIMITS = ("budget_s", "startup_s", "timeout_s", "eval_timeout_s", "clock")


def frozen_paths(leaf: Leaf, settings: Settings) -> list[str]:
    """Return what no experiment may touch, from the root: listed, leaf.toml, task/, shared/."""
    here = leaf.folder.relative_to(leaf.root)
    named = [(here / p).as_posix() for p in (*settings.frozen, "leaf.toml", "task")]
    return [*dict.fromkeys([*named, "shared"])]


def yardstick(leaf: Leaf, settings: Settings) -> str:
    """Return 12 hex digits that differ where two numbers cannot be compared.

    Hashed: frozen files with their paths (not *.md), commands, metric, direction, limits and
    constraints, the leaf's own `[data]`. `leaf.toml` counts by these values, so that a hint or
    knob may change.
    """
    named = [p for p in frozen_paths(leaf, settings) if Path(p).name != "leaf.toml"]
    files = [f for f in _files(leaf.root, named) if not f.endswith(".md")]
    said = {
        "prepare": settings.prepare,
        "command": settings.command,
        "evaluate": settings.evaluate,
        "metric": settings.metric,
        "direction": settings.direction,
        "limits": [getattr(settings, limit) for limit in LIMITS],
        "constraints": sorted(condition.text for condition in settings.constraints),
        "data": dict(settings.data),
    }
    return _digest(leaf.root, files, said)


def cache_key(leaf: Leaf, settings: Settings) -> str:
    """Return 12 hex digits for what makes data: frozen scripts, task/, shared/, the profile.

    Frozen modules and shared ones count since `prepare` may import them; `evaluate`, hints and
    constraints do not: they judge a run and make no data.
    """
    here = leaf.folder.relative_to(leaf.root)
    scripts = [w for w in settings.prepare or [] if _is_file(leaf.folder, w)]
    others = [p for p in settings.frozen if p.endswith(".py") and p not in settings.evaluate]
    own = [(here / p).as_posix() for p in (*scripts, *others, "task")]
    files = _files(leaf.root, [*own, "shared"])
    files = [path for path in files if not path.endswith(".md")]
    profile = {k: v for k, v in asdict(settings).items() if k not in ("hints", "constraints")}
    return _digest(leaf.root, files, profile)


def _is_file(folder: Path, word: str) -> bool:
    """Return whether a word of a command names a file of the leaf."""
    return not os.path.isabs(word) and (folder / word).is_file()


def _files(root: Path, paths: Iterable[str]) -> list[str]:
    """Return the files at or below `paths`, sorted; caches and hidden files left out."""
    found = set()
    for path in paths:
        if (root / path).is_file():
            found.add(path)
        for folder, inner, names in os.walk(root / path):
            inner[:] = [name for name in inner if name != "__pycache__" and name[0] != "."]
            below = Path(folder).relative_to(root)
            found.update((below / name).as_posix() for name in names if name[0] != ".")
    return sorted(found)


def _digest(root: Path, files: Iterable[str], said: object) -> str:
    """Return the hash of `said` and of each file's path and contents."""
    total = hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode())
    for path in files:
        total.update(b"\0" + os.fsencode(path) + b"\0" + _contents(root / path))
    return total.hexdigest()[:DIGITS]


def _contents(path: Path) -> bytes:
    """Return the hash of one file, read in pieces; a link that leads nowhere counts by name."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return os.fsencode(os.readlink(path)) if path.is_symlink() else b""
