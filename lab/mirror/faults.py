"""What is wrong with a mirror, for `lab config` and `lab doctor`: told until it works again."""

import contextlib
import importlib.util

from ..system import left
from ..system.config import Mirror
from ..system.home import Home
from ..text import plain, shorten

ENDING = ".fault"
LONGEST = 200


def note(home: Home, target: str, run: str, words: str) -> None:
    """Keep what went wrong with a run in a target."""
    said = shorten(plain(words), LONGEST)
    with contextlib.suppress(OSError):
        (home.mirror / f"{target}{ENDING}").write_text(f"{target}: {run}: {said}\n")


def clear(home: Home, target: str) -> None:
    """Forget it: a run reached the target."""
    with contextlib.suppress(OSError):
        (home.mirror / f"{target}{ENDING}").unlink(missing_ok=True)


def is_there(target: str) -> bool:
    """Return whether the package of a target is installed."""
    return importlib.util.find_spec(target) is not None


def told(home: Home, mirror: Mirror) -> list[str]:
    """Return two lines for each target to which runs are to be sent and are not."""
    found = []
    for target in mirror.to:
        fault = left.text(home.mirror / f"{target}{ENDING}").strip()
        if not is_there(target):
            missing = f"[mirror] names {target}, which is not installed: runs go on without it."
            found.append(f"{missing}\nInstall it: pip install 'labtree[{target}]'")
        elif fault:
            log = home.mirror / f"{target}.log"
            found.append(f"[mirror] did not reach {fault}\nSee where: {log}")
    return found
