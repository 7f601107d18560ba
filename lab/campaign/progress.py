"""Progress of a campaign on a terminal: a live line; elsewhere plain lines."""

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Any, Self, TextIO

from ..system import terminal
from ..text import plain, shorten

PLAIN_EVERY_S = 60.0  # a log file wants a sign of life, not a film
TAIL_BYTES = 4096  # of a step log or an output: one line is far shorter


class Progress:
    """Says what happens; shows what is going on; whether anybody reads it changes nothing."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self.live = self._live() if self.stream.isatty() else None
        self._key: Any = None
        self._shown_at = 0.0

    def _live(self) -> Any:
        from rich.console import Console
        from rich.live import Live

        console = Console(file=self.stream, highlight=False)
        live = Live("", console=console, transient=True, refresh_per_second=4)
        live.start()
        return live

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            if self.live is not None:
                self.live.stop()

    @contextlib.contextmanager
    def _gone(self) -> Iterator[None]:
        """Go on when the terminal was closed."""
        try:
            yield
        except OSError:
            terminal.hang_up(self.stream)

    def say(self, words: str) -> None:
        """Print a line that stays."""
        if self.live is not None:
            from rich.text import Text

            with self._gone():
                self.live.console.print(Text(plain(words)), soft_wrap=True)
        else:
            terminal.say(plain(words), self.stream)

    def show(self, key: object, words: str) -> None:
        """Show what goes on: at once on a terminal, else when `key` changes or a minute passed."""
        if self.live is not None:
            from rich.text import Text

            with self._gone():
                self.live.update(Text(shorten(words, self.live.console.width)), refresh=True)
            return
        now = time.monotonic()
        if key != self._key or now - self._shown_at >= PLAIN_EVERY_S:
            self._key, self._shown_at = key, now
            self.say(words)
