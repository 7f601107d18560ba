"""Text to train on: the Python standard library's own source, or a file or folder of yours.

The standard library is there wherever Python is, needs no network and no licence talk, and is
split by file, so that no held-out function was seen in training. It differs between Python
versions: `sha256` says which text a number belongs to.
"""

import hashlib
import importlib
import json
import lzma
import os
import sysconfig
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

SKIPPED = {"test", "tests", "idlelib", "idle_test", "site-packages", "dist-packages", "ensurepip"}
SKIPPED |= {"__pycache__", "turtledemo"}
HELD_OUT = 20  # one file in 20: about 0.5 MB, enough for the third digit of bits per byte
SUFFIXES = (".jsonl", ".jsonl.xz", ".parquet")  # many documents a file; all else is one document


def standard_library() -> dict[str, str]:
    """Return path below the library's folder -> source, sorted by path."""
    root = Path(sysconfig.get_paths()["stdlib"])
    names: list[str] = []
    for folder, folders, inside in os.walk(root):
        folders[:] = [name for name in folders if name not in SKIPPED]  # site-packages can be huge
        here = Path(folder).relative_to(root)
        names += [(here / name).as_posix() for name in inside if name.endswith(".py")]
    texts = {name: decode((root / name).read_bytes()) for name in sorted(names)}
    return {name: text for name, text in texts.items() if text}


def decode(data: bytes) -> str:
    """Return UTF-8 bytes as text, or "" for what is not text."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return ""


def held_out(name: str) -> bool:
    """Return whether a document is held out, by its name alone, so that adding files moves none.

    >>> [name for name in ("abc.py", "ast.py", "json/decoder.py", "queue.py") if held_out(name)]
    []
    """
    return zlib.crc32(name.encode()) % HELD_OUT == 0


def sealed(name: str) -> bool:
    """Return whether a document is held out of the yardstick as well: as many, and others."""
    return zlib.crc32(name.encode()) % HELD_OUT == 1


def split(documents: Iterable[tuple[str, str]]) -> tuple[list[str], list[str], list[str]]:
    """Return the texts to train on, those held out, those sealed, each in the given order."""
    train: list[str] = []
    held: list[str] = []
    apart: list[str] = []
    for name, text in documents:
        (held if held_out(name) else apart if sealed(name) else train).append(text)
    return train, held, apart


def sha256(documents: Iterable[str]) -> str:
    """Return the hash of the documents and of where each one ends."""
    digest = hashlib.sha256()
    for text in documents:
        data = text.encode()
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


def files(path: Path) -> list[Path]:
    """Return the files of a corpus in a fixed order, hidden ones and README left out."""
    if path.is_file():
        return [path]
    inside = (file for file in sorted(path.rglob("*")) if file.is_file())
    return [
        file
        for file in inside
        if file.stem.upper() != "README"
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
    ]


def documents(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of every document in a file or folder.

    Reads `.jsonl` and `.jsonl.xz` (a string or an object with "text" a line), `.parquet` (a
    column "text"; needs pyarrow), and takes any other UTF-8 file as one document.
    """
    for file in files(path):
        name = file.relative_to(path).as_posix() if path.is_dir() else file.name
        if file.name.endswith(".parquet"):
            yield from ((f"{name}:{row}", text) for row, text in enumerate(_parquet(file)))
        elif file.name.endswith(SUFFIXES):
            yield from ((f"{name}:{row}", text) for row, text in enumerate(_json_lines(file)))
        elif text := decode(file.read_bytes()):
            yield name, text


def _json_lines(file: Path) -> Iterator[str]:
    """Yield the text of each line; stop with file and line number at the first bad one."""
    opened = lzma.open if file.suffix == ".xz" else open
    with opened(file, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                record = json.loads(line)
            except json.JSONDecodeError as error:
                raise SystemExit(f"{file.name}:{number}: not JSON ({error.msg})") from None
            text = record.get("text") if isinstance(record, dict) else record
            if not isinstance(text, str):
                raise SystemExit(f'{file.name}:{number}: no "text"; give one document a line')
            yield text


def _parquet(file: Path) -> Iterator[str]:
    """Yield the column "text", one row group at a time, so that a big shard needs little memory."""
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise SystemExit("parquet needs pyarrow; type: pip install 'labtree[train]'") from None
    with parquet.ParquetFile(file) as table:
        if "text" not in table.schema_arrow.names:
            raise SystemExit(f'{file.name}: no column "text"; rename the one that holds documents')
        for group in range(table.num_row_groups):
            yield from table.read_row_group(group, columns=["text"])["text"].to_pylist()
