"""Lock folder of this machine's GPUs: one for all clones and users."""

import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from .. import errors


def shared_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of GPU locks, the same for all clones and users of this machine.

    Made on first use, writable by everyone, sticky as a temporary directory is.
    """
    said = environ.get("LAB_SLOTS_DIR")
    folder = Path(said) if said else Path(tempfile.gettempdir()) / "lab-slots"
    try:
        made = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        if made:
            folder.chmod(0o1777)
        usable = os.access(folder, os.W_OK | os.X_OK)
        usable &= bool(said) or not stat.S_ISLNK(folder.lstat().st_mode)
    except OSError:
        usable = False
    if not usable:
        raise errors.Environment(
            f"cannot keep device locks in {folder}", "export LAB_SLOTS_DIR=<a folder you can write>"
        )
    return folder
