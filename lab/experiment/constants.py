"""Constants of experiments' files: those in which some experiments differ, knobs first."""

from collections.abc import Mapping, Sequence
from typing import Any

from .. import leaf as leaves
from .. import repo
from ..errors import LabError, Refused
from ..leaf import knobs
from ..workspace import Workspace

LONGEST = 200  # characters of a constant that is told


def of(workspace: Workspace, found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return of each experiment the constants that are not the same in all; {} without a commit."""
    known = [_read(workspace, one) for one in found]
    first, tunable = [one for one in known if one], list[str]()
    for one in found:
        tunable += _knobs(workspace, one)
    names = list(dict.fromkeys(name for one in first for name in one))
    differ = [name for name in names if len({repr(one.get(name)) for one in first}) > 1]
    differ.sort(key=lambda name: name not in tunable)
    return [{name: one[name] for name in differ if name in one} for one in known]


def _read(workspace: Workspace, one: Mapping[str, Any]) -> dict[str, Any]:
    """Return every constant of an experiment's mutable files by its name."""
    if not one.get("commit") or not one.get("profile"):
        return {}
    try:
        leaf = leaves.read(workspace.place.top, one["leaf"])
        names = leaf.settings(one["profile"]).mutable
        specs = [f"{one['commit']}:{leaf.prefix}{name}" for name in names if name.endswith(".py")]
        texts = repo.blobs(workspace.place.main, specs)
        found = [knobs.constants(text) for text in texts.values() if text is not None]
    except (LabError, Refused, repo.GitFailed):
        return {}  # a leaf that is gone, a commit that is elsewhere, a file that is no Python
    values = {name: constant.value for file in found for name, constant in file.items()}
    return {name: value for name, value in values.items() if len(repr(value)) <= LONGEST}


def _knobs(workspace: Workspace, one: Mapping[str, Any]) -> list[str]:
    try:
        return list(leaves.read(workspace.place.top, one["leaf"]).knobs)
    except LabError:
        return []
