"""Keys: random octets that all who share a store share, and nobody else."""

from __future__ import annotations

import os

from sqlalchemy import Connection, insert, select

from tamis.interfaces import StoreUnavailable
from tamis.store.schema import secret

INSTALLATION = "installation"  # of the hashes of copies
SEALING = "sealing"  # of the days of tickets, for Ed25519
PSEUDONYMS = "pseudonyms"  # of the hashes in place of addresses
WEB = "web"  # of the hashes of what browsers and programs sign in with
NAMES = (INSTALLATION, SEALING, PSEUDONYMS, WEB)
LENGTH = 32  # octets, as many as SHA-256 returns (RFC 2104 section 3), and as Ed25519 takes (RFC 8032)


def exist(connection: Connection) -> bool:
    """Tell whether all keys have been made."""
    return all(find(connection, name) is not None for name in NAMES)


def make(connection: Connection) -> None:
    """Make the keys that are missing, in a transaction that keeps others from it."""
    for name in NAMES:
        if find(connection, name) is None:
            connection.execute(insert(secret), {"name": name, "value": os.urandom(LENGTH)})


def get(connection: Connection, name: str) -> bytes:
    """Return a key; raise StoreUnavailable where there is none."""
    found = find(connection, name)
    if found is None:
        raise StoreUnavailable(f"the {name} key is missing: `tamis serve` makes it when it starts")
    return found


def find(connection: Connection, name: str) -> bytes | None:
    """Return a key, None where there is none."""
    statement = select(secret.c.value).where(secret.c.name == name)
    return connection.execute(statement).scalar_one_or_none()
