"""Workspace of a command: checkout, leaf, profile, platform, notebook."""

import contextlib
import functools
import os
import shlex
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import leaf as leaves
from .. import repo
from ..errors import Environment, LabError, NotFound, Usage
from ..notebook import Notebook, history, lookup
from ..repo import checkout_lock


@dataclass(frozen=True)
class Scope:
    """Within what numbers may be compared."""

    leaf: str
    profile: str
    platform: str
    yardstick: str


class Workspace:
    """Everything a command needs to know of its surroundings, looked up when it asks."""

    def __init__(
        self,
        cwd: Path,
        *,
        leaf: str | None = None,
        profile: str | None = None,
        runner: str | None = None,
    ) -> None:
        self.cwd = cwd
        self.asked_leaf = leaf
        self.asked_profile = profile or os.environ.get("LAB_PROFILE") or None
        self.runner = runner or os.environ.get("LAB_ON") or "local"

    @functools.cached_property
    def place(self) -> repo.Place:
        """The checkout one stands in."""
        return repo.place(self.cwd)

    @property
    def is_persons(self) -> bool:
        """Whether a person types: in the main checkout, and not in an agent's session.

        A bare repository has no such checkout; there it is any worktree but a campaign's.
        """
        place = self.place
        main = place.top == place.main or not (place.main / ".git").exists()
        return main and place.campaign is None and not os.environ.get("LAB_SESSION")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Have this checkout for oneself, as whoever had it before left it."""
        with checkout_lock.locked(self.place.home, self.place.campaign) as waited:
            if waited:
                del self.place
            yield

    @functools.cached_property
    def leaf_name(self) -> str:
        """The leaf that was asked for, or the one that one stands in, or the only one."""
        known = self.known_leaf()
        if known is None:
            names = self._meant() or leaves.find(self.place.top)
            if not names:
                raise NotFound(
                    f"{self.place.top} has no leaf (no folder with a leaf.toml).",
                    "Make one: lab adopt SCRIPT, or lab new NAME",
                )
            newest = self._newest_of(names)
            asked = self.asked_leaf
            raise Usage(
                f"{'this repository' if self.is_of_all else asked} has {len(names)} leaves: "
                f"{', '.join(names[:8])}.",
                f"Say which: {'--leaf ' if asked is None else ''}{newest}",
            )
        return known

    @property
    def is_of_all(self) -> bool:
        """Whether nothing narrower than the whole checkout was asked for."""
        path = self.cwd / (self.asked_leaf or ".")
        return self.asked_leaf is None or path.resolve() == self.place.top.resolve()

    def _meant(self) -> list[str]:
        """Return the leaves that the word asked for can mean."""
        asked = self.asked_leaf
        return [] if asked is None else leaves.meant(asked, self.cwd, self.place.top)

    def known_leaf(self) -> str | None:
        """Return the leaf meant, or None where it could be one of several."""
        if self.asked_leaf is not None:
            meant = self._meant()
            if len(meant) < 2:
                return meant[0] if meant else leaves.tidy(self.asked_leaf)
            if not self.is_of_all:
                return None
        standing = leaves.here(self.cwd, self.place.top)
        if self.asked_leaf is None and standing is not None:
            return standing
        if self.place.campaign is not None:
            return self.place.campaign.rpartition("/")[0]
        if self.asked_leaf is not None:
            return None
        names = leaves.meant(".", self.cwd, self.place.top) or leaves.find(self.place.top)
        return names[0] if len(names) == 1 else None

    def _newest_of(self, names: Sequence[str]) -> str:
        """Return the leaf that was last worked on, or the first of them."""
        if self.place.notebook.exists():
            with Notebook(self.place.notebook) as book:
                newest = history.newest_leaf(book)
            if newest in names:
                return str(newest)
        return names[0]

    @functools.cached_property
    def leaf(self) -> leaves.Leaf:
        """The leaf's checked table: in a campaign as that found it, whatever lies there now."""
        return leaves.read(self.place.top, self.leaf_name, self._table_at_base())

    def _table_at_base(self) -> str | None:
        """Return the leaf.toml of the commit that this campaign started from; None without one."""
        campaign = self.place.campaign
        if campaign is None or not self.place.notebook.exists():
            return None
        with Notebook(self.place.notebook) as book:
            row = lookup.campaign(book, campaign)
        if row is None:
            return None
        path = (
            "leaf.toml" if self.leaf_name == leaves.places.ROOT else f"{self.leaf_name}/leaf.toml"
        )
        found = repo.show_file(self.place.top, row["base"], path)
        return None if found is None else found.removeprefix("\ufeff")

    @contextlib.contextmanager
    def as_committed(self) -> Iterator["Workspace"]:
        """Give this workspace with the leaf as HEAD has it, whatever was edited in its files."""
        head, prefix = str(self.place.head), self.leaf.prefix
        with tempfile.TemporaryDirectory(prefix="labtree-") as name:
            root = Path(name)
            files = repo.entries(self.place.top, head, [prefix] if prefix else [])
            texts = repo.blobs(self.place.top, [blob for _, blob, _ in files])
            for _, blob, path in files:
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_bytes(texts[blob] or b"")
            asked = {"profile": self.asked_profile, "runner": self.runner}
            found = Workspace(self.cwd, leaf=self.leaf_name, **asked)
            found.place, found.leaf = self.place, leaves.read(root, self.leaf_name)
            yield found

    @functools.cached_property
    def profile(self) -> str:
        """The profile asked for, this campaign's, the newest baseline's, or this machine's."""
        if self.asked_profile:
            return self.asked_profile
        if self._of_campaign is not None:
            return self._of_campaign
        return self.machine_profile if self.baseline is None else str(self.baseline["profile"])

    @functools.cached_property
    def _of_campaign(self) -> str | None:
        """The one profile that the campaign here works in, once it has begun."""
        if self.place.campaign is None or not self.place.notebook.exists():
            return None
        with Notebook(self.place.notebook) as book:
            return lookup.campaign_profile(book, self.place.campaign)

    @property
    def machine_profile(self) -> str:
        """The leaf's profile for this machine, or for the rented one."""
        from .. import slots

        gpu = ":" in self.runner if self.is_rented else bool(slots.accelerators(os.environ))
        return leaves.default_profile(self.leaf, gpu)

    @property
    def is_rented(self) -> bool:
        """Whether runs go to a rented machine."""
        return self.runner.startswith("modal")

    @functools.cached_property
    def baseline(self) -> sqlite3.Row | None:
        """The leaf's newest baseline here, outside `smoke`, in a profile that it still has."""
        if self.is_rented or not self.place.notebook.exists():
            return None
        with Notebook(self.place.notebook) as book:
            found = history.newest_baseline(book, self.leaf_name)
        known = {*self.leaf.profiles, *leaves.WELL_KNOWN}
        return found if found is not None and found["profile"] in known else None

    def profile_note(self) -> str | None:
        """Return in words that nobody named the profile and the machine would have another."""
        if self.asked_profile or self.baseline is None or self._of_campaign is not None:
            return None
        with contextlib.suppress(Environment):  # a driver in trouble: nobody knows the machine's
            if self.profile == self.machine_profile:
                return None
        name, number = self.profile, self.baseline["id"]
        return f"note: profile {name}, that of the newest baseline e{number}; another: --profile P"

    @functools.cached_property
    def settings(self) -> leaves.Settings:
        """The leaf's settings in this profile."""
        return self.leaf.settings(self.profile)

    @functools.cached_property
    def scope(self) -> Scope:
        """Within what a number measured here and now may be compared."""
        from .. import slots

        if self.is_rented:
            platform = self.runner.partition(":")[2] or "modal-cpu"
        else:
            platform = slots.platform_name(self.settings.needs, os.environ)
        head = self.place.head
        at = (self.place.top, head) if head is not None else ()
        yardstick = leaves.yardstick(self.leaf, self.settings, *at)
        return Scope(self.leaf_name, self.profile, platform, yardstick)

    def key(self, commit: str | None = None) -> lookup.Key:
        """Return by what an experiment of a commit is found again, or of the files as they are."""
        blobs, files = self._mutable(commit)
        return self._key_of(repo.contents_id(blobs), leaves.code_id(files))

    def key_and_behaviour(self, commit: str | None = None) -> tuple[lookup.Key, str]:
        """Return the same, and the id of what the files do, also under other words."""
        blobs, files = self._mutable(commit)
        others = functools.partial(leaves.beside, self.leaf, self.settings)
        code, behaviour = leaves.ids(files, others)
        return self._key_of(repo.contents_id(blobs), code), behaviour

    def _key_of(self, contents: str, code: str) -> lookup.Key:
        scope = self.scope
        return (scope.leaf, contents, code, scope.profile, scope.platform, scope.yardstick)

    def _mutable(self, commit: str | None) -> tuple[dict[str, str], dict[str, bytes]]:
        """Return the mutable files of a commit, or as they are: their blobs and what they hold."""
        top, paths = self.place.top, self.mutable_paths
        if commit is None:
            blobs = repo.worktree_blobs(top, paths)
            return blobs, {path: (top / path).read_bytes() for path in blobs}
        blobs = repo.tree_blobs(top, commit, paths)
        texts = repo.blobs(top, list(blobs.values()))
        return blobs, {path: texts[blob] or b"" for path, blob in blobs.items()}

    @property
    def mutable_paths(self) -> list[str]:
        """The leaf's mutable files as git names them, from the checkout's top."""
        return [f"{self.leaf.prefix}{name}" for name in self.settings.mutable]

    @property
    def notes_path(self) -> str:
        """The leaf's notes.md as git names it."""
        return f"{self.leaf.prefix}notes.md"

    @property
    def stands_at(self) -> str | None:
        """The commit that the branch stands at, but for commits of notes.md alone."""
        head = self.place.head
        return head and repo.last_but(self.place.top, head, self.notes_path)

    def typed(self, *paths: str) -> str:
        """Return paths, from the checkout's top, as one types them where the command was typed."""
        here = os.path.realpath(self.cwd)
        return shlex.join(os.path.relpath(self.place.top / path, here) for path in paths)

    def undo(self, edited: Sequence[tuple[str, str]], commit: str = "HEAD") -> str:
        """Return what to type to lose edits, given as `repo.status` gives them."""
        new = [path for state, path in edited if state == "??"]
        known = [path for state, path in edited if state != "??"]
        words = [f"git checkout {commit} -- {self.typed(*known)}"] if known else []
        return " && ".join(words + ([f"rm {self.typed(*new)}"] if new else []))

    def open(self, *, write: bool = False) -> Notebook:
        """Open the notebook; a reader of a notebook that does not exist yet sees an empty one.

        Whoever opens it first says what a killed supervisor left behind.
        """
        if not write and not self.place.notebook.exists():
            return Notebook(":memory:", who=self.place.who)
        if not self.place.home.path.is_dir():
            repo.make_home(self.place)
        if os.environ.get("LAB_CPU_SLOTS") and self.is_persons and write:
            from .. import slots

            slots.settled(self.place.home.slots, os.environ, may_set=True)
        book = Notebook(self.place.notebook, who=self.place.who)
        if book.has_open_jobs() or self.place.home.exported():
            from ..run import recovery

            recovery.recover(book, self.place)
        return book

    def leaf_or_none(self) -> leaves.Leaf | None:
        """Return the leaf when there is one that can be read."""
        try:
            return self.leaf
        except LabError:
            return None

    def program(self) -> str:
        """Return the leaf's program.md as it stands in the main checkout."""
        for top in (self.place.main, self.place.top):
            path = top / self.leaf.prefix / "program.md"
            if path.is_file():
                return path.read_text(encoding="utf-8-sig", errors="replace")
        return f"# {self.leaf_name}\n\n{self.leaf.purpose}\n"
