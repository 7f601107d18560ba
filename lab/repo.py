"""Every call of git: where we stand, what changed, and moving a branch without losing anything."""

import functools
import hashlib
import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import Environment, NotFound, Refused

TIMEOUT_S = 120  # a git that waits longer waits for a person or a dead disk
IDENTITY = ("labtree", "labtree@localhost")  # when git has none of its own


class GitFailed(Exception):
    """Git said no; `str()` is what it said."""


def git(*words: str, cwd: Path, text: str | None = None, env: dict[str, str] | None = None) -> str:
    """Run git and return what it printed, without the last line end."""
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", *words],
            cwd=cwd,
            input=text,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=TIMEOUT_S,
            env={**os.environ, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", **(env or {})},
            check=False,
        )
    except FileNotFoundError:
        if not Path(cwd).is_dir():
            raise Environment(f"the folder {cwd} is gone.", "Go to one that exists.") from None
        raise Environment("git is not installed.", "Install it: apt-get install git") from None
    if done.returncode != 0:
        raise GitFailed((done.stderr or done.stdout).strip())
    return done.stdout.removesuffix("\n")


@dataclass(frozen=True)
class Place:
    """Where a command was typed: this checkout, the main one, and the notebook's folder."""

    main: Path  # top of the main checkout, or the bare repository
    top: Path  # top of the checkout one stands in
    home: Path  # the `.lab` folder
    branch: str | None  # None on a detached HEAD
    head: str | None  # None before the first commit

    @property
    def campaign(self) -> str | None:
        """Return `LEAF/NAME` inside a campaign's worktree, by where it lies."""
        base = self.home / "worktrees"
        if self.top == base or base not in self.top.parents:
            return None
        return self.top.relative_to(base).as_posix()

    @property
    def notebook(self) -> Path:
        """Return the notebook's file."""
        return self.home / "notebook.db"

    @property
    def who(self) -> str:
        """Return who is at work: the campaign, else the person."""
        return self.campaign or person()


def person() -> str:
    """Return the user's name."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def place(cwd: Path) -> Place:
    """Find the checkout that holds `cwd`, its main checkout and the notebook's folder."""
    try:
        listing = git("worktree", "list", "--porcelain", "-z", cwd=cwd)
    except GitFailed as error:
        if "not a git repository" in str(error):
            raise NotFound(
                f"{cwd} is in no git repository.", "Go to one, or make one: git init"
            ) from None
        raise Environment(f"git: {str(error).splitlines()[-1]}", "Look with: git status") from None
    checkouts = [_checkout(part) for part in listing.split("\0\0") if part.strip("\0")]
    main, here = checkouts[0], Path(os.path.realpath(cwd))
    if ".git" in main.path.parts and not main.bare:  # a submodule is told by its git folder
        top = Path(git("rev-parse", "--show-toplevel", cwd=cwd))
        return Place(top, top, _home(top), *_head(top))
    inside = [one for one in checkouts if one.path == here or one.path in here.parents]
    mine = max(inside, key=lambda one: len(one.path.parts), default=None)
    if mine is None:
        raise NotFound(f"{cwd} is in no checkout.", f"Go to one: cd {main.path}")
    return Place(main.path, mine.path, _home(main.path), mine.branch, mine.head)


@dataclass(frozen=True)
class _Checkout:
    path: Path
    bare: bool
    branch: str | None
    head: str | None


def _checkout(part: str) -> _Checkout:
    words = dict(line.partition(" ")[::2] for line in part.strip("\0").split("\0"))
    branch = words["branch"].removeprefix("refs/heads/") if "branch" in words else None
    head = words.get("HEAD")
    none_yet = head is None or set(head) == {"0"}
    return _Checkout(Path(words["worktree"]), "bare" in words, branch, None if none_yet else head)


def _head(top: Path) -> tuple[str | None, str | None]:
    try:
        head = git("rev-parse", "HEAD", cwd=top)
    except GitFailed:
        return None, None
    try:
        return git("symbolic-ref", "--short", "HEAD", cwd=top), head
    except GitFailed:
        return None, head


def _home(main: Path) -> Path:
    chosen = os.environ.get("LAB_HOME")
    return Path(os.path.realpath(chosen)) if chosen else main / ".lab"


def make_home(where: Place) -> None:
    """Make the notebook's folder and let git ignore it, without touching a tracked file."""
    where.home.mkdir(parents=True, exist_ok=True)
    if os.environ.get("LAB_HOME"):
        return
    try:
        common = git("rev-parse", "--path-format=absolute", "--git-common-dir", cwd=where.main)
    except GitFailed:
        return
    exclude = Path(common) / "info" / "exclude"
    exclude.parent.mkdir(exist_ok=True)
    lines = exclude.read_text().splitlines() if exclude.exists() else []
    if "/.lab/" not in lines:
        with exclude.open("a") as file:
            file.write(("\n" if lines and lines[-1] else "") + "/.lab/\n")


def blob(data: bytes) -> str:
    """Return git's own id for a file's contents."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def contents_id(blobs: dict[str, str]) -> str:
    """Return one id for what the mutable files hold, whatever commit they are in."""
    lines = "".join(f"{path}\0{blobs[path]}\n" for path in sorted(blobs))
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def tree_blobs(cwd: Path, commit: str, paths: Sequence[str]) -> dict[str, str]:
    """Return the blob ids of `paths` (from the checkout's top) in a commit."""
    listing = git("ls-tree", "-z", "-r", "--full-tree", commit, "--", *paths, cwd=cwd)
    return {line.split("\t", 1)[1]: line.split()[2] for line in listing.split("\0") if "\t" in line}


def worktree_blobs(top: Path, paths: Sequence[str]) -> dict[str, str]:
    """Return the blob ids that `paths` would have if they were committed now."""
    there = [path for path in paths if (top / path).is_file()]
    if not there:
        return {}
    ids = git("hash-object", "--stdin-paths", cwd=top, text="".join(f"{p}\n" for p in there))
    return dict(zip(there, ids.splitlines(), strict=True))


def ancestors(cwd: Path, commit: str, paths: Sequence[str], limit: int = 500) -> dict[str, str]:
    """Return {commit: contents id}, nearest first, for `commit` and the ancestors that changed
    `paths`; a merge's first parent is followed."""
    blobs = tree_blobs(cwd, commit, paths)
    found = {commit: contents_id(blobs)}
    listing = git(
        *("log", "--first-parent", "--raw", "--no-abbrev", "--no-renames", "-m", "-z"),
        *(f"--max-count={limit}", "--format=%x01%H", commit, "--", *paths),
        cwd=cwd,
    )
    for part in listing.split("\x01")[1:]:
        sha, _, rest = part.partition("\0")
        found.setdefault(sha.strip(), contents_id(blobs))
        fields = [field for field in rest.strip("\n").split("\0") if field]
        for change, path in zip(fields[::2], fields[1::2], strict=False):
            old = change.split()[2]
            blobs = {**blobs, path: old} if set(old) != {"0"} else _without(blobs, path)
    return found


def _without(blobs: dict[str, str], path: str) -> dict[str, str]:
    return {name: value for name, value in blobs.items() if name != path}


def status(top: Path) -> list[tuple[str, str]]:
    """Return (two-letter state, path) of everything that differs from HEAD, new files too."""
    out = git("status", "--porcelain", "-z", "--untracked-files=all", "--no-renames", cwd=top)
    return [(line[:2], line[3:]) for line in out.split("\0") if line]


def changed_between(top: Path, old: str, new: str) -> list[str]:
    """Return the paths that differ between two commits."""
    out = git("diff", "--name-only", "--no-renames", "-z", old, new, cwd=top)
    return [path for path in out.split("\0") if path]


def under_way(top: Path) -> str | None:
    """Return the name of a merge, rebase or the like that waits to be finished."""
    folder = Path(git("rev-parse", "--path-format=absolute", "--git-dir", cwd=top))
    for name, word in (
        *(("MERGE_HEAD", "merge"), ("rebase-merge", "rebase"), ("rebase-apply", "rebase")),
        *(("CHERRY_PICK_HEAD", "cherry-pick"), ("REVERT_HEAD", "revert")),
    ):
        if (folder / name).exists():
            return word
    return None


@functools.cache
def identity(top: Path) -> dict[str, str]:
    """Return the environment that gives git an identity when it has none."""
    try:
        git("var", "GIT_COMMITTER_IDENT", cwd=top)
        git("var", "GIT_AUTHOR_IDENT", cwd=top)
    except GitFailed:
        name, mail = IDENTITY
        pairs = (("NAME", name), ("EMAIL", mail))
        return {f"GIT_{who}_{what}": v for who in ("AUTHOR", "COMMITTER") for what, v in pairs}
    return {}


def commit_only(top: Path, message: str, paths: Sequence[str]) -> str:
    """Commit exactly `paths` as they are in the files; hooks and signing stay out of it."""
    new = [path for path in paths if (top / path).exists()]
    git("add", "--intent-to-add", "--", *new, cwd=top)
    git(
        *("-c", "commit.gpgSign=false", "-c", "core.hooksPath=/dev/null", "commit", "--quiet"),
        *("--only", "--no-verify", "--no-gpg-sign", "--cleanup=verbatim", "--file=-", "--", *paths),
        cwd=top,
        text=message,
        env=identity(top),
    )
    return git("rev-parse", "HEAD", cwd=top)


def keep_ref(top: Path, name: str, commit: str) -> None:
    """Keep a commit reachable as refs/lab/NAME. A ref that exists is never moved."""
    try:
        git("update-ref", f"refs/lab/{name}", commit, "0" * 40, cwd=top)
    except GitFailed:
        if ref(top, f"refs/lab/{name}") != commit:
            raise


def ref(cwd: Path, name: str) -> str | None:
    """Return the commit that a name stands for, or None."""
    try:
        return git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}", cwd=cwd)
    except GitFailed:
        return None


def parent(cwd: Path, commit: str) -> str | None:
    """Return a commit's first parent."""
    return ref(cwd, f"{commit}^")


def back_to(top: Path, branch: str, commit: str, expect: str) -> bool:
    """Put branch and index at `commit` while files keep their edits; False when it moved on."""
    if ref(top, f"refs/heads/{branch}") != expect:
        return False
    head = git("rev-parse", "--symbolic-full-name", "HEAD", cwd=top)
    if head != f"refs/heads/{branch}":
        return False
    git("reset", "--quiet", "--mixed", commit, cwd=top, env={"GIT_REFLOG_ACTION": "lab"})
    return True


def restore(top: Path, commit: str, paths: Sequence[str]) -> None:
    """Put files and index back to what a commit holds; a file it does not have goes."""
    there = tree_blobs(top, commit, paths)
    for path in paths:
        if path in there:
            git("checkout", "--quiet", commit, "--", path, cwd=top)
        else:
            (top / path).unlink(missing_ok=True)


def export(cwd: Path, commit: str, folder: Path) -> None:
    """Write a commit's files into a fresh folder: never the live worktree."""
    folder.mkdir(parents=True)
    with (
        subprocess.Popen(
            ["git", "archive", "--format=tar", commit], cwd=cwd, stdout=subprocess.PIPE
        ) as archive,
        subprocess.Popen(["tar", "-x", "-f", "-", "-C", str(folder)], stdin=archive.stdout) as tar,
    ):
        if archive.stdout:
            archive.stdout.close()
    if archive.returncode or tar.returncode:
        raise OSError(f"could not export {commit[:12]} into {folder}")


def diff(cwd: Path, old: str, new: str, paths: Sequence[str] = ()) -> str:
    """Return the difference between two commits as text."""
    return git("diff", "--no-color", "--no-ext-diff", old, new, "--", *paths, cwd=cwd)


def net_lines(cwd: Path, old: str, new: str, paths: Sequence[str]) -> int:
    """Return lines added less lines removed."""
    out = git("diff", "--numstat", "--no-renames", old, new, "--", *paths, cwd=cwd)
    pairs = [line.split("\t")[:2] for line in out.splitlines()]
    return sum(int(a) - int(b) for a, b in pairs if a != "-")


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
        check=False,
    )
    if done.returncode != 0:
        raise GitFailed(done.stderr.decode(errors="replace").strip())
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


def add_worktree(main: Path, folder: Path, branch: str, start: str) -> None:
    """Make a worktree with a new branch, or say what stands in the way."""
    try:
        git("worktree", "add", "--quiet", "-b", branch, str(folder), start, cwd=main)
    except GitFailed as error:
        line = str(error).splitlines()[-1].removeprefix("fatal: ")
        raise Refused(f"git: {line}", "Choose another name: lab worktree LEAF NAME") from None
