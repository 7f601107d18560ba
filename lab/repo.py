"""Every call of git: where we stand, what changed, and moving a branch without losing anything."""

import functools
import hashlib
import os
import pwd
import re
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .errors import Environment, NotFound, Refused

TIMEOUT_S = 120  # a git that waits longer waits for a person or a dead disk
IDENTITY = ("labtree", "labtree@localhost")  # when git has none of its own
LOCKED = re.compile(r"Unable to create '(/[^\n]+\.lock)': File exists")
FULL_ID = re.compile(r"[0-9a-f]{40,64}")
LOCK_WAIT_S = 2.0  # an agent's own git is done by then, unless it waits for a commit message
LOCK_PAUSE_S = 0.05
HOOK_VARIABLES = {
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX"),
    *("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE"),
}
# A commit does nothing in the background: what outlived it would hold a run's lock.
QUIETLY = ("-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "core.fsmonitor=false")


class GitFailed(Exception):
    """Git said no; `str()` is what it said."""


def git(
    *words: str,
    cwd: Path,
    text: str | None = None,
    env: dict[str, str] | None = None,
    hold: Sequence[int] = (),
) -> str:
    """Run git and return what it printed, without the last line end.

    While it runs it keeps the descriptors `hold` open, and with them the locks they carry: git goes
    on when the command that called it is killed. A lock file of another git is waited for; one that
    a killed git left is removed.
    """
    began = time.monotonic()
    while True:
        try:
            return _git(words, cwd, text, env, hold)
        except GitFailed as error:
            held = LOCKED.search(str(error))
            if held is None:
                raise
            waited = time.monotonic() - began
            removed = waited > LOCK_WAIT_S and _remove_stale(Path(held[1]), cwd)
            if waited > 2 * LOCK_WAIT_S and not removed:
                raise
        time.sleep(LOCK_PAUSE_S)


def _git(
    words: Sequence[str],
    cwd: Path,
    text: str | None,
    env: dict[str, str] | None,
    hold: Sequence[int],
) -> str:
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
            env={**_environ(), "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", **(env or {})},
            check=False,
            pass_fds=hold,
        )
    except FileNotFoundError:
        if not Path(cwd).is_dir():
            raise Environment(f"the folder {cwd} is gone.", "Go to one that exists.") from None
        raise Environment("git is not installed.", "Install it: apt-get install git") from None
    if done.returncode != 0:
        raise GitFailed((done.stderr or done.stdout).strip())
    return done.stdout.removesuffix("\n")


def _environ() -> dict[str, str]:
    """Return the environment without what a git hook says of its own repository."""
    return {name: value for name, value in os.environ.items() if name not in HOOK_VARIABLES}


def _remove_stale(lock: Path, cwd: Path) -> bool:
    """Remove a lock file that a killed git left in a place where only `lab` writes; say whether.

    It is stale when it has been there for a while and no git is at work in this checkout.
    """
    ours = lock.name in ("index.lock", "HEAD.lock") or "/refs/" in lock.as_posix()
    try:
        waited = time.time() - lock.stat().st_mtime >= LOCK_WAIT_S
    except OSError:
        return True  # gone by itself
    if not ours or not waited or _git_at_work(cwd):
        return False
    lock.unlink(missing_ok=True)
    return True


def _git_at_work(cwd: Path) -> bool:
    """Return whether a git runs in the checkout of `cwd`; where the system cannot say, no."""
    try:
        top = os.path.realpath(_git(["rev-parse", "--show-toplevel"], cwd, None, None, ()))
    except GitFailed:
        return True
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "comm").read_text().startswith("git"):
                at = os.readlink(process / "cwd")
                if at == top or at.startswith(f"{top}/"):
                    return True
        except OSError:
            continue
    return False


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
        main = checkouts[0] = replace(main, path=_submodule(main.path))
    inside = [one for one in checkouts if one.path == here or one.path in here.parents]
    mine = max(inside, key=lambda one: len(one.path.parts), default=None)
    if mine is None:
        raise NotFound(f"{cwd} is in no checkout.", f"Go to one: cd {main.path}")
    return Place(main.path, mine.path, _home(main.path), mine.branch, mine.head)


def branch_of(campaign: str) -> str:
    """Return the branch of a campaign; what git takes in no branch's name becomes a dash.

    >>> branch_of("pretrain/ada"), branch_of("a leaf/ada")
    ('lab/pretrain/ada', 'lab/a-leaf/ada')
    """
    return "lab/" + re.sub(r"[^\w./+=@-]+", "-", campaign)


def _submodule(folder: Path) -> Path:
    """Return the checkout of the submodule whose git folder this is."""
    try:
        at = git("--git-dir", str(folder), "config", "core.worktree", cwd=folder)
    except GitFailed:
        return folder
    return Path(os.path.realpath(folder / at))


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


def _home(main: Path) -> Path:
    chosen = os.environ.get("LAB_HOME")
    return Path(os.path.realpath(chosen)) if chosen else main / ".lab"


def make_home(where: Place) -> None:
    """Make the notebook's folder and let git ignore it, without touching a tracked file."""
    if not os.environ.get("LAB_HOME"):
        _ignore_home(where)
    where.home.mkdir(parents=True, exist_ok=True)


def _ignore_home(where: Place) -> None:
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
    known = _tree_blobs if FULL_ID.fullmatch(commit) else _tree_blobs.__wrapped__
    return dict(known(cwd, commit, tuple(paths)))


@functools.lru_cache(maxsize=64)  # a commit never changes, and one command asks several times
def _tree_blobs(cwd: Path, commit: str, paths: tuple[str, ...]) -> dict[str, str]:
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


def git_dir(top: Path) -> Path:
    """Return where git keeps a checkout's own state: HEAD, index, a merge under way."""
    link = top / ".git"
    if link.is_file():  # a worktree's or submodule's: one line, "gitdir: PATH"
        return top / link.read_text().removeprefix("gitdir:").strip()
    return link


def under_way(top: Path) -> str | None:
    """Return the name of a merge, rebase or the like that waits to be finished."""
    folder = git_dir(top)
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


def commit_only(
    top: Path, message: str, paths: Sequence[str], new: Sequence[str] = (), hold: Sequence[int] = ()
) -> str:
    """Commit exactly `paths` as they are in the files; hooks and signing stay out of it.

    `new` are those of them that git does not know yet; `hold` as in `git`.
    """
    if new:
        git("add", "--intent-to-add", "--", *new, cwd=top, hold=hold)
    words = (
        *("-c", "commit.gpgSign=false", "-c", "core.hooksPath=/dev/null", *QUIETLY, "commit"),
        *("--quiet", "--only", "--no-verify", "--no-gpg-sign", "--cleanup=verbatim", "--file=-"),
    )
    text = message.replace("\0", " ")
    try:
        git(*words, "--", *paths, cwd=top, text=text, hold=hold)
    except GitFailed as error:
        if "identity" not in str(error) and "tell me who you are" not in str(error):
            raise
        git(*words, "--", *paths, cwd=top, text=text, env=identity(top), hold=hold)
    return git("rev-parse", "HEAD", cwd=top)


def keep_ref(top: Path, name: str, commit: str) -> None:
    """Keep a commit reachable as refs/lab/NAME. A ref that exists is never moved.

    Where another notebook used the name already (refs fetched from a second clone, a notebook
    begun anew), the commit is kept beside it as refs/lab/NAME-COMMIT.
    """
    for free in (name, f"{name}-{commit[:12]}"):
        try:
            git("update-ref", f"refs/lab/{free}", commit, "0" * 40, cwd=top)
            return
        except GitFailed:
            there = ref(top, f"refs/lab/{free}")
            if there == commit:
                return
            if there is None or free != name:
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


def export(cwd: Path, commit: str, *folders: Path) -> None:
    """Write a commit's files into fresh folders, all at once: never the live worktree.

    By way of a file: through a pipe git and tar wait for each other, six times as long.
    """
    packed = folders[0].with_suffix(".tar")
    for folder in folders:
        folder.mkdir(parents=True)
    words = ["git", "archive", "--format=tar", f"--output={packed}", commit]
    done = [subprocess.run(words, cwd=cwd, env=_environ(), check=False).returncode]
    tars = [subprocess.Popen(["tar", "-x", "-f", str(packed), "-C", str(f)]) for f in folders]
    done += [tar.wait() for tar in tars]
    packed.unlink(missing_ok=True)
    if any(done):
        raise OSError(f"could not export {commit[:12]} into {folders[0].parent}")


def diff(cwd: Path, old: str, new: str, paths: Sequence[str] = ()) -> str:
    """Return the difference between two commits as text."""
    return git("diff", "--no-color", "--no-ext-diff", old, new, "--", *paths, cwd=cwd)


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


def add_worktree(
    main: Path, folder: Path, branch: str, start: str, hold: Sequence[int] = ()
) -> None:
    """Make a worktree with a new branch, or say what stands in the way; `hold` as in `git`."""
    words = ("worktree", "add", "--quiet", "-b", branch, str(folder), start)
    try:
        git(*QUIETLY, "-c", "core.hooksPath=/dev/null", *words, cwd=main, hold=hold)
    except GitFailed as error:
        line = str(error).splitlines()[-1].removeprefix("fatal: ")
        raise Refused(f"git: {line}", "Choose another name: lab worktree LEAF NAME") from None
