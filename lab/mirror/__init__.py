"""`[mirror]`: steps and results of runs, sent to where people already look, by other processes."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, Self

Scalars = dict[str, float]


@dataclass(frozen=True)
class Run:
    """One run as a target shows it: `name` is `LEAF/e34/seed0`, `id` what no other run has.

    `config` are the knobs of its program and what is known of it, numbers and short texts; `steps`
    its step log, None where only a verdict is to be told.
    """

    project: str
    name: str
    id: str
    group: str
    config: dict[str, Any]
    folder: str  # in which a target makes its own
    steps: str | None = None

    def as_json(self) -> str:
        """Return the run as one line."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Return the run that `as_json` wrote."""
        return cls(**json.loads(text))

    def inside(self, target: str) -> Path:
        """Return the folder of a target, made where it is not there."""
        folder = Path(self.folder) / target
        folder.mkdir(parents=True, exist_ok=True)
        return folder


class Target(Protocol):
    """One run, open in one target: made, or found again by its id."""

    def step(self, step: int, values: Scalars) -> None:
        """Write numbers at a step."""
        ...

    def flush(self) -> None:
        """Let whoever looks see what was written."""
        ...

    def result(self, step: int, values: Scalars, texts: dict[str, str]) -> None:
        """Write what came of the run, at its last step."""
        ...

    def close(self, failed: bool) -> None:
        """Write what is left."""
        ...
