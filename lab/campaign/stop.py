"""`lab stop`: end a run by its supervisor, a campaign by its driver."""

import os
import signal
import time
from collections.abc import Iterator

from ..errors import Refused
from ..notebook import Notebook, lookup, read
from ..run import waiting
from ..workspace import Workspace


def stop(workspace: Workspace, book: Notebook, what: str | None) -> Iterator[str]:
    """Stop an experiment, a campaign, or everything; yield a line on each thing that ended."""
    mine = workspace.place.campaign
    if what is not None and what[:1].lower() == "e" and what[1:].isdigit():
        row = book.need(what, "e")
        _own(workspace, row["campaign"], f"e{row['id']}")
        yield from _experiment(workspace, book, row["id"])
        return
    meant = [row["name"] for row in lookup.campaigns(book)]
    if what is not None:
        meant = lookup.named(book, what, "See what is alive: lab status")
    elif mine is not None:
        _own(workspace, None, "everything")
    for name in meant:
        _own(workspace, name, name)
    meant.reverse()
    ended = [line for name in meant for line in _loop(workspace, name)]
    yield from ended
    flights = [row for row in read.in_flight(book) if what is None or row["campaign"] in meant]
    for row in flights:
        yield from _experiment(workspace, book, row["experiment"])
    if not ended and not flights:
        yield "nothing is running"


def _own(workspace: Workspace, whose: str | None, what: str) -> None:
    """Refuse to stop what is another's, or everybody's; a person may, from the main checkout."""
    mine = workspace.place.campaign
    if mine is None or whose == mine:
        return
    raise Refused(
        f"{what} belongs to {whose or 'whoever runs here'}, this is {mine}.",
        f"Stop your own: lab stop {mine}; a person may stop any from the main checkout: "
        f"cd {workspace.place.main}",
    )


def _loop(workspace: Workspace, name: str) -> Iterator[str]:
    """Ask a campaign's loop to end, with its agent and its run, and wait until it has."""
    from ..system import locks, processes
    from . import lock

    path = lock.lock_path(workspace.place.home, name)
    if not lock.is_alive(workspace.place.home, name):
        return
    identity = (locks.read_record(path) or {}).get("process") or ""
    if processes.alive(identity):
        os.kill(int(identity.partition(":")[0]), signal.SIGTERM)
    until = time.monotonic() + waiting.PATIENCE_S
    while lock.is_alive(workspace.place.home, name) and time.monotonic() < until:
        time.sleep(0.05)
    still = lock.is_alive(workspace.place.home, name)
    yield f"{name} is still stopping" if still else f"{name} stopped"


def _experiment(workspace: Workspace, book: Notebook, number: int) -> Iterator[str]:
    """Ask the supervisor to stop and wait until the record is closed."""
    job = lookup.open_job(book, number)
    if job is None:
        yield f"e{number} is not running"
        return
    with book.write():
        book.event("stop", f"e{number}", f"by {book.who}")
    waiting.stop(workspace.place.home, number, job["id"], workspace.place.campaign or "")
    done = waiting.until_done(book, workspace.place, number, waiting.PATIENCE_S)
    yield f"e{number} stopped" if done else f"e{number} is still stopping: lab wait e{number}"
