"""What an agent should read before it proposes anything, as text within a token budget."""

from .budget import fit_json
from .context import context
from .context_text import context_text
from .failures import failures_text, fit_failures
from .whole import whole

__all__ = ["context", "context_text", "failures_text", "fit_failures", "fit_json", "whole"]
