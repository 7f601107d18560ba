"""Calls of the system that Python has no words for; for programs that stand alone and start fast.

Nothing here or in `landlock` imports `typing`, `json` or `signal`: each takes as long as a fifth of
an interpreter's start, and every command of a run starts one more.
"""

import ctypes
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# From linux/prctl.h and linux/capability.h.
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
CAPABILITIES, CAP_VERSION_3 = 64, 0x20080522
FILES = ("null", "zero", "full", "random", "urandom", "tty")  # of /dev, for everybody

libc = ctypes.CDLL(None, use_errno=True)


def call(name: str, *words: "Any") -> None:
    """Call a function of libc that returns 0; paths are texts."""
    given = [word.encode() if isinstance(word, str) else word for word in words]
    if getattr(libc, name)(*given) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}", str(words[0]))


def numbered(number: int, *words: "Any") -> int:
    """Make the system call of that number, which returns less than 0 where it fails."""
    found = int(libc.syscall(ctypes.c_long(number), *words))
    if found < 0:
        fault = ctypes.get_errno()
        raise OSError(fault, f"system call {number}: {os.strerror(fault)}")
    return found


def drop_capabilities() -> None:
    """Be nobody special from here on, nor anything that this process becomes."""
    for number in range(CAPABILITIES):
        libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)  # fails beyond the last one there is
    call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    call("capset", struct.pack("Ii", CAP_VERSION_3, 0), struct.pack("6I", *(0,) * 6))
