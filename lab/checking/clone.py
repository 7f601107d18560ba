"""Temporary clone for `lab check`, the working tree laid over it, `lab` typed in it."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import repo
from ..system import source
from ..system.home import Home
from . import offline

KEPT = ("LAB_PYTHON", "LAB_SLOTS_DIR")  # of a person's own settings; the rest could mislead
COMMIT = ("commit", "--quiet")
SLOW_S = 300.0  # for a command of lab that starts no run, on a machine with much else to do


@dataclass(frozen=True)
class Answer:
    """What a command printed; `code` is None when it took longer than it may."""

    code: int | None
    out: str
    err: str

    @property
    def found(self) -> dict[str, Any]:
        """The JSON document it printed; {} when it printed none."""
        try:
            return dict(json.loads(self.out))
        except ValueError:
            return {}

    @property
    def refusal(self) -> str:
        """The first line of a refusal."""
        lines = [line for line in self.err.splitlines() if line.startswith("Error: ")]
        return lines[0].removeprefix("Error: ") if lines else self.err.strip()[-300:]


class Clone:
    """A clone in `base`, with a notebook of its own."""

    def __init__(self, top: Path, base: Path) -> None:
        self.top, self.base = top, base
        self.root, self.home = base / "clone", Home(base / "home")
        self.network_log = base / "network.jsonl"
        repo.git("clone", "--quiet", "--shared", "--no-checkout", "--template=", str(top),
                 str(self.root), cwd=base)  # fmt: skip
        lay_over(top, self.root)
        offline.guard(self.root, self.network_log, refuse=True)
        self.commit("the working tree as it stands")

    def commit(self, message: str) -> None:
        """Commit everything there is in the clone."""
        repo.git("add", "--all", "--force", ".", cwd=self.root)
        words = ("--no-verify", "--no-gpg-sign", "--allow-empty", "--message", message)
        repo.git(*COMMIT, *words, cwd=self.root, env=repo.identity(self.root))

    def lab(
        self,
        *words: str,
        cwd: Path | None = None,
        limit_s: float = SLOW_S,
        cut_off: bool = False,
        **env: str,
    ) -> Answer:
        """Type `lab WORDS` in the clone; `cut_off` takes the network away from all it starts."""
        before = offline.wrapper() if cut_off else ()
        if cut_off:
            env["LAB_INFRA_PAUSE_S"] = "0"  # a network that we took away does not come back
        try:
            done = subprocess.run(
                [*before, *source.argv(*words)],
                cwd=cwd or self.root,
                env=self._environ() | env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=limit_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            self.stop()
            return Answer(None, "", f"Error: it took longer than {limit_s:.0f} s")
        return Answer(done.returncode, done.stdout, done.stderr)

    def stop(self) -> None:
        """End whatever still runs here."""
        if self.home.notebook.exists():
            self.lab("stop", "--all")

    def _environ(self) -> dict[str, str]:
        """Return the environment of a stranger who only has our `lab`, our Python and our slots."""
        hidden = ("LAB_", "GIT_")
        bare = {k: v for k, v in os.environ.items() if k in KEPT or not k.startswith(hidden)}
        own = {"LAB_HOME": str(self.home), "LAB_PROFILE": "smoke", "NO_COLOR": "1"}
        return bare | own | {"PYTHONPATH": source.environ()["PYTHONPATH"]}


def lay_over(top: Path, root: Path) -> None:
    """Copy every file that git tracks or would track, as it is on disk; nothing that is ignored."""
    listing = repo.git("ls-files", "-z", "-co", "--exclude-standard", cwd=top)
    for path in {path for path in listing.split("\0") if path}:
        source, target = top / path, root / path
        if source.is_symlink() or source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
        elif (source / ".git").exists():  # a submodule
            lay_over(source, target)


def copies(source: Path, target: Path, wanted: Callable[[Path], bool]) -> list[Path]:
    """Copy the wanted files below `source`; return their paths from there."""
    found = []
    for file in sorted(path for path in source.rglob("*") if path.is_file() and wanted(path)):
        inner = file.relative_to(source)
        (target / inner).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, target / inner)
        found.append(inner)
    return found
