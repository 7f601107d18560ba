"""Confinement of one run: which method, what it sees of this checkout and machine."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .. import repo
from ..confine import View, environment, methods, view
from ..errors import Environment
from ..leaf.model import Settings
from ..slots import Device, shared_folder
from .spawn import own_paths
from .stages import Stages

if TYPE_CHECKING:
    from .execution import JobContext


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

            stages.confine = confine

    def _base(self, device: Device) -> View:
        named = [*self.settings.sandbox.read, *own_paths()]
        return view.base(
            python=self.python,
            private=self._private(),
            readable=[Path(path).expanduser() for path in named],
            environ=os.environ,
            network=bool(self.settings.network),
            gpu=device.kind == "gpu",
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


def check(settings: Settings) -> None:
    """Refuse to run unconfined where the leaf requires it."""
    if settings.sandbox.require and not methods.best().confines:
        raise Environment(
            f"the leaf requires confined runs and there are none here: {methods.best().why}.",
            "Install bubblewrap (apt install bubblewrap), or look with: lab doctor",
        )
