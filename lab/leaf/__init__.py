"""Find, read and check a leaf: its settings by profile, its yardstick, its commands."""

from .canonical import code_id, less
from .checks import read, within
from .commands import argv, check_requires, default_profile, interpreter, script
from .fingerprint import cache_key, frozen_paths, written, yardstick
from .model import WELL_KNOWN, Condition, Knob, Leaf, Settings
from .places import find, here

__all__ = [
    "WELL_KNOWN",
    "Condition",
    "Knob",
    "Leaf",
    "Settings",
    "argv",
    "cache_key",
    "check_requires",
    "code_id",
    "default_profile",
    "find",
    "frozen_paths",
    "here",
    "interpreter",
    "less",
    "read",
    "script",
    "within",
    "written",
    "yardstick",
]
