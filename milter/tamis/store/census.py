"""Counts of each account's records, by class: those that were there in a time, and those made in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, case, func, literal, select, union_all

from tamis.retention.classes import RecordClass
from tamis.store.owners import COLUMNS, Status, status_of
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
    """Return the accounts of which there were records in a time, by address: Unix ms, until exclusive."""
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
