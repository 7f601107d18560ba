"""Progress of a campaign on a terminal: a live line; elsewhere plain lines."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
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
        self._log: TextIO | None = None
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
        if self._log is not None:
            self._log.close()

    def keep(self, path: Path) -> None:
        """Write what is said into `path` as well, for `lab output`; unless that is the stream."""
        path.parent.mkdir(parents=True, exist_ok=True)
        log = path.open("a", encoding="utf-8", errors="replace")
        with contextlib.suppress(OSError, ValueError):  # a stream without a file
            if os.path.sameopenfile(log.fileno(), self.stream.fileno()):
                return log.close()
        self._log = log

    def note(self, words: str) -> None:
        """Write lines into the log alone."""
        if self._log is not None:
            with contextlib.suppress(OSError):  # a full disk ends no campaign
                print("\n".join(map(plain, words.splitlines())), file=self._log, flush=True)

    @contextlib.contextmanager
    def _gone(self) -> Iterator[None]:
        """Go on when the terminal was closed."""
        try:
            yield
        except OSError:
            terminal.hang_up(self.stream)

    def say(self, words: str) -> None:
        """Print a line that stays."""
        self.note(words)
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
        now = time.monotonic()
        if key != self._key or now - self._shown_at >= PLAIN_EVERY_S:
            self._key, self._shown_at = key, now
            self.note(words) if self.live is not None else self.say(words)
