"""Fresh exports of an experiment's commit: never the live worktree."""

import uuid
from pathlib import Path

from . import repo


def exports(source: Path, commit: str, base: Path) -> tuple[Path, Path]:
    """Return two fresh exports of a commit, to train in and to evaluate in."""
    first, second = (base / uuid.uuid4().hex for _ in range(2))
    repo.export(source, commit, first, second)
    return first, second
