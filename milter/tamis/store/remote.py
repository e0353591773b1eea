"""A worker's side of the tickets: they are handed to the writer, and durable once it says so."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import cast

from tamis.config import Store as Settings
from tamis.interfaces import StoreUnavailable
from tamis.store import frames, local, tickets
from tamis.store.frames import Broken, Frames
from tamis.ticket import Ticket

MANY = 250  # recipients; putting more of them into a frame may compute for more than a few ms


class Connection(asyncio.Protocol):
    """A connection to the writer, and who waits for its answers."""

    def __init__(self) -> None:
        self.waiting: dict[int, asyncio.Future[None]] = {}
        self.lost = asyncio.Event()
        self._frames = Frames()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Tell those whose tickets are durable, or met an error."""
        try:
            outcomes = [frames.answer(value) for value in self._frames.take(data)]
        except Broken:
            self.transport.abort()
            return
        for outcome in outcomes:
            for number in outcome.numbers:
                future = self.waiting.pop(number, None)
                if future is None or future.done():
                    continue
                if outcome.error is None:
                    future.set_result(None)
                else:
                    future.set_exception(StoreUnavailable(outcome.error))

    def connection_lost(self, error: Exception | None) -> None:
        """Tell all who wait."""
        self.lost.set()
        waiting, self.waiting = self.waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(StoreUnavailable("the writer has ended"))


class RemoteTickets:
    """The Tickets of one process, for one store; its coroutines run on the loop that it was given."""

    def __init__(self, name: bytes, settings: Settings, *, loop: asyncio.AbstractEventLoop) -> None:
        """Take the name under which the writer listens."""
        self._name = name
        self._settings = settings
        self._loop = loop
        self._numbers = itertools.count()
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()
        self._first: asyncio.Task[None] | None = None
        self._closed = False

    def start(self) -> None:
        """Connect, so that the writer, which ends after its last connection, stays for us."""
        self._first = self._loop.create_task(self._try_to_connect())

    async def close(self) -> None:
        """Wait for the tickets that are under way, and hang up."""
        self._closed = True
        if self._first is not None:
            await self._first
        if (connection := self._connection) is not None:
            while connection.waiting:
                await asyncio.wait(connection.waiting.values())
            connection.transport.close()
            await connection.lost.wait()

    async def add(self, ticket: Ticket) -> None:
        """Return once the ticket is durable; raise StoreUnavailable. Who is cancelled takes it back."""
        if self._closed:
            raise StoreUnavailable("it is closed")
        number = next(self._numbers)
        if len(ticket.recipients) > MANY:
            frame = await asyncio.to_thread(_addition, number, ticket)
        else:
            frame = _addition(number, ticket)
        connection = self._connection
        if connection is None or connection.lost.is_set():
            connection = await self._connect()
        future: asyncio.Future[None] = self._loop.create_future()
        connection.waiting[number] = future
        connection.transport.write(frame)
        try:
            await future
        except asyncio.CancelledError:
            if connection.waiting.pop(number, None) is not None:
                connection.transport.write(frames.withdrawal(number))
            raise

    async def _try_to_connect(self) -> None:
        with contextlib.suppress(StoreUnavailable):  # whoever needs it tries again
            await self._connect()

    async def _connect(self) -> Connection:
        async with self._connecting:  # one for all who come meanwhile
            if self._connection is None or self._connection.lost.is_set():
                self._connection = await self._open()
            return self._connection

    async def _open(self) -> Connection:
        try:
            socket = local.connect(self._name)
        except OSError as error:
            raise StoreUnavailable(f"the writer is away: {error.strerror or error}") from None
        try:
            _, connection = await self._loop.create_unix_connection(Connection, sock=socket)
        except BaseException:
            socket.close()
            raise
        connection.transport.write(frames.opening(self._settings))
        return connection


def _addition(number: int, ticket: Ticket) -> bytes:
    try:
        return frames.addition(number, tickets.row(ticket))
    except ValueError as error:
        raise StoreUnavailable(f"ticket: {error}") from None
