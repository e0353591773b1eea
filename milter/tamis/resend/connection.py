"""One SMTP connection to the relay (RFC 5321, pipelined by RFC 2920), on the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterable, Sequence
from typing import Self

from tamis.address import Address
from tamis.resend.commands import Extensions
from tamis.resend.replies import CLOSING, GO_ON, MalformedReply, Reader, Reply, extensions
from tamis.sockets import connect

# RFC 5321 section 4.5.3.2 would wait for minutes at each step; our MTA waits 300 s for all that we do
# (milter_content_timeout), and its own listener answers at once or not at all.
CONNECTING = 10.0  # seconds; for a place in the listener's queue
REPLY = 15.0  # seconds, for the greeting and each reply up to DATA's
BLOCK = 15.0  # seconds until a piece of content is taken
END_OF_DATA = 100.0  # seconds, for the reply by which the relay takes over; a disk may be slow
PIPELINED = (
    50  # commands in one write; their replies fit into a socket's buffer, so that nobody waits in vain
)
READ = 1 << 14  # octets read at once


class RelayUnavailable(Exception):
    """The relay does not answer, or refuses for now; its text is safe to log."""


class Connection:
    """A connection that has been greeted; all methods raise RelayUnavailable, and it must be closed then."""

    def __init__(self, connected: socket.socket) -> None:
        self.offered: Extensions = {}
        self.reused = False  # it was idle before
        self.ended = False  # the end of data may have reached the relay
        self._socket = connected
        self._reader = Reader()
        self._outstanding = True  # a reply is

    @classmethod
    async def open(cls, where: Address, name: str) -> Self:
        """Connect and say EHLO with a name."""
        try:
            async with asyncio.timeout(CONNECTING):
                connection = cls(await connect(where))
        except OSError as error:  # a TimeoutError is one
            raise RelayUnavailable(f"connect: {type(error).__name__}") from None
        try:
            await connection._greet(name)
        except BaseException:
            connection.close()
            raise
        return connection

    async def _greet(self, name: str) -> None:
        greeting = await self._reply("greeting", REPLY)
        self._outstanding = False
        if not greeting.is_positive:
            raise RelayUnavailable(f"greeting: {greeting.status}")
        (reply,) = await self.ask([f"EHLO {name}\r\n".encode()])
        if not reply.is_positive:
            raise RelayUnavailable(f"EHLO: {reply.status}")
        self.offered = extensions(reply)

    async def ask(self, commands: Sequence[bytes]) -> list[Reply]:
        """Send commands, several at once where the relay takes them so, and return their replies."""
        replies = []
        together = PIPELINED if "PIPELINING" in self.offered else 1
        for start in range(0, len(commands), together):
            batch = commands[start : start + together]
            await self._say(_verb(batch[0]), b"".join(batch), REPLY)
            for command in batch:
                step = _verb(command)
                reply = await self._reply(step, REPLY)
                if reply.code == CLOSING:
                    raise RelayUnavailable(f"{step}: {reply.status}")
                replies.append(reply)
            if self._reader.pending:
                raise RelayUnavailable(f"{step}: spoke out of turn")
            self._outstanding = False
        return replies

    async def data(self, pieces: Iterable[bytes]) -> Reply | None:
        """Send what goes after DATA, with the end of data; return the reply that refuses DATA, else None.

        What follows is the reply by which the relay takes the message over or not: verdict().
        """
        (reply,) = await self.ask([b"DATA\r\n"])
        if reply.code != GO_ON:
            return reply
        self._outstanding = True  # that to the content; no command is awaited before
        waiting = b""
        for piece in pieces:
            if waiting:
                await self._say("content", waiting, BLOCK)
            waiting = piece
        self._listen("content")
        self.ended = True
        # A relay that hangs up meanwhile may have said why.
        with contextlib.suppress(OSError):
            await self._send("content", waiting, BLOCK)
        return None

    async def verdict(self) -> Reply:
        """Return the reply to the end of data."""
        reply = await self._reply("end of data", END_OF_DATA)
        self._outstanding = reply.code == CLOSING
        return reply

    @property
    def is_idle(self) -> bool:
        """Whether the relay waits for a command, as far as it has said."""
        return not (self._outstanding or self._heard())

    def forget(self) -> None:
        """Be between two messages."""
        self.reused = True
        self.ended = False

    def close(self) -> None:
        """Hang up, with QUIT where the relay waits for a command."""
        if not self._outstanding:
            with contextlib.suppress(OSError):
                self._socket.send(b"QUIT\r\n")
        self._socket.close()

    async def _say(self, step: str, octets: bytes, patience: float) -> None:
        self._listen(step)
        try:
            await self._send(step, octets, patience)
        except OSError:
            raise RelayUnavailable(f"{step}: hung up") from None

    def _listen(self, step: str) -> None:
        """See that the relay has said no more than it was asked, or replies would be taken for others."""
        if self._heard():
            raise RelayUnavailable(f"{step}: spoke out of turn or hung up")

    def _heard(self) -> bool:
        if self._reader.pending:
            return True
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    async def _send(self, step: str, octets: bytes, patience: float) -> None:
        self._outstanding = True
        try:
            async with asyncio.timeout(patience):
                await asyncio.get_running_loop().sock_sendall(self._socket, octets)
        except TimeoutError:
            raise RelayUnavailable(f"{step}: timed out") from None

    async def _reply(self, step: str, patience: float) -> Reply:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(patience):
                while (reply := self._reader.next()) is None:
                    octets = await loop.sock_recv(self._socket, READ)
                    if not octets:
                        raise RelayUnavailable(f"{step}: hung up")
                    self._reader.feed(octets)
        except TimeoutError:
            raise RelayUnavailable(f"{step}: timed out") from None
        except OSError:
            raise RelayUnavailable(f"{step}: hung up") from None
        except MalformedReply:
            raise RelayUnavailable(f"{step}: malformed reply") from None
        return reply


def _verb(command: bytes) -> str:
    """Return the first word of a command, which tells the step and nothing of the message."""
    return command.split(None, 1)[0].decode()
