"""Opens connections to addresses of the configuration, on the event loop, and sockets that take them."""

from __future__ import annotations

import asyncio
import contextlib
import grp
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from tamis.address import Address, InetAddress, UnixAddress

FIRST_PAUSE = 0.001  # seconds before a full queue of connections is tried again; doubled each time
LONGEST_PAUSE = 0.1  # seconds
BACKLOG = 1024  # connections waiting to be accepted


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


def listen(where: Address) -> socket.socket:
    """Open a socket that takes connections and does not block; raise OSError."""
    if isinstance(where, UnixAddress):
        remove_stale(where.path)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(where.path)
    else:
        listener = socket.socket(socket.AF_INET6 if ":" in where.host else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted sockets inherit both; without the second, those of a peer without power stay for ever.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        listener.bind((where.host, where.port))
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener


@contextlib.contextmanager
def reserved(where: Address) -> Iterator[None]:
    """Let only us connect to what is opened in the block, until permit(); raise OSError that names it."""
    before = os.umask(0o177)
    try:
        yield
    except OSError as error:
        raise OSError(f"cannot listen on {where}: {error.strerror or error}") from error
    finally:
        os.umask(before)


def permit(where: Address, *, mode: str, group: str, table: str) -> None:
    """Give a unix socket a group and an octal mode, which stand in a table; raise OSError."""
    if isinstance(where, UnixAddress):
        path = Path(where.path)
        if group:
            _give_to_group(path, group, table)
        path.chmod(int(mode, 8))


def remove(where: Address) -> None:
    """Remove a unix socket's file."""
    if isinstance(where, UnixAddress):
        Path(where.path).unlink(missing_ok=True)


def remove_stale(path: str) -> None:
    """Remove a socket that nobody listens on any more; raise OSError for a live one."""
    if not os.path.lexists(path):
        return
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise OSError("is there already and no socket")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink()
        else:
            raise OSError("another process listens there")


def group_id(group: str, table: str) -> int:
    """Return the number of a group that a table names; raise OSError where there is none."""
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise OSError(f"{table}.socket_group: there is no group {group}") from None


def _give_to_group(path: Path, group: str, table: str) -> None:
    """Give the socket to a group by name; raise OSError where there is none, or we are not in it."""
    try:
        os.chown(path, -1, group_id(group, table))
    except PermissionError:
        raise OSError(f"{table}.socket_group: the user that runs this is not in the group {group}") from None
