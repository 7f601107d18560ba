"""Blobs and diffs: what files hold, here and in commits, and what differs."""

import functools
import hashlib
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .command import TIMEOUT_S, GitFailed, environ, failed, git

SUBMODULE = "160000"  # the mode of a tree's entry that is a commit of another repository
FULL_ID = re.compile(r"[0-9a-f]{40,64}")


def blob_of(top: Path, path: str, data: bytes) -> str:
    """Return the id that a file's contents would have if they were committed at `path`.

    Git is asked: line ends and filters are the checkout's, the kind of hash the repository's.
    """
    text = data.decode("utf-8", "surrogateescape")
    return git("hash-object", "--stdin", f"--path={path}", cwd=top, text=text)


def contents_id(blobs: dict[str, str]) -> str:
    """Return one id for what the mutable files hold, whatever commit they are in."""
    lines = "".join(f"{path}\0{blobs[path]}\n" for path in sorted(blobs))
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def tree_blobs(cwd: Path, commit: str, paths: Sequence[str]) -> dict[str, str]:
    """Return the blob ids of `paths` (from the checkout's top) in a commit."""
    known = _tree_blobs if FULL_ID.fullmatch(commit) else _tree_blobs.__wrapped__
    return dict(known(cwd, commit, tuple(paths)))


@functools.lru_cache(maxsize=64)  # a commit never changes, and one command asks several times
def _tree_blobs(cwd: Path, commit: str, paths: tuple[str, ...]) -> dict[str, str]:
    return {path: name for _, name, path in entries(cwd, commit, paths)}


def entries(cwd: Path, commit: str, paths: Sequence[str] = ()) -> list[tuple[str, str, str]]:
    """Return (mode, id, path) of everything in a commit at or below `paths`, all by default."""
    listing = git("ls-tree", "-z", "-r", "--full-tree", commit, "--", *paths, cwd=cwd)
    lines = [line.split("\t", 1) for line in listing.split("\0") if line]
    return [(about.split()[0], about.split()[2], path) for about, path in lines]


def submodules(cwd: Path, commit: str) -> dict[str, str]:
    """Return {path: commit} of the submodules that a commit has."""
    return {path: name for mode, name, path in entries(cwd, commit) if mode == SUBMODULE}


def worktree_blobs(top: Path, paths: Sequence[str]) -> dict[str, str]:
    """Return the blob ids that `paths` would have if they were committed now."""
    there = [path for path in paths if (top / path).is_file()]
    if not there:
        return {}
    ids = git("hash-object", "--stdin-paths", cwd=top, text="".join(f"{p}\n" for p in there))
    return dict(zip(there, ids.splitlines(), strict=True))


def merge_lines(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """Return a three-way merge of texts by lines; None where they conflict, or are no texts."""
    with tempfile.TemporaryDirectory(prefix="labtree-") as name:
        files = [Path(name) / one for one in ("ours", "base", "theirs")]
        for path, data in zip(files, (ours, base, theirs), strict=True):
            path.write_bytes(data)
        try:
            git("merge-file", "--quiet", *map(str, files), cwd=Path(name))
        except GitFailed:
            return None
        return files[0].read_bytes()


def status(top: Path) -> list[tuple[str, str]]:
    """Return (two-letter state, path) of everything that differs from HEAD, new files too.

    What lies about in a submodule, such as compiled Python, is no change of this repository.
    """
    words = ("--porcelain", "-z", "--untracked-files=all", "--no-renames")
    out = git("status", *words, "--ignore-submodules=untracked", cwd=top)
    return [(line[:2], line[3:]) for line in out.split("\0") if line]


def changed_between(top: Path, old: str, new: str) -> list[str]:
    """Return the paths that differ between two commits."""
    out = git("diff", "--name-only", "--no-renames", "-z", old, new, cwd=top)
    return [path for path in out.split("\0") if path]


def diff(cwd: Path, old: str, new: str | None, paths: Sequence[str] = ()) -> str:
    """Return the difference between two commits as text; None for the files as they are."""
    ends = [old] if new is None else [old, new]
    return git("diff", "--no-color", "--no-ext-diff", "--no-textconv", *ends, "--", *paths, cwd=cwd)


def diffs(cwd: Path, pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return many differences at once, {new commit: text}, for (old, new) commits that are here."""
    names = "".join(f"{name}\n" for pair in pairs for name in pair)
    if not names:
        return {}
    known = git("cat-file", "--batch-check=%(objecttype)", cwd=cwd, text=names).splitlines()
    there = [p for p, old, new in zip(pairs, known[::2], known[1::2], strict=True) if old == new]
    out = git(
        *("diff-tree", "--stdin", "-r", "-p", "--no-color", "--no-ext-diff"),
        cwd=cwd,
        text="".join(f"{new} {old}\n" for old, new in there),
    )
    parts = re.split(r"^([0-9a-f]{40,64})\n", out, flags=re.M)
    return dict(zip(parts[1::2], (part.strip("\n") for part in parts[2::2]), strict=True))


def show_file(cwd: Path, commit: str, path: str) -> str | None:
    """Return a file's text in a commit, or None when it is not there."""
    try:
        return git("show", f"{commit}:{path}", cwd=cwd)
    except GitFailed:
        return None


def blobs(cwd: Path, names: Sequence[str]) -> dict[str, bytes | None]:
    """Return many files at once, each by `COMMIT:path`; None for what is not there."""
    if not names:
        return {}
    done = subprocess.run(
        ["git", "cat-file", "--batch"],
        cwd=cwd,
        input="".join(f"{name}\n" for name in names).encode(),
        capture_output=True,
        timeout=TIMEOUT_S,
        env=environ(),
        check=False,
    )
    if done.returncode != 0:
        raise failed(["cat-file"], done.returncode, done.stderr.decode(errors="replace"))
    found: dict[str, bytes | None] = {}
    out, at = done.stdout, 0
    for name in names:
        end = out.index(b"\n", at)
        head, at = out[at:end], end + 1
        if head.endswith(b" missing"):
            found[name] = None
            continue
        size = int(head.rpartition(b" ")[2])
        found[name] = out[at : at + size] if b" blob " in head else None
        at += size + 1
    return found
