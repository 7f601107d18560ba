"""Enter namespaces of one's own and become a program there: `bwrap` for where there is none.

    python -I -S enter.py '{"steps": [...], "devices": [...], "network": false, "cwd": "/"}' PROGRAM

Three processes: one waits outside, one is the first of the new process namespace and collects
orphans, the third becomes the program. When one of them is killed, all that is inside ends.
"""

import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING or __package__:
    from .system_calls import FILES, call, drop_capabilities, libc
else:  # as a program it stands alone
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    from system_calls import FILES, call, drop_capabilities, libc

# From linux/sched.h, linux/mount.h and linux/prctl.h.
NEWNS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
MNT_DETACH, AT_RECURSIVE, AT_FDCWD, ATTR_RDONLY = 2, 0x8000, -100, 1
MOUNT_SETATTR, PIVOT_ROOT = 442, {"x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203}
PR_SET_PDEATHSIG = 1
BASE = "/tmp"  # there on every Linux; what is in it is hidden in any case


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount something; see mount(2)."""
    call("mount", source, target, kind, ctypes.c_ulong(flags), options)


def bind(source: str, target: str, read_only: bool) -> None:
    """Show a file or folder in another place, with all that is mounted in it."""
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    elif not os.path.exists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY))
    mount(source, target, flags=MS_BIND | MS_REC)
    if read_only:
        make_read_only(target, AT_RECURSIVE)


def make_read_only(target: str, flags: int = 0) -> None:
    """Let nobody write to a mount; see mount_setattr(2)."""
    attributes = struct.pack("QQQQ", ATTR_RDONLY, 0, 0, 0)
    size = ctypes.c_size_t(len(attributes))
    words = (ctypes.c_long(MOUNT_SETATTR), AT_FDCWD, target.encode(), flags)
    if libc.syscall(*words, attributes, size) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mount_setattr: {os.strerror(number)}", target)


def pivot(new: str, old: str) -> None:
    """Make `new` the root, the root so far to be found at `old`."""
    number = ctypes.c_long(PIVOT_ROOT[os.uname().machine])
    if libc.syscall(number, new.encode(), old.encode()) != 0:
        raise OSError(ctypes.get_errno(), "pivot_root", new)


def enter(network: bool) -> None:
    """Leave the namespaces we came with, the same user inside as outside."""
    user, group = os.getuid(), os.getgid()
    call("unshare", NEWUSER | NEWNS | NEWIPC | NEWPID | (0 if network else NEWNET))
    for name, words in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(words)
    if not network:  # loopback, which a script's own workers may use
        with socket.socket() as one:
            fcntl.ioctl(one, 0x8914, struct.pack("16sh14x", b"lo", 0x41))


def build(steps: list[tuple[str, str]], devices: list[str]) -> None:
    """Mount the view below /new, the old root being at /old."""
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    mount("tmpfs", BASE, "tmpfs", MS_NOSUID | MS_NODEV)
    os.mkdir(f"{BASE}/new")
    os.mkdir(f"{BASE}/old")
    pivot(BASE, f"{BASE}/old")
    os.chdir("/")
    bind("/old", "/new", read_only=True)
    make_devices(devices)
    for what, path in steps:
        if what in ("hide", "own"):
            os.makedirs(f"/new{path}", exist_ok=True)
            mount("tmpfs", f"/new{path}", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
        else:
            bind(f"/old{path}", f"/new{path}", read_only=what == "read")
    for path in [path for what, path in steps if what == "hide"]:
        make_read_only(f"/new{path}")


def make_devices(devices: list[str]) -> None:
    """Fill /dev with the usual files, terminals and shared memory of its own, and `devices`."""
    mount("tmpfs", "/new/dev", "tmpfs", MS_NOSUID, "mode=755")
    for name in FILES:
        bind(f"/old/dev/{name}", f"/new/dev/{name}", read_only=False)
    for name in ("pts", "shm"):
        os.mkdir(f"/new/dev/{name}")
    mount("tmpfs", "/new/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    mount("devpts", "/new/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666")
    os.symlink("pts/ptmx", "/new/dev/ptmx")
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        os.symlink(f"/proc/self/fd{target}", f"/new/dev/{name}")
    for path in devices:
        bind(f"/old{path}", f"/new{path}", read_only=False)


def settle(cwd: str) -> None:
    """In the first process inside: a /proc of its own, the old root gone, no capability left."""
    call("prctl", PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    mount("proc", "/new/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    call("umount2", "/old", MNT_DETACH)
    os.chdir("/new")
    pivot(".", ".")
    call("umount2", ".", MNT_DETACH)
    os.chdir(cwd)
    drop_capabilities()


def status_of(pid: int) -> int:
    """Collect children until `pid` has ended; return its exit status as a shell would."""
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == pid:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def main() -> None:
    """Do what the command line says."""
    asked = json.loads(sys.argv[1])
    enter(asked["network"])
    build(asked["steps"], asked["devices"])
    first = os.fork()
    if first:
        os._exit(status_of(first))
    settle(asked["cwd"])
    program = os.fork()
    if program:
        os._exit(status_of(program))
    os.execvp(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    try:
        main()
    except OSError as fault:
        print(f"enter: {fault}", file=sys.stderr)
        os._exit(1)
