"""Labtree as it is installed: `lab`, what leaves share, and `labtree.notebook` for Python.

Nothing else of it is seen from outside: `lab` and `shared` lie in this package, so that a
repository may have folders of these names. In a checkout of Labtree itself they lie beside it.
"""

from importlib import metadata

__version__ = metadata.version("labtree")
