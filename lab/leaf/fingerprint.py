"""Hashes: of what makes numbers comparable (the yardstick), and of data (the cache)."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from .. import repo
from . import kit
from .model import Leaf, Settings

CODE = (".py", ".pyx", ".sh")
DIGITS = 12  # 48 bits: no two of a million yardsticks are likely to meet
LIMITS = ("budget_s", "startup_s", "timeout_s", "eval_timeout_s", "clock")


def frozen_paths(leaf: Leaf, settings: Settings) -> list[str]:
    """Return what no experiment may touch, from the root: listed, leaf.toml, task/, shared/."""
    here = leaf.folder.relative_to(leaf.root)
    named = [(here / p).as_posix() for p in (*settings.frozen, "leaf.toml", "task")]
    return [*dict.fromkeys([*named, "shared"])]


def yardstick(leaf: Leaf, settings: Settings, top: Path | None = None, commit: str = "") -> str:
    """Return 12 hex digits that differ where two numbers cannot be compared.

    With the checkout's `top`, files count as git stores them in `commit`: two checkouts of it have
    one yardstick, whatever their line ends and whatever else lies about in them.

    Hashed: frozen files with their paths (not *.md), commands, metric, direction, limits and
    constraints, the leaf's own `[data]`, what runs see beside the usual. `leaf.toml` counts by
    these values, so that a hint or knob may change.
    """
    named = [p for p in frozen_paths(leaf, settings) if Path(p).name != "leaf.toml"]
    stored = _stored(top, commit, [*named, f"{leaf.prefix}leaf.toml"]) if top else {}
    if f"{leaf.prefix}leaf.toml" in stored:
        hashes = {path: found for path, found in stored.items() if not _aside(path)}
    else:  # a leaf that is not committed yet
        hashes = {path: _contents(leaf.root / path) for path in _files(leaf.root, named)}
    said: dict[str, object] = {
        "prepare": settings.prepare,
        "command": settings.command,
        "evaluate": settings.evaluate,
        "metric": settings.metric,
        "direction": settings.direction,
        "limits": [getattr(settings, limit) for limit in LIMITS],
        "constraints": sorted(condition.text for condition in settings.constraints),
        "data": dict(settings.data),
    }
    if settings.serve:
        said["serve"] = settings.serve
    if settings.sandbox.read or settings.sandbox.env:
        said["seen"] = [settings.sandbox.read, settings.sandbox.env]
    if settings.sealed:
        said["sealed"] = True
    if settings.warm_start:
        said["warm_start"] = True
    if settings.evaluate_on_cpu:
        said["evaluate_needs"] = "cpu"
    if settings.is_self_reported:
        said["printed"] = dict(settings.printed)
    if kit.needed(leaf, settings, settings.frozen):
        said["kit"] = kit.digest()
    return _digest({p: hashes[p] for p in sorted(hashes) if not p.endswith(".md")}, said)


def written(leaf: Leaf, settings: Settings, exports: Sequence[Path]) -> str:
    """Return a hash of the frozen files as they lie in each of a run's exports.

    Git wrote them, by the filters that it has and whatever PATH takes for git.
    """
    named = frozen_paths(leaf, settings)
    found = {}
    for place, root in enumerate(exports):
        for path in _files(root, named):
            if not (path.endswith(".md") or Path(path).name == "leaf.toml"):
                found[f"{place}/{path}"] = _contents(root / path)
    return _digest(found, "as written")


def cache_key(leaf: Leaf, settings: Settings) -> str:
    """Return 12 hex digits for what makes data: frozen scripts, task/, shared/, the profile.

    Frozen modules and shared ones count since `prepare` may import them; `evaluate`, hints and
    constraints do not: they judge a run and make no data.
    """
    here = leaf.folder.relative_to(leaf.root)
    scripts = [w for w in settings.prepare or [] if _is_file(leaf.folder, w)]
    judging = (*settings.evaluate, *(settings.serve or []))
    others = [p for p in settings.frozen if p.endswith(".py") and p not in judging]
    own = [(here / p).as_posix() for p in (*scripts, *others, "task")]
    files = _files(leaf.root, [*own, "shared"])
    files = [path for path in files if not path.endswith(".md")]
    aside = ("hints", "constraints", "sandbox", "serve", "warm_start")
    profile = {k: v for k, v in asdict(settings).items() if k not in aside}
    profile["network"] = settings.network is not False
    if kit.needed(leaf, settings, settings.frozen):
        profile["kit"] = kit.digest()
    for later in ("evaluate_on_cpu", "printed", "seed_constant"):
        del profile[later]
    if not settings.sealed:  # what was prepared before there was such a thing serves on
        del profile["sealed"]
    return _digest({path: _contents(leaf.root / path) for path in files}, profile)


def beside(leaf: Leaf, settings: Settings) -> dict[str, bytes]:
    """Return the leaf's other code, which may read what the mutable files define.

    `shared/` reads nothing of a leaf. The commands count as a file: one may be `python -c`.
    """
    here = leaf.folder.relative_to(leaf.root)
    named = [(here / path).as_posix() for path in (*settings.frozen, "task")]
    python = [(here / path.name).as_posix() for path in leaf.folder.glob("*.py")]
    mutable = {(here / path).as_posix() for path in settings.mutable}
    files = [path for path in _files(leaf.root, [*named, *python]) if path not in mutable]
    found = {path: _text(leaf.root / path) for path in files if path.endswith(CODE)}
    commands = (settings.prepare, settings.command, settings.evaluate, settings.serve)
    said = [word for command in commands for word in command or () if not word.endswith(".py")]
    return {**found, "commands": " ".join(said).encode()}


def _text(path: Path) -> bytes:
    """Return what a file holds; nothing where a link leads nowhere."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


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


def _stored(top: Path, commit: str, paths: Iterable[str]) -> dict[str, bytes]:
    """Return the hash of what git stores of each file at or below `paths` in a commit.

    A link counts by what it leads to here, a submodule by its commit.
    """
    found = repo.entries(top, commit, list(paths))
    files = {path: name for mode, name, path in found if mode.startswith("100")}
    texts = repo.blobs(top, list(dict.fromkeys(files.values())))
    hashes = {}
    for mode, name, path in found:
        text = texts.get(name) if path in files else None
        if text is not None:
            hashes[path] = hashlib.sha256(text).digest()
        elif mode == repo.SUBMODULE:
            hashes[path] = name.encode()
        elif (top / path).is_file():
            hashes[path] = _contents(top / path)
    return hashes


def _aside(path: str) -> bool:
    """Return whether a file says nothing on what is measured: leaf.toml itself, hidden ones."""
    parts = Path(path).parts
    return parts[-1] == "leaf.toml" or any(p == "__pycache__" or p[0] == "." for p in parts)


def _digest(hashes: Mapping[str, bytes], said: object) -> str:
    """Return the hash of `said` and of each file's path and contents."""
    total = hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode())
    for path, found in hashes.items():
        total.update(b"\0" + os.fsencode(path) + b"\0" + found)
    return total.hexdigest()[:DIGITS]


def _contents(path: Path) -> bytes:
    """Return the hash of one file, read in pieces; a link that leads nowhere counts by name."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return os.fsencode(os.readlink(path)) if path.is_symlink() else b""
