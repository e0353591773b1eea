"""A relay that takes every copy at once, so that its sender is measured: `python -m tests.bench.relay PORT`.

It answers NOOP with the number of messages that it has taken over (RFC 5321, pipelining as in RFC 2920).
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import cast

import uvloop

EXTENSIONS = (
    "relay.example.org",
    "PIPELINING",
    "SIZE 52428800",
    "8BITMIME",
    "DSN",
    "XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT",
)
*FIRST, LAST = EXTENSIONS
EHLO = "".join(f"250-{line}\r\n" for line in FIRST).encode() + f"250 {LAST}\r\n".encode()
END = b"\r\n.\r\n"


class Count:
    """How many messages were taken over."""

    def __init__(self) -> None:
        self.messages = 0


class Session(asyncio.Protocol):
    """One connection."""

    def __init__(self, count: Count) -> None:
        self._count = count
        self._octets = bytearray()
        self._in_content = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(b"220 relay.example.org ESMTP\r\n")

    def data_received(self, octets: bytes) -> None:
        """Answer all commands that have come, with one write."""
        self._octets += octets
        self._transport.write(b"".join(self._replies()))

    def _replies(self) -> Iterator[bytes]:
        while (end := self._octets.find(mark := END if self._in_content else b"\r\n")) >= 0:
            line = bytes(self._octets[:end])
            del self._octets[: end + len(mark)]
            if self._in_content:
                self._in_content = False
                self._count.messages += 1
                yield b"250 2.0.0 Ok: queued as 4C%X\r\n" % self._count.messages
            else:
                yield self._reply(line[:4].upper())

    def _reply(self, verb: bytes) -> bytes:
        match verb:
            case b"EHLO":
                return EHLO
            case b"DATA":
                self._in_content = True
                return b"354 Go on\r\n"
            case b"NOOP":
                return b"250 %d\r\n" % self._count.messages
            case b"QUIT":
                return b"221 2.0.0 Bye\r\n"
            case _:
                return b"250 2.1.0 Ok\r\n"


async def serve(port: int) -> None:
    """Listen on loopback."""
    count = Count()
    server = await asyncio.get_running_loop().create_server(lambda: Session(count), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
