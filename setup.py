"""Where packages go: all within `labtree`, whose names collide with nobody's.

Installed for development (`pip install -e`) they stay where they lie, importable as they are.
"""

import sys

from setuptools import find_packages, setup

INSIDE = find_packages(include=["lab", "lab.*", "shared"])

if "editable_wheel" in sys.argv:
    setup(packages=["labtree", *INSIDE])
else:
    setup(
        packages=["labtree", *(f"labtree.{name}" for name in INSIDE)],
        package_dir={"labtree.lab": "lab", "labtree.shared": "shared"},
    )
