"""Discovery of leaves: which a checkout has, and in which one somebody stands."""

import os
import subprocess
from pathlib import Path, PurePosixPath

ROOT = "root"  # the name of a leaf that is the whole checkout: a branch cannot be called "."
SKIPPED = {"node_modules", "__pycache__", "venv"}  # besides everything hidden


def find(root: Path) -> list[str]:
    """Return the names of all leaves below `root`, sorted; what git ignores is skipped."""
    files = _listed_by_git(root)
    if files is None:
        files = _walked(root)
    folders = {PurePosixPath(file).parent for file in files if (root / file).is_file()}
    hidden = {f for f in folders if any(part.startswith(".") for part in f.parts)}
    return sorted(ROOT if folder == PurePosixPath() else str(folder) for folder in folders - hidden)


def _listed_by_git(root: Path) -> list[str] | None:
    """Return every `leaf.toml` git tracks or would; None where git does not answer."""
    command = ["git", "-C", str(root), "ls-files", "-z", "-co", "--exclude-standard"]
    clean = {k: v for k, v in os.environ.items() if k not in ("GIT_DIR", "GIT_INDEX_FILE")}
    try:
        answer = subprocess.run(
            [*command, "--", ":(glob)**/leaf.toml"], capture_output=True, check=True, env=clean
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return os.fsdecode(answer.stdout).split("\0")[:-1]


def _walked(root: Path) -> list[str]:
    """Return every `leaf.toml` below `root` where there is no git, hidden folders left out."""
    found = []
    for folder, inner, files in os.walk(root):
        inner[:] = [name for name in inner if not name.startswith(".") and name not in SKIPPED]
        if "leaf.toml" in files:
            found.append((Path(folder) / "leaf.toml").relative_to(root).as_posix())
    return found


def here(cwd: Path, root: Path) -> str | None:
    """Return the name of the leaf that `cwd` stands in, None outside all leaves."""
    cwd, root = cwd.resolve(), root.resolve()
    for folder in (cwd, *cwd.parents):
        if not folder.is_relative_to(root):
            return None
        if (folder / "leaf.toml").is_file():
            return tidy(folder.relative_to(root).as_posix())
    return None


def meant(word: str, cwd: Path, root: Path) -> list[str]:
    """Return the leaves that a word can mean: by name, else by a path from where one stands.

    A path is that of a leaf, of anything in it, or of a folder with leaves below it.
    """
    is_path = word.startswith((".", "/")) or "\0" in word
    if not is_path and folder_of(root, tidy(word)):
        return [tidy(word)]
    path, root = (cwd / word.strip().replace("\0", "")).resolve(), root.resolve()
    if not path.exists() or not path.is_relative_to(root):
        return []
    standing = here(path, root)
    if standing is not None:
        return [standing]
    inner = path.relative_to(root).as_posix()
    return [name for name in find(root) if inner == "." or name.startswith(f"{inner}/")]


def tidy(name: str) -> str:
    """Return `name` without `./` and trailing slashes; the checkout itself is `root`."""
    plain = str(PurePosixPath(name.strip() or "."))
    return ROOT if plain == "." else plain


def folder_of(root: Path, name: str) -> Path | None:
    """Return the folder of the leaf `name` (tidy), None when there is none."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        return None
    candidates = [root / name, *([root] if name == ROOT else [])]
    return next((folder for folder in candidates if (folder / "leaf.toml").is_file()), None)
