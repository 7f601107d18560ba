"""What to type next: an object for programs inside, a line for whoever reads."""

from dataclasses import dataclass
from shlex import quote
from typing import Literal

Kind = Literal[
    "wait", "look", "propose", "baseline", "run", "replicate", "judge", "audit", "worktree", "edit"
]
COMMANDS: dict[Kind, str] = {
    "wait": "lab wait",
    "look": "lab context",
    "propose": "lab hypothesis CLAIM -m MECHANISM",
    "baseline": "lab run --baseline",
    "run": "lab run",
    "replicate": "lab run",
    "judge": "lab result",
    "audit": "lab audit",
    "edit": "lab apply",
    "worktree": 'cd "$(lab worktree {leaf} NAME)"',
}


@dataclass(frozen=True)
class Action:
    """A command to type next; JSON and text have it as the line that `str` gives.

    >>> str(Action("replicate", experiment=34, seeds=2))
    'lab run e34 --seeds 2'
    >>> str(Action("run", hypothesis=12, otherwise=Action("judge", experiment=34, verdict="crash")))
    'lab run h12  # or: lab result e34 -v crash'
    >>> [str(Action(kind, leaf="sft")) for kind in ("worktree", "look")]
    ['cd "$(lab worktree sft NAME)"', 'lab context --leaf sft']
    """

    kind: Kind
    experiment: int | None = None
    hypothesis: int | None = None
    seeds: int | None = None
    verdict: str | None = None
    otherwise: "Action | None" = None
    leaf: str | None = None  # where the command does not tell it by itself

    def __str__(self) -> str:
        words = [COMMANDS[self.kind].format(leaf=quote(self.leaf or ""))]
        words += [f"e{self.experiment}"] if self.experiment is not None else []
        words += [f"h{self.hypothesis}"] if self.hypothesis is not None else []
        words += ["--edit"] if self.kind == "edit" else []
        words += [f"--seeds {self.seeds}"] if self.seeds is not None else []
        words += [f"--leaf {quote(self.leaf)}"] if self.leaf and self.kind != "worktree" else []
        words += [f"-v {self.verdict}"] if self.verdict is not None else []
        words += [f" # or: {self.otherwise}"] if self.otherwise is not None else []
        return " ".join(words)
