"""`--notify`: one line to a shell line of the user's own when something happens."""

import os
import subprocess

from ..errors import Refused

LIMIT_S = 20.0  # a notification that hangs must not hold a night up
TOLD_BY = "LAB_NOTIFY"


def begin(command: str, line: str) -> None:
    """Take `command` from here on, in what is started from here too; Refused unless it works."""
    os.environ[TOLD_BY] = command
    if why := tell(line):
        raise Refused(f"--notify does not work ({why}).", f"Try it: echo test | {command}")


def tell(line: str) -> str | None:
    """Give `line` to the standard input of the shell line in `LAB_NOTIFY`; return why it failed."""
    command = os.environ.get(TOLD_BY)
    if not command:
        return None
    try:
        done = subprocess.run(
            ["sh", "-c", command],
            input=f"{line}\n",
            text=True,
            errors="replace",
            timeout=LIMIT_S,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it did not end within {LIMIT_S:g} s"
    except (OSError, ValueError) as error:
        return str(error)
    said = done.stderr.strip().splitlines()
    return (said[-1] if said else f"exit status {done.returncode}") if done.returncode else None
