"""`lab skills`: how to work with `lab`, put where coding agents look for it."""

from .install import as_text, faults, install

__all__ = ["as_text", "faults", "install"]
