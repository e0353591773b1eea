"""What the kernel lets our processes do: no dumps of mail in memory, and descriptors enough."""

from __future__ import annotations

import ctypes
import resource

PR_SET_DUMPABLE = 4  # linux/prctl.h


def forbid_dumps() -> None:
    """Let the kernel write no core dump of this process and its children."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)  # also where core_pattern pipes to a program


def allow_descriptors() -> None:
    """Raise the soft limit of descriptors, often 1,024, to the hard one: a message in flight holds three."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
