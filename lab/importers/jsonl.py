"""Read another tool's JSON: one object a line, or one list of them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import Usage
from . import table, text
from .rows import ImportedRow, Problem, Said
from .values import direction

SETTINGS = ("config", "meta", "metadata", "header", "settings", "session", "init", "start")
NAMES = ("metric_name", "metric", "objective", "primary_metric", "metric_key")
WAYS = ("best_direction", "metric_direction", "direction", "goal", "mode", "better")
DEEPEST = 3  # objects inside objects; what lies deeper is no number of a row


def read(path: Path, said: Said) -> Iterator[ImportedRow | Problem]:
    """Yield a row for each object that is an experiment, and a problem for a line that is none."""
    found: list[tuple[int, str, dict[str, str]]] = []
    for place, line, row in objects(path):
        if isinstance(row, Problem):
            yield row
        elif _is_settings(row):
            _listen(row, said)
        else:
            found.append((place, line, dict(_flat(row))))
    columns = list(dict.fromkeys(name for _, _, row in found for name in row))
    section = table.Section(columns)
    section.key = (
        ""  # the columns are whatever all lines have together: no part of a row's identity
    )
    for place, line, row in found:
        section.rows.append((place, [row.get(name, "") for name in columns]))
        section.raw[place] = line
    yield from table.rows_of([section], "jsonl")


def objects(path: Path) -> Iterator[tuple[int, str, dict[str, Any] | Problem]]:
    """Yield each object with its line, as text too, or what is wrong with it."""
    lines = list(text.lines(path))
    whole = "\n".join(line for _, line, _ in lines)
    if whole.lstrip().startswith("["):
        try:
            listed = json.loads(whole)
        except (ValueError, RecursionError) as reason:
            raise Usage(f"{path} is no JSON: {reason}.", table.HINT) from None
        lines = [(at, json.dumps(row), False) for at, row in enumerate(listed, 1)]
    for place, line, _ in lines:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            yield place, line, Problem(place, "not JSON; skipped")
            continue
        good = isinstance(row, dict)
        yield place, line, row if good else Problem(place, "no JSON object; skipped")


def _is_settings(row: dict[str, Any]) -> bool:
    """Say whether a line tells of the log, not of an experiment."""
    known = {table.plain(name) for name in row}
    if str(row.get("type", "")).lower() in SETTINGS:
        return True
    told = known & {"best_direction", "metric_direction", "metric_name"}
    return bool(told) and not known & {"status", "verdict", "commit", "description", "value"}


def _listen(row: dict[str, Any], said: Said) -> None:
    """Note the metric's name and direction from a line of settings."""
    words = {table.plain(k): v for k, v in row.items() if isinstance(v, str)}
    said.metric = next((words[name] for name in NAMES if name in words), said.metric)
    way = next((words[name] for name in WAYS if name in words), "")
    said.direction = direction(way) or said.direction


def _flat(row: dict[str, Any], before: str = "", deep: int = 0) -> Iterator[tuple[str, str]]:
    """Yield an object's values as cells; those of objects inside it under their own names."""
    for name, value in row.items():
        if isinstance(value, dict):
            if deep < DEEPEST:
                yield from _flat(value, f"{before}{name}.", deep + 1)
        elif isinstance(value, bool):
            yield name, str(value).lower()
        elif isinstance(value, list):
            yield name, ", ".join(str(one) for one in value if isinstance(one, str | int | float))
        elif value is not None:
            yield name, str(value).replace("\t", " ")
