"""What our processes may have: no dumps of mail in memory, descriptors enough, no memory they do not need."""

from __future__ import annotations

import ctypes
import resource

PR_SET_DUMPABLE, PR_SET_NAME = 4, 15  # linux/prctl.h


def forbid_dumps() -> None:
    """Let the kernel write no core dump of this process and its children."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)  # also where core_pattern pipes to a program


def give_back_memory() -> None:
    """Give the kernel what was freed and glibc keeps between pieces in use (malloc_trim(3)).

    It takes 10 us where there is nothing, and 0.4 ms for each MB, in which the process waits.
    """
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):  # other libraries have none
        trim(0)


def allow_descriptors() -> None:
    """Raise the soft limit of descriptors, often 1,024, to the hard one: a message in flight holds three."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def show_as(name: str) -> None:
    """Have ps(1) and top(1) show this process under a name, of 15 octets at most."""
    ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode(), 0, 0, 0)
