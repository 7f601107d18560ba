"""A commit's files, written out fresh: all that it holds, whatever attributes and settings say."""

import os
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import Environment
from .command import QUIETLY, GitFailed, environ, failed, git
from .contents import blobs, submodules

# What a person set for this machine changes no run; what the commit itself says (.gitattributes)
# does, so that a file under git-lfs is whole.
PLAIN = {
    "core.autocrlf": "false",
    "core.eol": "lf",
    "core.attributesFile": os.devnull,
    "core.sparseCheckout": "false",
}
SETTINGS = (*QUIETLY, *(word for name, said in PLAIN.items() for word in ("-c", f"{name}={said}")))


@dataclass(frozen=True)
class Part:
    """A commit to write out below a folder: the repository's own, or a submodule's."""

    git_dir: str
    commit: str
    path: str  # from the top of the export


def parts(checkouts: Sequence[Path], commit: str) -> list[Part]:
    """Return what an export of `commit` is made of; Environment names a submodule that is not here.

    `checkouts` are those of this repository that may have the submodules.
    """
    own = git("rev-parse", "--absolute-git-dir", cwd=checkouts[0])
    return [Part(own, commit, ""), *_below(checkouts, commit, "")]


def _below(checkouts: Sequence[Path], commit: str, above: str) -> list[Part]:
    found = []
    for path, sub in submodules(checkouts[0], commit).items():
        whole = f"{above}{path}"
        here = [top / path for top in checkouts if _has(top / path, sub)]
        if not here:
            raise Environment(
                f"the submodule {whole} is not checked out at {sub[:12]}; a run would lack it.",
                f"Fetch it: git submodule update --init --recursive {whole}",
            )
        own = git("rev-parse", "--absolute-git-dir", cwd=here[0])
        found += [Part(own, sub, whole), *_below(here, sub, f"{whole}/")]
    return found


def _has(folder: Path, commit: str) -> bool:
    """Return whether a folder is the checkout of a repository of its own that has a commit."""
    if not (folder / ".git").exists():
        return False
    try:
        git("cat-file", "-e", f"{commit}^{{commit}}", cwd=folder)
    except GitFailed:
        return False
    return True


def size(made_of: Sequence[Part]) -> int | None:
    """Return how many bytes an export has; None where a filter may make files of another size."""
    total = 0
    for part in made_of:
        words = ("ls-tree", "-z", "-r", "-l", "--full-tree", part.commit)
        lines = git(*words, cwd=Path(part.git_dir)).split("\0")[:-1]
        about = [line.split("\t", 1) for line in lines]
        total += sum(int(left.split()[3]) for left, _ in about if left.split()[3] != "-")
        rules = [f"{part.commit}:{path}" for _, path in about if path.endswith(".gitattributes")]
        if any(b"filter=" in (text or b"") for text in blobs(Path(part.git_dir), rules).values()):
            return None
    return total


def write_out(made_of: Sequence[Part], *folders: Path) -> None:
    """Write the files of an export into fresh folders, all at once.

    By an index of its own and not by `git archive`, which leaves out what is export-ignore.
    """
    for part in made_of:
        jobs = [_start(part, folder / part.path) for folder in folders]
        ends = [job.communicate() for job, _ in jobs]  # each is waited for, whatever one says
        for (job, index), (_, said) in zip(jobs, ends, strict=True):
            index.unlink(missing_ok=True)
            if job.returncode:
                why = failed(["read-tree"], job.returncode, said)
                where = f" of {part.path}" if part.path else ""
                first = why.first if isinstance(why, GitFailed) else why.message
                raise OSError(f"could not export {part.commit[:12]}{where}: {first}")


def _start(part: Part, folder: Path) -> tuple["subprocess.Popen[str]", Path]:
    folder.mkdir(parents=True, exist_ok=True)
    index = folder.parent / f"index-{uuid.uuid4().hex}"
    job = subprocess.Popen(
        ["git", *SETTINGS, "read-tree", "--reset", "-u", part.commit],
        cwd=folder,
        env={**environ(), **_at(part, folder, index)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    return job, index


def _at(part: Part, folder: Path, index: Path) -> Mapping[str, str]:
    return {
        "GIT_DIR": part.git_dir,
        "GIT_WORK_TREE": str(folder),
        "GIT_INDEX_FILE": str(index),
    }
