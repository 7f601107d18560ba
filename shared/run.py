"""What a leaf's script is told: where to write, for how long, with which seed and profile.

`lab` says it through the environment (`LAB_RUN_DIR`, `LAB_CACHE_DIR`, `LAB_BUDGET_S`,
`LAB_SEED`, `LAB_PROFILE`). A script started by hand gets the profile for this machine, seed 0
and the folder `runs/by-hand`, and says so on stderr.
"""

import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared import device

CLOCKS = ("wall", "cpu", "steps")
NOT_SETTINGS = {"profiles", "constraints", "hints", "knobs"}


@dataclass(frozen=True)
class Run:
    """One execution of a leaf's script, as its environment describes it."""

    leaf: Path  # the leaf's folder, as this process sees it
    dir: Path  # artefacts, steps.jsonl and samples.jsonl go here
    cache: Path  # prepared data and compiled kernels; shared by all runs of the profile
    profile: str
    seed: int
    budget_s: float  # training seconds by `clock`
    clock: str  # "wall", "cpu" or "steps"
    steps: int  # the budget of a steps clock; 0 on the others
    settings: dict[str, Any]  # leaf.toml with the profile's overrides applied
    by_hand: bool  # True when no harness started this process

    @property
    def needs(self) -> str:
        """What the profile runs on: "gpu", "cpu" or "none"."""
        return str(self.settings.get("needs", "gpu"))


def here(leaf: Path | str, environ: Mapping[str, str] = os.environ) -> Run:
    """Return the run this process belongs to; makes its folders.

    `leaf` is the leaf's folder, or any file in it (pass `__file__`). Stops with a sentence when
    leaf.toml, the profile, the budget or the seed cannot be used.
    """
    folder = Path(leaf).resolve()
    folder = folder if folder.is_dir() else folder.parent
    table = read_toml(folder / "leaf.toml")
    by_hand = "LAB_RUN_DIR" not in environ
    profile = environ.get("LAB_PROFILE") or machine_profile()
    settings = resolve(table, profile)
    default_dir, default_cache = folder / "runs/by-hand", folder / "runs/cache" / profile
    clock = _clock(environ.get("LAB_CLOCK") or settings.get("clock", "wall"))
    run = Run(
        leaf=folder,
        dir=Path(environ.get("LAB_RUN_DIR") or default_dir).resolve(),
        cache=Path(environ.get("LAB_CACHE_DIR") or default_cache).resolve(),
        profile=profile,
        seed=int(_number("LAB_SEED", environ.get("LAB_SEED") or 0)),
        budget_s=_budget(environ.get("LAB_BUDGET_S") or settings.get("budget_s", 0)),
        clock=clock,
        steps=_steps(settings.get("steps", 0)) if clock == "steps" else 0,
        settings=settings,
        by_hand=by_hand,
    )
    if by_hand:
        say(f"by hand: profile {run.profile}, seed {run.seed}, writing to {run.dir}")
    make_folder(run.dir)
    make_folder(run.cache)
    return run


def say(text: str) -> None:
    """Print progress on stderr, where it never mixes with results."""
    print(text, file=sys.stderr, flush=True)


def read_toml(path: Path) -> dict[str, Any]:
    """Return leaf.toml as a dict, or stop with a sentence that names the file."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise SystemExit(f"{path.name} is missing beside the script; restore it with git") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SystemExit(f"{path.name}: not valid TOML: {error}") from None


def resolve(table: Mapping[str, Any], profile: str) -> dict[str, Any]:
    """Return the settings of one profile: the top level, overridden by `[profiles.NAME]`.

    A profile without a table is the top level itself. The leaf's own settings, `[data]`, come in
    beside the others.

    >>> resolve({"budget_s": 300, "profiles": {"cpu": {"budget_s": 60}}}, "cpu")
    {'budget_s': 60}
    >>> resolve({"data": {"rows": 9}, "profiles": {"cpu": {"data": {"rows": 1}}}}, "cpu")
    {'rows': 1}
    """
    own = table.get("profiles", {}).get(profile, {})
    layers = (table, table.get("data", {}), own, own.get("data", {}))
    hidden = {*NOT_SETTINGS, "data"}
    return {name: v for layer in layers for name, v in layer.items() if name not in hidden}


def machine_profile() -> str:
    """Return the profile a person would want on this machine: "gpu" or "cpu"."""
    return "gpu" if device.has_cuda() else "cpu"


def make_folder(path: Path) -> None:
    """Make `path`, or stop with a sentence (no space, no right, a file in the way)."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SystemExit(f"cannot make {path}: {error.strerror}; free space or move it") from None


def _number(name: str, value: Any) -> float:
    """Return `value` as a number, or stop with a sentence that names where it came from."""
    try:
        return float(value)
    except (TypeError, ValueError):
        raise SystemExit(f"{name} is {value!r}; give a number") from None


def _budget(value: Any) -> float:
    """Return a budget that leaves time to train, or stop with a sentence."""
    seconds = _number("budget_s", value)
    if not 0 < seconds < float("inf"):
        raise SystemExit(f"budget_s is {value}: no time to train; set it above 0 in leaf.toml")
    return seconds


def _clock(value: Any) -> str:
    """Return the clock's name, or stop with a sentence that lists them."""
    if value not in CLOCKS:
        raise SystemExit(f"clock is {value!r}; choose one of {', '.join(CLOCKS)}")
    return str(value)


def _steps(value: Any) -> int:
    """Return how many steps a steps clock counts to, or stop with a sentence."""
    if not isinstance(value, int) or value < 1:
        raise SystemExit(f"steps is {value!r}; a steps clock needs 1 or more, set in leaf.toml")
    return value
