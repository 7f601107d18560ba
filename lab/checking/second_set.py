"""Check of the sealed set: `prepare` makes one, of other data than what is held out."""

import json
from pathlib import Path

from .. import leaf as leaves
from ..run import prepared
from .case import PROFILE, Case
from .finding import Broken, Noted

MOST = 0.5  # of its bytes that may be held out too: a heading and a few short rows are by chance
OTHERS = "Write other data of the same kind there: what neither training nor evaluate has seen"


def check(case: Case) -> str:
    """What `prepare` leaves in LAB_SEALED_DIR is there, and is not what is held out again."""
    if not case.settings.sealed:
        return "leaf.toml has no [sealed]: nothing tells a gain that was fitted to what is held out"
    key = leaves.cache_key(case.leaf, case.settings)
    cache = case.clone.home.cache(case.name, PROFILE, key)
    held, apart = _pieces(prepared.held_out(cache)), _pieces(prepared.sealed(cache))
    size, both = sum(map(len, apart)), sum(map(len, apart & held))
    if not size:
        raise Broken("leaf.toml has [sealed], and prepare leaves nothing in LAB_SEALED_DIR", OTHERS)
    said = f"{100 * both / size:.0f} % of what prepare leaves in LAB_SEALED_DIR is held out too"
    if both > MOST * size:
        raise Broken(said, OTHERS)
    return Noted(said) if both else f"prepare leaves {size:,} bytes of other data sealed"


def _pieces(folder: Path) -> set[bytes]:
    """Return what the files of a folder hold, each row once: in another order it is the same."""
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    return {piece for path in files for piece in _rows(path.read_bytes()) if piece}


def _rows(data: bytes) -> list[bytes]:
    """Return a file's rows: those of a list in JSON, else lines; one that is no text is one row.

    >>> _rows(b'[[1, 2], [3, 4]]'), _rows(b'{"a": 1}\\n{"a": 2}\\n'), _rows(bytes(3))
    ([b'[1, 2]', b'[3, 4]'], [b'{"a": 1}', b'{"a": 2}'], [b'\\x00\\x00\\x00'])
    """
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return [data]
    if "\0" in text:
        return [data]
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, list):
        return [json.dumps(row, sort_keys=True).encode() for row in found]
    return [line.strip() for line in data.splitlines()]
