"""Counts of each account's records, by class: those that were there in a time, and those made in it.

Tickets with pseudonyms are counted for the accounts that bear these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, case, func, literal, select, union_all

from tamis.retention.classes import RecordClass
from tamis.store import pseudonyms
from tamis.store.owners import COLUMNS, Status, status_of
from tamis.store.pseudonyms import is_pseudonym
from tamis.store.records import TABLES
from tamis.store.schema import account, ticket_account
from tamis.ticket import first_id

# By the columns that tell the account and, as ULIDs, the time.
DATED: Mapping[RecordClass, tuple[Column[str], Column[str]]] = {
    RecordClass.TICKET: (ticket_account.c.account, ticket_account.c.ticket),
    **{kind: (table.c.account, table.c.id) for kind, table in TABLES.items()},
}


@dataclass(frozen=True, slots=True)
class Count:
    """How many records of a class."""

    there: int  # made before the time's end
    made: int  # in the time


@dataclass(frozen=True, slots=True)
class Holder:
    """What there is about one account."""

    account: str
    status: Status | None  # None where an address has no account of its own
    records: Mapping[RecordClass, Count]


def count(connection: Connection, *, since: int, until: int) -> Iterator[Holder]:
    """Return the accounts of which there were records in a time, by address: Unix ms, until exclusive.

    After them come those of whom only tickets with pseudonyms tell, by these where nothing tells the address.
    """
    made = pseudonyms.get(connection)
    hidden = dict(_hidden(connection, since=since, until=until))
    for one in _counts(connection, since=since, until=until):
        if is_pseudonym(one.account):
            continue
        more = hidden.pop(made.of(one.account), None)
        yield one if more is None else _with_tickets(one, more)
    if hidden:
        names = {
            made.of(address): address for address in _addresses(connection) if made.of(address) in hidden
        }
        found = [
            Holder(names.get(one, one), None, {RecordClass.TICKET: more}) for one, more in hidden.items()
        ]
        yield from sorted(found, key=lambda holder: (holder.account in hidden, holder.account))


def _hidden(connection: Connection, *, since: int, until: int) -> Iterator[tuple[str, Count]]:
    """Return the counts of tickets by pseudonym, all of which are in memory at once."""
    statement = _dated(RecordClass.TICKET, since=since, until=until)
    statement = statement.where(ticket_account.c.account.like(f"%@{pseudonyms.DOMAIN}"))
    for row in connection.execute(statement):
        if is_pseudonym(row.about):
            yield row.about, Count(row.there, row.made)


def _with_tickets(one: Holder, more: Count) -> Holder:
    clear = one.records.get(RecordClass.TICKET, Count(0, 0))
    both = Count(clear.there + more.there, clear.made + more.made)
    return Holder(one.account, one.status, {**one.records, RecordClass.TICKET: both})


def _addresses(connection: Connection) -> Iterator[str]:
    """Return all addresses that are known now."""
    columns = (account.c.address, *(about for about, _ in DATED.values()))
    for about in columns:
        yield from connection.execute(select(about).distinct()).scalars()


def _counts(connection: Connection, *, since: int, until: int) -> Iterator[Holder]:
    """Return the counts as they stand."""
    parts = [_dated(kind, since=since, until=until) for kind in DATED]
    parts.append(
        _counted(
            RecordClass.ACCOUNT,
            account.c.address,
            there=account.c.created < until,
            made=account.c.created >= since,
        )
    )
    counts = union_all(*parts).subquery()
    statement = select(counts, *COLUMNS).outerjoin_from(counts, account, account.c.address == counts.c.about)
    rows = connection.execute(statement.order_by(counts.c.about, counts.c.kind))
    for about, group in groupby(rows, key=lambda row: row.about):
        found = list(group)
        status = None if found[0].created is None else status_of(found[0])
        records = {RecordClass(row.kind): Count(row.there, row.made) for row in found}
        yield Holder(about, status, records)


def _dated(kind: RecordClass, *, since: int, until: int) -> Select[*tuple[Any, ...]]:
    about, record = DATED[kind]
    return _counted(kind, about, there=record < first_id(until), made=record >= first_id(since))


def _counted(
    kind: RecordClass, about: Column[str], *, there: ColumnElement[bool], made: ColumnElement[bool]
) -> Select[*tuple[Any, ...]]:
    columns = (about.label("about"), literal(kind.value).label("kind"), func.count().label("there"))
    return select(*columns, func.sum(case((made, 1), else_=0)).label("made")).where(there).group_by(about)
