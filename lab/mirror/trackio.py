"""Trackio: its own SQLite files, in TRACKIO_DIR or the mirror's folder, never sent anywhere."""

import os

from . import Run, Scalars

ELSEWHERE = ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL", "TRACKIO_WEBHOOK_URL", "HF_TOKEN")


class Trackio:
    """One run in the project; `trackio sync` brings that to a Space where somebody wants it."""

    def __init__(self, run: Run) -> None:
        for name in ELSEWHERE:
            os.environ.pop(name, None)
        os.environ["HF_HUB_OFFLINE"] = "1"  # it would ask the hub who we are
        if not os.environ.get("TRACKIO_DIR"):
            os.environ["TRACKIO_DIR"] = str(run.inside("trackio"))
        import trackio  # reads the environment

        self.trackio, self.run = trackio, run
        self._open(run.config)

    def _open(self, config: dict[str, object]) -> None:
        self.trackio.init(
            project=self.run.project,
            name=self.run.name,
            group=self.run.group,
            config=config,
            resume="allow",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )

    def step(self, step: int, values: Scalars) -> None:
        """Write numbers at a step."""
        self.trackio.log(values, step=step)

    def flush(self) -> None:
        """Do nothing: a thread of the package writes twice a second."""

    def result(self, step: int, values: Scalars, texts: dict[str, str]) -> None:
        """Write results at the last step, or after it; words go into the config, written anew."""
        self.trackio.finish()
        self._open({**self.run.config, **texts})
        self.trackio.log(values | texts, step=step if self.run.steps else None)

    def close(self, failed: bool) -> None:
        """Wait for what is left to be written."""
        self.trackio.finish()


open_run = Trackio
