"""Keeps message content that is in memory out of files: no core dumps, no reading by other processes."""

from __future__ import annotations

import ctypes
import resource

PR_SET_DUMPABLE = 4  # linux/prctl.h


def forbid_dumps() -> None:
    """Let the kernel write no core dump of this process and its children."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)  # also where core_pattern pipes to a program
