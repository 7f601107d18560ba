"""TensorBoard: one folder of event files a run, by the package's own writer, without TensorFlow."""

import time

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import summary_v2 as hparams
from tensorboard.plugins.text import summary_v2 as text
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from . import Run, Scalars


class TensorBoard:
    """One run: `FOLDER/tensorboard/LEAF/e34/seed0`."""

    def __init__(self, run: Run) -> None:
        self.writer = EventFileWriter(str(run.inside("tensorboard") / run.name))
        if run.steps is not None:  # else the file before this one has them
            self._add(0, hparams.hparams_pb(run.config))
            told = "\n".join(f"    {name}: {value}" for name, value in run.config.items())
            self._add(0, text.text_pb("config", told))

    def _add(self, step: int, summary: Summary) -> None:
        self.writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))

    def step(self, step: int, values: Scalars) -> None:
        """Write each number as a scalar of its name."""
        rows = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._add(step, Summary(value=rows))

    def flush(self) -> None:
        """Write to the file."""
        self.writer.flush()

    def result(self, step: int, values: Scalars, texts: dict[str, str]) -> None:
        """Write results as scalars at the last step, words as texts."""
        self.step(step, values)
        for name, words in texts.items():
            self._add(step, text.text_pb(name, words))

    def close(self, failed: bool) -> None:
        """Close the file."""
        self.writer.close()


open_run = TensorBoard
