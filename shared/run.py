"""What a leaf's script is told: where to write, for how long, with which seed and profile.

`lab` says it through the environment (`LAB_RUN_DIR`, `LAB_CACHE_DIR`, `LAB_HELD_OUT_DIR`,
`LAB_SEALED_DIR`, `LAB_WARM_START_DIR`, `LAB_BUDGET_S`, `LAB_CLOCK`, `LAB_SEED`, `LAB_PROFILE`,
`LAB_NEEDS`, `LAB_DATA`). A script started by hand reads leaf.toml instead, with the profile for
this machine, seed 0 and the folder `runs/by-hand`, and says so on stderr.

A script that `lab` started says first which versions it runs on, in `versions.json`.
"""

import contextlib
import json
import os
import platform
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import device

CLOCKS = ("wall", "cpu", "steps")
BY_PROFILE = {"LAB_PROFILE", "LAB_BUDGET_S", "LAB_CLOCK", "LAB_NEEDS", "LAB_DATA"}
VERSIONS = "versions.json"  # in the run's folder
TOLD_OF = ("python", "torch", "numpy")  # what a number may depend on
WELL_KNOWN = ("gpu", "cpu", "smoke")  # profile names that every leaf answers to


@dataclass(frozen=True)
class Run:
    """One execution of a leaf's script, as its environment describes it."""

    leaf: Path  # the leaf's folder, as this process sees it
    dir: Path  # artefacts, steps.jsonl and samples.jsonl go here
    cache: Path  # prepared data and compiled kernels; shared by all runs of the profile
    held_out: Path  # prepared data of the yardstick; a training that `lab` started is not told
    profile: str
    seed: int
    budget_s: float  # training seconds by `clock`
    clock: str  # "wall", "cpu" or "steps"
    steps: int  # the budget of a steps clock; 0 on the others
    needs: str  # what the profile runs on: "gpu", "cpu" or "none"
    settings: dict[str, Any]  # the leaf's own: [data] of leaf.toml, the profile's above it
    by_hand: bool  # True when no harness started this process
    warm_start: Path | None = None  # what the incumbent's run left; see [train] of leaf.toml
    sealed: Path | None = None  # where `prepare`, and nobody else, holds out a second set


def here(leaf: Path | str, environ: Mapping[str, str] = os.environ) -> Run:
    """Return the run this process belongs to; makes its folders.

    `leaf` is the leaf's folder, or any file in it (pass `__file__`). Stops with a sentence when
    leaf.toml, the profile, the budget or the seed cannot be used.
    """
    folder = Path(leaf).resolve()
    folder = folder if folder.is_dir() else folder.parent
    by_hand = "LAB_RUN_DIR" not in environ
    told = {name: value for name, value in environ.items() if value}
    if not told.keys() >= BY_PROFILE:  # nobody else said it all
        told = from_toml(read_toml(folder / "leaf.toml"), told.get("LAB_PROFILE")) | told
    profile, clock = told["LAB_PROFILE"], _clock(told["LAB_CLOCK"])
    default_dir, default_cache = folder / "runs/by-hand", folder / "runs/cache" / profile
    default_held_out = folder / "runs/held-out" / profile
    settings = json.loads(told["LAB_DATA"])
    run = Run(
        leaf=folder,
        dir=Path(told.get("LAB_RUN_DIR", default_dir)).resolve(),
        cache=Path(told.get("LAB_CACHE_DIR", default_cache)).resolve(),
        held_out=Path(told.get("LAB_HELD_OUT_DIR", default_held_out)).resolve(),
        profile=profile,
        seed=int(_number("LAB_SEED", told.get("LAB_SEED", 0))),
        budget_s=_budget(told["LAB_BUDGET_S"]),
        clock=clock,
        steps=_steps(settings.get("steps", 0)) if clock == "steps" else 0,
        needs=told["LAB_NEEDS"],
        settings=settings,
        by_hand=by_hand,
        warm_start=Path(told["LAB_WARM_START_DIR"]) if "LAB_WARM_START_DIR" in told else None,
        sealed=Path(told["LAB_SEALED_DIR"]) if "LAB_SEALED_DIR" in told else None,
    )
    if by_hand:
        say(f"by hand: profile {run.profile}, seed {run.seed}, writing to {run.dir}")
        make_folder(run.held_out)
    make_folder(run.dir)
    make_folder(run.cache)
    if not by_hand and not (run.dir / VERSIONS).exists():
        with contextlib.suppress(OSError):  # a full disk is told by what matters more
            (run.dir / VERSIONS).write_text(json.dumps(versions()))
    return run


def versions() -> dict[str, str]:
    """Return the versions of this interpreter and, where installed, of torch and numpy."""
    import importlib.metadata  # by hand nobody needs it, and it takes 20 ms

    found = {"python": platform.python_version()}
    for name in TOLD_OF[1:]:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


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


def from_toml(table: Mapping[str, Any], profile: str | None = None) -> dict[str, str]:
    """Return what `lab` would say of a profile: the top level, overridden by `[profiles.NAME]`.

    Without a name it is the profile for this machine.

    >>> told = from_toml({"budget_s": 300, "data": {"rows": 9}}, "smoke")
    >>> told["LAB_BUDGET_S"], told["LAB_NEEDS"], told["LAB_DATA"]
    ('300', 'cpu', '{"rows": 9}')
    """
    profiles = table.get("profiles", {})
    profile = profile or machine_profile(profiles)
    if profile not in profiles and profile not in WELL_KNOWN:
        known = ", ".join(dict.fromkeys(("gpu", *profiles)))
        raise SystemExit(f"leaf.toml has no profile {profile!r}; its profiles: {known}")
    own = profiles.get(profile, {})
    said = {**table, **own}
    data = {**table.get("data", {}), **own.get("data", {})}
    return {
        "LAB_PROFILE": profile,
        "LAB_BUDGET_S": f"{_number('budget_s', said.get('budget_s', 0)):g}",
        "LAB_CLOCK": str(said.get("clock", "wall")),
        "LAB_NEEDS": _needs(table, own, profile),
        "LAB_DATA": json.dumps(data, default=str),
    }


def _needs(table: Mapping[str, Any], own: Mapping[str, Any], profile: str) -> str:
    """Return the device: what the profile says, else a GPU; `cpu` and `smoke` inherit no GPU."""
    inherited = str(own.get("needs", table.get("needs", "gpu")))
    on_cpu = profile in ("cpu", "smoke") and "needs" not in own
    return "cpu" if on_cpu and inherited == "gpu" else inherited


def machine_profile(profiles: Mapping[str, Any]) -> str:
    """Return the profile for this machine: "gpu" (the top level), or "cpu" where there is one."""
    return "cpu" if "cpu" in profiles and not device.has_cuda() else "gpu"


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
