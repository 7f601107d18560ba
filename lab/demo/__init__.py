"""`lab demo`: what is different here, told by runs that happen while one looks."""

from .story import begin, tell

__all__ = ["begin", "tell"]
