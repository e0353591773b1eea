"""Addresses of sockets as they stand in the configuration: unix:/path, inet:HOST:PORT."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TypeAlias

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

INET = re.compile(r"inet:(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<host>[^\s:\[\]]+)):(?P<port>\d{1,5})")
POSTGRESQL = 5432  # port (IANA)
LONGEST_PATH = 107  # octets, of sockaddr_un.sun_path on Linux without its final NUL (unix(7))


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """A unix-domain socket."""

    path: str

    def __str__(self) -> str:
        return f"unix:{self.path}"


@dataclass(frozen=True, slots=True)
class InetAddress:
    """A TCP port."""

    host: str  # name, IPv4 or IPv6 address without brackets
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"inet:{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether what is sent there stays on this host."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


Address: TypeAlias = UnixAddress | InetAddress


def parse(text: str) -> Address:
    """Return the address in "unix:/path", "inet:HOST:PORT" or "inet:[IPV6]:PORT"; raise ValueError."""
    if text.startswith("unix:/"):
        path = text.removeprefix("unix:")
        if len(path.encode()) > LONGEST_PATH:
            raise ValueError(f'expected a path of at most {LONGEST_PATH} octets, got "{text}"')
        return UnixAddress(path)
    match = INET.fullmatch(text)
    if match and 0 < int(match["port"]) < 65536:
        return InetAddress(match["ipv6"] or match["host"], int(match["port"]))
    raise ValueError(f'expected "unix:/PATH" or "inet:HOST:PORT", got "{text}"')


def of_database(url: str) -> tuple[Address, ...]:
    """Return where an SQLAlchemy URL has PostgreSQL looked for, as its driver is told; raise ValueError."""
    try:
        parsed = make_url(url)
        _, told = parsed.get_dialect()().create_connect_args(parsed)
    except ArgumentError as error:
        raise ValueError("expected the URL of a database") from error
    hosts = str(told.get("hostaddr") or told.get("host") or "localhost").split(",")
    ports = str(told.get("port", "")).split(",")
    ports *= len(hosts) if len(ports) == 1 else 1
    return tuple(_server(host, port or str(POSTGRESQL)) for host, port in zip(hosts, ports, strict=True))


def _server(host: str, port: str) -> Address:
    if host.startswith("/"):
        return parse(f"unix:{host}")
    return parse(f"inet:[{host}]:{port}" if ":" in host else f"inet:{host or 'localhost'}:{port}")
