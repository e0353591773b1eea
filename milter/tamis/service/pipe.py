"""What the supervisor and a worker say to each other over a socket pair: single octets, one with a text."""

from __future__ import annotations

import asyncio
import socket

# From the worker.
READY = b"r"  # it serves
ALIVE = b"a"  # the answer to PING
CONFIGURED = b"c"  # the answer to CONFIGURE
WORN = b"w"  # it asks to be replaced
# To the worker.
PING = b"p"
CONFIGURE = b"c"  # a configuration follows: its length in 4 octets, and its TOML text
RETIRE = b"e"  # take no more connections, and end after the last one
STOP = b"s"  # end soon; the end of the pipe means the same, as then the supervisor is gone

PATIENCE = 1.0  # seconds in which a worker that is alive takes what it is told


def pair() -> tuple[socket.socket, socket.socket]:
    """Return the supervisor's end and the worker's; raise OSError."""
    ours, theirs = socket.socketpair()
    ours.settimeout(PATIENCE)
    return ours, theirs


def configuration(text: str) -> bytes:
    """Return what tells a worker its configuration."""
    octets = text.encode()
    return CONFIGURE + len(octets).to_bytes(4) + octets


def hear(control: socket.socket) -> bytes:
    """Return the next word; none where the other side has ended."""
    try:
        return control.recv(1)
    except OSError:
        return b""


async def read_word(reader: asyncio.StreamReader) -> bytes:
    """Return the next word; STOP where the supervisor is gone."""
    try:
        return await reader.read(1) or STOP
    except ConnectionResetError:  # it ended before it read what we had told it
        return STOP


async def read_configuration(reader: asyncio.StreamReader) -> str:
    """Return the text after CONFIGURE; raise EOFError or OSError."""
    length = int.from_bytes(await reader.readexactly(4))
    return (await reader.readexactly(length)).decode()
