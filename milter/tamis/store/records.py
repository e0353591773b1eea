"""Records about one account each, other than tickets, found by account and time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from sqlalchemy import Column, Connection, Table, exists, select

from tamis.retention.classes import RecordClass
from tamis.store import pseudonyms
from tamis.store.schema import account, consent, session, setting_change, ticket_account
from tamis.ticket import first_id

PAGE = 50  # rows of one query: a change may hold two lists of senders, of half a megabyte each
LONG = 1_000_000  # characters of records, after which none is added to them

TABLES: Mapping[RecordClass, Table] = {
    RecordClass.SESSION: session,
    RecordClass.SETTING_CHANGE: setting_change,
    RecordClass.CONSENT: consent,
}


def find(
    connection: Connection, kind: RecordClass, owner: str, *, since: int, until: int
) -> Iterator[dict[str, Any]]:
    """Return an account's records of a time as they stand, oldest first: Unix ms, until exclusive."""
    table = TABLES[kind]
    statement = select(table).where(table.c.account == owner, table.c.id < first_id(until))
    statement = statement.order_by(table.c.id).limit(PAGE)
    page = connection.execute(statement.where(table.c.id >= first_id(since))).all()
    while page:
        for row in page:
            yield dict(row._mapping)
        page = connection.execute(statement.where(table.c.id > page[-1].id)).all()


def newest(
    connection: Connection, kind: RecordClass, owner: str, *, before: str, most: int
) -> tuple[list[dict[str, Any]], bool]:
    """Return an account's newest records as they stand, newest first, and whether there are older ones.

    They are from before an ID, or of all (""); so many at most, and fewer where they are long.
    """
    table = TABLES[kind]
    statement = select(table).where(table.c.account == owner).order_by(table.c.id.desc()).limit(most + 1)
    if before:
        statement = statement.where(table.c.id < before)
    found: list[dict[str, Any]] = []
    length = 0
    with closing(connection.execute(statement)) as rows:
        for row in rows:
            if len(found) == most or length > LONG:
                return found, True
            found.append(dict(row._mapping))
            length += sum(len(value) for value in row if isinstance(value, str))
    return found, False


def exist(connection: Connection, owner: str) -> bool:
    """Tell whether there is, or was, an account of an address (lower case), or a record about it."""
    return _any(connection, [owner], account.c.address) or about(connection, owner)


def about(connection: Connection, owner: str) -> bool:
    """Tell whether there is a record about an address (lower case), or its pseudonym."""
    names = pseudonyms.names(connection, owner)
    columns = (ticket_account.c.account, *(table.c.account for table in TABLES.values()))
    return any(_any(connection, names, one) for one in columns)


def _any(connection: Connection, names: Sequence[str], column: Column[str]) -> bool:
    return bool(connection.execute(select(exists().where(column.in_(names)))).scalar_one())
