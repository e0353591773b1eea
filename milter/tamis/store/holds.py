"""Holds: accounts whose records may not be touched until a day."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from tamis.store.schema import hold, legal_act


@dataclass(frozen=True, slots=True)
class Hold:
    """What may not be touched, and the act that ordered it."""

    id: str
    account: str
    until: int  # Unix ms
    released: int | None  # Unix ms
    act: Mapping[str, object]


def add(connection: Connection, hold_id: str, account: str, until: int) -> None:
    """Hold an account's records until a Unix time in ms; the ID is that of the act."""
    connection.execute(insert(hold), {"id": hold_id, "account": account, "until": until})


def release(connection: Connection, hold_id: str, *, now: int) -> None:
    """End a hold before its time."""
    connection.execute(update(hold).where(hold.c.id == hold_id).values(released=now))


def accounts(connection: Connection) -> Sequence[str]:
    """Return the accounts under holds that were not released."""
    statement = select(hold.c.account).distinct().where(hold.c.released.is_(None))
    return connection.execute(statement).scalars().all()


def find(connection: Connection, hold_id: str | None = None) -> Iterator[Hold]:
    """Return the holds, or the one of an ID, oldest first, with those that have ended."""
    statement = select(hold, legal_act.c.body).outerjoin_from(hold, legal_act, legal_act.c.id == hold.c.id)
    if hold_id is not None:
        statement = statement.where(hold.c.id == hold_id)
    for row in connection.execute(statement.order_by(hold.c.id)):
        yield Hold(row.id, row.account, row.until, row.released, json.loads(row.body or "{}"))
