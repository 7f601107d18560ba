"""Allow oneself a view and nothing else, by Landlock, and become a program: without namespaces.

    python -I -S landlock.py --hide /root --write /data/run --fresh /tmp/x --chdir / -- PROGRAM

Landlock only allows. So a folder in which something is hidden is not allowed itself, but each of
what else is in it now. What is to be the program's own lies below `fresh`, in folders that no other
command gets; variables that name the usual place name these instead. It stays one process.
"""

import ctypes
import errno
import os
import stat
import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
if TYPE_CHECKING or __package__:
    from .system_calls import FILES, call, drop_capabilities, numbered
else:  # as a program it stands alone
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    from system_calls import FILES, call, drop_capabilities, numbered

Steps = list[tuple[str, str]]

# From linux/landlock.h. The version that brought what comes after the plain ones is beside it.
CREATE_RULESET, ADD_RULE, RESTRICT_SELF, ASK_VERSION, PATH_BENEATH = 444, 445, 446, 1, 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = (1 << n for n in range(6))
MAKE_CHAR, MAKE_DIR, MAKE_REG, MAKE_SOCK, MAKE_FIFO, MAKE_BLOCK = (1 << n for n in range(6, 12))
MAKE_SYM, REFER, TRUNCATE, IOCTL_DEV = (1 << n for n in range(12, 16))  # 1, 2, 3, 5
BIND_TCP, CONNECT_TCP = 1, 2  # 4
ABSTRACT_SOCKETS, SIGNALS = 1, 2  # 6
OLDEST = 3  # before it a file that cannot be written to can be emptied

READ = EXECUTE | READ_FILE | READ_DIR
MAKE = MAKE_DIR | MAKE_REG | MAKE_SOCK | MAKE_FIFO | MAKE_SYM
WRITE = READ | MAKE | WRITE_FILE | TRUNCATE | REMOVE_DIR | REMOVE_FILE | REFER
DEVICE = READ_DIR | READ_FILE | WRITE_FILE | TRUNCATE | IOCTL_DEV
SHARED = READ_FILE | WRITE_FILE | TRUNCATE | MAKE_REG | REMOVE_FILE  # memory and semaphores
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV

# From linux/audit.h and asm/unistd.h: what a machine is called to a filter, its socket, prlimit64.
CALLS = {
    "x86_64": (0xC000003E, 41, 302),
    "aarch64": (0xC00000B7, 198, 261),
    "riscv64": (0xC00000F3, 198, 261),
}
# What outlives a process and has no path: System V's shared memory, semaphores and messages, keys.
OUTLIVING = {
    "x86_64": (29, 64, 68, 248, 249, 250),
    "aarch64": (194, 190, 186, 217, 218, 219),
    "riscv64": (194, 190, 186, 217, 218, 219),
}
IO_URING_SETUP, FIRST_OF_X32, AF_UNIX, ITSELF = 425, 0x40000000, 1, 0
PR_SET_SECCOMP, MODE_FILTER, ALLOW, REFUSE = 22, 2, 0x7FFF0000, 0x50000
LOAD, IF_EQUAL, IF_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06  # from linux/bpf_common.h
NUMBER, ARCHITECTURE, FIRST_WORD = 0, 4, 16  # places in linux/seccomp.h's struct seccomp_data


def version() -> int:
    """Return which Landlock this kernel has; refuse where it has none, or too old a one."""
    try:
        found = numbered(CREATE_RULESET, None, ctypes.c_size_t(0), ASK_VERSION)
    except OSError as fault:
        raise OSError(fault.errno, "this kernel has no Landlock, or it is switched off") from None
    if found < OLDEST:
        raise OSError(errno.ENOSYS, f"Landlock {found} does not keep files whole, {OLDEST} does")
    return found


def lacking(version: int) -> str:
    """Return in words what an older Landlock does not hold back, "" for a newer one.

    >>> lacking(4), lacking(6)
    ('signals and abstract sockets are free before Linux 6.12', '')
    """
    return "" if version >= 6 else "signals and abstract sockets are free before Linux 6.12"


# -- What is allowed ----------------------------------------------------------


def allowed(steps: Steps, devices: list[str]) -> "Iterator[tuple[str, int]]":
    """Yield each path to allow, with the rights to it and to all below."""
    named = {"/dev", *(path for _, path in steps)}
    above = {"/", *(folder for path in named for folder in _above(path))}
    rights = {"read": READ, "write": WRITE}
    for what, path in [("read", "/"), *steps]:
        if what in rights:
            yield from _within(path, rights[what], named, above)
    yield "/dev/shm", SHARED
    yield from ((path, DEVICE) for path in (*(f"/dev/{name}" for name in FILES), *devices))


def _above(path: str) -> "Iterator[str]":
    """Yield the folders that lead to a path.

    >>> list(_above("/var/tmp"))
    ['/var', '/']
    """
    while path != "/":
        path = os.path.dirname(path)
        yield path


def _within(
    path: str, rights: int, named: set[str], above: set[str]
) -> "Iterator[tuple[str, int]]":
    """Yield a path, or what is in it where something in it has rights of its own."""
    if path not in above:
        yield path, rights
        return
    try:
        inside = [one.path for one in os.scandir(path) if not one.is_symlink()]
    except OSError:  # a folder closed to us
        return
    for one in inside:
        if one not in named:
            yield from _within(one, rights, named, above)


# -- What is its own ----------------------------------------------------------


def make_own(steps: Steps, folder: str) -> None:
    """Make folders in place of those that are to be its own, with links to what is shown there."""
    for place, (what, path) in enumerate(steps):
        if what == "own":
            os.makedirs(f"{folder}{path}", mode=0o700, exist_ok=True)
        elif _what(os.path.dirname(path), steps[:place]) == "own":
            os.makedirs(os.path.dirname(f"{folder}{path}"), mode=0o700, exist_ok=True)
            os.symlink(path, f"{folder}{path}")
    os.environ.setdefault("HOME", os.path.expanduser("~"))
    for name, value in os.environ.items():
        os.environ[name] = ":".join(_moved(word, steps, folder) for word in value.split(":"))


def _what(path: str, steps: Steps) -> str:
    """Return what becomes of a path by the longest one that leads to it."""
    found = [what for what, one in steps if f"{path}/".startswith(f"{one}/")]
    return found[-1] if found else "read"


def _moved(path: str, steps: Steps, folder: str) -> str:
    """Return where a path lies that is to be its own; any other as it is."""
    real = os.path.realpath(path) if path.startswith("/") else ""
    return f"{folder}{real}" if real and _what(real, steps) == "own" else path


# -- Holding to it ------------------------------------------------------------


def restrict(paths: "Iterable[tuple[str, int]]", network: bool) -> None:
    """Allow these paths and nothing else, for good, to this process and all that it starts."""
    has = version()
    every = (1 << (16 if has >= 5 else 15)) - 1
    ports = BIND_TCP | CONNECT_TCP if has >= 4 and not network else 0
    words = struct.pack("QQQ", every, ports, ABSTRACT_SOCKETS | SIGNALS if has >= 6 else 0)
    rules = numbered(CREATE_RULESET, words, ctypes.c_size_t(len(words)), 0)
    for path, rights in paths:
        _allow(rules, path, rights & every)
    numbered(RESTRICT_SELF, rules, 0)
    os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    """Allow one path; one that is gone is no trouble."""
    try:
        number = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    if not stat.S_ISDIR(os.fstat(number).st_mode):
        rights &= OF_FILES
    numbered(ADD_RULE, rules, PATH_BENEATH, struct.pack("=Qi", rights, number), 0)
    os.close(number)


def filter_calls(network: bool) -> None:
    """Refuse by a filter what Landlock does not know: limits for other processes, what outlives
    its process without a path, all sockets.

    But for local ones, and with the words of a machine without a network. Another machine's calls
    are refused as well, and rings through which sockets could be opened unseen.
    """
    architecture, socket, prlimit = CALLS[os.uname().machine]
    lines = [
        (LOAD, 0, 0, ARCHITECTURE),
        (IF_EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, REFUSE | errno.EPERM),
        (LOAD, 0, 0, NUMBER),
        (IF_AT_LEAST, 0, 1, FIRST_OF_X32),
        (RETURN, 0, 0, REFUSE | errno.EPERM),
        *_only(prlimit, ITSELF, errno.EPERM),
        *(line for number in OUTLIVING[os.uname().machine] for line in _never(number, errno.EPERM)),
        *([] if network else _only(socket, AF_UNIX, errno.ENETUNREACH)),
        *([] if network else _never(IO_URING_SETUP, errno.ENETUNREACH)),
        (RETURN, 0, 0, ALLOW),
    ]
    program = b"".join(struct.pack("HBBI", *line) for line in lines)
    filled = ctypes.create_string_buffer(program, len(program))
    words = struct.pack("HP", len(lines), ctypes.addressof(filled))
    call("prctl", PR_SET_SECCOMP, MODE_FILTER, words, 0, 0)


def _only(number: int, first: int, fault: int) -> list[tuple[int, int, int, int]]:
    """Return the lines that refuse a system call unless its first word is this one."""
    return [
        (IF_EQUAL, 0, 4, number),
        (LOAD, 0, 0, FIRST_WORD),
        (IF_EQUAL, 0, 1, first),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, REFUSE | fault),
    ]


def _never(number: int, fault: int) -> list[tuple[int, int, int, int]]:
    """Return the lines that refuse a system call."""
    return [(IF_EQUAL, 0, 1, number), (RETURN, 0, 0, REFUSE | fault)]


def options(words: "Iterator[str]") -> dict[str, list[str]]:
    """Return the values of the options before `--` by name; what takes none has an empty one.

    >>> options(iter(["--read", "/a", "--network", "--read", "/b", "--", "program"]))
    {'read': ['/a', '/b'], 'network': ['']}
    """
    found: dict[str, list[str]] = {}
    for word in words:
        if word == "--":
            break
        found.setdefault(word[2:], []).append("" if word == "--network" else next(words))
    return found


def main() -> None:
    """Do what the command line says."""
    words = iter(sys.argv[1:])
    asked, program = options(words), [*words]
    kinds = ("hide", "own", "read", "write")
    named = {path: what for what in kinds for path in asked.get(what, ())}
    steps, network = [(named[path], path) for path in sorted(named)], "network" in asked
    for fresh in asked.get("fresh", ()):
        folder = os.path.join(fresh, os.urandom(4).hex())
        make_own(steps, folder)
        steps.append(("write", folder))
    drop_capabilities()  # and with it the right to gain any, without which nobody may go on
    restrict(allowed(steps, asked.get("device", [])), network)
    filter_calls(network)
    os.chdir(asked["chdir"][0])
    os.execvp(program[0], program)


if __name__ == "__main__":
    try:
        main()
    except OSError as fault:
        print(f"landlock: {fault}", file=sys.stderr)
        os._exit(1)
