"""Where a listener is, as an MTA's configuration tells it."""

from __future__ import annotations

import socket

from tamis.address import InetAddress

ANY = frozenset({"all", ""})  # of Postfix's inet_interfaces, and of Sendmail's Addr=


def leads(where: InetAddress, host: str, port: str) -> bool:
    """Tell whether a connection to an address of this host leads to a listener."""
    if _number(port) != where.port:
        return False
    return host in ANY or host == where.host or (where.is_loopback and is_loopback(host))


def is_loopback(host: str) -> bool:
    """Tell whether only this host reaches it."""
    return host == "loopback-only" or InetAddress(host, 0).is_loopback


def _number(port: str) -> int:
    """Return the number of a port that may have a name; 0 where nobody knows it."""
    try:
        return int(port) if port.isdecimal() else socket.getservbyname(port, "tcp")
    except OSError:
        return 0
