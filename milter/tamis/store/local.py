"""Sockets between our own processes, under abstract names (unix(7)): no file, and gone with who listens.

Anybody on the host may connect to such a name, or take it once it is free: both ends ask whose the other is.
"""

from __future__ import annotations

import os
import socket
import struct

BACKLOG = 4096  # connections that wait while nobody takes them; one for each worker that there may be
CREDENTIALS = struct.Struct("3i")  # struct ucred: process, user, group


def listen() -> socket.socket:
    """Return a socket that listens under a name that the kernel chooses; raise OSError."""
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind("")
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def connect(name: bytes) -> socket.socket:
    """Return a connection to who listens under a name, a process of ours; raise OSError."""
    connection = socket.socket(socket.AF_UNIX)
    connection.setblocking(False)  # it is made at once, or refused
    try:
        connection.connect(name)
        if not is_ours(connection):
            raise PermissionError("another user listens there")
    except OSError:
        connection.close()
        raise
    return connection


def is_ours(connection: socket.socket) -> bool:
    """Tell whether the other end is a process of our user's, or was when it began to listen."""
    given = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    _, user, _ = CREDENTIALS.unpack(given)
    return bool(user == os.geteuid())
