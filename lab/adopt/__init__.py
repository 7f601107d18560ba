"""`lab adopt`: a leaf around somebody's own script, which is run once and not rewritten."""

from .leaf import Asked, adopt, as_text

__all__ = ["Asked", "adopt", "as_text"]
