"""`lab skills`: how to work with `lab`, put where coding agents look for it."""

from .install import PLACE, as_text, faults, install

__all__ = ["PLACE", "as_text", "faults", "install"]
