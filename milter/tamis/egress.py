"""The egress manifest: every connection that a configuration makes Tamis open, and what goes over it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from tamis import address
from tamis.config import Config


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
    if config.notices.sendmail:
        yield Connection("notices", config.notices.sendmail, "notices to users, by a command", False)
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
    if not config.store.url.startswith("sqlite"):
        for database in address.of_database(config.store.url):
            yield _connection("store", str(database), "settings, accounts, tickets")
    if config.resend.relay:
        yield _connection("resend", config.resend.relay, "copies of messages, to the MTA")
    if "imap" in config.options.sign_in:
        carries = "addresses and passwords of users who sign in to the web page, to the IMAP server"
        yield _connection("imap", config.options.imap.server, carries)
    if config.notices.smtp:
        yield _connection("notices", config.notices.smtp, "notices to users, to the MTA")


def _connection(purpose: str, text: str, carries: str) -> Connection:
    peer = address.parse(text)
    remote = isinstance(peer, address.InetAddress) and not peer.is_loopback
    return Connection(purpose, text, carries, remote)
