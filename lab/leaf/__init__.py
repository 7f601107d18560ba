"""Find, read and check a leaf: its settings by profile, its yardstick, its commands."""

from .behaviour import behaviour_id, ids
from .canonical import code_id, less
from .checks import read, within
from .commands import argv, check_requires, default_profile, interpreter, script
from .fingerprint import beside, cache_key, frozen_paths, written, yardstick
from .model import WELL_KNOWN, Condition, Knob, Leaf, Settings
from .places import find, here, meant, tidy

__all__ = [
    "WELL_KNOWN",
    "Condition",
    "Knob",
    "Leaf",
    "Settings",
    "argv",
    "behaviour_id",
    "beside",
    "cache_key",
    "check_requires",
    "code_id",
    "default_profile",
    "find",
    "frozen_paths",
    "here",
    "ids",
    "interpreter",
    "less",
    "meant",
    "read",
    "script",
    "tidy",
    "within",
    "written",
    "yardstick",
]
