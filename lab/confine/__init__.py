"""Confinement: what a run sees of this machine, by namespaces or Landlock where there are any.

`view` says which folders a run sees, `methods` how it is held to that, `enter` does it where
`bwrap` is not installed, `landlock` where no namespaces are to be had, `environment` says which
variables reach a run.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

Step = tuple[Literal["hide", "own", "read", "write"], str]


@dataclass(frozen=True)
class View:
    """What a command sees. Of the paths that lead to a file, the longest one named here decides.

    `hidden` are empty, `own` are empty and its own to write to until it ends. All else is there and
    read-only, but for /dev, which has the usual files and `devices` alone. `fresh` is a folder for
    what is its own where nothing can be mounted in another's place.
    """

    hidden: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    network: bool = False
    fresh: str = ""

    def with_folders(self, readable: Sequence[str], writable: Sequence[str]) -> "View":
        """Return this view with more to be seen."""
        return replace(
            self,
            readable=(*self.readable, *readable),
            writable=(*self.writable, *writable),
        )

    def steps(self) -> list[Step]:
        """Return what is mounted, in order: what lies in another comes after it.

        >>> View(hidden=("/usr",), readable=("/usr/lib",), own=("/tmp",)).steps()
        [('own', '/tmp'), ('hide', '/usr'), ('read', '/usr/lib')]
        """
        found: dict[str, Step] = {}
        for path in map(os.path.realpath, self.hidden):
            found[path] = ("hide", path)
        for path in map(os.path.realpath, self.own):
            found[path] = ("own", path)
        for path in map(os.path.realpath, self.readable):
            found[path] = ("read", path)
        for path in map(os.path.realpath, self.writable):
            found[path] = ("write", path)
        found.pop("/", None)
        steps = [found[path] for path in sorted(found) if os.path.exists(path)]
        return [step for step in steps if not _is_so(step, steps)]


def _is_so(step: Step, steps: Sequence[Step]) -> bool:
    """Return whether the folder around a path is shown in the same way, or hidden like it."""
    above = [what for what, path in steps if step[1].startswith(f"{path}/")]
    return step[0] in ("hide", "read") and above[-1:] == [step[0]]
