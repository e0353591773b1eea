"""Writes stored tickets anew with pseudonyms, so that their chains still verify."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, select

from tamis.store import chains, dialect, pseudonyms, removal, tickets
from tamis.store.chunks import chunks
from tamis.store.database import Database
from tamis.store.removal import Leaving
from tamis.store.schema import ticket


def pseudonymise(connection: Connection, ids: Sequence[str], known: Mapping[str, Leaving]) -> None:
    """Take tickets out and add them again under the same IDs, in a transaction that writes.

    What is known of them is as in remove().
    """
    made = pseudonyms.get(connection)
    bodies = select(dialect.octets(connection, ticket.c.body)).order_by(ticket.c.id)
    for some in chunks(ids):
        found = connection.execute(bodies.where(ticket.c.id.in_(some))).scalars().all()
        removal.remove(connection, some, known)
        tickets.add(connection, tickets.rewritten([made.hide(json.loads(body)) for body in found]))


def finish(database: Database) -> None:
    """Seal the chains that were begun for it, but for one of the last day; raise StoreUnavailable."""
    with database.writing() as connection:
        chains.seal_past(connection)
