"""The leaf under test: its clone, its smoke settings, what earlier checks measured."""

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import leaf as leaves
from .. import slots
from ..errors import Environment
from ..experiment.verdicts import is_heavy
from ..notebook import number
from .clone import Answer, Clone, copies
from .finding import Broken, Unproven

PROFILE = "smoke"
PREPARE_S = 900.0  # a smoke profile that needs longer to make its data is none
MARGIN_S = 60.0  # exports, commits and starts of Python on a busy machine


@dataclass
class Case:
    """One leaf in its clone; the checks fill in what they measured."""

    clone: Clone
    name: str
    original: Path  # the checkout the clone was made from
    baseline: dict[str, Any] = field(default_factory=dict)
    nothing: dict[str, Any] = field(default_factory=dict)
    planted: dict[str, Any] = field(default_factory=dict)
    evidence: dict[str, Any] = field(default_factory=dict)

    @functools.cached_property
    def leaf(self) -> leaves.Leaf:
        """The leaf as it stands in the clone."""
        return leaves.read(self.clone.root, self.name)

    @functools.cached_property
    def settings(self) -> leaves.Settings:
        """The settings of its smoke profile."""
        return self.leaf.settings(PROFILE)

    @functools.cached_property
    def python(self) -> str:
        """The leaf's interpreter; one it keeps beside itself is found in the original checkout."""
        try:
            return leaves.interpreter(self.settings, self.original, os.environ)
        except Environment as error:
            raise Unproven(f"needs its interpreter ({error.message})") from None

    @property
    def networked(self) -> bool:
        """Whether the smoke profile itself says that it needs the network."""
        own = self.leaf.table.get("profiles", {}).get(PROFILE, {})
        return bool(own.get("network", False))

    def able(self) -> None:
        """Raise Unproven when this machine lacks what the smoke profile needs."""
        try:
            slots.choose(self.settings.needs, os.environ, self.settings.gpu_optional)
        except Environment:
            raise Unproven("needs a GPU") from None
        try:
            leaves.check_requires(self.settings, self.python)
        except Environment as error:
            lacks = error.message.partition(" lacks ")[2] or error.message
            raise Unproven(f"needs {lacks}. {error.hint}") from None

    # -- Typing -------------------------------------------------------------------------

    def lab(self, *words: str, cwd: Path | None = None) -> Answer:
        """Type a command of lab that starts no run."""
        return self.clone.lab(*words, cwd=cwd)

    def run(self, *words: str, cwd: Path | None = None, runs: int = 1) -> Answer:
        """Type `lab run WORDS --json` without network; never longer than the leaf's limits."""
        settings = self.settings
        limit = PREPARE_S + runs * (settings.limit_s + MARGIN_S)
        own = {"LAB_PYTHON": self.python} if settings.interpreter else {}
        return self.clone.lab(
            *("run", *words, "--json", *([] if cwd else ["--leaf", self.name])),
            cwd=cwd,
            limit_s=limit,
            cut_off=not self.networked,
            **own,
        )

    @functools.cached_property
    def worktree(self) -> Path:
        """The leaf's folder in a campaign of this proof's own."""
        made = self.lab("worktree", self.name, "checked")
        if made.code != 0:
            raise Broken(f"no campaign can start: {made.refusal}")
        return Path(made.out.strip())

    def try_change(self, files: Mapping[str, bytes], claim: str, *more: str) -> dict[str, Any]:
        """Write mutable files in the campaign, run them for a hypothesis, return what came."""
        for path, data in files.items():
            (self.worktree / path).write_bytes(data)
        idea = self.lab("hypothesis", claim, "-m", "planted by lab check", cwd=self.worktree)
        ran = self.run(idea.out.strip(), "--no-prune", *more, cwd=self.worktree)
        if not ran.found:
            raise Broken(f"lab would not run it: {ran.refusal}")
        return ran.found

    def drop(self, found: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
        """Discard an experiment, so that the campaign stands where it began."""
        if found.get("status") == "finished":
            self.lab("result", found["experiment"], "-v", "discard", cwd=self.worktree)
        for path, data in files.items():
            (self.worktree / path).write_bytes(data)

    # -- What a run left ------------------------------------------------------------------

    def run_dir(self, found: Mapping[str, Any], run: int = 0) -> Path:
        """Return the folder of one of an experiment's runs."""
        experiment = number(found["experiment"], "e")
        return self.clone.home.run(experiment, found["runs"][run]["run"])

    def keep_artefact(self, found: Mapping[str, Any], name: str, run: int = 0) -> list[Path]:
        """Copy what a run left for its yardstick aside; return the files."""
        target = self.clone.base / "artefacts" / self.name / name
        return copies(self.run_dir(found, run), target, is_artefact)

    def mutable(self) -> dict[str, bytes]:
        """Return the mutable files, by their path from the leaf's folder."""
        found: dict[str, bytes] = {}
        for path in self.settings.mutable:
            at = self.leaf.folder / path
            files = sorted(at.rglob("*")) if at.is_dir() else [at]
            found |= {
                file.relative_to(self.leaf.folder).as_posix(): file.read_bytes()
                for file in files
                if file.is_file()
            }
        return found


def is_artefact(path: Path) -> bool:
    """Return whether a file of a run's folder is what its yardstick reads."""
    return is_heavy(path.name)


def why_failed(found: Mapping[str, Any]) -> str:
    """Return in one line why an experiment failed, as lab says it."""
    detail = found.get("detail") or {}
    place = f" at {detail['place']}" if detail.get("place") else ""
    return f"{found.get('failure') or 'lost'}{place}: {detail.get('last') or 'no output'}"
