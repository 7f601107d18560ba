"""Acts: stop, a lesson, a star, a tag, a note, an idea; each a form, recorded with its author."""

from dataclasses import dataclass

from ..page.html import Safe, join


@dataclass(frozen=True)
class Acts:
    """The forms that a reader is shown: none without the token."""

    allowed: bool

    def stop(self, what: str) -> Safe:
        """Return the button that ends a run or a campaign."""
        return join()

    def mark(self, number: int, tagged: list[str]) -> Safe:
        """Return the star and the form that tags an experiment."""
        return join()

    def note(self, number: int) -> Safe:
        """Return the form that writes a note to an experiment."""
        return join()

    def idea(self, campaign: str) -> Safe:
        """Return the form that queues an idea for a campaign."""
        return join()
