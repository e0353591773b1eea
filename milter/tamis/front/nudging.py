"""Connections of our own that make libmilter take those that it forgot.

libmilter counts a thread as idle until it has woken: of two connections that get busy at once, both can be
left to one thread, and the second is forgotten while the first one waits. A thread that has ended another
connection takes one that was forgotten (libmilter/worker.c, mi_worker()).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

from tamis.front import library

PAUSE = 1.0  # seconds between two looks
MOST = 100  # connections in one look


class Nudging:
    """Nudges the libmilter of this process."""

    def __init__(self) -> None:
        self._arrived = 0  # connections that came to us and said nothing
        self._task: asyncio.Task[None] | None = None

    def start(self, loop: asyncio.AbstractEventLoop, listener: socket.socket) -> None:
        """Begin to connect to a listener, which other processes may have, too."""
        self._task = loop.create_task(self._go_on(listener.family, listener.getsockname()))

    def stop(self) -> None:
        """Let libmilter be."""
        if self._task is not None:
            self._task.cancel()

    def arrived(self) -> None:
        """Note a connection that has ended and said nothing; on any thread."""
        self._arrived += 1

    async def _go_on(self, family: int, address: Any) -> None:
        while True:
            await asyncio.sleep(PAUSE)
            with contextlib.suppress(OSError):  # TimeoutError is one, too
                async with asyncio.timeout(PAUSE):
                    for _ in range(MOST):
                        if not await self._nudge(family, address):
                            break

    async def _nudge(self, family: int, address: Any) -> bool:
        """Connect and hang up; tell whether there may be more to do.

        It may have gone to another process, or to a new thread that has a forgotten connection by now.
        """
        threads, arrived = library.threads(), self._arrived
        with socket.socket(family) as one:
            one.setblocking(False)
            await asyncio.get_running_loop().sock_connect(one, address)
            one.shutdown(socket.SHUT_WR)
            await asyncio.get_running_loop().sock_recv(one, 1)  # until libmilter hangs up as well
        return self._arrived == arrived or library.threads() > threads
