"""The `leaf.toml` of an adopted script, written for a person to read and change."""

import json
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import LabError
from ..leaf import knobs
from ..leaf.checks import REQUIREMENT

SEEDS = re.compile(r"(?:random_?|rng_?)?(?:seed|state)", re.IGNORECASE)
NO_KNOB = re.compile(r"(?:.*_)?(?:version|port|seed|workers|threads|device|rank|verbose|debug)")
# Words of what a score is measured by, which no improvement may turn.
OF_SCORE = {
    *("test", "val", "valid", "validation", "eval", "evaluation", "split", "fold", "folds", "cv"),
    *("holdout", "heldout", "repeats", "trials", "target"),
}
MANY = 12  # knobs: more than a night can turn
TIMES = 4  # a knob's range: from a quarter of its value to four times it
DATA = ("data", "dataset", "datasets", "input", "inputs")
DATA_FILES = (".csv", ".tsv", ".npz", ".npy", ".json", ".jsonl", ".parquet", ".pkl", ".txt", ".h")
REQUIREMENTS = "requirements.txt"
DETERMINISTIC = "deterministic = true                       # two runs gave one number"
LEAST_S = 1.0  # of a budget
ROOM = 2.0  # times what a trial took: an edit may take as long, and no longer


@dataclass(frozen=True)
class Written:
    """What a leaf.toml of an adopted script says."""

    purpose: str
    metric: str
    direction: str
    pattern: str
    command: list[str]
    script: str
    frozen: list[str]
    requires: list[str]
    needs: str
    cpu_s: float
    seconds: float
    deterministic: bool
    seed_constant: str | None
    interpreter: str | None
    knobs: Mapping[str, Any]

    def __str__(self) -> str:
        on_cpu = self.needs == "cpu"
        budget = max(LEAST_S, math.ceil(ROOM * (self.cpu_s if on_cpu else self.seconds)))
        limit = math.ceil(max(60.0, 5 * self.seconds + budget))
        seed, took = self.seed_constant, "the CPU seconds it took" if on_cpu else "what it took"
        rows = [
            "# Made by `lab adopt`, which guessed: read it, and change what is wrong.",
            f"purpose = {_text(self.purpose)}",
            f"metric = {_text(self.metric)}",
            f"direction = {_text(self.direction)}",
            f"command = {_text(self.command)}",
            'evaluate = "self-reported"                 # it prints its own score: docs/leaf.md',
            f"mutable = {_text([self.script])}",
            f"frozen = {_text(self.frozen)}",
            f"requires = {_text(self.requires)}",
            *([f"interpreter = {_text(self.interpreter)}"] if self.interpreter else []),
            *([f"seed_constant = {_text(seed)}    # each run sets it to its seed"] if seed else []),
            *([DETERMINISTIC] if self.deterministic else []),
            "",
            f"needs = {_text(self.needs)}",
            "network = false",
            f"clock = {_text('cpu' if on_cpu else 'wall')}",
            f"budget_s = {budget:g}                               # twice {took}",
            "startup_s = 20",
            f"timeout_s = {limit}",
            "",
            "[printed]                                  # the last such line counts",
            f"{self.metric} = {_text(self.pattern)}",
            "",
            "[profiles.smoke]                           # what lab check runs: all of it",
        ]  # fmt: skip
        for name, value in self.knobs.items():
            rows += ["", *_knob(name, value)]
        return "\n".join(rows) + "\n"


def _text(value: Any) -> str:
    """Return a text or a list of texts as TOML writes it."""
    return json.dumps(value, ensure_ascii=False)


def _knob(name: str, value: Any) -> list[str]:
    """Return a knob about its present value; the tuner believes that the best is in the middle."""
    whole = isinstance(value, int)
    low, high = value / TIMES, value * TIMES
    if whole:
        low, high = max(1, round(low)), max(2, round(high))
    elif 0 < value < 1:
        high = min(high, 0.99) if value > 1 / TIMES else high
    why = "a number at the top of the script"
    return [
        f"[knobs.{name}]",
        f"low = {low:g}",
        f"high = {high:g}",
        *(["log = true"] if not whole or high / low >= TIMES else []),
        f"why = {_text(why)}",
    ]


def constants(data: bytes, name: str) -> tuple[dict[str, Any], str | None]:
    """Return the numbers at the top of a script that may be turned, and the one it seeds by."""
    if not name.endswith(".py"):
        return {}, None
    try:
        found = knobs.constants(data, name)
    except LabError:
        return {}, None
    seeds = [one for one in found if SEEDS.fullmatch(one) and type(found[one].value) is int]
    turned = {
        one: constant.value
        for one, constant in found.items()
        if isinstance(constant.value, int | float) and not isinstance(constant.value, bool)
        if constant.value > 0 and one not in seeds and not NO_KNOB.fullmatch(one.lower())
        if not OF_SCORE & set(one.lower().split("_")) and _is_read(data, one)
    }
    return dict(list(turned.items())[:MANY]), seeds[0] if len(seeds) == 1 else None


def _is_read(data: bytes, name: str) -> bool:
    """Return whether a script names a constant again after it was set."""
    return len(re.findall(rb"(?<![\w.])%s(?!\w)" % re.escape(name.encode()), data)) > 1


def frozen(folder: Path, script: str, text: str, known: Sequence[str]) -> list[str]:
    """Return what belongs to the task: data folders and files, modules, a Makefile, program.md."""
    named = [name for name in known if "/" not in name and name != script]
    there = {name.partition("/")[0] for name in known if "/" in name}
    imported = {
        name
        for name in there
        if re.search(rf"^\s*(?:import|from)\s+{re.escape(name)}\b", text, re.MULTILINE)
    }
    folders = sorted(name for name in there if name in imported or (name in DATA and name in text))
    used = [
        name
        for name in named
        if name in ("Makefile", "makefile")
        or (name.endswith(DATA_FILES) and name in text and name != REQUIREMENTS)
        or (name.endswith(".py") and re.search(rf"\b(?:import|from)\s+{name[:-3]}\b", text))
    ]
    return [*folders, *used, "program.md"]


def requires(top: Path, folder: Path) -> list[str]:
    """Return the packages that the script's project says it needs, as far as they are plain."""
    above = [one for one in (folder, *folder.parents) if one.is_relative_to(top)]
    for where in above:
        lines: list[str] = []
        if (where / REQUIREMENTS).is_file():
            lines = (where / REQUIREMENTS).read_text(errors="replace").splitlines()
        elif (where / "pyproject.toml").is_file():
            try:
                table = tomllib.loads((where / "pyproject.toml").read_text(errors="replace"))
            except tomllib.TOMLDecodeError:
                continue
            lines = table.get("project", {}).get("dependencies", [])
        stripped = [line.partition("#")[0].partition(";")[0].strip() for line in lines]
        found = [line for line in stripped if line and REQUIREMENT.fullmatch(line)]
        if found:
            return found
    return []
