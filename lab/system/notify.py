"""`--notify`: one line to a command of the user's own when something happens."""

import os
import shlex
import subprocess

LIMIT_S = 20.0  # a notification that hangs must not hold a night up


def tell(line: str) -> None:
    """Give `line` to the command in `LAB_NOTIFY`, on its standard input."""
    command = os.environ.get("LAB_NOTIFY")
    if not command:
        return
    try:
        subprocess.run(
            shlex.split(command),
            input=f"{line}\n",
            text=True,
            timeout=LIMIT_S,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return
