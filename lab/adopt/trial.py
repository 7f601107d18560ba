"""The one run of a script before it is adopted: in a copy, as a run would have it."""

import os
import re
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from .. import repo
from ..errors import Failed, Refused
from ..run import failures
from ..text import plain, shorten, span

POINTER = "version https://git-lfs.github.com/spec/"
LINE = 160  # characters of an error's last line
MODULE = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")
MISSING = re.compile(r"(?:FileNotFoundError|No such file or directory).*?'([^']+)'")
ARGUMENTS = re.compile(r"required: (.+)|Missing (?:argument|option) (.+)", re.IGNORECASE)


PACKAGES = {  # whose names in the index differ from their modules'
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "PIL": "pillow",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


@dataclass(frozen=True)
class Trial:
    """What one run of a script printed, took and left."""

    text: str
    seconds: float
    cpu_s: float
    new: tuple[str, ...]  # files that it wrote beside itself


def copied(top: Path, into: Path) -> None:
    """Copy what git has or would have: a run gets no more."""
    listing = repo.git("ls-files", "-z", "-co", "--exclude-standard", cwd=top)
    for path in filter(None, listing.split("\0")):
        if (top / path).is_file():
            (into / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(top / path, into / path)
    for path, pointer in _pointers(top).items():
        if (into / path).is_file():
            (into / path).write_bytes(pointer)


def _pointers(top: Path) -> dict[str, bytes]:
    """Return the files of which the last commit has but a pointer of git-lfs, and that pointer."""
    words = ("grep", "-l", "-z", "--no-color", f"^{POINTER}", "HEAD")
    try:
        listing = repo.git(*words, cwd=top)
    except repo.GitFailed:  # none
        return {}
    paths = [one.partition(":")[2] for one in listing.split("\0") if one]
    blobs = repo.tree_blobs(top, "HEAD", paths)
    texts = repo.blobs(top, list(blobs.values()))
    return {path: texts[blob] or b"" for path, blob in blobs.items()}


def _submodule(top: Path, file: Path) -> str:
    """Return the submodule that a file lies in, "" where it lies in none."""
    above = [one for one in file.absolute().parents if one != top and one.is_relative_to(top)]
    return next((one.name for one in above if (one / ".git").exists()), "")


def run(top: Path, folder: Path, command: Sequence[str], name: str, limit_s: float) -> Trial:
    """Run a command in a copy of `folder` in the repository `top`; refuse what gave nothing."""
    with tempfile.TemporaryDirectory(prefix="labtree-") as base:
        root = Path(base) / "copy"
        root.mkdir()
        copied(top, root)
        where = root / folder.relative_to(top)
        before = _files(where)
        env = {k: v for k, v in os.environ.items() if not k.startswith("LAB_")}
        env |= {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
        used, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        try:
            done = subprocess.run(
                command,
                cwd=where,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=limit_s,
            )
        except subprocess.TimeoutExpired:
            raise Refused(
                f"{name} did not end within {span(limit_s)}.",
                f"Give it longer: lab adopt {quote(name)} --limit 3600; or have it train for less",
            ) from None
        except OSError as error:
            raise Refused(f"{command[0]}: {error.strerror}.", "Is it installed?") from None
        took = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = took.ru_utime + took.ru_stime - used.ru_utime - used.ru_stime
        if done.returncode:
            raise _failed(done.stdout, done.returncode, command, name, folder, top, where)
        new = tuple(sorted(_files(where) - before))
        return Trial(done.stdout, time.monotonic() - began, cpu_s, new)


def _files(folder: Path) -> set[str]:
    found = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {path.relative_to(folder).as_posix() for path in found if path.suffix != ".pyc"}


def _failed(
    text: str, code: int, command: Sequence[str], name: str, folder: Path, top: Path, root: Path
) -> Failed:
    """Return why a script cannot be adopted as it is, and what to type."""
    last = plain(shorten(failures.said(text, (root, folder)), LINE)) or "it printed nothing"
    typed = f"lab adopt {quote(name)}"
    module = MODULE.search(text)
    arguments = ARGUMENTS.search(text)
    if module:
        what = module[1].partition(".")[0]
        python = quote(command[0])
        return Failed(
            f"{name} imports {what}, which {command[0]} does not have.",
            f"Install it: {python} -m pip install {PACKAGES.get(what, what)}; or another Python: "
            "--python PATH",
        )
    if "EOFError: EOF when reading a line" in text:
        return Failed(
            f"{name} asks for input, and a run has nobody to answer.",
            f"Have it take an option instead, then: {typed} -- ANSWER",
        )
    if arguments is None and code == 2 and "usage" in text.lower():
        return Failed(f"{name} wants arguments: {last}", f"Say them: {typed} -- ARGUMENTS")
    if arguments:
        return Failed(
            f"{name} needs arguments: {shorten(arguments[1] or arguments[2], LINE)}.",
            f"Say them: {typed} -- --option value",
        )
    return _of_file(text, name, folder, top) or Failed(
        f"{name} ended with exit code {code}: {last}", f"Mend it, so that it runs: {name}"
    )


def _of_file(text: str, name: str, folder: Path, top: Path) -> Failed | None:
    """Return which file a script was missing that no run would have; None for another reason."""
    missing = MISSING.search(text)
    if missing and not (folder / missing[1]).exists() and (top / missing[1]).exists():
        return Failed(
            f"{name} opens {missing[1]} from the repository's root; it runs in its own folder.",
            "Open it beside the script: Path(__file__).parent / ..., then commit that",
        )
    elsewhere = "give its whole path, and see [sandbox] read in docs/leaf.md"
    if missing and (of := _submodule(top, folder / missing[1])):
        return Failed(
            f"{name} reads {missing[1]} of the submodule {of}, which no run has.",
            f"Copy what it needs into this repository; or {elsewhere}",
        )
    if missing and (folder / missing[1]).exists():
        return Failed(
            f"{name} reads {missing[1]}, which git ignores, so that no run would have it.",
            f"Commit it: git add -f {missing[1]}; or {elsewhere}",
        )
    script = (folder / Path(name).name).read_text(errors="replace")
    pointers = [Path(path).name for path in _pointers(top)]
    pointer = next((one for one in pointers if one in script), None)
    if pointer:
        return Failed(
            f"{name} reads {pointer}, of which commits have a git-lfs pointer alone.",
            f"Keep the data out of the repository, and {elsewhere}",
        )
    return None
