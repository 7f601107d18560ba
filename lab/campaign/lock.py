"""A campaign's lock and log: whether its loop is alive, and where it prints."""

from pathlib import Path

from ..system import locks


def lock_path(home: Path, name: str) -> Path:
    """Return the lock that a campaign's loop holds while it lives."""
    return home / "locks" / locks.file_name(f"loop+{name}")


def is_alive(home: Path, name: str) -> bool:
    """Return whether a loop is at work on the campaign."""
    path = lock_path(home, name)
    return path.exists() and locks.is_held(path)


def log_of(home: Path, name: str) -> Path:
    """Return the file that a launched campaign prints into."""
    return home / "campaigns" / name / "loop.log"
