"""`[check]` of leaf.toml: a known bad change, which `lab check` plants to see it lose.

    [check.set]                 # constants of the mutable files
    LEARNING_RATE = 0.003

    [check.edit]                # where a constant cannot do it: a text that stands there once
    file = "prompt.md"
    old = "Think before you answer."
    new = ""

It is no part of the yardstick. Without it, the far ends of the knobs are planted.
"""

from collections.abc import Mapping
from typing import Any

EDIT = ("file", "old", "new")


def fault_of(table: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the key and the fault of a `[check]` table, None when it has none.

    >>> fault_of({"set": {"LR": 0.1}}) is None
    True
    >>> fault_of({"plant": {}})
    ('check.plant', 'no such key; there are check.set and check.edit')
    """
    for key, value in table.items():
        if key not in ("set", "edit"):
            return f"check.{key}", "no such key; there are check.set and check.edit"
        if not isinstance(value, dict) or not value:
            return f"check.{key}", f"must be a table: [check.{key}]"
    return _set_fault(table.get("set", {})) or _edit_fault(table.get("edit"))


def _set_fault(values: Mapping[str, Any]) -> tuple[str, str] | None:
    for name, value in values.items():
        if not name.isidentifier() or not isinstance(value, bool | int | float | str):
            return f"check.set.{name}", "must be a constant's name and its bad value"
    return None


def _edit_fault(edit: Mapping[str, Any] | None) -> tuple[str, str] | None:
    if edit is None:
        return None
    for key in (*EDIT, *edit):
        if key not in EDIT or not isinstance(edit.get(key), str):
            return f"check.edit.{key}", "must be file, old and new, each a text"
    if not edit["old"] or edit["old"] == edit["new"]:
        return "check.edit.old", "must be a text that new replaces by another"
    return None
