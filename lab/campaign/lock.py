"""Lock and log of a campaign: whether its loop is alive, and where it prints."""

from pathlib import Path

from ..system import locks
from ..system.home import Home


def lock_path(home: Home, name: str) -> Path:
    """Return the lock that a campaign's loop holds while it lives."""
    return home.lock(f"loop/{name}")


def is_alive(home: Home, name: str) -> bool:
    """Return whether a loop is at work on the campaign."""
    path = lock_path(home, name)
    return path.exists() and locks.is_held(path)


def waiting_until(home: Home, name: str) -> str | None:
    """Return the time until which a loop waits for a usage limit, as it noted in its lock."""
    return (locks.read_record(lock_path(home, name)) or {}).get("waiting_until")


def log_of(home: Home, name: str) -> Path:
    """Return the file that holds what a campaign has printed."""
    return home.campaign(name) / "loop.log"
