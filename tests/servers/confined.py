"""A program that runs another one in what systemd's unit leaves to it; any other system call kills it.

The filters are those that systemd.exec(5) describes for SystemCallFilter=, MemoryDenyWriteExecute= and
RestrictAddressFamilies=, set by libseccomp. A denied call ends the process, where systemd would return EPERM.
"""

from __future__ import annotations

import ctypes
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

UNPACKED = Path(__file__).parents[2] / "var/debian/systemd"  # with libseccomp, where the machine lacks it
KILL_PROCESS = 0x80000000  # seccomp.h's SCMP_ACT_, linux/prctl.h's PR_, sys/mman.h's PROT_, sys/shm.h's SHM_
ALLOW = 0x7FFF0000
PR_SET_NO_NEW_PRIVS = 38
PROT_WRITE, PROT_EXEC = 2, 4
SHM_EXEC = 0o100000
NE, EQ, MASKED_EQ = 1, 4, 7  # enum scmp_compare
FAMILIES = {"AF_UNIX": socket.AF_UNIX, "AF_INET": socket.AF_INET, "AF_INET6": socket.AF_INET6}


class Comparison(ctypes.Structure):
    """struct scmp_arg_cmp: an argument, how it is compared, and with what."""

    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    )


class Filter:
    """A seccomp filter; what no rule names is allowed or killed, by default."""

    def __init__(self, default: int) -> None:
        self._library = ctypes.CDLL(str(next(UNPACKED.glob("**/libseccomp.so.2"), "libseccomp.so.2")))
        self._library.seccomp_init.restype = ctypes.c_void_p
        self._context = ctypes.c_void_p(self._library.seccomp_init(ctypes.c_uint32(default)))

    def add(self, action: int, call: str, *comparisons: tuple[int, int, int, int]) -> None:
        """Add a rule; a call that this machine does not have is left out."""
        number = self._library.seccomp_syscall_resolve_name(call.encode())
        if number < 0:
            return
        array = (Comparison * len(comparisons))(*(Comparison(*one) for one in comparisons))
        status = self._library.seccomp_rule_add_array(
            self._context, ctypes.c_uint32(action), number, len(comparisons), array
        )
        assert status == 0, f"{call}: {status}"

    def load(self) -> None:
        """Put it in force for this process and its children."""
        assert self._library.seccomp_load(self._context) == 0


def confine(calls: Sequence[str], families: Sequence[str]) -> None:
    """Allow these system calls and families of addresses only, and no memory both written and executed."""
    assert ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    listed = Filter(KILL_PROCESS)
    for call in calls:
        listed.add(ALLOW, call)
    memory = Filter(ALLOW)
    both = PROT_WRITE | PROT_EXEC
    memory.add(KILL_PROCESS, "mmap", (2, MASKED_EQ, both, both))
    memory.add(KILL_PROCESS, "mprotect", (2, MASKED_EQ, PROT_EXEC, PROT_EXEC))
    memory.add(KILL_PROCESS, "pkey_mprotect", (2, MASKED_EQ, PROT_EXEC, PROT_EXEC))
    memory.add(KILL_PROCESS, "shmat", (2, MASKED_EQ, SHM_EXEC, SHM_EXEC))
    numbers = {int(FAMILIES[name]) for name in families}
    for family in range(64):  # beyond those that there are
        if family not in numbers:
            memory.add(KILL_PROCESS, "socket", (0, EQ, family, 0))
    memory.load()
    listed.load()


if __name__ == "__main__":
    _, given_calls, given_families, program, *rest = sys.argv
    confine(given_calls.split(","), given_families.split(","))
    os.execv(program, [program, *rest])  # noqa: S606  # the caller's own words
