"""Opens connections to addresses of the configuration, on the event loop."""

from __future__ import annotations

import asyncio
import socket

from tamis.address import Address, InetAddress, UnixAddress

FIRST_PAUSE = 0.001  # seconds before a full queue of connections is tried again; doubled each time
LONGEST_PAUSE = 0.1  # seconds


async def connect(where: Address) -> socket.socket:
    """Return a connection that does not block; raise OSError."""
    match where:
        case UnixAddress(path):
            return await _unix(path)
        case InetAddress(host, port):
            return await _inet(host, port)


async def _unix(path: str) -> socket.socket:
    """Connect as soon as there is room in the server's queue; until then Linux says EAGAIN (unix(7))."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.setblocking(False)
        pause = FIRST_PAUSE
        while True:
            try:
                connection.connect(path)
            except BlockingIOError:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                return connection
    except BaseException:
        connection.close()
        raise


async def _inet(host: str, port: int) -> socket.socket:
    """Connect to the first of a host's addresses that takes one."""
    loop = asyncio.get_running_loop()
    refused = OSError(f"{host} has no address")
    for family, kind, protocol, _, peer in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        connection = socket.socket(family, kind, protocol)
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(connection, peer)
        except OSError as error:
            connection.close()
            refused = error
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise refused
