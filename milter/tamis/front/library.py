"""What libmilter and pymilter have no calls for."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import socket
from pathlib import Path

from tamis.address import InetAddress, UnixAddress

log = logging.getLogger(__name__)

M_ARENA_MAX = -8  # malloc.h of the GNU C library


def listening() -> set[int]:
    """Return the descriptors of this process that are listening sockets."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        descriptor = int(entry.name)
        try:
            with socket.socket(fileno=os.dup(descriptor)) as candidate:
                if candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    found.add(descriptor)
        except OSError:
            continue
    return found


def threads() -> int:
    """Return how many threads this process has, those of libmilter included."""
    return len(os.listdir("/proc/self/task"))  # noqa: PTH208  # once a second


def reason(address: UnixAddress | InetAddress) -> str:
    """Return why libmilter, which does not tell, cannot listen."""
    try:
        if isinstance(address, UnixAddress):
            with socket.socket(socket.AF_UNIX) as probe:
                probe.bind(address.path)
            Path(address.path).unlink()
        else:
            family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
            socket.create_server((address.host, address.port), family=family).close()
    except OSError as error:
        return error.strerror or type(error).__name__
    return "libmilter gives no reason"


def set_max_packet(octets: int) -> None:
    """Raise libmilter's limit for one packet; pymilter has no call for it."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        if "/libmilter.so" in line:
            ctypes.CDLL(line.split(maxsplit=5)[5]).smfi_setmaxdatasize(ctypes.c_size_t(octets))
            return
    log.warning("libmilter not found among the loaded libraries: long header fields will be tempfailed")


def keep_one_heap() -> None:
    """Let all threads take their memory from one heap; before there are any.

    The GNU C library gives threads up to eight heaps for each core, and each keeps what the largest message
    took: with the hostile list in between a worker grew to 300 MB, and to 90 MB with one heap. Threads hardly
    wait for it, as Python's lock lets one run at a time.
    """
    with contextlib.suppress(AttributeError):  # other C libraries have one heap anyway
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
