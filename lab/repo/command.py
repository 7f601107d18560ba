"""Git subprocess: patient with its locks, deaf to hooks and settings not ours."""

import contextlib
import functools
import os
import re
import shlex
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import Environment

TIMEOUT_S = 120  # a git that waits longer waits for a person or a dead disk
LOCKED = re.compile(r"Unable to create '(/[^\n]+\.lock)': File exists")


LOCK_WAIT_S = 2.0  # an agent's own git is done by then, unless it waits for a commit message
LOCK_PAUSE_S = 0.05


HOOK_VARIABLES = {
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX"),
    *("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE"),
}


# Settings and hooks are one for all worktrees, and a person's: ours are given with each call.
# Nothing is done in the background, since what outlived a git would hold a run's lock.
OURS = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "commit.gpgSign": "false",
    "merge.verifySignatures": "false",
    "log.showSignature": "false",
    "color.diff": "false",
    "diff.relative": "false",
}
QUIETLY = tuple(word for name, value in OURS.items() for word in ("-c", f"{name}={value}"))
IDENTITY = ("labtree", "labtree@localhost")  # when git has none of its own


DUBIOUS = re.compile(r"(?:dubious ownership|unsafe repository).*?'([^'\n]+)'", re.DOTALL)


class GitFailed(Exception):
    """Git said no; `str()` is what it said, never nothing."""

    @property
    def first(self) -> str:
        """What went wrong, in the line that says it first."""
        return str(self).splitlines()[0].removeprefix("fatal: ").removeprefix("error: ")


def git(
    *words: str,
    cwd: Path,
    text: str | None = None,
    env: dict[str, str] | None = None,
) -> str:
    """Run git and return what it printed, without the last line end.

    A lock file of another git is waited for; one that a killed git left is removed.
    """
    began = time.monotonic()
    while True:
        try:
            return _git(words, cwd, text, env)
        except GitFailed as error:
            held = LOCKED.search(str(error))
            if held is None:
                raise
            waited = time.monotonic() - began
            removed = waited > LOCK_WAIT_S and _remove_stale(Path(held[1]), cwd)
            if waited > 2 * LOCK_WAIT_S and not removed:
                raise
        time.sleep(LOCK_PAUSE_S)


_carried: list[int] = []


@contextlib.contextmanager
def carrying(lock: int) -> Iterator[None]:
    """Let every git that is started meanwhile hold a lock for as long as it lives.

    It goes on when the command that called it is killed, and so is still known to be at work.
    """
    _carried.append(lock)
    try:
        yield
    finally:
        _carried.remove(lock)


def _git(
    words: Sequence[str],
    cwd: Path,
    text: str | None,
    env: dict[str, str] | None,
) -> str:
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", *QUIETLY, *words],
            cwd=cwd,
            input=text,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=TIMEOUT_S,
            env={**environ(), **(env or {})},
            check=False,
            pass_fds=_carried,
        )
    except FileNotFoundError:
        if not Path(cwd).is_dir():
            raise Environment(f"the folder {cwd} is gone.", "Go to one that exists.") from None
        raise Environment("git is not installed.", "Install it: apt-get install git") from None
    if done.returncode != 0:
        raise failed(words, done.returncode, done.stderr or done.stdout)
    return done.stdout.removesuffix("\n")


def failed(words: Sequence[str], code: int, said: str) -> Environment | GitFailed:
    """Return what to raise for a git that ended with `code`; it may have said nothing at all."""
    owned = DUBIOUS.search(said)
    if owned is not None:
        return Environment(
            f"git does not trust {owned[1]}: it belongs to another user.",
            f"If you do: git config --global --add safe.directory {shlex.quote(owned[1])}",
        )
    verb = next((word for word in words if re.fullmatch(r"[a-z][a-z-]+", word)), "")
    return GitFailed(said.strip() or f"git {verb} ended with {code} and said nothing")


def environ() -> dict[str, str]:
    """Return the environment without what a git hook says of its own repository.

    Nor are replaced objects looked at: a commit is what its name says.
    """
    ours = {name: value for name, value in os.environ.items() if name not in HOOK_VARIABLES}
    quiet = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}
    return {**ours, **quiet, "GIT_NO_REPLACE_OBJECTS": "1"}


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
        top = os.path.realpath(_git(["rev-parse", "--show-toplevel"], cwd, None, None))
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


def remove_dead_indexes(top: Path) -> None:
    """Remove the half-made indexes of commits that were killed; to be called by who claimed `top`.

    Then no git of ours is at work there, since each would hold the claim for as long as it lives.
    """
    for path in git_dir(top).glob("next-index-*.lock"):
        path.unlink(missing_ok=True)


def git_dir(top: Path) -> Path:
    """Return where git keeps a checkout's own state: HEAD, index, a merge under way."""
    link = top / ".git"
    if link.is_file():  # a worktree's or submodule's: one line, "gitdir: PATH"
        return top / link.read_text().removeprefix("gitdir:").strip()
    return link


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
