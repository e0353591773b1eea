"""Showing an authority an account's records of some time, on an order that is on record first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from sqlalchemy import Connection

from tamis.desk import readings, records, staff
from tamis.retention.classes import RecordClass
from tamis.store import acts
from tamis.store.acts import Kind
from tamis.store.database import Database
from tamis.store.tickets import Unreadable
from tamis.ticket import timestamp

COMMAND = "disclose"
SHOWN = {
    RecordClass.TICKET: records.mail,
    RecordClass.SESSION: records.sign_ins,
    RecordClass.SETTING_CHANGE: records.changes,
}


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be shown, to whom and why."""

    reference: str
    authority: str
    basis: str
    jurisdiction: str
    account: str
    since: int  # inclusive, Unix ms
    until: int  # exclusive, Unix ms

    def as_json(self) -> dict[str, object]:
        """Return the order with its times in words."""
        return asdict(self) | {"since": timestamp(self.since), "until": timestamp(self.until)}


def enter(database: Database, order: Order, *, now: int) -> str:
    """Return the ID of the act once it is durable that an order is carried out; raise StoreUnavailable."""
    body = order.as_json()
    with database.writing() as connection:
        act_id = acts.add(connection, Kind.DISCLOSURE, {**staff.signature(), **body}, now=now)
        readings.add(connection, COMMAND, {**body, "act": act_id}, now=now)
    return act_id


def carry_out(connection: Connection, order: Order) -> Iterator[tuple[RecordClass, Mapping[str, object]]]:
    """Return the account's own part of its records, a class after the other, each oldest first.

    Once all that can be are shown, raise Unreadable.
    """
    unreadable = None
    for kind, find in SHOWN.items():
        try:
            for record in find(connection, order.account, since=order.since, until=order.until):
                yield kind, record
        except Unreadable as error:
            unreadable = error
    if unreadable is not None:
        raise unreadable
