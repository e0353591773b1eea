"""Which way a message goes, and which filters somebody wants for it."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

from tamis.config import Config
from tamis.finding import Filter
from tamis.message import Envelope
from tamis.preferences import Resolution
from tamis.ticket import Direction

SWITCHES = tuple((one, one.value) for one in Filter)  # and the names of their switches


def direction(envelope: Envelope, config: Config) -> Direction:
    """Return outgoing for authenticated, submitted and internal mail, else incoming."""
    if envelope.auth_user or envelope.daemon_name in config.mail.outgoing_daemons:
        return Direction.OUTGOING
    domain = envelope.mail_from.rpartition("@")[2].lower()
    ours = not envelope.mail_from or domain in config.mail.domains
    return Direction.OUTGOING if ours and is_internal(envelope, config) else Direction.INCOMING


def submitted(envelope: Envelope, config: Config) -> bool:
    """Tell whether a client of ours hands a message in, who may not try again; its sender may be any."""
    return direction(envelope, config) is Direction.OUTGOING or is_internal(envelope, config)


def is_internal(envelope: Envelope, config: Config) -> bool:
    """Tell whether a message comes from this host or from one of mail.internal_networks."""
    if envelope.client_ip is None:  # Sendmail hands local submissions over without an address
        return envelope.client_name == "localhost"
    try:
        client = ip_address(envelope.client_ip)
    except ValueError:
        return False
    client = getattr(client, "ipv4_mapped", None) or client
    return any(client in network for network in config.mail.internal_networks)


def wanted(way: Direction, resolutions: Iterable[Resolution], config: Config) -> frozenset[Filter]:
    """Return the filters that the operator or some recipient wants; the others do not run."""
    found: set[Filter] = set()
    if way is Direction.OUTGOING:
        found.update([one for one, name in SWITCHES if getattr(config.outgoing, name)])
    for resolution in resolutions:
        for member in resolution.members:
            if way is Direction.OUTGOING and not member.local:
                continue
            found.update([one for one, name in SWITCHES if getattr(member.preferences, name)])
    return frozenset(found)
