"""Logs of a run as they were when it ended: size and hash, so that a later edit is found."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from ..system import left

KEPT = ("run.log", "evaluate.log")  # the supervisor's own grows when a run is looked at again


def digests(folder: Path) -> dict[str, str]:
    """Return each log's size and hash; what is not there has none."""
    return {name: found for name in KEPT if (found := _digest(folder / name)) is not None}


def changed(folder: Path, known: Mapping[str, str]) -> list[str]:
    """Return the logs that are gone, or are not what they were."""
    return [name for name, before in known.items() if _digest(folder / name) != before]


def _digest(path: Path) -> str | None:
    try:
        with left.opened(path) as file:
            data = file.read()
    except OSError:
        return None
    return f"{len(data)} {hashlib.sha256(data).hexdigest()[:16]}"
