"""Confinement of one run: which method, what it sees of this checkout and machine."""

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import repo
from ..confine import View, environment, methods, view
from ..errors import Environment
from ..leaf.model import Settings
from ..slots import Device, shared_folder
from ..system import source
from .exports import fresh
from .failures import Failure
from .stages import Stages

PATH = re.compile(r"'(/[^'\n]+)'")
OFFLINE = re.compile(
    r"Network is unreachable|Temporary failure in name resolution|\[Errno (?:-3|101)\]"
    r"|Name or service not known|LocalEntryNotFoundError|OfflineModeIsEnabled"
)

if TYPE_CHECKING:
    from .order import JobContext


class Confinement:
    """What holds a run's commands to their own folders, and what they get to see and to know."""

    def __init__(
        self,
        order: "JobContext",
        settings: Settings,
        exports: tuple[Path, Path],
        python: str,
    ) -> None:
        self.order, self.settings, self.exports, self.python = order, settings, exports, python
        self.method = methods.best()
        check(settings)

    def environ(self) -> dict[str, str]:
        """Return the variables of ours that reach the run."""
        network = self.settings.network is not False
        return environment.allowed(os.environ, network, self.settings.sandbox.env)

    def as_record(self) -> dict[str, Any]:
        """Return what a run's record says of its confinement, and of what else reached it."""
        told = environment.fingerprints(
            {**self.environ(), "PYTHONPATH": ":".join(source.own_paths())}
        )
        return {**self.method.as_record(), "variables": told}

    def apply(self, stages: Stages, device: Device) -> None:
        """Confine the stages that run an experiment's code, now that its device is known."""
        if device.kind == "gpu":
            stages.scratch = self._scratch()
        if self.method.confines:
            base = self._base(device)

            def confine(
                argv: list[str], cwd: Path, read: Sequence[Path], write: Sequence[Path]
            ) -> list[str]:
                seen = base.with_folders([*map(str, read)], [*map(str, write)])
                return self.method.wrapped(argv, cwd, seen)

            stages.confine, stages.wrapped = confine, self.method.has_namespaces

    def _base(self, device: Device) -> View:
        order = self.order
        return view.base(
            python=self.python,
            private=self._private(),
            readable=[Path(path).expanduser() for path in self.settings.sandbox.read],
            imported=source.own_paths(),
            environ=os.environ,
            network=bool(self.settings.network),
            gpu=device.kind == "gpu",
            fresh="" if self.method.has_namespaces else str(fresh(order.home, order.job["id"])),
        )

    def _private(self) -> list[Path]:
        """Return what no run sees: checkouts, git, the notebook, the queue, other exports."""
        order = self.order
        checkouts = [one.path for one in repo.checkouts(order.source)]
        apart = [order.source, *order.beside, order.home.path, shared_folder(os.environ)]
        return [*checkouts, *apart, self.exports[0].parent]

    def _scratch(self) -> Path:
        experiment = self.order.experiment
        leaf, profile = experiment["leaf"], experiment["profile"]
        folder = self.order.home.scratch(leaf, profile, experiment["campaign"] or "main")
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def explained(self, failure: Failure) -> Failure | None:
        """Return a failure that this confinement caused, told so; None for any other."""
        if not self.method.confines or failure.kind not in ("bug", "infra", "no_metric"):
            return None
        named = PATH.search(failure.last)
        path = named[1] if named else ""
        if "[Errno 13]" in failure.last and path and not self.method.has_namespaces:
            says = f"{path} is none of a run's: it sees no home folder or checkout, and writes to"
            says += " folders of its own."
            hint = "Write below LAB_RUN_DIR or $TMPDIR; a person may let runs read it, in "
            hint += f'leaf.toml: [sandbox] read = ["{os.path.dirname(path)}"]'
        elif "[Errno 30]" in failure.last:
            says = f"A run writes to folders of its own, not to {path or 'other ones'}."
            hint = "Write below LAB_RUN_DIR; what all runs need is for `prepare` to make"
        elif "[Errno 2]" in failure.last and os.path.exists(path):
            says = f"{path} is there, but runs do not see it: they see no home folder or checkout."
            folder = os.path.dirname(path)
            hint = f'Do without; a person may add [sandbox] read = ["{folder}"] to leaf.toml, '
            hint += "or let `prepare` copy it"
        elif not self.settings.network and OFFLINE.search(failure.last):
            says = "A run has no network unless its leaf declares one."
            hint = "Do without; a person may let `prepare` fetch it, which has one, or add "
            hint += "network = true to leaf.toml"
        else:
            return None
        return replace(failure, kind="bug", says=says, hint=hint)


def check(settings: Settings) -> None:
    """Refuse to run unconfined where the leaf requires it."""
    if settings.sandbox.require and not methods.best().confines:
        raise Environment(
            f"the leaf requires confined runs and there are none here: {methods.best().why}.",
            "Install bubblewrap (apt install bubblewrap), or look with: lab doctor",
        )
