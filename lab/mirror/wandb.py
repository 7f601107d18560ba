"""Weights & Biases: as WANDB_MODE says, else online where a key is known, else into a folder."""

import netrc
import os
from typing import Any
from urllib.parse import urlsplit

import wandb

from . import Run, Scalars

API = "https://api.wandb.ai"
ONLINE_S = 30.0  # to begin a run; one that could not lies in the folder, for `wandb sync`


class Wandb:
    """One run of the project. What W&B gathers by itself, of machine, code and output, stays here.

    It may have been begun before, by its id, and then goes on.
    """

    def __init__(self, run: Run) -> None:
        mode = os.environ.get("WANDB_MODE") or ("online" if _has_key() else "offline")
        try:
            self.run = _begun(run, mode)
        except wandb.errors.Error as error:
            if mode != "online":
                raise
            print(f"{run.name} is kept here: {error}")
            wandb.teardown()  # else the run would be the first attempt's
            self.run = _begun(run, "offline")

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


def _begun(run: Run, mode: Any) -> wandb.Run:
    return wandb.init(
        project=run.project,
        name=run.name,
        id=run.id,
        group=run.group,
        config=run.config,
        dir=str(run.inside("wandb")),
        mode=mode,
        resume="allow",
        settings=wandb.Settings(
            console="off",
            silent=True,
            init_timeout=ONLINE_S,
            disable_code=True,
            disable_git=True,
            disable_job_creation=True,
            x_disable_machine_info=True,
            x_disable_meta=True,
            x_disable_stats=True,
            x_save_requirements=False,
            host="",
            username="",
        ),
    )


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
