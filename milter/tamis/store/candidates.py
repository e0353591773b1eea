"""Records of which something may be due, a page at a time: by their age, or by the dates of their accounts.

IDs are ULIDs, so what is old stands together, and what is young is not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from sqlalchemy import Column, Connection, Executable, delete, func, or_, select

from tamis.retention.classes import RecordClass
from tamis.retention.due import Owner
from tamis.store import content, dialect, driver, owners, pseudonyms, records, removal, tickets
from tamis.store.chunks import chunks
from tamis.store.removal import Leaving
from tamis.store.schema import account, hold, legal_act, receipt, ticket, ticket_account
from tamis.ticket import first_id, time_of

PAGE = 500  # rows of one query, as of tickets


@dataclass(frozen=True, slots=True)
class Candidate:
    """A record, and whom it is about."""

    id: str
    time: int  # Unix ms
    accounts: frozenset[str]
    is_pseudonymous: bool = False  # or cannot be made so


Page = Sequence[Candidate]


def dated(connection: Connection) -> dict[str, Owner]:
    """Return the accounts with a date by which their records may be due before their age."""
    return owners.owners(connection, dated_addresses(connection))


def dated_addresses(connection: Connection) -> Sequence[str]:
    """Return the addresses of these accounts."""
    dates = (account.c.closed, account.c.erasure, account.c.restricted, account.c.warned)
    statement = select(account.c.address).where(or_(*(date.is_not(None) for date in dates)))
    return connection.execute(statement).scalars().all()


def page(
    connection: Connection, kind: RecordClass, owner: str | None, *, after: str, before: int | None
) -> Page:
    """Return some records of a class, of one account or of all, in the order of their IDs.

    They come after an ID, and were made before a Unix time in ms. Of acts of the law and of receipts none
    has an account.
    """
    if kind is RecordClass.TICKET:
        return _tickets(connection, owner, after=after, before=before)
    if kind is RecordClass.LEGAL_ACT:
        return _nobodys(connection, legal_act.c.id, after=after, before=before)
    table = records.TABLES[kind]
    statement = select(table.c.id, table.c.account).where(table.c.id > after).order_by(table.c.id).limit(PAGE)
    if owner is not None:
        statement = statement.where(table.c.account == owner)
    if before is not None:
        statement = statement.where(table.c.id < first_id(before))
    rows = connection.execute(statement).all()
    return [Candidate(row.id, time_of(row.id), frozenset({row.account})) for row in rows]


def receipts(connection: Connection, *, after: str, before: int | None) -> Page:
    """Return some receipts, likewise."""
    return _nobodys(connection, receipt.c.id, after=after, before=before)


def _nobodys(connection: Connection, name: Column[str], *, after: str, before: int | None) -> Page:
    statement = select(name).where(name > after).order_by(name).limit(PAGE)
    if before is not None:
        statement = statement.where(name < first_id(before))
    return [
        Candidate(one, time_of(one), frozenset()) for one in connection.execute(statement).scalars().all()
    ]


def _tickets(connection: Connection, owner: str | None, *, after: str, before: int | None) -> Page:
    name = ticket.c.id if owner is None else ticket_account.c.ticket
    statement = select(ticket.c.id, dialect.octets(connection, ticket.c.body)).where(name > after)
    if before is not None:
        statement = statement.where(name < first_id(before))
    if owner is None:
        rows = connection.execute(statement.order_by(name).limit(PAGE)).all()
    else:
        rows = connection.execute(tickets.about(statement, pseudonyms.names(connection, owner))).all()
    return [_ticket(connection, row.id, row.body) for row in rows]


def _ticket(connection: Connection, ticket_id: str, body: bytes) -> Candidate:
    time = time_of(ticket_id)
    told = content.read(body)
    if told is not None:
        # Who has changed its ID has left nothing that could be written anew.
        hidden = told.is_pseudonymous or told.id != ticket_id
        return Candidate(ticket_id, time, told.accounts, hidden)
    # Made unreadable by somebody else: whom it was about stands only where it takes long to look.
    about = select(ticket_account.c.account).where(ticket_account.c.ticket == ticket_id)
    accounts = frozenset(connection.execute(about).scalars())
    return Candidate(ticket_id, time, accounts, is_pseudonymous=True)


def account_of(connection: Connection, address: str) -> Page:
    """Return an account as a record itself, if there is one."""
    made = select(account.c.created).where(account.c.address == address)
    created = connection.execute(made).scalar_one_or_none()
    return [] if created is None else [Candidate(address, created, frozenset({address}))]


def there(connection: Connection, kind: RecordClass, ids: Sequence[str]) -> frozenset[str]:
    """Return those IDs of a class that are there."""
    statement = _there(connection.dialect.name, kind)
    rows = driver.run(connection, statement, {"ids": dialect.listed(connection, ids)})
    return frozenset(one for (one,) in rows)


@cache
def _there(dialect_name: str, kind: RecordClass) -> Executable:
    name = _name(kind)
    return select(name).where(dialect.among(dialect_name, name, "ids"))


def clear(connection: Connection, ids: Sequence[str]) -> frozenset[str]:
    """Return those IDs of tickets that are there without pseudonyms, in a transaction that writes them."""
    columns = select(ticket.c.id, dialect.octets(connection, ticket.c.body)).with_for_update()
    found = (connection.execute(columns.where(ticket.c.id.in_(some))).all() for some in chunks(ids))
    told = (_ticket(connection, row.id, row.body) for some in found for row in some)
    return frozenset(one.id for one in told if not one.is_pseudonymous)


def oldest(connection: Connection, kind: RecordClass) -> int | None:
    """Return when the oldest record of a class was made, in Unix ms; None where there is none."""
    found = connection.execute(select(func.min(_name(kind)))).scalar_one()
    return None if found is None else time_of(found)


def held_acts(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    """Return until when those acts are in force that are holds; Unix ms."""
    statement = select(hold.c.id, hold.c.until).where(hold.c.released.is_(None))
    rows = (connection.execute(statement.where(hold.c.id.in_(some))).all() for some in chunks(ids))
    return {row.id: row.until for some in rows for row in some}


def read(connection: Connection, kind: RecordClass, ids: Sequence[str]) -> Mapping[str, Leaving]:
    """Return what remove() asks about records of a class, read beforehand."""
    return removal.read(connection, ids) if kind is RecordClass.TICKET else {}


def remove(
    connection: Connection, kind: RecordClass, ids: Sequence[str], known: Mapping[str, Leaving]
) -> None:
    """Delete records of a class, in a transaction that writes."""
    if kind is RecordClass.TICKET:
        removal.remove(connection, ids, known)
        return
    tables = (legal_act, hold) if kind is RecordClass.LEGAL_ACT else (records.TABLES[kind],)
    for some in chunks(ids):
        for table in tables:
            connection.execute(delete(table).where(table.c.id.in_(some)))


def _name(kind: RecordClass) -> Column[str]:
    tables = {RecordClass.TICKET: ticket, RecordClass.LEGAL_ACT: legal_act, **records.TABLES}
    name: Column[str] = tables[kind].c.id
    return name
