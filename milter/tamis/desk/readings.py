"""That people's records are read is itself on record, before any of them is shown."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from tamis.desk import staff
from tamis.store import acts
from tamis.store.acts import Kind
from tamis.store.database import Database


def record(database: Database, command: str, scope: Mapping[str, object], *, now: int) -> None:
    """Return once it is durable that a command reads; the scope is what it was asked for.

    Raise StoreUnavailable: then nothing may be shown.
    """
    with database.writing() as connection:
        add(connection, command, scope, now=now)


def add(connection: Connection, command: str, scope: Mapping[str, object], *, now: int) -> None:
    """Record a reading in a transaction that does something else, too."""
    asked = {name: value for name, value in scope.items() if value is not None}
    acts.add(connection, Kind.READING, {**staff.signature(), "command": command, "scope": asked}, now=now)
