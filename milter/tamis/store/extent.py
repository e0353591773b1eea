"""Whether there are records about an account, how many, and from when to when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from tamis.retention.classes import RecordClass
from tamis.store import pseudonyms
from tamis.store.census import DATED
from tamis.store.schema import account
from tamis.ticket import time_of


@dataclass(frozen=True, slots=True)
class Extent:
    """The records of a class about one account."""

    kind: RecordClass
    count: int
    oldest: int  # Unix ms, as the following
    newest: int


def extents(connection: Connection, address: str) -> Iterator[Extent]:
    """Return the classes of which there are records about an address (lower case)."""
    created = select(account.c.created).where(account.c.address == address)
    made = connection.execute(created).scalar_one_or_none()
    if made is not None:
        yield Extent(RecordClass.ACCOUNT, 1, made, made)
    names = pseudonyms.names(connection, address)
    for kind, (about, record) in DATED.items():
        counted = select(func.count(), func.min(record), func.max(record)).where(about.in_(names))
        count, oldest, newest = connection.execute(counted).one()
        if count:
            yield Extent(kind, count, time_of(oldest), time_of(newest))
