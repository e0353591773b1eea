"""The egress manifest: every connection that a configuration makes Tamis open, and what goes over it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from sqlalchemy import make_url

from tamis import address
from tamis.config import Config

POSTGRESQL = 5432  # port (IANA)


@dataclass(frozen=True, slots=True)
class Connection:
    """One peer that Tamis opens connections to."""

    purpose: str
    peer: str  # an address as in the configuration, but for the resolver; never a password
    carries: str
    leaves_host: bool

    def as_json(self) -> dict[str, object]:
        """Return the object that `tamis egress --json` prints."""
        return {
            "purpose": self.purpose,
            "peer": self.peer,
            "carries": self.carries,
            "leaves_host": self.leaves_host,
        }


def manifest(config: Config) -> Iterator[Connection]:
    """Return the connections of a configuration; nothing else opens one."""
    found = tuple(_connections(config))
    yield from found
    places = (config.milter.listen, *(one.peer for one in found))
    names = dict.fromkeys(name for text in places if (name := _looked_up(text)) is not None)
    if names:
        yield Connection("dns", "the resolver of this host", f"lookups of {', '.join(names)}", True)


def _looked_up(text: str) -> str | None:
    """Return the host in an address that is a name, and so asked for in DNS."""
    where = address.parse(text)
    if not isinstance(where, address.InetAddress) or where.host == "localhost":
        return None
    try:
        ip_address(where.host)
    except ValueError:
        return where.host
    return None


def _connections(config: Config) -> Iterator[Connection]:
    for clamd in config.antivirus.clamd:
        carries = "messages whose recipients want antivirus, and outgoing mail"
        yield _connection("antivirus", clamd, carries)
    url = make_url(config.store.url)
    if url.get_backend_name() != "sqlite":
        given = url.query.get("host") or url.host or "localhost"  # in the query: a list, or a socket's folder
        for host in (given,) if isinstance(given, str) else given:
            yield _database(host, url.port or POSTGRESQL)
    if config.resend.relay:
        yield _connection("resend", config.resend.relay, "copies of messages, to the MTA")


def _database(host: str, port: int) -> Connection:
    carries = "settings, accounts, tickets"
    if host.startswith("/"):
        return Connection("store", f"unix:{host}", carries, leaves_host=False)
    peer = address.InetAddress(host, port)
    return Connection("store", str(peer), carries, leaves_host=not peer.is_loopback)


def _connection(purpose: str, text: str, carries: str) -> Connection:
    peer = address.parse(text)
    remote = isinstance(peer, address.InetAddress) and not peer.is_loopback
    return Connection(purpose, text, carries, remote)
