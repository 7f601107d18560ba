"""Check of the evaluator: artefacts that are the same, missing, foreign, another.

Training is replaced by a stand-in that leaves a given folder as its artefact; all else is the
real run, by the same supervisor.
"""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import leaf as leaves
from ..run.prepared import held_out, sealed
from ..text import num
from .case import PROFILE, Case, is_artefact, why_failed
from .clone import copies
from .finding import Broken, Noted

STAND_IN = """
import os, pathlib, shutil, sys
source = pathlib.Path(sys.argv[1])
log = source / "run.log"
print(log.read_text() if log.exists() else "", flush=True)
keep = shutil.ignore_patterns("*.log")
shutil.copytree(source, os.environ["LAB_RUN_DIR"], dirs_exist_ok=True, ignore=keep)
"""
CLOSE = 1e-6  # of a number: the same artefact on the same machine, sums in another order
JUNK = b"\x00this is no artefact of this leaf\xff\n" * 8


NOBODYS = "whether the score is true, which nothing but the script says"


def split(case: Case) -> str:
    """Something other than the script itself says what it is worth."""
    if not case.settings.is_self_reported:
        return f"{' '.join(case.settings.evaluate)} scores what training left"
    script = case.settings.mutable[0]
    return Noted(
        f"self-reported: {script} prints its own score, and an edit may change how it is counted. "
        f"To split it off: {script} saves what it made into the folder LAB_RUN_DIR; a new "
        f"evaluate.py loads that, scores it and prints three lines: ---, "
        f"{case.settings.metric}: NUMBER, ---; leaf.toml says evaluate = "
        '["python", "evaluate.py"], names it in frozen and drops [printed]; then: lab check'
    )


def same(case: Case) -> str:
    """The same artefact gives the same number again, from a process of its own."""
    found = _left(case, "same", lambda source: None)
    if found["status"] != "finished":
        raise Broken(f"it refuses the artefact that training left: {why_failed(found)}")
    first, again = case.baseline["runs"][0]["value"], found["value"]
    if not math.isclose(first, again, rel_tol=CLOSE, abs_tol=CLOSE):
        return Noted(f"the same artefact gave {num(first)} and then {num(again)}")
    return f"the same artefact gives {num(again)} again"


def missing(case: Case) -> str:
    """Without an artefact there is no number, whatever training printed."""

    def remove(source: Path) -> None:
        for file in _artefacts(source):
            file.unlink()

    return _refused(case, _left(case, "missing", remove), "a missing artefact")


def foreign(case: Case) -> str:
    """An artefact of another leaf gives no number."""
    labels: list[str] = []

    def alter(source: Path) -> None:
        files = _artefacts(source)
        labels.extend(file.name for file in files if _relabelled(file))
        for file in files if not labels else []:
            file.write_bytes(JUNK)

    said = _refused(case, _left(case, "foreign", alter), "an artefact of another leaf")
    if labels:
        return said
    return Noted(f'{said}; no file says "leaf": NAME, so a well-formed foreign one cannot be told')


def changed(case: Case) -> str:
    """Another artefact gives another number, or none: evaluate looks at what it is given."""
    other = case.clone.base / "artefacts" / case.name / "planted"

    # A change that acts only where evaluate imports the experiment leaves the same artefact.
    halved = _contents(other) == _contents(case.clone.base / "artefacts" / case.name / "same")
    what = "the artefact cut in half" if halved else f"the artefact of {case.planted['change']}"

    def replace(source: Path) -> None:
        for file in _artefacts(source):
            data = file.read_bytes()
            file.write_bytes(data[: len(data) // 2]) if halved else file.unlink()
        if not halved:
            shutil.copytree(other, source, dirs_exist_ok=True)

    found, value = _left(case, "changed", replace), case.baseline["runs"][0]["value"]
    if found["status"] != "finished":
        return f"{what} is refused: {why_failed(found)}"
    if found["value"] == value:
        raise Broken(
            f"{what} gives {num(value)} too: evaluate does not look at what training left",
            "Load what is in LAB_RUN_DIR, and nothing else that training made",
        )
    return f"{what} gives {num(found['value'])}"


# -- The stand-in ------------------------------------------------------------------


def _left(case: Case, name: str, alter: Callable[[Path], None]) -> dict[str, Any]:
    """Run the yardstick on the baseline's first run, its files altered in some way."""
    source = case.clone.base / "artefacts" / case.name / name
    files = copies(case.run_dir(case.baseline), source, lambda path: path.suffix != ".lock")
    if not any(is_artefact(path) for path in files):
        raise Broken(
            "training leaves nothing in LAB_RUN_DIR for evaluate to measure",
            "Write the model, the answer, the plan there: run.here(__file__).dir",
        )
    alter(source)
    stand_in(case, source)
    ran = case.run("--baseline")
    if not ran.found:
        raise Broken(f"lab would not run it: {ran.refusal}")
    return ran.found


def stand_in(case: Case, source: Path) -> None:
    """Commit a leaf.toml whose smoke command leaves `source`; prepared data serves again."""
    leaf, settings = case.leaf, case.settings
    table = json.loads(json.dumps(leaf.table, default=str))
    table["profiles"][PROFILE]["command"] = ["python", "-I", "-S", "-c", STAND_IN, str(source)]
    sandbox = table["profiles"][PROFILE].get("sandbox", table.get("sandbox", {}))
    read = [*sandbox.get("read", []), str(source)]
    table["profiles"][PROFILE]["sandbox"] = {**sandbox, "read": read}
    (leaf.folder / "leaf.toml").write_text(as_toml(table), encoding="utf-8")
    case.clone.commit(f"a stand-in that leaves {source.name}")
    other = leaves.read(case.clone.root, case.name)
    keys = leaves.cache_key(leaf, settings), leaves.cache_key(other, other.settings(PROFILE))
    old, new = (case.clone.home.cache(case.name, PROFILE, key) for key in keys)
    ready = old.with_name(f"{old.name}.ready")
    if old != new and ready.is_file():
        new.symlink_to(old)
        held_out(new).symlink_to(held_out(old))
        if settings.sealed:
            sealed(new).symlink_to(sealed(old))
        shutil.copy2(ready, new.with_name(f"{new.name}.ready"))


def as_toml(table: dict[str, Any]) -> str:
    """Return a table as TOML, a line for each key.

    >>> print(as_toml({"a": 1, "b": {"c d": [True, "x"]}}), end="")
    "a" = 1
    "b" = {"c d" = [true, "x"]}
    """
    return "".join(f"{json.dumps(key)} = {_value(value)}\n" for key, value in table.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _contents(source: Path) -> dict[Path, bytes]:
    return {file.relative_to(source): file.read_bytes() for file in _artefacts(source)}


def _artefacts(source: Path) -> list[Path]:
    return sorted(path for path in source.rglob("*") if path.is_file() and is_artefact(path))


def _relabelled(file: Path) -> bool:
    """Write another leaf's name into a JSON file that names its leaf; return whether it did."""
    try:
        found = json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        return False
    if not isinstance(found, dict) or "leaf" not in found:
        return False
    file.write_text(json.dumps(found | {"leaf": "another-leaf"}))
    return True


def _refused(case: Case, found: dict[str, Any], what: str) -> str:
    """Return how it was refused; Broken when there was a number, or no answer."""
    if found["status"] == "finished":
        raise Broken(
            f"evaluate gives {num(found['value'])} for {what}",
            "Look at what is in LAB_RUN_DIR first: raise SystemExit('refused: ...')",
        )
    if found["failure"] == "timeout":
        raise Broken(f"evaluate hangs on {what}", "Look at what is in LAB_RUN_DIR first")
    last = (found.get("detail") or {}).get("last") or "no block"
    case.evidence.setdefault("refused", []).append(found["failure"])
    log = case.run_dir(found) / "evaluate.log"
    if "Traceback (most recent" in (log.read_text(errors="replace") if log.is_file() else ""):
        return Noted(f"refused {what}, by a traceback: {last}. A sentence would help")
    return f"refused {what}: {last}"
