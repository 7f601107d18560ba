"""Fields of `leaf.toml`: read them, refuse what is wrong, naming file, key, remedy."""

import math
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from .. import errors
from ..judge.prune import Rules
from ..text import nearest
from .known_bad import fault_of
from .model import (
    SAMPLERS,
    SELF_REPORTED,
    WELL_KNOWN,
    Condition,
    DryRun,
    Knob,
    Leaf,
    Sampler,
    Settings,
    resolve,
)
from .page import Check, Page
from .places import find, folder_of, tidy

REQUIREMENT = re.compile(
    r"([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)(\[[\w., -]*\])?"
    r"\s*((?:(?:===|==|!=|>=|<=|~=|>|<)\s*[\w.+!*-]+\s*,?\s*)*)"
)


def _text(value: Any) -> str:
    return "" if isinstance(value, str) and value.strip() else "must be a text that is not empty"


def _name(value: Any) -> str:
    """A metric stands before a colon in the summary block, so it has neither colon nor space."""
    plain = isinstance(value, str) and re.fullmatch(r"[^\s:<>=!]+", value)
    return "" if plain else "must be one word without : < > = !"


def _one_of(*words: str) -> Check:
    said = " or ".join(f'"{word}"' for word in words)
    return lambda value: "" if value in words else f"must be {said}, not {value!r}"


def _flag(value: Any) -> str:
    return "" if isinstance(value, bool) else "must be true or false"


def is_number(value: Any) -> bool:
    """Return whether `value` is a finite number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _seconds(value: Any) -> str:
    return "" if is_number(value) and value > 0 else f"must be seconds above 0, not {value!r}"


def _seconds_or_zero(value: Any) -> str:
    return "" if is_number(value) and value >= 0 else f"must be seconds, 0 or more, not {value!r}"


def _steps(value: Any) -> str:
    whole = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return "" if whole else f"must be a whole number above 0, not {value!r}"


def _words(value: Any) -> str:
    listed = isinstance(value, list) and value and all(isinstance(w, str) and w for w in value)
    return "" if listed else 'must be a list of words, such as ["python", "train.py"]'


def path_fault(value: Any) -> str:
    """Return what keeps `value` from naming a file inside the leaf."""
    if not isinstance(value, str) or not value.strip():
        return f"{value!r} is not a file name"
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or "\\" in value or value.startswith("~"):
        return f"{value!r} must be a path inside the leaf"
    if any(sign in value for sign in "*?[") or not path.parts:
        return f"{value!r} must name one file or folder, not a pattern"
    return ""


def _paths(value: Any) -> str:
    if not isinstance(value, list):
        return 'must be a list of files, such as ["train.py"]'
    return next(filter(None, map(path_fault, value)), "")


def _some_paths(value: Any) -> str:
    return _paths(value) or ("" if value else "must name at least one file")


def _requirements(value: Any) -> str:
    if not isinstance(value, list):
        return 'must be a list, such as ["torch>=2.9"]'
    bad = [r for r in value if not isinstance(r, str) or not REQUIREMENT.fullmatch(r.strip())]
    return f"{bad[0]!r} is not a requirement such as 'torch>=2.9'" if bad else ""


def _constraints(value: Any) -> str:
    if not isinstance(value, dict):
        return 'must be a table, such as peak_memory_mb = "<= 80000"'
    for name, bound in value.items():
        if _name(name) or not isinstance(bound, str) or not _is_condition(f"{name} {bound}"):
            return f'{name} = {bound!r} is not a bound such as "<= 80000"'
    return ""


def _hints(value: Any) -> str:
    if not isinstance(value, dict):
        return 'must be a table, such as "all_one_rate > 0.5" = "too easy"'
    for condition, advice in value.items():
        if not _is_condition(condition):
            return f"{condition!r} is not a condition such as 'all_one_rate > 0.5'"
        if _text(advice):
            return f"{condition!r} must be followed by the advice as a text"
    return ""


def _data(value: Any) -> str:
    """The leaf's own settings, which its scripts read: any plain values."""
    return "" if isinstance(value, dict) else 'must be a table, such as corpus = "stdlib"'


def _sandbox(value: Any) -> str:
    """What the runs of a leaf see and get beside the usual."""
    if not isinstance(value, dict) or not set(value) <= {"require", "read", "env"}:
        return "must be a table of require, read and env"
    if fault := _flag(value.get("require", False)):
        return f"require {fault}"
    read, env = value.get("read", ["/"]), value.get("env", ["A"])
    if _words(read) or not all(path.startswith(("/", "~/")) for path in read):
        return 'read must be a list of folders, such as ["/data/corpus", "~/models"]'
    if _words(env) or not all(name.isidentifier() for name in env):
        return 'env must be a list of variables, such as ["LD_LIBRARY_PATH"]'
    loads = [name for name in env if name.startswith("LAB_")]
    return f"env: {loads[0]!r} is lab's own" if loads else ""


def _sealed(value: Any) -> str:
    """That there is a sealed set; what is in it is for `prepare` to say."""
    return "" if value == {} else "must be an empty table: [sealed]"


def _yardstick(value: Any) -> str:
    """The command that scores, or that there is none but the script's own word."""
    return (
        "" if value == SELF_REPORTED else _words(value) and f"{_words(value)}, or {SELF_REPORTED!r}"
    )


def _printed(value: Any) -> str:
    """Where the numbers of a self-reported score stand in what its script prints."""
    if not isinstance(value, dict) or not value:
        return 'must be a table, such as accuracy = "test accuracy: {}"'
    for name, pattern in value.items():
        if _name(name) or not isinstance(pattern, str) or pattern.count("{}") != 1:
            return f'{name} = {pattern!r} has no place for its number, as "test accuracy: {{}}" has'
    return ""


def _train(value: Any) -> str:
    """What a training is given beside its data."""
    if not isinstance(value, dict) or not set(value) <= {"warm_start"}:
        return "must be a table of warm_start"
    fault = _flag(value.get("warm_start", False))
    return f"warm_start {fault}" if fault else ""


def _is_condition(text: str) -> bool:
    try:
        return bool(Condition.parse(text))
    except errors.Usage:
        return False


FIELDS: dict[str, Check] = {
    "purpose": _text,
    "metric": _name,
    "direction": _one_of("minimize", "maximize"),
    "prepare": _words,
    "command": _words,
    "evaluate": _yardstick,
    "printed": _printed,
    "seed_constant": _name,
    "serve": _words,
    "mutable": _some_paths,
    "frozen": _paths,
    "requires": _requirements,
    "interpreter": path_fault,
    "budget_s": _seconds,
    "startup_s": _seconds_or_zero,
    "timeout_s": _seconds,
    "eval_timeout_s": _seconds,
    "needs": _one_of("gpu", "cpu", "none"),
    "evaluate_needs": _one_of("cpu"),
    "network": _flag,
    "clock": _one_of("wall", "cpu", "steps"),
    "deterministic": _flag,
    "data": _data,
    "constraints": _constraints,
    "hints": _hints,
    "sandbox": _sandbox,
    "sealed": _sealed,
    "train": _train,
}
DRY_RUN: dict[str, Check] = {
    "profile": _text,
    "command": _words,
    "steps": _steps,
    "timeout_s": _seconds,
    "constraints": _words,
    "estimate": _words,
}
REQUIRED = (
    *("purpose", "metric", "direction", "command", "evaluate", "mutable", "frozen", "budget_s"),
)
KNOB_KEYS = ["kind", "low", "high", "log", "choices", "why"]


def read(root: Path, name: str, text: str | None = None) -> Leaf:
    """Return the leaf `name` below `root`, every field checked.

    `text` is its `leaf.toml` where another one counts than lies there. NotFound for a name without
    `leaf.toml`; Refused for a fault in the file.
    """
    name = tidy(name)
    folder = folder_of(root, name)
    if folder is None:
        raise _unknown(root, name)
    page = Page(name, folder)
    table = page.load(text)
    also = ["judge", "prune", "tuner", "check", "dry_run"]
    page.known("", table, [*FIELDS, "profiles", "knobs", *also])
    for key in REQUIRED:
        if key not in table:
            page.refuse(key, "missing; every leaf must say it")
    page.fields("", table, FIELDS)
    if table["evaluate"] == SELF_REPORTED and table["metric"] not in table.get("printed", {}):
        page.refuse("printed", f"must say where {table['metric']} is printed: [printed]")
    profiles = _profiles(page, table)
    knobs = {n: _knob(page, n, k) for n, k in page.table(table, "knobs").items()}
    judge, prune = _judge(page, table), _prune(page, table)
    if fault := fault_of(page.table(table, "check")):
        page.refuse(*fault)
    for profile in profiles:
        _files(page, resolve(table, profile))
    said = (table["purpose"], table["metric"], table["direction"])
    return Leaf(
        *(name, root, folder, *said),
        profiles=profiles,
        table=table,
        knobs=knobs,
        judge=judge,
        prune=prune,
        sampler=_sampler(page, table),
        dry_run=_dry_run(page, table, profiles),
    )


def _unknown(root: Path, name: str) -> errors.NotFound:
    """Return the refusal of a name that is no leaf, with the nearest and the list."""
    leaves = find(root)
    if not leaves:
        return errors.NotFound(
            "no leaf here: no folder has a leaf.toml", "Make one: lab adopt SCRIPT, or lab new NAME"
        )
    listed = ", ".join(leaves[:12]) + (", ..." if len(leaves) > 12 else "")
    near = nearest(name, leaves)
    meant = f"; the nearest is {near!r}" if near else ""
    return errors.NotFound(f"no leaf {name!r}{meant}", f"Leaves: {listed}")


def _profiles(page: Page, table: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the profile names, the top level first, each one's table checked.

    The top level is called `gpu`, or `cpu` where it says that a CPU will do.
    """
    profiles = page.table(table, "profiles")
    for name, own in profiles.items():
        if not re.fullmatch(r"\w[\w.-]*", name):
            page.refuse(f"profiles.{name}", "a profile is named by letters, digits, . _ and -")
        if not isinstance(own, dict):
            near = f", or [profiles.{WELL_KNOWN[1]}]"
            page.refuse(f"profiles.{name}", f"must be a table: [profiles.{name}]{near}")
        page.known(f"profiles.{name}.", own, list(FIELDS))
        page.fields(f"profiles.{name}.", own, FIELDS)
    plain = table.get("needs") in ("cpu", "none") and not {"cpu", "gpu"} & set(profiles)
    whole = "cpu" if plain else "gpu"
    return (whole, *(name for name in profiles if name != whole))


def _dry_run(page: Page, table: Mapping[str, Any], profiles: tuple[str, ...]) -> DryRun | None:
    """Return how an edit is tried before it is run; None where the leaf does not say."""
    if "dry_run" not in table:
        return None
    said = page.table(table, "dry_run")
    page.known("dry_run.", said, list(DRY_RUN))
    page.fields("dry_run.", said, DRY_RUN)
    lists = {name: tuple(said.get(name, ())) for name in ("command", "constraints", "estimate")}
    found = DryRun(**{**said, **lists})
    known = page.table(table, "constraints")
    for metric in found.constraints:
        if metric not in known:
            named = ", ".join(known) or "none"
            page.refuse("dry_run.constraints", f"no constraint of {metric!r}; there are: {named}")
    if found.profile not in (*profiles, *WELL_KNOWN):
        page.refuse("dry_run.profile", f"no such profile: {found.profile!r}")
    if resolve(table, found.profile).needs == "gpu":
        page.refuse("dry_run.profile", f"{found.profile!r} needs a GPU, which a dry run never has")
    return found


def _judge(page: Page, table: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the raw [judge] table; what its settings mean is the judge's to say."""
    judge = page.table(table, "judge")
    for key, value in judge.items():
        if not is_number(value) and not isinstance(value, bool | str):
            page.refuse(f"judge.{key}", f"must be a number or a text, not {value!r}")
    return judge


def _sampler(page: Page, table: Mapping[str, Any]) -> Sampler:
    """Return how the tuner chooses, by the `[tuner]` table."""
    asked = page.table(table, "tuner")
    page.known("tuner.", asked, ["sampler"])
    for sampler in SAMPLERS:
        if asked.get("sampler", SAMPLERS[0]) == sampler:
            return sampler
    page.refuse("tuner.sampler", f"is {asked['sampler']!r}; choose {' or '.join(SAMPLERS)}")


def _prune(page: Page, table: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the [prune] table, {} where nothing is pruned."""
    prune = page.table(table, "prune")
    if "prune" in table:
        try:
            Rules.from_table(prune, table["metric"], table["direction"])
        except ValueError as fault:
            page.refuse(f"prune.{str(fault).partition(': ')[0]}", str(fault).partition(": ")[2])
    return prune


def _knob(page: Page, name: str, table: Any) -> Knob:
    """Return the checked knob `name`: a range with low < high, or a list of choices."""
    where = f"knobs.{name}"
    if not isinstance(table, dict) or not name.isidentifier():
        page.refuse(where, "must be a table named like a constant: [knobs.LEARNING_RATE]")
    page.known(f"{where}.", table, KNOB_KEYS)
    if fault := _text(table.get("why")):
        page.refuse(f"{where}.why", f"{fault}: what is lost when it is too low or too high")
    if fault := _flag(table.get("log", False)):
        page.refuse(f"{where}.log", fault)
    return _choice(page, name, table) if "choices" in table else _range(page, name, table)


def _choice(page: Page, name: str, table: Mapping[str, Any]) -> Knob:
    """Return a knob that takes one of a few values."""
    choices, where = table["choices"], f"knobs.{name}"
    extra = [key for key in ("low", "high", "log") if key in table]
    if extra or table.get("kind", "choice") != "choice":
        page.refuse(f"{where}.{extra[0] if extra else 'kind'}", "does not go with choices")
    plain = isinstance(choices, list) and all(
        isinstance(c, str | bool) or is_number(c) for c in choices
    )
    if not plain or len({repr(c) for c in choices}) != len(choices) or len(choices) < 2:
        page.refuse(f"{where}.choices", "must list two or more different texts or numbers")
    return Knob(name, "choice", None, None, False, tuple(choices), table["why"])


def _range(page: Page, name: str, table: Mapping[str, Any]) -> Knob:
    """Return a knob between two numbers; whole ones unless `kind` or a decimal point says so."""
    where = f"knobs.{name}"
    for key in ("low", "high"):
        if not is_number(table.get(key)):
            page.refuse(f"{where}.{key}", "must be a number (or give choices = [...])")
    low, high, log = table["low"], table["high"], table.get("log", False)
    if not low < high:
        page.refuse(f"{where}.low", f"must be below high, but {low} >= {high}")
    if log and low <= 0:
        page.refuse(f"{where}.low", f"must be above 0 with log = true, not {low}")
    whole = isinstance(low, int) and isinstance(high, int)
    kind = table.get("kind", "int" if whole else "float")
    if kind not in ("int", "float") or (kind == "int" and not whole):
        page.refuse(
            f"{where}.kind", f'{kind!r} does not fit; write "int" (whole bounds) or "float"'
        )
    return Knob(name, kind, low, high, log, (), table["why"])


def _files(page: Page, settings: Settings) -> None:
    """Refuse mutable and frozen files that overlap, leave the leaf, or are always frozen."""
    at = "" if settings.profile == "gpu" else f" (profile {settings.profile})"
    for path in settings.mutable:
        _one_file(page, path, at)
        if within(path, "leaf.toml") or within(path, "task"):
            page.refuse("mutable", f"{path!r} is always frozen{at}")
        if within(path, "notes.md"):
            page.refuse("mutable", f"{path!r} is for findings, not part of an experiment{at}")
        for other in settings.frozen:
            if within(path, other) or within(other, path):
                page.refuse("mutable", f"{path!r} is also frozen: {other!r}{at}")
    inside = page.folder.resolve()
    for key, paths in (("mutable", settings.mutable), ("frozen", settings.frozen)):
        for path in paths:
            if not (page.folder / path).resolve().is_relative_to(inside):
                page.refuse(key, f"{path!r} is a link that leads out of the leaf{at}")


def _one_file(page: Page, path: str, at: str) -> None:
    """Refuse a mutable path that is no file's, as git writes it: what is committed goes by name."""
    if path.endswith("/") or (page.folder / path).is_dir():
        found = sorted(file for file in (page.folder / path).rglob("*.py") if file.is_file())
        named = [file.relative_to(page.folder).as_posix() for file in found[:3]]
        listed = ", ".join(f'"{name}"' for name in named or [f"{path.rstrip('/')}/NAME.py"])
        more = f"{listed}, ..." if found[3:] else listed
        hint = f"Name its files, also those that an experiment may add: mutable = [{more}]"
        page.refuse("mutable", f"{path!r} is a folder{at}", hint)
    plain = PurePosixPath(path).as_posix()
    if path != plain:
        page.refuse("mutable", f"{path!r} is not as git writes it: {plain!r}{at}")


def within(path: str, folder: str) -> bool:
    """Return whether `path` is `folder` or lies below it, both from the same place."""
    return PurePosixPath(path).is_relative_to(PurePosixPath(folder))
