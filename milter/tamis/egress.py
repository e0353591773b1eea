"""The egress manifest: every connection that a configuration makes Tamis open, and what goes over it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import make_url

from tamis import address
from tamis.config import Config


@dataclass(frozen=True, slots=True)
class Connection:
    """One peer that Tamis opens connections to."""

    purpose: str
    peer: str  # an address as in the configuration; never a password
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
    for clamd in config.antivirus.clamd:
        carries = "messages whose recipients want antivirus, and outgoing mail"
        yield _connection("antivirus", clamd, carries)
    url = make_url(config.store.url)
    if url.get_backend_name() != "sqlite":
        host = url.host or "localhost"
        peer = host if host.startswith("/") else f"inet:{host}:{url.port or 5432}"
        local = host.startswith("/") or address.InetAddress(host, url.port or 5432).is_loopback
        yield Connection("store", peer, "settings, accounts, tickets", not local)
    if config.resend.relay:
        yield _connection("resend", config.resend.relay, "copies of messages, to the MTA")


def _connection(purpose: str, text: str, carries: str) -> Connection:
    peer = address.parse(text)
    remote = isinstance(peer, address.InetAddress) and not peer.is_loopback
    return Connection(purpose, text, carries, remote)
