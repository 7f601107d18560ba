"""What a supervisor has in hand for the runs of its job."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..notebook import Notebook
from ..system.home import Home


@dataclass(frozen=True)
class JobContext:
    """What a supervisor has in hand for all runs of its job."""

    book: Notebook
    home: Home  # the notebook's folder
    source: Path  # the main checkout, whose git has the commit
    beside: tuple[Path, ...]  # where the run was asked for
    experiment: sqlite3.Row
    job: sqlite3.Row
    asked: "Asked"

    @property
    def stop(self) -> Callable[[], bool]:
        """Whether somebody asked for the end of the job."""
        return self.asked.stop


class Asked(Protocol):
    """Who asks for the end of a job."""

    def stop(self) -> bool:
        """Return whether somebody does."""
        ...

    def stopped_by(self) -> str:
        """Return the campaign that does, "" for anybody else."""
        ...
