"""The installation's key: random octets that all who share a store share, and nobody else."""

from __future__ import annotations

import os

from sqlalchemy import Connection, insert, select

from tamis.interfaces import StoreUnavailable
from tamis.store.schema import secret

INSTALLATION = "installation"
LENGTH = 32  # octets, as many as SHA-256 returns (RFC 2104 section 3)


def exists(connection: Connection) -> bool:
    """Tell whether the key has been made."""
    return _find(connection) is not None


def make(connection: Connection) -> None:
    """Make the key where it is missing, in a transaction that keeps others from it."""
    if not exists(connection):
        connection.execute(insert(secret), {"name": INSTALLATION, "value": os.urandom(LENGTH)})


def installation_key(connection: Connection) -> bytes:
    """Return the key; raise StoreUnavailable where there is none."""
    found = _find(connection)
    if found is None:
        raise StoreUnavailable("the installation's key is missing: `tamis serve` makes it when it starts")
    return found


def _find(connection: Connection) -> bytes | None:
    statement = select(secret.c.value).where(secret.c.name == INSTALLATION)
    return connection.execute(statement).scalar_one_or_none()
