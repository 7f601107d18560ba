"""The kit: what a leaf imports from here in a repository of its own, laid into each export.

A leaf made there says `from labtree.shared import run`; one that was copied from here says `from
shared import run`. Its interpreter may be another environment's than ours, so a run brings it.
"""

import functools
import hashlib
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from ..system.source import SOURCE
from .model import Leaf, Settings

HERE = SOURCE / "shared"
PLACES = {"labtree": "labtree/shared", "shared": "shared"}  # by the name that is imported
LAID = ".kit"  # the file that says so of a folder that was laid here
IMPORT = re.compile(rb"^\s*(?:from|import)\s+(labtree|shared)\b", re.MULTILINE)


def needed(leaf: Leaf, settings: Settings, names: Iterable[str]) -> list[str]:
    """Return what of the kit some of a leaf's files import and its repository does not have."""
    paths = [leaf.folder / name for name in names]
    inside = [file for path in paths if path.is_dir() for file in path.rglob("*.py")]
    files = [path for path in paths if path.suffix == ".py" and path.is_file()]
    texts = [file.read_bytes() for file in (*files, *inside)]
    found = {name.decode() for text in texts for name in IMPORT.findall(text)}
    found |= {"labtree"} if settings.is_self_reported else set()
    own = {name for name in found if (leaf.root / name).exists()}
    return sorted(found - {name for name in own if not (leaf.root / name / LAID).exists()})


def lay(leaf: Leaf, settings: Settings, root: Path) -> None:
    """Put what a leaf imports of the kit into an export, unless its commit has its own."""
    for name in needed(leaf, settings, (*settings.mutable, *settings.frozen)):
        to = root / PLACES[name]
        if to.exists():
            continue
        shutil.copytree(HERE, to, ignore=shutil.ignore_patterns("__pycache__"))
        if to.parent != root:
            (to.parent / "__init__.py").touch()
        (root / name / LAID).touch()


@functools.cache
def digest() -> str:
    """Return a hash of the kit: with another one numbers may differ."""
    found = hashlib.sha256()
    for file in sorted(HERE.glob("*.py")):
        found.update(f"{file.name} ".encode() + file.read_bytes())
    return found.hexdigest()[:12]
