"""What is alive now: campaigns, runs, devices and their queue."""

import time
from datetime import datetime
from typing import Any

from . import queueing
from .campaign import is_alive
from .desk import Desk
from .notebook import Notebook, lookup, read
from .notebook.read import Found
from .text import shorten, span

MOST = 64  # campaigns that one page shows, newest first


def status(desk: Desk, book: Notebook) -> Found:
    """Return the JSON of `lab status`."""
    seen = queueing.snapshot(desk)
    return {
        "campaigns": [_campaign(desk, book, row) for row in lookup.campaigns(book, MOST)],
        "runs": [_run(row) for row in read.in_flight(book)],
        "slots": seen["slots"],
        "queue": seen["queue"],
    }


def _campaign(desk: Desk, book: Notebook, row: Any) -> Found:
    newest = read.newest(book, row["leaf"], row["name"])
    experiments, keeps = lookup.done_by(book, row["name"], row["leaf"])
    return {
        "campaign": row["name"],
        "leaf": row["leaf"],
        "agent": row["agent"],
        "worktree": row["worktree"],
        "alive": is_alive(desk.place.home, row["name"]),
        "experiments": experiments,
        "keeps": keeps,
        "experiment": read.e(newest["experiment"]) if newest else None,
        "status": newest["status"] if newest else "idle",
        "verdict": newest["verdict"] if newest else None,
    }


def _run(row: Any) -> Found:
    return {
        "experiment": f"e{row['experiment']}",
        "run": row["run"],
        "seed": row["seed"],
        "leaf": row["leaf"],
        "campaign": row["campaign"],
        "status": row["status"],
        "claim": row["claim"],
        "for_s": round(time.time() - _epoch(row["started"] or row["at"]), 1),
    }


def _epoch(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()


def status_text(found: Found) -> str:
    """Return the same for a person."""
    lines = [_campaign_line(one) for one in found["campaigns"]]
    for one in found["runs"]:
        claim = shorten(one["claim"] or "baseline", 80)
        whose = one["campaign"] or one["leaf"]
        lines.append(
            f"{one['experiment']} {one['status']} for {span(one['for_s'])} ({whose}): {claim}"
        )
    for one in found["slots"]:
        lines.append(f"device {one['device']}: {one['label']} for {span(one['held_s'])}")
    for one in found["queue"]:
        eta = f", about {span(one['eta_s'])}" if one["eta_s"] is not None else ""
        lines.append(f"queue {one['position']}: {one['label']} of {one['campaign']}{eta}")
    return "\n".join(lines) or "Nothing is alive."


def _campaign_line(one: Found) -> str:
    newest = (
        f", newest {one['experiment']} {one['verdict'] or one['status']}"
        if one["experiment"]
        else ""
    )
    agent = f" by {one['agent']}" if one["agent"] else ""
    alive = ", at work" if one["alive"] else ""
    counts = f"{one['experiments']} experiments, {one['keeps']} kept"
    return f"{one['campaign']}{agent}{alive}: {counts}{newest}"
