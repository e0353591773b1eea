"""Connections to the relay: how many there are at once, and those that wait for the next copy."""

from __future__ import annotations

import asyncio

from tamis.address import Address
from tamis.resend.connection import Connection

IDLE = 5.0  # seconds that a connection waits for the next copy; it keeps one of the listener's processes busy


class Pool:
    """The connections of one event loop; who holds a slot may have one of them."""

    def __init__(self, where: Address, name: str, most: int) -> None:
        """Take the relay, our name for EHLO, and how many connections there may be at once."""
        self._where = where
        self._name = name
        self._slots = asyncio.Semaphore(most)
        self._idle: dict[Connection, asyncio.TimerHandle] = {}  # the latest last

    async def enter(self) -> None:
        """Wait for a slot."""
        await self._slots.acquire()

    async def enter_at_once(self) -> bool:
        """Take a slot if there is one: who waits for a second one may be waited for by another."""
        if self._slots.locked():
            return False
        return await self._slots.acquire()

    def leave(self) -> None:
        """Give a slot back."""
        self._slots.release()

    async def take(self) -> Connection:
        """Return a connection between two messages; raise RelayUnavailable."""
        while self._idle:
            connection, timer = self._idle.popitem()
            timer.cancel()
            if connection.is_idle:
                return connection
            connection.close()
        return await Connection.open(self._where, self._name)

    def give(self, connection: Connection) -> None:
        """Keep a connection for the next copy if it is good for one."""
        if not connection.is_idle:
            connection.close()
            return
        connection.forget()
        loop = asyncio.get_running_loop()
        self._idle[connection] = loop.call_later(IDLE, self._expire, connection)

    def close(self) -> None:
        """Close those that wait."""
        for connection, timer in self._idle.items():
            timer.cancel()
            connection.close()
        self._idle.clear()

    def _expire(self, connection: Connection) -> None:
        del self._idle[connection]
        connection.close()
