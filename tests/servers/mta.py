"""An MTA that says anything to a milter, in any order, and hangs up when it likes."""

from __future__ import annotations

import asyncio
import fcntl
import struct
import termios

from tamis import sockets
from tamis.address import UnixAddress
from tamis.sandbox import wire

AT_ONCE = 1 << 16  # octets that are sent before it waits until they are taken
FINAL = frozenset(b"cyart")  # the words of answers to an end of message


class Mta:
    """A connection on which anything is said."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._decoder = wire.Decoder()
        self._socket = writer.get_extra_info("socket").fileno()

    @classmethod
    async def connect(cls, address: str) -> Mta:
        """Open it."""
        where = UnixAddress(address.removeprefix("unix:"))
        return cls(*await asyncio.open_connection(sock=await sockets.connect(where)))

    async def say(self, octets: bytes) -> None:
        """Send octets, which the other side may not want."""
        try:
            for start in range(0, len(octets), AT_ONCE):
                self._writer.write(memoryview(octets)[start : start + AT_ONCE])
                await self._writer.drain()
                await asyncio.sleep(0)  # connections take turns, also where the other side reads as fast
        except ConnectionError:
            return

    async def taken(self) -> None:
        """Return once the other side has read all that was said (unix(7): SIOCOUTQ)."""
        while struct.unpack("i", fcntl.ioctl(self._socket, termios.TIOCOUTQ, bytes(4))) != (0,):
            await asyncio.sleep(0.005)

    async def answer(self) -> list[tuple[bytes, bytes]]:
        """Return the packets up to the one that ends a message, or all until the other side hangs up."""
        found: list[tuple[bytes, bytes]] = []
        try:
            while received := await self._reader.read(1 << 16):
                found += self._decoder.feed(received)
                if found and found[-1][0][0] in FINAL:
                    break
        except ConnectionError:
            pass
        return found

    def hang_up(self) -> None:
        """End it at once."""
        self._writer.transport.abort()
