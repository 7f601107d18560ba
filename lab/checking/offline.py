"""No network during a check: taken away where possible, every try written down.

On Linux a network namespace of its own, with nothing but loopback, holds whatever program the
leaf starts. Everywhere a `sitecustomize.py` in the clone's root, which is on the path of a leaf's
Python, refuses each try at once and notes it, so that a run neither hangs nor hides it.
"""

import functools
import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from ..system import left
from ..system.home import Home

GUARD = '''\
"""Written by lab check: a try to reach the network is noted, and refused unless it is allowed."""

import json
import os
import sys

LOG, REFUSE = {log!r}, {refuse!r}
if "LAB_RUN_DIR" in os.environ:  # a confined run sees no other folder
    LOG = os.path.join(os.environ["LAB_RUN_DIR"], {name!r})
LOCAL = ("", "localhost", "0.0.0.0", "::", "::1", os.uname().nodename)


def watch(event, args):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = args[1]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        address = args
    else:
        return
    if not isinstance(address, tuple) or address[0] is None:
        return  # not of the internet
    host = address[0].decode() if isinstance(address[0], bytes) else str(address[0])
    if host in LOCAL or host.startswith("127."):
        return
    with open(LOG, "a") as log:
        log.write(json.dumps([host, os.path.basename(sys.argv[0])]) + "\\n")
    if REFUSE:
        raise OSError(101, f"no network in this check; {{host}} was tried")


sys.addaudithook(watch)
'''
# Bring loopback up, which a leaf's own server or workers may use, then become the program.
LOOPBACK = """
import fcntl, os, socket, struct, sys
with socket.socket() as s:
    try: fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 0x41))
    except OSError: pass
os.execvp(sys.argv[1], sys.argv[1:])
"""
NOTED = "network.log"  # in a run's folder
NAMESPACE = ("unshare", "--user", "--map-root-user", "--net", "--")
NOWHERE = ("192.0.2.1", 9)  # reserved for documentation (RFC 5737); nothing is sent there


def guard(root: Path, log: Path, refuse: bool) -> None:
    """Write the guard into the clone's root, unless the repository has one of that name."""
    file = root / "sitecustomize.py"
    if not file.exists():
        file.write_text(GUARD.format(log=str(log), refuse=refuse, name=NOTED))


def tried(log: Path, home: Home) -> list[str]:
    """Return the hosts that were tried, each once with the script that did."""
    logs = [log, *sorted(home.path.rglob(NOTED))]
    rows = [json.loads(line) for path in logs for line in left.text(path).splitlines()]
    return [*dict.fromkeys(f"{host} ({script})" for host, script in rows)]


@functools.cache
def wrapper() -> tuple[str, ...]:
    """Return the words before a command that take the network away; () where not permitted."""
    if not sys.platform.startswith("linux") or not shutil.which("unshare"):
        return ()
    words = (*NAMESPACE, sys.executable, "-I", "-S", "-c", LOOPBACK)
    try:
        proof = subprocess.run([*words, "true"], capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return words if proof.returncode == 0 else ()


def routed() -> bool:
    """Return whether this machine has a route to anywhere; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(NOWHERE)
        except OSError:
            return False
    return True


def allow(root: Path, log: Path) -> None:
    """Let the guard note tries without refusing them."""
    file = root / "sitecustomize.py"
    if file.is_file() and file.read_text().startswith(GUARD.splitlines()[0]):
        file.write_text(GUARD.format(log=str(log), refuse=False, name=NOTED))
