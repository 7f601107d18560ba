"""How a run is held to its view: `bwrap`, our own namespaces, Landlock, or not, and why not."""

import functools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from . import View, landlock

Kind = Literal["bwrap", "unshare", "landlock", "none"]
# Where a system's own programs lie. Never PATH: whoever asks for a run could put their own there.
PLACES = ("/usr/bin", "/bin", "/usr/local/bin", "/run/current-system/sw/bin")
ENTER = Path(__file__).with_name("enter.py")
LANDLOCK = Path(landlock.__file__)
PROBE_LIMIT_S = 20  # a namespace is there within 30 ms
CHOICE = "LAB_CONFINE"  # a kind: to try one out; each run records what it was
_NOWHERE = View(hidden=("/home",), own=("/tmp",))


_ONCE = threading.Lock()


@dataclass(frozen=True)
class Method:
    """A way to confine; `why` says what keeps this machine from a better one."""

    kind: Kind
    words: tuple[str, ...] = ()  # before its options
    why: str = ""

    @property
    def confines(self) -> bool:
        """Return whether a run is confined by it at all."""
        return self.kind != "none"

    @property
    def has_namespaces(self) -> bool:
        """Return whether a run has processes, shared memory and temporary folders to itself."""
        return self.kind in ("bwrap", "unshare")

    def wrapped(self, argv: Sequence[str], cwd: Path, view: View) -> list[str]:
        """Return the command that runs `argv` with that view, or `argv` where nothing confines."""
        if self.kind == "bwrap":
            return [*self.words, *_options(view), "--chdir", str(cwd), "--", *argv]
        if self.kind == "unshare":
            told = {"steps": view.steps(), "devices": view.devices, "network": view.network}
            return [*self.words, json.dumps({**told, "cwd": str(cwd)}), *argv]
        if self.kind == "landlock":
            return [*self.words, *_allowances(view), "--chdir", str(cwd), "--", *argv]
        return list(argv)

    def as_text(self) -> str:
        """Return in words what this machine can do."""
        return f"{self.kind} ({self.why})" if self.why else self.kind

    def as_record(self) -> dict[str, str | int]:
        """Return what a run's record says of it."""
        if self.kind == "landlock":
            return {"confined": self.kind, "landlock_abi": landlock.version()}
        told = {"unconfined_because": self.why} if self.why else {}
        return {"confined": self.kind, **told}


def _options(view: View) -> list[str]:
    """Return bwrap's options for a view."""
    words = ["--die-with-parent", "--unshare-ipc", "--unshare-pid"]
    words += [] if view.network else ["--unshare-net"]
    words += ["--cap-drop", "ALL", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    for path in view.devices:
        words += ["--dev-bind-try", path, path]
    steps = view.steps()
    for what, path in steps:
        words += {
            "hide": ["--tmpfs", path],
            "own": ["--tmpfs", path],
            "read": ["--ro-bind", path, path],
            "write": ["--bind", path, path],
        }[what]
    for path in [path for what, path in steps if what == "hide"]:
        words += ["--remount-ro", path]
    return words


def _allowances(view: View) -> list[str]:
    """Return the options of `landlock` for a view."""
    words = [word for what, path in view.steps() for word in (f"--{what}", path)]
    words += [word for path in view.devices for word in ("--device", path)]
    words += ["--fresh", view.fresh] if view.fresh else []
    return [*words, "--network"] if view.network else words


def best(environ: Mapping[str, str] = os.environ) -> Method:
    """Return the best method that this machine has, each tried once in a process.

    Trying takes as long as a small command: a thread may ask beforehand.
    """
    with _ONCE:
        return _best(environ.get(CHOICE, ""))


@functools.cache
def _best(choice: str) -> Method:
    if not sys.platform.startswith("linux"):
        return Method("none", why=f"{sys.platform} has no namespaces")
    if choice == "none":
        return Method("none", why=f"{CHOICE}=none")
    faults: list[str] = []
    for one in _candidates():
        if choice in ("", one.kind):
            fault = _fault(one)
            if not fault:
                return replace(one, why=_short_of(one, faults))
            faults.append(f"{one.kind}: {fault}")
    return Method("none", why="; ".join(faults) or "no bwrap here")


def _candidates() -> list[Method]:
    """Return the methods, the best first; root can do without a user namespace."""
    programs = [f"{place}/bwrap" for place in PLACES]
    program = next((path for path in programs if os.access(path, os.X_OK)), None)
    found = []
    if program:
        found.append(Method("bwrap", (program, "--unshare-user")))
        found += [Method("bwrap", (program,))] if os.getuid() == 0 else []
    alone = (sys.executable, "-I", "-S")
    found.append(Method("unshare", (*alone, str(ENTER))))
    return [*found, Method("landlock", (*alone, str(LANDLOCK)))]


def _short_of(method: Method, faults: Sequence[str]) -> str:
    """Return what a method lacks, and why there is no better one; "" for namespaces."""
    if method.has_namespaces:
        return ""
    return "; ".join(filter(None, [landlock.lacking(landlock.version()), *faults]))


def _fault(method: Method) -> str:
    """Return what keeps a method from working here, "" when nothing does."""
    try:
        tried = subprocess.run(
            method.wrapped(["/bin/true"], Path("/"), _NOWHERE),
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=PROBE_LIMIT_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    said = tried.stderr.strip().splitlines()
    return "" if tried.returncode == 0 else (said[-1] if said else f"exit code {tried.returncode}")
