"""`lab output`: what a campaign or a run prints, to its end or as it comes."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import NotFound
from ..notebook import Notebook, lookup
from ..system import left
from ..workspace import Workspace
from . import lock

LOOK_S = 0.2
PIECE = 1 << 16


def source(workspace: Workspace, book: Notebook, what: str) -> tuple[Path, Callable[[], bool]]:
    """Return the file that `what` prints into, and whether more may come."""
    home = workspace.place.home
    if what[:1].lower() == "e" and what[1:].isdigit():
        number = book.need(what, "e")["id"]
        runs = [run for run in lookup.runs(book, number) if run["log"] or not run["ended"]]
        folder = home.experiment(number)
        path = folder / str(runs[-1]["id"]) / "run.log" if runs else folder / "run.log"
        return path, lambda: lookup.open_job(book, number) is not None
    name = lookup.named(book, what, "See what there is: lab status")[0]
    return lock.log_of(home, name), lambda: lock.is_alive(home, name)


def follow(path: Path, follow: bool, more: Callable[[], bool]) -> Iterator[str]:
    """Yield what the file holds, and what comes while `follow` and more may come."""
    if not left.is_file(path) and not (follow and more()):
        raise NotFound(f"{path} is not there: nothing was printed yet.", "Look with: lab status")
    offset, last = 0, False
    while True:
        alive = follow and more()
        if left.is_file(path):
            with left.opened(path) as file:
                file.seek(offset)
                while piece := file.read(PIECE):
                    offset += len(piece)
                    yield piece.decode(errors="replace")
        if not alive:
            if last or not follow:
                return
            last = True  # one more look for what was printed in between
        time.sleep(LOOK_S if follow else 0)
