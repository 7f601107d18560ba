"""Weights & Biases: as WANDB_MODE says, else online where a key is known, else into a folder."""

import netrc
import os
from urllib.parse import urlsplit

import wandb

from . import Run, Scalars

API = "https://api.wandb.ai"


class Wandb:
    """One run of the project. What W&B gathers by itself, of machine, code and output, stays."""

    def __init__(self, run: Run) -> None:
        self.run = wandb.init(
            project=run.project,
            name=run.name,
            id=run.id,
            group=run.group,
            config=run.config,
            dir=str(run.inside("wandb")),
            mode=None if os.environ.get("WANDB_MODE") else "online" if _has_key() else "offline",
            resume="allow",
            settings=wandb.Settings(
                console="off",
                silent=True,
                disable_code=True,
                disable_git=True,
                disable_job_creation=True,
                x_disable_machine_info=True,
                x_disable_meta=True,
                x_disable_stats=True,
            ),
        )

    def step(self, step: int, values: Scalars) -> None:
        """Write numbers at a step; W&B drops what goes back."""
        self.run.log(values, step=step)

    def flush(self) -> None:
        """Do nothing: a process of the package writes as it comes."""

    def result(self, step: int, values: Scalars, texts: dict[str, str]) -> None:
        """Write results and words into the run's summary."""
        self.run.summary.update(values | texts)

    def close(self, failed: bool) -> None:
        """Wait for what is left to be written, or sent."""
        self.run.finish(exit_code=int(failed))


def _has_key() -> bool:
    """Return whether a key is known, so that nobody is asked for one."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL") or API).hostname or ""
    try:
        return netrc.netrc().authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


open_run = Wandb
