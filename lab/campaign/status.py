"""`lab status`: live campaigns, runs, devices and the queue."""

import sqlite3
import time
from datetime import datetime
from pathlib import Path

from ..documents.campaigns import Campaign, LiveRun, Session, State, Status, Value
from ..notebook import Notebook, campaigns, lookup, read
from ..run import queue_status, watch
from ..system import masking
from ..text import num, plain, plural, shorten, span, to_go
from ..workspace import Workspace
from . import lock

MOST = 64  # campaigns that one page shows, newest first


def status(workspace: Workspace, book: Notebook) -> Status:
    """Return the JSON of `lab status`."""
    seen = queue_status.snapshot(workspace.place.home)
    runs = [_run(workspace, book, row, seen) for row in read.in_flight(book)]
    return {
        "campaigns": [
            _campaign(workspace, book, row, runs) for row in lookup.campaigns(book, MOST)
        ],
        "runs": runs,
        "slots": seen["slots"],
        "queue": seen["queue"],
    }


# -- Campaigns ------------------------------------------------------------------


def _campaign(
    workspace: Workspace, book: Notebook, row: sqlite3.Row, runs: list[LiveRun]
) -> Campaign:
    name = row["name"]
    newest = read.newest(book, row["leaf"], name)
    experiments, keeps = lookup.done_by(book, name, row["leaf"])
    first, now = campaigns.ends(book, name)
    alive = lock.is_alive(workspace.place.home, name)
    mine = [one for one in runs if one["campaign"] == name]
    said = campaigns.heading(book, name)
    session = campaigns.last_session(book, row["id"])
    until = _waiting_until(workspace, name, session) if alive else None
    return {
        "campaign": name,
        "leaf": row["leaf"],
        "agent": row["agent"],
        "worktree": row["worktree"],
        "alive": alive,
        "state": _state(said, alive, until is not None),
        "why": said["detail"] if said is not None and said["verb"] != "loop" else None,
        "waiting_until": until,
        "session": _session(session, alive) if session is not None else None,
        "experiments": experiments,
        "keeps": keeps,
        "experiment": read.e(newest["experiment"]) if newest else None,
        "status": newest["status"] if newest else "idle",
        "verdict": newest["verdict"] if newest else None,
        "run": mine[-1] if mine else None,
        "began_at": _value(first),
        "best": _value(now),
        "cost_usd": campaigns.cost(book, name, "") or None,
        "last_line": _last_line(lock.log_of(workspace.place.home, name)),
    }


def _waiting_until(workspace: Workspace, name: str, session: sqlite3.Row | None) -> str | None:
    """Return the time until which a usage limit holds, if that is to come."""
    if session is not None and session["ended"] is None:
        return None
    until = lock.waiting_until(workspace.place.home, name)
    return until if until and _epoch(until) > time.time() else None


def _state(said: sqlite3.Row | None, alive: bool, waits: bool) -> State:
    """Return how a campaign stands by evidence: its lock, and the loop's last word."""
    if alive:
        return "waiting" if waits else "working"
    if said is None:
        return "by hand"
    ends: dict[str, State] = {"loop ended": "ended", "loop stopped": "stopped"}
    return ends.get(said["verb"], "dead")


def _session(row: sqlite3.Row, alive: bool) -> Session:
    open_, began = row["ended"] is None, _epoch(row["at"])
    return {
        "number": row["id"],
        "agent": row["agent"],
        "alive": open_ and alive,
        "for_s": round((time.time() if open_ else _epoch(row["ended"])) - began, 1),
        "how": row["how"] or (None if alive else "lost"),
        "exit_code": row["exit_code"],
        "tokens": row["tokens"],
    }


def _value(row: sqlite3.Row | None) -> Value | None:
    return None if row is None else {"experiment": f"e{row['experiment']}", "value": row["value"]}


def _last_line(path: Path) -> str | None:
    """Return the last line a launched campaign printed."""
    lines = (line.decode(errors="replace").strip() for line in reversed(watch.tail(path)))
    return next((masking.mask(line) for line in lines if line), None)


# -- Runs -----------------------------------------------------------------------


def _run(
    workspace: Workspace, book: Notebook, row: sqlite3.Row, seen: queue_status.Snapshot
) -> LiveRun:
    label = f"e{row['experiment']}/{row['seed']}"
    mine = [
        one for one in seen["queue"] if (one["label"], one["home"]) == (label, _home(workspace))
    ]
    return {
        "experiment": f"e{row['experiment']}",
        "run": row["run"],
        "seed": row["seed"],
        "leaf": row["leaf"],
        "campaign": row["campaign"],
        "status": row["status"],
        "stage": watch.Watch(book, workspace.place.home, row["experiment"]).look()[1],
        "claim": row["claim"],
        "for_s": round(time.time() - _epoch(row["started"] or row["at"]), 1),
        "position": mine[0]["position"] if mine else None,
        "eta_s": mine[0]["eta_s"] if mine else None,
    }


def _home(workspace: Workspace) -> str:
    return str(workspace.place.home)


def _epoch(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()


# -- As text --------------------------------------------------------------------


def status_text(found: Status) -> str:
    """Return the same for a person."""
    lines = [line for one in found["campaigns"] for line in _campaign_lines(one)]
    lines += [_run_line(one) for one in found["runs"]]
    for one in found["slots"]:
        whose = "" if one["campaign"] in (None, "main") else f" of {one['campaign']}"
        lines.append(f"device {one['device']}: {one['label']}{whose} for {span(one['held_s'])}")
    for one in found["queue"]:
        lines.append(
            f"queue {one['position']}: {one['label']} of {one['campaign']}{to_go(one['eta_s'])}"
        )
    return "\n".join(lines) or "Nothing is alive."


def _run_line(one: LiveRun) -> str:
    place = "" if one["position"] is None else f", place {one['position']} in the queue"
    claim = shorten(one["claim"] or "baseline", 80)
    whose = one["campaign"] or one["leaf"]
    return f"{one['stage']}{place}, for {span(one['for_s'])} ({whose}): {claim}"


def _campaign_lines(one: Campaign) -> list[str]:
    """Return what a campaign is at, and below it why it is not at work, or what it said last."""
    agent = f" by {one['agent']}" if one["agent"] else ""
    counts = f"{plural(one['experiments'], 'idea')} tried, {one['keeps']} kept"
    words = f"{one['campaign']}{agent} {_at(one)}: {counts}{_figures(one)}"
    newest = f", newest {one['experiment']} {one['verdict'] or one['status']}"
    lines = [words + (newest if one["experiment"] else "")]
    said = one["why"] if one["state"] in ("ended", "stopped", "waiting") else one["last_line"]
    if one["state"] == "dead":
        again = f"lab launch {one['leaf']}:{one['campaign'].rpartition('/')[2]} ..."
        said = f"its process is gone; the command that started it goes on: {again}"
    if said:
        lines.append(f"  {shorten(plain(said), 160)}")
    return lines


def _at(one: Campaign) -> str:
    session = one["session"]
    if one["state"] == "working" and session and session["alive"]:
        return f"working (session {session['number']} for {span(session['for_s'])})"
    return one["state"]


def _figures(one: Campaign) -> str:
    """Return best then and now, and the cost."""
    words = ""
    if one["best"] is not None:
        then = "" if one["began_at"] is None else f"{num(one['began_at']['value'])} -> "
        words = f", {then}{num(one['best']['value'])} ({one['best']['experiment']})"
    if one["cost_usd"]:
        words += f", ${one['cost_usd']:.2f}"
    return words
