"""`lab new`: a leaf that works from its first minute, by the template or from another leaf."""

import importlib.metadata
import importlib.util
import io
import re
import shutil
import sys
import tokenize
from importlib import resources
from pathlib import Path, PurePosixPath

from .. import leaf as leaves
from .. import repo
from ..errors import LabError, NotFound, Refused, Usage

PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")  # a folder, a branch's part, and no dots
SUFFIX = ".template"
FIRST = {  # what to edit first, and why in this order
    "program.md": "the task in your words; agents read it at every session",
    "prepare.py": "your data, and what is held out of it",
    "evaluate.py": "your score; frozen from the first run on",
    "train.py": "the thing to improve, as simple as it can be",
    "leaf.toml": "purpose, metric, direction, budget, knobs, and a bad change in [check.set]",
}
NOT_COPIED = ("notes.md",)  # findings belong to the leaf that made them


def make(top: Path, name: str, source: str | None, package: str = "lab.leaf") -> list[str]:
    """Make the leaf `name` below `top` from a package's template or the leaf `source`.

    Returns the files that were written.

    Usage for a name that is unsafe, Refused for one that is taken, NotFound for no such source.
    """
    name = checked(top, name)
    files = _template(top, name, package) if source is None else _copied(top, source, name)
    folder = top / name
    try:
        for path, data in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        leaves.read(top, name)
    except (OSError, LabError):
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return sorted(files)


def as_text(name: str, files: list[str]) -> str:
    """Return what was made, what to edit first, and what to type then."""
    edit = [(path, why) for path, why in FIRST.items() if path in files]
    rows = [f"  {i}. {name}/{path:<12} {why}" for i, (path, why) in enumerate(edit, 1)]
    return "\n".join(
        [
            f"made {name}: {', '.join(files)}",
            "Edit first:",
            *rows,
            f"Prove it: lab check {name}",
            f"Commit it: git add {name} && git commit -m '{name}: a new leaf'",
            f"Measure it: lab run --baseline --seeds 3 --leaf {name}",
        ]
    )


# -- Names ----------------------------------------------------------------------


def checked(top: Path, name: str) -> str:
    """Return the tidy name of a leaf that may be made, or refuse it."""
    plain = name.strip().removeprefix("./").rstrip("/")
    parts = plain.split("/")
    if not all(PART.fullmatch(part) for part in parts) or plain.endswith(".lock"):
        raise Usage(
            f"{name!r} is no name for a leaf.",
            "Letters, digits, _ and -, with / between folders: lab new contrib/kernels/rmsnorm",
        )
    _free(top, plain, parts)
    if plain.lower() == leaves.places.ROOT or parts[0].lower() in ("lab", "shared", "tests"):
        raise Refused(f"{plain!r} is taken by lab itself.", f"Choose another: lab new my-{plain}")
    package = _package(top, parts[0])
    if package:
        raise Refused(
            f"{parts[0]!r} is also {package}; one would hide the other.",
            f"Choose another: lab new my-{plain}, or a folder around it: lab new contrib/{plain}",
        )
    return plain


def _free(top: Path, name: str, parts: list[str]) -> None:
    """Refuse a name that exists, or lies in another leaf or behind a file or link."""
    at = top
    for part in parts[:-1]:
        at = at / part
        if (at / "leaf.toml").exists():
            raise Refused(
                f"{at.relative_to(top)} is a leaf itself; none lies within another.",
                f"Make it beside: lab new {parts[-1]}",
            )
        if at.is_symlink() or (at.exists() and not at.is_dir()):
            raise Refused(
                f"{at.relative_to(top)} is no folder of this repository.", "Choose another name."
            )
    if (top / name).exists() or (top / name).is_symlink():
        raise Refused(f"{name} exists already.", f"Choose another name, or look: ls {name}")
    if _ignored(top, name):
        raise Refused(f"git ignores {name}, so no run would see it.", "Choose another name.")


def _ignored(top: Path, name: str) -> bool:
    try:
        repo.git("check-ignore", "--quiet", f"{name}/leaf.toml", cwd=top)
    except repo.GitFailed:
        return False
    return True


def _package(top: Path, name: str) -> str | None:
    """Return what is imported under `name`: folders at the root are on every leaf's path."""
    if name in sys.stdlib_module_names:
        return "a module of Python"
    required = {
        re.split(r"[^\w.-]", need, maxsplit=1)[0].lower()
        for other in leaves.find(top)
        for need in _requires(top, other)
    }
    if name.lower() in required:
        return "a package that a leaf here requires"
    if name in importlib.metadata.packages_distributions() and not (top / name).is_dir():
        return "an installed package"
    return None


def _requires(top: Path, name: str) -> list[str]:
    try:
        return [str(need) for need in leaves.read(top, name).table.get("requires", [])]
    except LabError:
        return []  # a leaf that cannot be read is another command's business


# -- Contents -------------------------------------------------------------------


def _template(top: Path, name: str, package: str) -> dict[str, bytes]:
    """Return the template's files for a leaf of this name; elsewhere they import the kit."""
    shared = "shared" if (top / "shared" / "summary.py").is_file() else "labtree.shared"
    found = {"notes.md": notes(name).encode()}
    for file in resources.files(package).joinpath("template").iterdir():
        if file.name.endswith(SUFFIX):
            text = file.read_text(encoding="utf-8").replace("{{leaf}}", name)
            text = text.replace("{{shared}}", shared)
            found[file.name.removesuffix(SUFFIX)] = text.encode()
    return found


def notes(name: str) -> str:
    """Return the notes.md of a leaf in which nothing was found yet."""
    text = resources.files("lab.leaf").joinpath(f"template/notes.md{SUFFIX}")
    return text.read_text(encoding="utf-8").replace("{{leaf}}", name)


def _copied(top: Path, source: str, name: str) -> dict[str, bytes]:
    """Return another leaf's files as they stand, with its name replaced where it names itself."""
    try:
        old = leaves.read(top, source)
    except NotFound as error:
        raise NotFound(f"--from: {error.message}", error.hint) from None
    if not old.prefix:
        raise Refused("--from: that leaf is the whole repository.", f"Type: lab new {name}")
    listing = repo.git("ls-files", "-z", "-co", "--exclude-standard", "--", old.prefix, cwd=top)
    found = {}
    for path in sorted({path for path in listing.split("\0") if path}):
        inner = PurePosixPath(path).relative_to(old.prefix).as_posix()
        if inner not in NOT_COPIED and (top / path).is_file():
            found[inner] = _renamed(inner, (top / path).read_bytes(), old.name, name)
    return found | {"notes.md": notes(name).encode()}


def _renamed(path: str, data: bytes, old: str, new: str) -> bytes:
    """Return a file's contents with the leaf's own name replaced: in Python, texts that are it."""
    if path == "program.md":
        return data.replace(f"# {old}\n".encode(), f"# {new}\n".encode(), 1)
    if not path.endswith(".py"):
        return data
    text = data.decode("utf-8", errors="surrogateescape")
    lines = text.splitlines(keepends=True)
    spellings = {f'"{old}"', f"'{old}'"}
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):
        return data
    for token in reversed(tokens):
        if token.type == tokenize.STRING and token.string in spellings:
            row, start = token.start[0] - 1, token.start[1]
            line = lines[row]
            lines[row] = f'{line[:start]}"{new}"{line[token.end[1] :]}'
    return "".join(lines).encode("utf-8", errors="surrogateescape")
