"""Ports on loopback for servers that tests start."""

from __future__ import annotations

import socket
from random import SystemRandom

# Below those that Linux gives to connections and to who asks for any (ip(7), ip_local_port_range): nobody is
# there before the server that one is for. Who asked for 45 got one of them twice in 6 % of all cases.
RANGE = range(20_000, 32_000)
_left = SystemRandom().sample(RANGE, len(RANGE))


def free_port() -> int:
    """Return a port that nobody listens on, and each only once."""
    while True:
        port = _left.pop()
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
