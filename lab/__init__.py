"""`lab`: a notebook and a harness for autonomous research."""

__version__ = "0.1.0"
