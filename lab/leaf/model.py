"""Settings of a leaf once `leaf.toml` is read: profiles, knobs, constraints."""

import json
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from .. import errors
from ..text import nearest

Needs = Literal["gpu", "cpu", "none"]
Clock = Literal["wall", "cpu", "steps"]
Sampler = Literal["model", "tpe"]
SAMPLERS: tuple[Sampler, ...] = get_args(Sampler)

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_CONDITION = re.compile(r"\s*([^\s<>=!]+)\s*(<=|>=|==|!=|<|>)\s*([^\s<>=!]*[^\s<>=!x])(x?)\s*")

SELF_REPORTED = "self-reported"  # in place of a yardstick: the script prints its own score
READS = "labtree.shared.printed"  # the module that reads it
WELL_KNOWN = ("gpu", "cpu", "smoke")  # profile names every leaf answers to
STARTUP_S = 60.0  # imports, compilation and loading data, unless the leaf says otherwise


@dataclass(frozen=True)
class Condition:
    """A comparison such as `peak_memory_mb <= 80000`, or `steps > 1.1x` the incumbent's.

    >>> Condition.parse("steps > 1.1x").holds({"steps": 120}, {"steps": 100})
    True
    >>> Condition.parse("loss < 2").holds({"steps": 120}) is None
    True
    """

    metric: str
    op: str
    value: float
    relative: bool
    text: str

    @classmethod
    def parse(cls, text: str) -> "Condition":
        """Return the condition `text` states. Usage when it states none."""
        match = _CONDITION.fullmatch(text)
        try:
            metric, op, number, times = match.groups()  # type: ignore[union-attr]
            value = float(number)
        except (AttributeError, ValueError):
            value = math.nan
        if not math.isfinite(value):
            raise errors.Usage(
                f"{text!r} is not a condition",
                "Write METRIC OP VALUE, such as 'grad_norm < 1.0' or 'num_steps > 1.1x'",
            )
        return cls(metric, op, value, times == "x", f"{metric} {op} {number}{times}")

    def holds(
        self, metrics: Mapping[str, float], incumbent_metrics: Mapping[str, float] | None = None
    ) -> bool | None:
        """Return whether it holds; None when a metric it needs was not reported."""
        value, bound = metrics.get(self.metric), self.value
        if self.relative:
            base = (incumbent_metrics or {}).get(self.metric)
            if base is None:
                return None
            bound *= base
        return None if value is None else OPERATORS[self.op](value, bound)


@dataclass(frozen=True)
class Knob:
    """A constant of the mutable file that the tuner may set: a range, or `choices`."""

    name: str
    kind: Literal["float", "int", "choice"]
    low: float | None
    high: float | None
    log: bool
    choices: tuple[Any, ...]
    why: str


@dataclass(frozen=True)
class Sandbox:
    """What a leaf says of its runs' confinement: `[sandbox]`.

    `require` refuses a machine that cannot confine; `read` are folders that runs see beside their
    own, `env` variables that reach them beside the usual ones.
    """

    require: bool = False
    read: tuple[str, ...] = ()
    env: tuple[str, ...] = ()


@dataclass(frozen=True)
class DryRun:
    """How an edit is tried before it is run: `[dry_run]`, in a profile that needs no GPU.

    `steps` takes the place of `[data] steps` of that profile, `command` that of its command.
    `constraints` are metrics that no training changes, such as a size: what breaks one is refused.
    `estimate` is a command that says beforehand what a run on a GPU needs: told of the profile that
    is asked for, in shapes alone, it prints metrics such as `peak_memory_mb`.
    """

    profile: str = "smoke"
    command: tuple[str, ...] = ()
    steps: int | None = None
    timeout_s: float = 120.0  # for training, and again for the yardstick: imports take ten
    constraints: tuple[str, ...] = ()
    estimate: tuple[str, ...] = ()


@dataclass(frozen=True)
class Settings:
    """A leaf as it runs in one profile; all times in seconds, file names from the leaf's folder.

    `gpu_optional`: the leaf never said what device it needs, so a CPU will do where there is no
    accelerator. `network` is None where the leaf does not say: a confined run has none then.
    """

    profile: str
    metric: str
    direction: str
    prepare: list[str] | None
    command: list[str]
    evaluate: list[str]
    mutable: tuple[str, ...]
    frozen: tuple[str, ...]
    requires: tuple[str, ...]
    interpreter: str | None
    budget_s: float
    startup_s: float
    timeout_s: float
    eval_timeout_s: float
    needs: Needs
    network: bool | None
    clock: Clock
    deterministic: bool
    constraints: tuple[Condition, ...]
    hints: tuple[tuple[Condition, str], ...]
    gpu_optional: bool = False
    data: Mapping[str, Any] = field(default_factory=dict)  # what only the leaf's scripts read
    sandbox: Sandbox = Sandbox()
    serve: list[str] | None = None  # loads the experiment for an `evaluate` that never imports it
    warm_start: bool = False  # whether training may begin from what the incumbent's run left
    sealed: bool = False  # whether `prepare` holds out a second set, for the harness alone
    printed: Mapping[str, str] = field(default_factory=dict)  # of a score that the script reports
    seed_constant: str | None = None  # of a mutable file, which each run sets to its seed
    evaluate_on_cpu: bool = False  # whether the next training has the GPU while this one is scored

    @property
    def limit_s(self) -> float:
        """Return the longest that training and the yardstick may take together, in seconds."""
        return self.timeout_s + self.eval_timeout_s

    @property
    def environ(self) -> dict[str, str]:
        """Return what the leaf's commands are told of the profile; by hand `shared.run` says it."""
        return {
            "LAB_PROFILE": self.profile,
            "LAB_BUDGET_S": f"{self.budget_s:g}",
            "LAB_CLOCK": self.clock,
            "LAB_NEEDS": self.needs,
            "LAB_DATA": json.dumps(dict(self.data), default=str),  # TOML's dates become texts
            **({"LAB_PRINTED": json.dumps(dict(self.printed))} if self.printed else {}),
        }

    @property
    def is_self_reported(self) -> bool:
        """Whether the script prints its own score, and nothing else measures it."""
        return bool(self.printed)


@dataclass(frozen=True)
class Leaf:
    """A checked leaf. `name` is its path from `root`, `table` its `leaf.toml` as written."""

    name: str
    root: Path
    folder: Path
    purpose: str
    metric: str
    direction: str
    profiles: tuple[str, ...]
    table: Mapping[str, Any]
    knobs: dict[str, Knob]
    judge: Mapping[str, Any]
    prune: Mapping[str, Any] = field(default_factory=dict)  # {} where no run is ended early
    sampler: Sampler = "model"  # of the tuner: one model of all runs, or Optuna knob by knob
    dry_run: DryRun | None = None  # None: an edit is run without

    @property
    def prefix(self) -> str:
        """What stands before the leaf's files seen from the root: `pretrain/`, "" for the root."""
        return "" if self.folder == self.root else f"{self.name}/"

    def settings(self, profile: str) -> Settings:
        """Return the settings of `profile`; NotFound for a name nobody defined.

        `gpu`, `cpu` and `smoke` are known to every leaf and fall back to the top level.
        """
        if profile not in self.profiles and profile not in WELL_KNOWN:
            known, near = ", ".join(self.profiles), nearest(profile, self.profiles)
            meant = f" Did you mean: --profile {near}" if near else ""
            raise errors.NotFound(
                f"{self.name} has no profile {profile!r}", f"Its profiles: {known}.{meant}"
            )
        return resolve(self.table, profile)


def resolve(table: Mapping[str, Any], profile: str) -> Settings:
    """Return the settings of a checked `table` in `profile`; a profile's own tables replace."""
    own = table.get("profiles", {}).get(profile, {})
    said = {**table, **own}
    budget = float(said["budget_s"])
    startup = float(said.get("startup_s", STARTUP_S))
    timeout = float(said.get("timeout_s", 2 * budget + startup))
    constraints = said.get("constraints", {}).items()
    hints = said.get("hints", {}).items()
    return Settings(
        profile=profile,
        metric=said["metric"],
        direction=said["direction"],
        prepare=list(said["prepare"]) if said.get("prepare") else None,
        command=list(said["command"]),
        evaluate=_evaluate(said["evaluate"]),
        mutable=tuple(said["mutable"]),
        frozen=tuple(said["frozen"]),
        requires=tuple(said.get("requires", ())),
        interpreter=said.get("interpreter"),
        budget_s=budget,
        startup_s=startup,
        timeout_s=timeout,
        eval_timeout_s=float(said.get("eval_timeout_s", timeout)),
        needs=_needs(table, own, profile),
        network=said.get("network"),
        clock=said.get("clock", "wall"),
        deterministic=said.get("deterministic", False),
        constraints=tuple(Condition.parse(f"{name} {bound}") for name, bound in constraints),
        hints=tuple((Condition.parse(text), advice) for text, advice in hints),
        data={**table.get("data", {}), **own.get("data", {})},
        sandbox=_sandbox(said.get("sandbox", {})),
        serve=list(said["serve"]) if said.get("serve") else None,
        warm_start=said.get("train", {}).get("warm_start", False),
        sealed="sealed" in said,
        printed=said.get("printed", {}) if said["evaluate"] == SELF_REPORTED else {},
        seed_constant=said.get("seed_constant"),
        evaluate_on_cpu=said.get("evaluate_needs") == "cpu",
        gpu_optional="needs" not in said and "cpu" not in table.get("profiles", {}),
    )


def _evaluate(said: Any) -> list[str]:
    return ["python", "-m", READS] if said == SELF_REPORTED else list(said)


def _sandbox(said: Mapping[str, Any]) -> Sandbox:
    return Sandbox(said.get("require", False), *(tuple(said.get(k, ())) for k in ("read", "env")))


def _needs(table: Mapping[str, Any], own: Mapping[str, Any], profile: str) -> Needs:
    """Return the device: what the profile says, else a GPU; `cpu` and `smoke` inherit no GPU."""
    inherited: Needs = own.get("needs", table.get("needs", "gpu"))
    on_cpu = profile in ("cpu", "smoke") and "needs" not in own
    return "cpu" if on_cpu and inherited == "gpu" else inherited
