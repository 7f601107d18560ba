"""Ending what is alive: a run by its keeper, a campaign by its driver."""

from collections.abc import Iterator

from . import waiting
from .desk import Desk
from .errors import NotFound
from .notebook import Notebook, read

PATIENCE_S = 30.0  # a keeper ends its run within 2 s; a full disk or a busy notebook takes longer


def stop(desk: Desk, book: Notebook, what: str | None) -> Iterator[str]:
    """Stop an experiment, a campaign, or everything; yield a line on each thing that ended."""
    if what is not None and what[:1].lower() == "e" and what[1:].isdigit():
        yield from _experiment(desk, book, book.need(what, "e")["id"])
        return
    flights = [row for row in read.in_flight(book) if what is None or _named(row, what)]
    if not flights:
        known = book.one("select 1 from campaigns where name = ?", what) if what else True
        if not known:
            raise NotFound(f"there is no campaign {what}.", "See what is alive: lab status")
        yield "nothing is running"
    for row in flights:
        yield from _experiment(desk, book, row["experiment"])


def _named(row: object, what: str) -> bool:
    campaign = row["campaign"] or ""  # type: ignore[index]
    return campaign == what or campaign.rpartition("/")[2] == what


def _experiment(desk: Desk, book: Notebook, number: int) -> Iterator[str]:
    """Ask the keeper to stop and wait until the record is closed."""
    job = book.one("select id from jobs where experiment = ? and ended is null", number)
    if job is None:
        yield f"e{number} is not running"
        return
    waiting.stop(desk.place.home, number, job["id"])
    done = waiting.until_done(book, desk.place, number, PATIENCE_S)
    yield f"e{number} stopped" if done else f"e{number} is still stopping: lab wait e{number}"
