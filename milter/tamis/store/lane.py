"""What a worker and the writer of its node say to each other (store/writer.py), and the worker's end.

They speak JSON over a Unix socket that keeps packets apart (SOCK_SEQPACKET, unix(7)). The writer greets with
the name of its store. The worker sends tickets, [number, ID, message-ID, body, accounts], and the numbers of
those that nobody waits for any more, [number]. The writer answers [error or null, [number, ...]], and before
it leaves says null: then the worker sends nothing more, and hangs up after the last answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import socket
from typing import Any

from tamis.config import Store as Settings
from tamis.interfaces import StoreUnavailable
from tamis.store.tickets import Draft

log = logging.getLogger(__name__)

PACKET = 65_536  # octets; less than a socket holds
AGAIN = 1.0  # seconds before the writer is called again


def listen() -> socket.socket:
    """Return a socket on which a writer is called, under a name that Linux gives; raise OSError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind("")
    listener.listen()
    listener.setblocking(False)
    return listener


def name(settings: Settings) -> str:
    """Return what tells stores apart, and nothing of their passwords."""
    return hashlib.sha256(settings.model_dump_json().encode()).hexdigest()


class Lane:
    """A worker's way to the writer; used on the loop."""

    def __init__(self, writer: bytes, settings: Settings, loop: asyncio.AbstractEventLoop) -> None:
        """Take the name of the socket on which the writer is called, and the store that it shall have."""
        self._writer = writer
        self._store = name(settings)
        self._loop = loop
        self._socket: socket.socket | None = None
        self._is_open = False  # the writer has greeted, and does not leave
        self._closed = False
        self._last = 0
        self._futures: dict[int, asyncio.Future[None]] = {}

    def call(self) -> None:
        """Call the writer; it need not be there yet."""
        if self._closed:
            return
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.setblocking(False)
        try:
            connection.connect(self._writer)
        except OSError:  # there is none, or too many call
            connection.close()
            self._loop.call_later(AGAIN, self.call)
            return
        self._socket = connection
        self._loop.add_reader(connection, self._hear)

    def close(self) -> None:
        """Hang up after the last answer."""
        self._closed = True
        self._is_open = False
        self._end_if_done()

    async def add(self, draft: Draft) -> bool:
        """Return once a ticket is durable, or False if it cannot be sent; raise StoreUnavailable."""
        if not self._is_open:
            return False
        number = self._last = self._last + 1
        if not self._send([number, draft.id, draft.message_id, draft.body, draft.accounts]):
            return False
        future = self._futures[number] = self._loop.create_future()
        try:
            await future
        except asyncio.CancelledError:
            if self._futures.pop(number, None) is not None:
                self._send([number])
                self._end_if_done()
            raise
        return True

    def _send(self, packet: list[Any]) -> bool:
        octets = json.dumps(packet).encode()
        if self._socket is None or len(octets) > PACKET:
            return False
        try:
            self._socket.send(octets)
        except OSError:  # full, or the writer has ended, of which we shall hear
            return False
        return True

    def _hear(self) -> None:
        if self._socket is None:
            return
        try:
            octets = self._socket.recv(PACKET)
        except BlockingIOError:
            return
        except OSError:
            octets = b""
        if not octets:
            self._end()
            return
        match json.loads(octets):
            case str(store):
                self._is_open = store == self._store and not self._closed
                if not self._is_open:  # it has another one than our configuration, for now
                    self._end()
            case None:
                self._is_open = False
                self._end_if_done()
            case error, numbers:
                for number in numbers:
                    self._answer(self._futures.pop(number, None), error)
                self._end_if_done()

    def _answer(self, future: asyncio.Future[None] | None, error: str | None) -> None:
        if future is None or future.done():
            return
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(StoreUnavailable(error))

    def _end_if_done(self) -> None:
        """Hang up where nothing more is to be said."""
        if not self._is_open and not self._futures:
            self._end()

    def _end(self) -> None:
        """Hang up, and call again later; who waits has waited in vain."""
        self._is_open = False
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None
            if not self._closed:
                self._loop.call_later(AGAIN, self.call)
        futures, self._futures = self._futures, {}
        for future in futures.values():
            self._answer(future, "the writer of tickets has ended")
