"""Find, read and check a leaf: its settings by profile, its yardstick, its commands."""

from lab.leaf.checks import read, within
from lab.leaf.commands import argv, check_requires, default_profile, interpreter, script
from lab.leaf.fingerprint import cache_key, frozen_paths, yardstick
from lab.leaf.model import Condition, Knob, Leaf, Settings, nearest
from lab.leaf.places import find, here

__all__ = [
    "Condition",
    "Knob",
    "Leaf",
    "Settings",
    "argv",
    "cache_key",
    "check_requires",
    "default_profile",
    "find",
    "frozen_paths",
    "here",
    "interpreter",
    "nearest",
    "read",
    "script",
    "within",
    "yardstick",
]
